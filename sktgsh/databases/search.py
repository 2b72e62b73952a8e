"""Queries to a table of codes: the nearest, and all within a radius."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..neighbors.checks import check_available, check_n_neighbors, check_radius
from .about import About

Found = list[tuple[Any, int]]


class DatabaseSearchMixin:
    """Searches of a table, by the distance that a subclass writes in SQL."""

    table: str
    packed: bool
    code_version: str | Mapping | None
    _mark: str
    _about: About
    _run: Callable[..., Any]
    _check_version: Callable[..., None]

    def _distance(self) -> str:
        raise NotImplementedError

    def _query(self, row: np.ndarray) -> list:
        """The parameters of the distance to one packed code."""
        raise NotImplementedError

    def kneighbors(
        self,
        codes: ArrayLike,
        n_neighbors: int = 5,
        *,
        task: Any = None,
        filter: str | None = None,
        parameters: Sequence = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest codes of each query; of equal distances, the smaller id first.

        Parameters
        ----------
        codes : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
            Codes.
        n_neighbors : int, default=5
            Neighbours of a query.
        task : int, str or array-like of shape (n_queries,), optional
            Search among the codes of this task only: one for all queries, or one for each.
        filter : str, optional
            A condition in the database's SQL over ``id``, ``task`` and whatever it selects from
            other tables. It is taken as it is: values that are not yours belong into `parameters`.
        parameters : sequence, default=()
            The values of the filter's placeholders, as the database's driver marks them.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
        ids : ndarray of shape (n_queries, n_neighbors), dtype int64 or object
            Nearest first.

        Raises
        ------
        ValueError
            If a query has fewer codes to find than neighbours asked for, or a width, a type or the
            version differs.
        """
        k = check_n_neighbors(n_neighbors)
        distances, found = [], []
        for row, where, values in self._each_query(codes, task, filter, parameters):
            rows = self._nearest(row, k, where, values)
            check_available(k, len(rows))
            found.append([name for name, _ in rows])
            distances.append([distance for _, distance in rows])
        shape = (len(found), k)
        return np.array(distances, float).reshape(shape), self._as_ids(found).reshape(shape)

    def radius_neighbors(
        self,
        codes: ArrayLike,
        radius: float,
        *,
        task: Any = None,
        filter: str | None = None,
        parameters: Sequence = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """All codes within a radius of each query, nearest first, smaller ids before larger ones.

        Parameters
        ----------
        codes : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
            Codes.
        radius : float
            Codes that differ in this many bits are found.
        task, filter, parameters
            As in :meth:`kneighbors`.

        Returns
        -------
        distances : ndarray of shape (n_queries,), dtype object
            Of arrays of float64.
        ids : ndarray of shape (n_queries,), dtype object
            Of arrays of int64 or object.
        """
        most = (
            min(int(check_radius(radius)), self._about.n_bits)
            if radius < np.inf
            else self._about.n_bits
        )
        answers = []
        for row, where, values in self._each_query(codes, task, filter, parameters):
            within = f"select id, distance from ({self._select(where)}) as found "
            order = f"where distance <= {most} order by distance, id"
            answers.append(self._run(within + order, [*self._query(row), *values]).fetchall())
        distances, found = np.empty(len(answers), object), np.empty(len(answers), object)
        for query, rows in enumerate(answers):
            distances[query] = np.array([distance for _, distance in rows], float)
            found[query] = self._as_ids([name for name, _ in rows])
        return distances, found

    def _each_query(
        self, codes: Any, task: Any, filter: str | None, parameters: Sequence
    ) -> Iterator[tuple[np.ndarray, str, list]]:
        """Yield each query's packed code, its condition and the condition's parameters."""
        packed = self._about.codes(codes, self.packed)
        tasks = self._about.tasks(task, len(packed))
        self._check_version(self.code_version)
        where = "true" if tasks is None else f"task = {self._mark}"
        where += "" if filter is None else f" and ({filter})"
        for query, row in enumerate(packed):
            own = [] if tasks is None else tasks[query : query + 1].tolist()
            yield row, where, [*own, *parameters]

    def _select(self, where: str) -> str:
        return f'select id, {self._distance()} as distance from "{self.table}" where {where}'

    def _nearest(self, row: np.ndarray, k: int, where: str, values: list) -> Found:
        nearest = f"{self._select(where)} order by distance, id limit {k}"
        return self._run(nearest, [*self._query(row), *values]).fetchall()

    def _as_ids(self, found: list) -> np.ndarray:
        return np.array(found, np.int64 if self._about.id_type == "int" else object)
