"""From queries to candidates in hash tables, and from these to neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ...base import check_samples
from ...codes import unpack_codes
from ...tasks import check_known, check_task
from ...threads import parallel_map
from .. import ranking
from ..checks import check_available, check_code_version, check_n_neighbors, check_radius
from ..distances import CodePoints, DensePoints, SparsePoints, check_directions
from .tables import Tables, bits_to_words, bucket_keys, probe_steps

# Rows that are hashed at once, which bounds the memory of hash values.
_HASH_ROWS = 4096
# Rows in the buckets of the queries that one thread looks up at once.
_BLOCK_LOAD = 1 << 18
# Bits of a code by which candidates are sifted.
_SKETCH_BITS = 256


@dataclass
class _Block:
    """Some queries, their codes, and their candidates as pairs of a query and a row."""

    queries: Any
    codes: np.ndarray
    query_of: np.ndarray
    rows: np.ndarray

    def only(self, kept: np.ndarray) -> _Block:
        return replace(self, query_of=self.query_of[kept], rows=self.rows[kept])


class HashSearchMixin:
    """Search of an index with `tables_`, `codes_`, `points_`, `hasher_` and tasks."""

    n_neighbors: int
    radius: float
    n_tables: int
    n_probes: int
    max_bucket_size: int | None
    max_candidates: int | None
    metric: str
    hasher_: Any
    code_version_: Any
    X_: Any
    tables_: Tables
    codes_: CodePoints
    points_: CodePoints | DensePoints | SparsePoints
    tasks_: list
    task_of_: np.ndarray | None
    n_samples_fit_: int

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        task: Any = None,
        check_version: bool = True,
    ) -> Any:
        """The nearest candidates of each query.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), optional
            Queries; by default the fitted rows, none of which is its own neighbour.
        n_neighbors : int, optional
            By default as in the constructor.
        return_distance : bool, default=True
            Whether to return distances.
        task : int, str or array-like of shape (n_queries,), optional
            Search among the rows of this task only: one for all queries, or one for each.
        check_version : bool, default=True
            Whether to refuse to search where the hasher's `code_version_` is no longer that of
            the fitted rows.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
            Only if `return_distance` is set; infinity where there were too few candidates.
        rows : ndarray of shape (n_queries, n_neighbors), dtype int64
            Nearest first; -1 where there were too few candidates.

        Raises
        ------
        ValueError
            If there are fewer rows than neighbours asked for, the task is unknown, or the hasher
            gives other codes than when the rows were hashed.
        """
        check_is_fitted(self)
        self._check_version(check_version)
        k = check_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        queries, asked = self._queries(X, task)
        self._check_available(k, X is None, asked)
        blocks = self._each_block(lambda block: self._nearest(block, int(k)), X, queries, asked)
        distances = np.concatenate([near for near, _ in blocks])
        rows = np.concatenate([found for _, found in blocks])
        return (distances, rows) if return_distance else rows

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
        *,
        task: Any = None,
        check_version: bool = True,
    ) -> Any:
        """All candidates within a radius of each query.

        Parameters
        ----------
        X, return_distance, task, check_version
            As in :meth:`kneighbors`.
        radius : float, optional
            By default as in the constructor; rows at this distance are included.
        sort_results : bool, default=False
            Nearest first.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of arrays
            Only if `return_distance` is set.
        rows : ndarray of shape (n_queries,) of arrays
        """
        check_is_fitted(self)
        self._check_version(check_version)
        # Products are given as their negative.
        limit = check_radius(
            self.radius if radius is None else radius, negative=self._metric == "inner_product"
        )
        queries, asked = self._queries(X, task)
        blocks = self._each_block(
            lambda block: self._within(block, limit, sort_results), X, queries, asked
        )
        distances = np.empty(queries.shape[0], dtype=object)
        rows = np.empty(queries.shape[0], dtype=object)
        found = ((near, own) for block in blocks for near, own in zip(*block))
        for query, (near, own) in enumerate(found):
            distances[query], rows[query] = near, own
        return (distances, rows) if return_distance else rows

    # -- one block -------------------------------------------------------------------------------

    def _nearest(self, block: _Block, k: int) -> tuple[np.ndarray, np.ndarray]:
        n_queries = len(block.codes)
        if self.max_candidates is not None and self._metric != "hamming":
            differing = self.codes_.distances(block.codes, block.query_of, block.rows)
            most = max(k, int(self.max_candidates))
            block = block.only(ranking.best_of_each(block.query_of, differing, n_queries, most))
        return self.points_.nearest(self._asked(block), block.query_of, block.rows, k)

    def _within(
        self, block: _Block, radius: float, sort_results: bool
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        kept, near = self.points_.within(self._asked(block), block.query_of, block.rows, radius)
        block = block.only(kept)
        rows = block.rows.astype(np.int64)
        if sort_results:
            order = np.lexsort((rows, near, block.query_of))
            rows, near = rows[order], near[order]
        cuts = np.cumsum(np.bincount(block.query_of, minlength=len(block.codes)))[:-1]
        return np.split(near, cuts), np.split(rows, cuts)

    def _asked(self, block: _Block) -> Any:
        return block.codes if self._metric == "hamming" else block.queries

    # -- candidates ------------------------------------------------------------------------------

    def _each_block(
        self, function: Callable[[_Block], Any], X: Any, queries: Any, asked: np.ndarray | None
    ) -> list:
        """Apply a function to each block of queries and their candidates, in order."""

        def run(given: tuple) -> tuple[int, Any]:
            block = self._block(*given, own=X is None, asked=asked)
            return len(block.rows), function(block)

        done = parallel_map(run, list(self._iter_hits(queries, self._labels_of(X, asked))))
        total = sum(count for count, _ in done)
        self.candidate_share_ = total / max(1, queries.shape[0] * self.n_samples_fit_)
        return [result for _, result in done]

    def _iter_hits(
        self, queries: Any, labels: np.ndarray | None
    ) -> Iterator[tuple[int, Any, np.ndarray, Any]]:
        """Yield (first query, queries, codes, buckets) of blocks of bounded load."""
        most = np.inf if self.max_bucket_size is None else self.max_bucket_size
        size = max(1, _HASH_ROWS // (1 + int(self.n_probes)))
        for start in range(0, queries.shape[0], size):
            part = queries[start : start + size]
            own = None if labels is None else labels[start : start + size]
            keys, codes = self._hash(part, own, n_probes=self.n_probes, queries=True)
            hits = self.tables_.lookup(keys, most)
            load = np.cumsum(self.tables_.load(hits)) // _BLOCK_LOAD
            cuts = [0, *(np.flatnonzero(np.diff(load)) + 1).tolist(), len(load)]
            for first, last in pairwise(cuts):
                yield start + first, part[first:last], codes[first:last], hits[first:last]

    def _block(
        self,
        start: int,
        queries: Any,
        codes: np.ndarray,
        hits: Any,
        *,
        own: bool,
        asked: np.ndarray | None,
    ) -> _Block:
        found = hits @ self.tables_.buckets
        query_of = np.repeat(np.arange(len(codes)), np.diff(found.indptr))
        block = _Block(queries, codes, query_of, found.indices)
        if own:
            block = block.only(block.rows != start + block.query_of)
        if asked is not None and self.task_of_ is not None:
            block = block.only(self.task_of_[block.rows] == asked[start + block.query_of])
        return block

    # -- hashes ----------------------------------------------------------------------------------

    def _hash(
        self, X: Any, labels: np.ndarray | None, *, n_probes: int = 0, queries: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keys of shape (n_rows, n_tables, n_probes + 1), and codes to compare candidates by."""
        parts = []
        for start in range(0, X.shape[0], _HASH_ROWS):
            span = slice(start, start + _HASH_ROWS)
            own = None if labels is None else labels[span]
            values = self._hash_values(X[span], own, queries)
            parts.append((self._keys(values, n_probes), self._codes(values)))
        keys, codes = (np.concatenate(part) for part in zip(*parts))
        return keys, codes

    def _keys(self, values: np.ndarray, n_probes: int) -> np.ndarray:
        n_hashes = values.shape[1] // self._n_tables
        values = values[:, : n_hashes * self._n_tables].reshape(-1, 1, n_hashes)
        is_bits = values.dtype == np.uint8
        steps = probe_steps(n_hashes, n_probes, is_bits=is_bits)
        probed = values ^ steps if is_bits else values + steps
        keys = bucket_keys(probed.reshape(-1, n_hashes))
        return keys.reshape(-1, self._n_tables, len(steps))

    def _codes(self, values: np.ndarray) -> np.ndarray:
        if self._metric == "hamming":
            return bits_to_words(values) if values.dtype == np.uint8 else values
        # The parity of an integer hash is its bit.
        return bits_to_words((values[:, :_SKETCH_BITS] & 1).astype(np.uint8))

    def _hash_values(self, X: Any, labels: np.ndarray | None, queries: bool) -> np.ndarray:
        hasher = self.hasher_
        asked = queries and hasattr(hasher, "transform_queries")
        if hasattr(hasher, "hash_values"):
            return (hasher.hash_query_values if asked else hasher.hash_values)(X)
        given = {} if labels is None or asked else {"task": labels}
        codes = np.asarray((hasher.transform_queries if asked else hasher.transform)(X, **given))
        return unpack_codes(codes, hasher.n_bits_) if hasher.packed else codes

    # -- checks ----------------------------------------------------------------------------------

    def _check(self, X: Any, reset: bool) -> Any:
        X = check_samples(self, X, accept_sparse="csr", reset=reset)
        X = X if X.dtype == np.float32 else X.astype(np.float64, copy=False)
        metric = self.metric if reset else self._metric
        if metric == "cosine" or (metric == "inner_product" and not reset):
            check_directions(X, "X", metric)
        return X

    def _check_version(self, check_version: bool) -> None:
        current = getattr(self.hasher_, "code_version_", None)
        check_code_version(current, self.code_version_, check=check_version)

    @property
    def _n_tables(self) -> int:
        """As in fit: what is set afterwards counts from the next fit on."""
        return len(self.tables_.keys) if hasattr(self, "tables_") else int(self.n_tables)

    @property
    def _metric(self) -> str:
        """As in fit."""
        if not hasattr(self, "points_"):
            return self.metric
        return getattr(self.points_, "metric", "hamming")

    def _queries(self, X: Any, task: Any) -> tuple[Any, np.ndarray | None]:
        """Queries, and the number of the task that each is to be answered from."""
        queries = self.X_ if X is None else self._check(X, reset=False)
        if sparse.issparse(queries) != sparse.issparse(self.X_):
            queries = queries.toarray() if sparse.issparse(queries) else sparse.csr_array(queries)
        if task is None:
            return queries, None
        if self.task_of_ is None:
            raise ValueError(f"task={task!r} was given, but rows were indexed without tasks")
        labels = check_task(task, queries.shape[0])
        check_known(labels, self.tasks_)
        return queries, self._places(labels)

    def _labels_of(self, X: Any, asked: np.ndarray | None) -> np.ndarray | None:
        """Tasks by which queries are hashed: those asked for, or the fitted rows' own."""
        places = self.task_of_ if X is None and asked is None else asked
        return None if places is None else np.array(self.tasks_)[places]

    def _places(self, labels: np.ndarray) -> np.ndarray:
        place = {label: number for number, label in enumerate(self.tasks_)}
        distinct, inverse = np.unique(labels, return_inverse=True)
        return np.array([place[label] for label in distinct.tolist()], np.int32)[inverse]

    def _check_available(self, k: int, own: bool, asked: np.ndarray | None) -> None:
        counts = np.array([self.n_samples_fit_])
        if asked is not None and self.task_of_ is not None:
            counts = np.bincount(self.task_of_, minlength=len(self.tasks_))[np.unique(asked)]
        check_available(k, int(counts.min(initial=self.n_samples_fit_)), own=own)
