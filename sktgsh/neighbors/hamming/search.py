"""Searches of an index of codes: nearest, within a radius, as a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import check_feature_names
from ...arrays import are_values, as_numbers
from ...bits import pack_bits
from ...codes import check_values
from ...tasks import check_known, check_task
from ...threads import threads_for
from ..checks import (
    check_available,
    check_code_version,
    check_ids,
    check_n_neighbors,
    check_radius,
)
from ..graphs import NeighborGraphsMixin
from .faiss_index import Queries
from .ids import Ids
from .shards import Shards


class HammingSearchMixin(NeighborGraphsMixin):
    """Searches of :class:`.HammingNeighbors`."""

    n_neighbors: int
    radius: float
    mode: str
    packed_: bool
    code_version_: str | Mapping | None
    n_features_in_: int
    shards_: Shards
    slot_ids_: Ids | None
    _pack: Callable[[Any, int | None, bool], tuple[np.ndarray, int]]
    _slots_of: Callable[[np.ndarray, str], np.ndarray]

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        task: Any = None,
        filter: ArrayLike | None = None,
        oversampling: float | None = None,
        code_version: str | Mapping | None = None,
        check_version: bool = True,
    ) -> Any:
        """The nearest codes of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes), optional
            Queries; by default the indexed codes, none of which is its own neighbour. Integers
            and booleans are codes. Floating point numbers, of shape (n_queries, n_bits), are
            scores: positive ones expect a 1, negative ones a 0, and 0 expects neither.
        n_neighbors : int, optional
            By default as in the constructor.
        return_distance : bool, default=True
            Whether to return distances.
        task : int, str or array-like of shape (n_queries,), optional
            Search among the codes of this task only, or each query among those of its own task.
        filter : array-like of bool of shape (n_samples_fit,), or of ids, optional
            Search among these codes only; always exact. Integers are ids, those of rows where
            the index has no others.
        oversampling : float, optional
            For queries of real values: rank only so many candidates by code for each neighbour
            asked for, at least 1. By default all codes are ranked, by an exact scan.
        code_version : str or dict of str by task, optional
            The `code_version_` of the hasher that made the queries.
        check_version : bool, default=True
            Whether to refuse queries of another version than the codes'.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
            Bits that differ; for queries of real values, the sum of the sizes of the values whose
            bits differ. That is ``(abs(v).sum() - v @ (2 * code - 1)) / 2``, and the Hamming
            distance where values are -1 and 1. Only if `return_distance` is set.
        ids : ndarray of shape (n_queries, n_neighbors), dtype int64 or object (str)
            Nearest first; of equal distances, the code that came first. Where `filter` or a task
            for each query leaves fewer codes than neighbours asked for, the last ones are -1 (or
            the empty string), at distance infinity.

        Raises
        ------
        ValueError
            If there are fewer codes than neighbours asked for, the width or the version differs, or
            a task or id is unknown.
        """
        check_is_fitted(self)
        check_code_version(code_version, self.code_version_, check=check_version)
        distances, slots = self._search(X, n_neighbors, task, filter, oversampling)
        found = self._to_ids(slots)
        return (distances, found) if return_distance else found

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
        *,
        task: Any = None,
        filter: ArrayLike | None = None,
        code_version: str | Mapping | None = None,
        check_version: bool = True,
    ) -> Any:
        """All codes within a radius of each query.

        Parameters
        ----------
        X, return_distance, task, filter, code_version, check_version
            As in :meth:`kneighbors`.
        radius : float, optional
            By default as in the constructor; codes at this distance are included.
        sort_results : bool, default=False
            Nearest first.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of arrays
            Only if `return_distance` is set.
        ids : ndarray of shape (n_queries,) of arrays
        """
        check_is_fitted(self)
        check_code_version(code_version, self.code_version_, check=check_version)
        distances, slots = self._search_within(X, radius, sort_results, task, filter)
        for query in range(len(slots)):
            slots[query] = self._to_ids(slots[query])
        return (distances, slots) if return_distance else slots

    def transform(self, X: ArrayLike) -> sparse.csr_matrix:
        """The graph of the nearest codes, for estimators with ``metric="precomputed"``.

        As in ``sklearn.neighbors.KNeighborsTransformer``, graphs of distances have one neighbour
        more, since a fitted code is its own nearest neighbour.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
            Queries.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit)
            As `kneighbors_graph` gives it, with the constructor's `mode`.
        """
        check_is_fitted(self)
        extra = self.mode == "distance"
        n_neighbors = min(self.n_neighbors + extra, self.n_samples_fit_)
        return self.kneighbors_graph(X, n_neighbors, self.mode)

    # -- slots -----------------------------------------------------------------------------------

    def _search(
        self, X: Any, n_neighbors: int | None, task: Any, filter: Any, oversampling: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        k = check_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        queries, own = self._queries(X, oversampling)
        task, mask = self._check_task(task, len(queries)), self._mask(filter)
        wanted = int(k) + (own is not None)
        if mask is None and not isinstance(task, np.ndarray):
            check_available(k, self.shards_.count(task, None), own=own is not None)
        with self._threads(queries):
            distances, slots = self.shards_.nearest(queries, wanted, task, mask)
        if own is None:
            return distances, slots
        # Drop the query itself, or the last neighbour if ties pushed the query out.
        itself = slots == own[:, None]
        itself[~itself.any(axis=1), -1] = True
        shape = (len(slots), wanted - 1)
        return distances[~itself].reshape(shape), slots[~itself].reshape(shape)

    def _search_within(
        self, X: Any, radius: float | None, sort_results: bool, task: Any, filter: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        radius = check_radius(self.radius if radius is None else radius)
        queries, own = self._queries(X, None)
        task, mask = self._check_task(task, len(queries)), self._mask(filter)
        with self._threads(queries):
            query_of, near, slots = self.shards_.within(queries, radius, task, mask)
        if own is not None:
            others = slots != own[query_of]
            query_of, near, slots = query_of[others], near[others], slots[others]
        if sort_results:
            order = np.lexsort((near, query_of))
            near, slots = near[order], slots[order]
        distances = np.empty(len(queries), dtype=object)
        found = np.empty(len(queries), dtype=object)
        stops = np.cumsum(np.bincount(query_of, minlength=len(queries)))
        for query, (start, stop) in enumerate(zip([0, *stops[:-1]], stops)):
            distances[query] = near[start:stop].astype(np.float64)
            found[query] = slots[start:stop]
        return distances, found

    def _nearest_rows(
        self, X: Any, n_neighbors: int | None, task: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        distances, slots = self._search(X, n_neighbors, task, None, None)
        return distances, self.shards_.to_rows(slots)

    def _rows_within(
        self, X: Any, radius: float | None, sort_results: bool, task: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        distances, slots = self._search_within(X, radius, sort_results, task)
        for query in range(len(slots)):
            slots[query] = self.shards_.to_rows(slots[query])
        return distances, slots

    def _to_ids(self, slots: np.ndarray) -> np.ndarray:
        return self.shards_.to_rows(slots) if self.slot_ids_ is None else self.slot_ids_.of(slots)

    def _threads(self, queries: Queries) -> Any:
        # A comparison of two codes costs about as much as a product of their bits.
        return threads_for(8.0 * queries.packed.size * self.n_samples_fit_)

    # -- checks ----------------------------------------------------------------------------------

    def _queries(self, X: Any, oversampling: Any) -> tuple[Queries, np.ndarray | None]:
        """Queries; and their own slots, where they are the indexed codes."""
        if X is None:
            return Queries(self.shards_.codes()), self.shards_.live
        check_feature_names(self, X, reset=False)
        is_real = are_values(X)
        X = as_numbers(X, "X")
        if X.ndim != 2 or not is_real:
            return Queries(self._pack(X, self.n_features_in_, self.packed_)[0]), None
        n_features = -(-X.shape[-1] // 8) if self.packed_ else X.shape[-1]
        if n_features != self.n_features_in_:
            expected = f"{self.n_features_in_} bytes of bits" if self.packed_ else "that many bits"
            raise ValueError(
                f"X has shape {X.shape}, but HammingNeighbors is expecting {self.n_features_in_} "
                f"features as input; real values are one for each bit, of {expected}"
            )
        values = check_values(X, "X")
        return Queries(pack_bits(values > 0), values, _check_factor(oversampling)), None

    def _check_task(self, task: Any, n_queries: int) -> Any:
        if task is None:
            return None
        if not self.shards_.has_tasks:
            raise ValueError(f"task={task!r} was given, but codes were indexed without tasks")
        labels = check_task(
            [task] if np.ndim(task) == 0 else task, 1 if np.ndim(task) == 0 else n_queries
        )
        check_known(labels, self.shards_.tasks)
        return labels.tolist()[0] if np.ndim(task) == 0 else labels

    def _mask(self, filter: Any) -> np.ndarray | None:
        """The slots that are searched."""
        if filter is None:
            return None
        given = np.asarray(filter, dtype=None if hasattr(filter, "dtype") else object)
        if given.dtype == bool or (len(given) and all(isinstance(one, bool) for one in given)):
            given = given.astype(bool)
            if given.shape != (self.n_samples_fit_,):
                raise ValueError(
                    f"filter has shape {given.shape}; a mask has one entry for each of "
                    f"{self.n_samples_fit_} codes"
                )
            slots = self.shards_.live[given]
        else:
            ids = check_ids(filter, name="filter")
            if len(np.unique(ids)) < len(ids):
                raise ValueError(
                    "filter has repeated entries; give each id once, or for a mask booleans, as "
                    "in filter.astype(bool)"
                )
            slots = self._slots_of(ids, "filter")
        mask = np.zeros(self.shards_.n_slots, np.bool_)
        mask[slots] = True
        return mask


def _check_factor(oversampling: Any) -> float | None:
    if oversampling is None:
        return None
    if not isinstance(oversampling, Real) or not 1 <= float(oversampling) < np.inf:
        raise ValueError(f"oversampling={oversampling!r}; expected a number of at least 1")
    return float(oversampling)
