"""Reading and searching a store: by code, by scores, by the vectors beside the codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import are_values
from ...bits import unpack_bits
from ..checks import (
    METRICS,
    check_available,
    check_code_version,
    check_n_neighbors,
    check_radius,
)
from ..distances import DensePoints
from ..hamming import HammingNeighbors, lookup
from .rows import StoreRows, label_of, text_of
from .scan import NearestSoFar, nearest_codes

# Rows that are read at once.
_SCAN_ROWS = 1 << 16
# Ids up to this number are looked up in the index of ids; for more, all ids are read.
_FEW_IDS = 1 << 12
# Retries when files are compacted during a read.
_READ_AGAIN = 5

Result = TypeVar("Result")


class StoreSearchMixin:
    """Searches of a store with `_table` and `_rows`, on the rows at the time of the call."""

    path: str
    packed: bool
    _table: Any
    _rows: StoreRows
    _lock: Callable[[], AbstractContextManager]
    _pack: Callable[[Any], np.ndarray]
    _values: Callable[[Any], np.ndarray]

    def kneighbors(
        self,
        X: ArrayLike,
        n_neighbors: int = 5,
        *,
        task: Any = None,
        vectors: ArrayLike | None = None,
        metric: str = "cosine",
        oversampling: float = 4,
        code_version: str | Mapping | None = None,
        check_version: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest codes of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
            Codes, which are integers or booleans; or scores, which are floating point numbers of
            shape (n_queries, n_bits): they rank by the sum of the sizes of those whose sign is
            not the code's bit.
        n_neighbors : int, default=5
            Neighbours of a query.
        task : int, str or sequence of shape (n_queries,), optional
            Search among the codes of this task only: one for all queries, or one for each.
        vectors : array-like of shape (n_queries, n_features), optional
            Vectors of the queries: ``oversampling * n_neighbors`` neighbours by code are ranked
            again by the distance of these to the stored vectors.
        metric : {"cosine", "euclidean", "inner_product"}, default="cosine"
            That distance; inner products are given as their negative.
        oversampling : float, default=4
            At least 1.
        code_version : str or dict of str by task, optional
            The `code_version_` of the hasher that made the queries.
        check_version : bool, default=True
            Whether to refuse queries of another version than the store's.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
        ids : ndarray of shape (n_queries, n_neighbors), dtype int64 or object
            Nearest first.

        Raises
        ------
        ValueError
            If there are fewer codes of a task than neighbours asked for, or a width or the version
            differs.
        """
        check_code_version(code_version, self._rows.code_version, check=check_version)
        k = check_n_neighbors(n_neighbors)
        real_valued = are_values(X)
        queries = self._values(X) if real_valued else self._pack(X)
        tasks = None if task is None else self._rows.tasks(task, len(queries))
        nearest = lookup.nearest if real_valued else nearest_codes
        if vectors is None:
            return self._read(lambda: self._nearest(queries, int(k), int(k), tasks, nearest))
        if not oversampling >= 1:
            raise ValueError(f"oversampling={oversampling}; expected at least 1")
        if metric not in METRICS:
            raise ValueError(f"metric={metric!r}; expected one of {METRICS}")
        asked = self._rows.vectors(vectors, len(queries))
        most = int(np.ceil(k * oversampling))
        return self._read(
            lambda: self._rescored(
                asked, int(k), metric, self._nearest(queries, most, int(k), tasks, nearest)
            )
        )

    def radius_neighbors(
        self,
        X: ArrayLike,
        radius: float = 1.0,
        *,
        task: Any = None,
        code_version: str | Mapping | None = None,
        check_version: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """All codes within a radius of each query, nearest first, smaller ids before larger ones.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
            Codes.
        radius : float, default=1.0
            Codes that differ in at most this many bits are found.
        task, code_version, check_version
            As in :meth:`kneighbors`.

        Returns
        -------
        distances : ndarray of shape (n_queries,), dtype object
            Of arrays of float64.
        ids : ndarray of shape (n_queries,), dtype object
            Of arrays of int64 or object.

        Raises
        ------
        ValueError
            If the radius is negative, or a width or the version differs.
        """
        check_code_version(code_version, self._rows.code_version, check=check_version)
        check_radius(radius)
        queries = self._pack(X)
        tasks = None if task is None else self._rows.tasks(task, len(queries))
        return self._read(lambda: self._within(queries, radius, tasks))

    def to_index(self, *, no_task: int | str | None = None, **params: Any) -> HammingNeighbors:
        """All codes, ids and tasks in an index in memory, which is much faster to search.

        Parameters
        ----------
        no_task : int or str, optional
            What the index calls the task of rows without one, where others have one.
        **params
            Of :class:`HammingNeighbors`.

        Returns
        -------
        index : HammingNeighbors
            Fitted.

        Raises
        ------
        ValueError
            If the store is empty, or only some rows have a task and `no_task` is not given.
        """
        ids, codes, texts = self._read(self._everything)
        if not len(ids):
            raise ValueError(f"the store in {self.path} is empty")
        labels = [no_task if text is None else label_of(text) for text in texts]
        missing = sum(label is None for label in labels)
        if 0 < missing < len(labels):
            raise ValueError(
                f"{missing} of {len(labels)} rows have no task; give no_task, the label that these "
                "get in the index"
            )
        if not self.packed:
            codes = unpack_bits(codes, self._rows.n_bits)
        index = HammingNeighbors(packed=self.packed, **params)
        labels = None if missing else labels
        return index.fit(codes, ids=ids, task=labels, code_version=self._rows.code_version)

    def tasks(self) -> list:
        """Tasks of the rows.

        Returns
        -------
        tasks : list of int, str or None
            None where there are rows without a task.
        """
        return [label_of(text) for text in self._read(self._known_tasks)]

    def ids(self, *, task: Any = None) -> np.ndarray:
        """Ids of the rows.

        Parameters
        ----------
        task : int or str, optional
            Of this task only.

        Returns
        -------
        ids : ndarray of shape (n_rows,), dtype int64 or object
            Ascending.
        """
        from lancedb.expr import col

        where = None if task is None else col("task") == text_of(task)

        def read() -> np.ndarray:
            kind = np.int64 if self._rows.id_type == "int" else object
            parts = [self._rows.ids_of(batch) for batch in self._scan(["id"], where)]
            return np.sort(np.concatenate([np.empty(0, kind), *parts]))

        return self._read(read)

    def _known_tasks(self) -> list[str | None]:
        """Texts of all tasks, in the order of the first ids."""
        texts: dict[str | None, None] = {}
        for batch in self._scan(["id", "task"]):
            texts |= dict.fromkeys(batch["task"].unique().to_pylist())
        return list(texts)

    def _nearest(
        self, queries: np.ndarray, most: int, fewest: int, tasks: list | None, nearest: Callable
    ) -> tuple[np.ndarray, np.ndarray]:
        """At most `most` neighbours; where there are fewer, distances are infinite at the end."""
        import pyarrow.compute as pc
        from lancedb.expr import col

        best = NearestSoFar(
            queries, most, nearest, np.int64 if self._rows.id_type == "int" else object
        )
        if tasks is None:
            for batch in self._scan(["id", "code"]):
                ids, codes = self._rows.ids_of(batch), self._rows.codes_of(batch)
                best.offer(np.arange(len(queries)), codes, ids)
        else:
            labels = np.array(tasks, dtype=object)
            groups = {label: np.flatnonzero(labels == label) for label in dict.fromkeys(tasks)}
            for batch in self._scan(["id", "code", "task"], col("task").isin(list(groups))):
                ids, codes = self._rows.ids_of(batch), self._rows.codes_of(batch)
                for label in pc.unique(batch["task"]).to_pylist():
                    own = np.flatnonzero(pc.equal(batch["task"], label).to_numpy(False))
                    best.offer(groups[label], codes[own], ids[own])
        check_available(fewest, int(best.seen.min(initial=np.iinfo(np.int64).max)))
        return best.distances, best.ids

    def _within(
        self, queries: np.ndarray, radius: float, tasks: list | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """All codes within a radius of each query."""
        from lancedb.expr import col

        kind = np.int64 if self._rows.id_type == "int" else object
        found = [([np.empty(0)], [np.empty(0, kind)]) for _ in queries]
        columns = ["id", "code"] if tasks is None else ["id", "code", "task"]
        where = None if tasks is None else col("task").isin(list(dict.fromkeys(tasks)))
        for batch in self._scan(columns, where):
            ids, codes = self._rows.ids_of(batch), self._rows.codes_of(batch)
            texts = None if tasks is None else np.array(batch["task"].to_pylist(), object)
            for place, query in enumerate(queries):
                distances = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int64)
                near = distances <= radius
                if tasks is not None:
                    near &= texts == tasks[place]
                found[place][0].append(distances[near].astype(np.float64))
                found[place][1].append(ids[near])
        distances, names = np.empty(len(queries), object), np.empty(len(queries), object)
        for place, parts in enumerate(found):
            far, own = (np.concatenate(part) for part in parts)
            order = np.lexsort((np.unique(own, return_inverse=True)[1], far))
            distances[place], names[place] = far[order], own[order]
        return distances, names

    def _rescored(
        self, asked: np.ndarray, k: int, metric: str, found: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        from lancedb.expr import col

        near, ids = found
        query_of, place = np.nonzero(np.isfinite(near))
        wanted, row_of = np.unique(ids[query_of, place], return_inverse=True)
        stored = np.empty((len(wanted), self._rows.n_features or 0), self._rows.vector_type)
        there = np.zeros(len(wanted), bool)
        for batch in self._scan(["id", "vector"], col("id").isin(wanted.tolist())):
            rows = np.searchsorted(wanted, self._rows.ids_of(batch))
            stored[rows], there[rows] = self._rows.vectors_of(batch), True
        if not there.all():
            raise RuntimeError("rows were removed between two reads")
        points = DensePoints(stored, metric)
        distances, best = points.nearest(asked, query_of, row_of, k)
        return distances, wanted[best]

    def _everything(self) -> tuple[np.ndarray, np.ndarray, list]:
        ids, codes, texts = [], [np.empty((0, self._rows.n_bytes), np.uint8)], []
        for batch in self._scan(["id", "code", "task"]):
            ids.append(self._rows.ids_of(batch))
            codes.append(self._rows.codes_of(batch))
            texts += batch["task"].to_pylist()
        if not ids:
            return np.empty(0), codes[0], texts
        # In the order of ids, so that the index breaks ties as the store does.
        order = np.argsort(np.concatenate(ids))
        texts = [texts[row] for row in order]
        return np.concatenate(ids)[order], np.concatenate(codes)[order], texts

    def _known(self, ids: Any) -> list:
        """Those of some ids that are in the store."""
        import pyarrow.compute as pc
        from lancedb.expr import col

        if len(ids) <= _FEW_IDS:
            batches = self._scan(["id"], col("id").isin(ids.to_pylist()))
            return [label for batch in batches for label in batch["id"].to_pylist()]
        found = []
        for batch in self._scan(["id"]):
            column = batch["id"]
            found += column.filter(pc.is_in(column, value_set=ids)).to_pylist()
        return found

    def _scan(self, columns: list[str], where: Any = None) -> Iterator[Any]:
        """Yield blocks of the rows as they were at the last look, each in the order of ids."""
        import pyarrow.compute as pc

        query = self._table.search().select(columns)
        query = query if where is None else query.where(where)
        for batch in query.to_batches(_SCAN_ROWS):
            ids = batch["id"]
            is_sorted = pc.all(pc.less_equal(ids[:-1], ids[1:])).as_py()
            yield batch if is_sorted or len(ids) < 2 else batch.sort_by("id")

    def _read(self, function: Callable[[], Result]) -> Result:
        """Call a function on the latest rows, again if files were removed while it read them."""
        from pyarrow import ArrowException

        def attempt() -> Result:
            self._table.checkout_latest()
            return function()

        for _ in range(_READ_AGAIN):
            try:
                return attempt()
            except (RuntimeError, OSError, ArrowException) as error:
                version = self._table.version
                self._table.checkout_latest()
                if self._table.version == version:
                    raise self._unreadable(error) from error
        with self._lock():  # writers wait
            return attempt()

    def _unreadable(self, error: Exception) -> ValueError:
        return ValueError(
            f"the store in {self.path} cannot be read ({error}); restore its files from a copy"
        )
