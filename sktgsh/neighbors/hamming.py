"""Nearest neighbours of codes; faiss does the search."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import faiss
import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..codes import check_codes
from ..persistence import SaveMixin
from ..tasks import check_known, check_same_kind, check_task, iter_tasks

ALGORITHMS = ("flat", "hnsw", "multihash")


def _make_index(algorithm: str, n_bits: int, params: dict | None) -> faiss.IndexBinary:
    params = dict(params or {})
    if algorithm == "hnsw":
        index = faiss.IndexBinaryHNSW(n_bits, params.pop("M", 16))
        index.hnsw.efConstruction = params.pop("ef_construction", 80)
        index.hnsw.efSearch = params.pop("ef_search", 64)
    elif algorithm == "multihash":
        bits = min(params.pop("bits_per_hash", 16), n_bits)
        index = faiss.IndexBinaryMultiHash(
            n_bits, min(params.pop("n_hashes", 8), n_bits // bits), bits
        )
        index.nflip = params.pop("n_flips", 1)
    else:
        index = faiss.IndexBinaryFlat(n_bits)
    if params:
        raise ValueError(f"index_params has unknown entries {sorted(params)} for {algorithm!r}")
    return index


def _stored_codes(index: faiss.IndexBinary) -> np.ndarray:
    """The packed codes that an index holds, as a view of its own memory."""
    flat = index if isinstance(index, faiss.IndexBinaryFlat) else index.storage
    flat = faiss.downcast_IndexBinary(flat)
    n_bytes = flat.ntotal * flat.code_size
    return faiss.rev_swig_ptr(flat.xb.data(), n_bytes).reshape(flat.ntotal, flat.code_size)


class _Shard:
    """The codes of one task: an index, and which row of the whole each of its rows is."""

    def __init__(self, index: faiss.IndexBinary, rows: np.ndarray | None):
        self.index = index
        self.rows = rows  # None: row i is row i

    def to_rows(self, found: np.ndarray) -> np.ndarray:
        return found if self.rows is None else np.where(found < 0, -1, self.rows[found])

    def __getstate__(self) -> dict:
        # faiss's own serialisation; pickle knows nothing of C++ objects.
        return {"index": faiss.serialize_index_binary(self.index), "rows": self.rows}

    def __setstate__(self, state: dict) -> None:
        self.index = faiss.deserialize_index_binary(state["index"])
        self.rows = state["rows"]


class HammingNeighbors(SaveMixin, TransformerMixin, BaseEstimator):
    """Nearest neighbours by Hamming distance, in the manner of ``sklearn.neighbors``.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours of a query, where a call does not say.
    radius : float, default=2
        Radius of a query, where a call does not say. Codes at this distance are included.
    algorithm : {"flat", "hnsw", "multihash"}, default="flat"
        ``"flat"`` is exact. The others are approximate: a graph, and several hash tables of parts
        of the code. The hash tables may find fewer neighbours than asked for; missing ones have
        index -1 and distance infinity.
    index_params : dict, optional
        For ``"hnsw"``: M, ef_construction, ef_search; for ``"multihash"``: n_hashes, bits_per_hash,
        n_flips.
    mode : {"distance", "connectivity"}, default="distance"
        What `transform` puts into the graph.
    packed : bool, default=False
        Whether codes come with eight bits in a byte.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of codes.
    ids_ : ndarray of shape (n_samples_fit,) or None
        Ids of the user's; None where the row's number is its id.
    tasks_ : list
        Tasks of the codes, where they were given.

    Notes
    -----
    Memory of ``"flat"`` is that of the packed codes. Ids take 8 bytes a code, and so do tasks.

    Examples
    --------
    >>> from sktgsh.neighbors import HammingNeighbors
    >>> index = HammingNeighbors(n_neighbors=2).fit([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
    >>> distances, ids = index.kneighbors([[0, 0, 1]])
    >>> distances, ids
    (array([[1., 1.]]), array([[0, 1]]))
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Real, 0, None, closed="left")],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "index_params": [None, dict],
        "mode": [StrOptions({"distance", "connectivity"})],
        "packed": ["boolean"],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        radius: float = 2,
        algorithm: str = "flat",
        index_params: dict | None = None,
        mode: str = "distance",
        packed: bool = False,
    ):
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.index_params = index_params
        self.mode = mode
        self.packed = packed

    # -- building --------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: Any = None, *, ids: ArrayLike | None = None, task: Any = None
    ) -> HammingNeighbors:
        """Index codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
            Codes, of the latter shape if `packed` is set.
        y : ignored
        ids : array-like of int of shape (n_samples,), optional
            Ids, all different; by default the row's number.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks, to search within one of them.

        Returns
        -------
        self : HammingNeighbors

        Raises
        ------
        ValueError
            If codes are not 0 and 1, there are none, or ids repeat.
        """
        packed, width = self._pack(X, None)
        ids = self._check_ids(ids, len(packed), None)
        labels = None if task is None else check_task(task, len(packed))
        _make_index(self.algorithm, 8 * packed.shape[1], self.index_params)  # or it says why not
        self.n_features_in_ = width
        self.n_samples_fit_ = 0
        self.ids_ = None if ids is None else np.empty(0, np.int64)
        self.shards_: dict[Any, _Shard] = {}
        self._append(packed, ids, labels)
        return self

    def add(
        self, X: ArrayLike, *, ids: ArrayLike | None = None, task: Any = None
    ) -> HammingNeighbors:
        """Add codes.

        Parameters
        ----------
        X, ids, task
            As in :meth:`fit`; with ids or tasks if and only if `fit` had them.

        Returns
        -------
        self : HammingNeighbors

        Raises
        ------
        ValueError
            If an id is already there, or the width differs. The index then stays as it was.
        """
        check_is_fitted(self)
        packed, _ = self._pack(X, self.n_features_in_)
        if (ids is None) != (self.ids_ is None):
            state = "has" if self.ids_ is not None else "has no"
            raise ValueError(f"the index {state} ids of its own; give ids in fit and add, or never")
        if (task is None) != (None in self.shards_):
            state = "no " if None in self.shards_ else ""
            raise ValueError(f"the index has {state}tasks; give task in fit and add, or never")
        ids = self._check_ids(ids, len(packed), self.ids_)
        labels = None if task is None else check_task(task, len(packed))
        if labels is not None:
            check_same_kind(labels.tolist(), list(self.shards_))
        self._append(packed, ids, labels)
        return self

    def remove(self, ids: ArrayLike) -> HammingNeighbors:
        """Remove codes by id.

        Where rows' numbers are ids, the rows after a removed one move up, as in ``numpy.delete``.

        Parameters
        ----------
        ids : array-like of int of shape (n_removed,)
            Ids, all known and all different.

        Returns
        -------
        self : HammingNeighbors

        Raises
        ------
        ValueError
            If an id is unknown or repeated. The index then stays as it was.
        """
        check_is_fitted(self)
        ids = np.atleast_1d(np.asarray(ids))
        if ids.ndim != 1 or (len(ids) and not np.issubdtype(ids.dtype, np.integer)):
            raise ValueError(f"ids has dtype {ids.dtype} and shape {ids.shape}; expected integers")
        rows = self._rows_of(ids)
        if len(np.unique(rows)) < len(rows):
            raise ValueError("ids has repeated entries; give each id once")
        rows = np.sort(rows)
        for label, shard in list(self.shards_.items()):
            own = rows if shard.rows is None else np.flatnonzero(np.isin(shard.rows, rows))
            if len(own) == shard.index.ntotal and len(self.shards_) > 1:
                del self.shards_[label]
                continue
            if len(own):
                kept = np.delete(_stored_codes(shard.index), own, axis=0)
                shard.index = self._build(kept)
            if shard.rows is not None:
                left = np.delete(shard.rows, own)
                shard.rows = left - np.searchsorted(rows, left)
        self.n_samples_fit_ -= len(rows)
        if self.ids_ is not None:
            self.ids_ = np.delete(self.ids_, rows)
        return self

    def _build(self, packed: np.ndarray) -> faiss.IndexBinary:
        index = _make_index(self.algorithm, 8 * packed.shape[1], self.index_params)
        index.add(np.ascontiguousarray(packed))
        return index

    def _append(
        self, packed: np.ndarray, ids: np.ndarray | None, labels: np.ndarray | None
    ) -> None:
        groups = [(None, None)] if labels is None else iter_tasks(labels)
        for label, rows in groups:
            part = packed if rows is None else packed[rows]
            if label in self.shards_:
                self.shards_[label].index.add(np.ascontiguousarray(part))
            else:
                self.shards_[label] = _Shard(self._build(part), None)
            if rows is not None:
                shard, new = self.shards_[label], rows + self.n_samples_fit_
                shard.rows = new if shard.rows is None else np.concatenate([shard.rows, new])
        self.n_samples_fit_ += len(packed)
        if ids is not None:
            self.ids_ = np.concatenate([self.ids_, ids])

    # -- searching -------------------------------------------------------------------------------

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        task: int | str | None = None,
    ) -> Any:
        """The nearest codes of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes), optional
            Queries; by default the indexed codes, none of which is its own neighbour.
        n_neighbors : int, optional
            By default as in the constructor.
        return_distance : bool, default=True
            Whether to return distances.
        task : int or str, optional
            Search among the codes of this task only.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
            In bits; only if `return_distance` is set.
        ids : ndarray of shape (n_queries, n_neighbors), dtype int64
            Nearest first.

        Raises
        ------
        ValueError
            If there are fewer codes than neighbours asked for, the width differs, or the task is
            unknown.
        """
        distances, rows = self._search(X, n_neighbors, task)
        found = self._to_ids(rows)
        return (distances, found) if return_distance else found

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
        *,
        task: int | str | None = None,
    ) -> Any:
        """All codes within a radius of each query.

        Parameters
        ----------
        X, return_distance, task
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
        radius = self.radius if radius is None else radius
        if radius < 0:
            raise ValueError(f"radius={radius}; expected a number that is not negative")
        queries, own = self._queries(X)
        all_distances = [[] for _ in queries]
        all_rows = [[] for _ in queries]
        for shard in self._shards(task):
            for query, distances, found in self._range_search(shard, queries, int(radius)):
                all_distances[query].append(distances)
                all_rows[query].append(shard.to_rows(found))
        distances = np.empty(len(queries), dtype=object)
        ids = np.empty(len(queries), dtype=object)
        for query in range(len(queries)):
            near = np.concatenate([*all_distances[query], np.empty(0)]).astype(np.float64)
            rows = np.concatenate([*all_rows[query], np.empty(0)]).astype(np.int64)
            kept = rows != own[query] if own is not None else np.ones(len(rows), bool)
            near, rows = near[kept], rows[kept]
            order = np.argsort(near, kind="stable") if sort_results else slice(None)
            distances[query], ids[query] = near[order], self._to_ids(rows[order])
        return (distances, ids) if return_distance else ids

    def _range_search(
        self, shard: _Shard, queries: np.ndarray, radius: int
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        index = shard.index
        if isinstance(index, faiss.IndexBinaryHNSW):
            # A graph has no radius search; its exact storage has.
            index = faiss.downcast_IndexBinary(index.storage)
        # faiss takes what is strictly nearer.
        limits, distances, found = index.range_search(queries, radius + 1)
        for query in range(len(queries)):
            span = slice(int(limits[query]), int(limits[query + 1]))
            yield query, distances[span], found[span]

    def kneighbors_graph(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        mode: str = "connectivity",
    ) -> sparse.csr_matrix:
        """Neighbours as a sparse graph; arguments as in :meth:`kneighbors`.

        Parameters
        ----------
        X, n_neighbors
            As in :meth:`kneighbors`.
        mode : {"connectivity", "distance"}, default="connectivity"
            Values of the graph: ones, or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit)
            Columns are rows' numbers, in the order in which they were added.
        """
        if mode not in ("connectivity", "distance"):
            raise ValueError(f"mode={mode!r}; expected 'connectivity' or 'distance'")
        distances, rows = self._search(X, n_neighbors, None)
        values = np.ones(rows.size) if mode == "connectivity" else distances.ravel()
        found = rows.ravel() >= 0
        counts = (rows >= 0).sum(axis=1)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        shape = (len(rows), self.n_samples_fit_)
        return sparse.csr_matrix((values[found], rows.ravel()[found], offsets), shape=shape)

    def transform(self, X: ArrayLike) -> sparse.csr_matrix:
        """The graph of the nearest codes, for estimators with ``metric="precomputed"``.

        As in ``sklearn.neighbors.KNeighborsTransformer``, graphs of distances have one neighbour
        more, since a fitted code is its own nearest neighbour.
        """
        check_is_fitted(self)
        extra = self.mode == "distance"
        n_neighbors = min(self.n_neighbors + extra, self.n_samples_fit_)
        return self.kneighbors_graph(X, n_neighbors, self.mode)

    def _search(self, X: Any, n_neighbors: int | None, task: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
            raise ValueError(f"Expected n_neighbors > 0. Got {k!r}")
        queries, own = self._queries(X)
        shards = self._shards(task)
        available = sum(shard.index.ntotal for shard in shards)
        wanted = k + (own is not None)
        if wanted > available:
            raise ValueError(
                f"Expected n_neighbors {'<' if own is not None else '<='} n_samples_fit, but "
                f"n_neighbors = {k}, n_samples_fit = {available}, n_samples = {len(queries)}"
            )
        parts = []
        for shard in shards:
            distances, found = shard.index.search(queries, min(wanted, shard.index.ntotal))
            distances = np.where(found < 0, np.inf, distances)
            parts.append((distances, shard.to_rows(found)))
        if len(parts) == 1:
            distances, rows = parts[0]
        else:
            distances, rows = (np.concatenate(part, axis=1) for part in zip(*parts))
            order = np.argsort(distances, axis=1, kind="stable")[:, :wanted]
            distances = np.take_along_axis(distances, order, axis=1)
            rows = np.take_along_axis(rows, order, axis=1)
        if own is not None:
            # Drop the query itself; where ties pushed it out, the last one.
            itself = rows == own[:, None]
            itself[~itself.any(axis=1), -1] = True
            shape = (len(rows), wanted - 1)
            distances, rows = distances[~itself].reshape(shape), rows[~itself].reshape(shape)
        return distances.astype(np.float64), rows

    def _queries(self, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
        if X is not None:
            return self._pack(X, self.n_features_in_)[0], None
        shards = list(self.shards_.values())
        stored = np.concatenate([_stored_codes(shard.index) for shard in shards])
        own = np.concatenate([shard.to_rows(np.arange(shard.index.ntotal)) for shard in shards])
        order = np.argsort(own)
        return stored[order], own[order]

    def _shards(self, task: Any) -> list[_Shard]:
        if task is None:
            return list(self.shards_.values())
        if None in self.shards_:
            raise ValueError(f"task={task!r} was given, but codes were indexed without tasks")
        check_known(np.array([task]), list(self.shards_))
        return [self.shards_[task]]

    # -- checks ----------------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # The data of scikit-learn's checks are no codes.
        tags._skip_test = True
        return tags

    @property
    def tasks_(self) -> list:
        """Tasks of the codes."""
        return [label for label in self.shards_ if label is not None]

    def _pack(self, X: Any, expected: int | None) -> tuple[np.ndarray, int]:
        X = np.asarray(X)
        if self.packed:
            if X.dtype != np.uint8 or X.ndim != 2:
                raise ValueError(
                    f"X has dtype {X.dtype} and {X.ndim} dimensions; packed codes are uint8 of "
                    "shape (n_samples, n_bytes)"
                )
            packed = np.ascontiguousarray(X)
        else:
            packed = np.packbits(check_codes(X, "X"), axis=1)
        if expected is None and (len(X) == 0 or X.shape[1] == 0):
            raise ValueError(f"Found array with {len(X)} sample(s) (shape={X.shape}); need codes")
        if expected is not None and X.shape[1] != expected:
            raise ValueError(
                f"X has {X.shape[1]} features, but HammingNeighbors is expecting {expected} "
                "features as input"
            )
        return packed, X.shape[1]

    def _check_ids(self, ids: Any, n_rows: int, known: np.ndarray | None) -> np.ndarray | None:
        if ids is None:
            return None
        ids = np.asarray(ids)
        if ids.shape != (n_rows,) or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(
                f"ids has shape {ids.shape} and dtype {ids.dtype}; expected one integer for each "
                f"of {n_rows} rows"
            )
        unique, counts = np.unique(ids, return_counts=True)
        repeated = unique[counts > 1]
        if known is not None:
            repeated = np.union1d(repeated, unique[np.isin(unique, known)])
        if len(repeated):
            raise ValueError(f"ids are there already or repeat: {repeated[:8].tolist()}")
        return ids.astype(np.int64)

    def _rows_of(self, ids: np.ndarray) -> np.ndarray:
        if self.ids_ is None:
            unknown = ids[(ids < 0) | (ids >= self.n_samples_fit_)]
            rows = ids.astype(np.int64)
        else:
            order = np.argsort(self.ids_)
            place = np.searchsorted(self.ids_, ids, sorter=order)
            rows = (
                order[np.minimum(place, len(order) - 1)] if len(order) else np.zeros(len(ids), int)
            )
            unknown = ids[self.ids_[rows] != ids] if len(order) else ids
        if len(unknown):
            raise ValueError(f"ids are unknown: {unknown[:8].tolist()}")
        return rows

    def _to_ids(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.ids_ is None else np.where(rows < 0, -1, self.ids_[rows])
