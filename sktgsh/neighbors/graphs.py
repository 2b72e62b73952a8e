"""Neighbours as sparse graphs, for any index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse


class NeighborGraphsMixin:
    """Graphs of an index whose searches give rows' numbers, and -1 where there are none.

    An index whose searches give ids says in `_nearest_rows` and `_rows_within` how to get rows.
    """

    n_samples_fit_: int
    kneighbors: Callable[..., Any]
    radius_neighbors: Callable[..., Any]

    def kneighbors_graph(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        mode: str = "connectivity",
        *,
        task: Any = None,
    ) -> sparse.csr_matrix:
        """The nearest rows as a sparse graph.

        Parameters
        ----------
        X, n_neighbors, task
            As in `kneighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Values of the graph: ones, or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit)
            A query for which fewer rows were found has fewer entries.
        """
        _check_mode(mode)
        distances, rows = self._nearest_rows(X, n_neighbors, task)
        found = rows >= 0
        return self._graph(found.sum(axis=1), rows[found], distances[found], mode)

    def radius_neighbors_graph(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        mode: str = "connectivity",
        sort_results: bool = False,
        *,
        task: Any = None,
    ) -> sparse.csr_matrix:
        """The rows within a radius as a sparse graph.

        Parameters
        ----------
        X, radius, sort_results, task
            As in `radius_neighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Values of the graph: ones, or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit)
        """
        _check_mode(mode)
        distances, rows = self._rows_within(X, radius, sort_results, task)
        counts = np.array([len(found) for found in rows], np.int64)
        every = np.concatenate([np.empty(0, np.int64), *rows])
        return self._graph(counts, every, np.concatenate([np.empty(0), *distances]), mode)

    def _nearest_rows(
        self, X: Any, n_neighbors: int | None, task: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.kneighbors(X, n_neighbors, task=task)

    def _rows_within(
        self, X: Any, radius: float | None, sort_results: bool, task: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.radius_neighbors(X, radius, sort_results=sort_results, task=task)

    def _graph(
        self, counts: np.ndarray, rows: np.ndarray, distances: np.ndarray, mode: str
    ) -> sparse.csr_matrix:
        values = np.ones(len(rows)) if mode == "connectivity" else distances
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return sparse.csr_matrix((values, rows, indptr), (len(counts), self.n_samples_fit_))


def _check_mode(mode: str) -> None:
    if mode not in ("connectivity", "distance"):
        raise ValueError(f"mode={mode!r}; expected 'connectivity' or 'distance'")
