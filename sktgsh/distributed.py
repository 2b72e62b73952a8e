"""Learning, encoding and search on dask collections: sums travel, rows stay where they are.

Needs ``pip install sktgsh[dask]``. Everything runs on the scheduler that dask finds: the threads of
this process, or the cluster of a ``dask.distributed.Client``. Where a worker dies, dask does its
partitions again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._sklearn import num_samples
from .base import working_copy
from .neighbors import HammingNeighbors, ranking
from .neighbors.checks import check_available, check_n_neighbors
from .task_geometric import TaskGeometricHasher
from .task_geometric.learning.sums import add_sums

try:
    import dask
    import dask.array as da
    from dask import delayed
except ImportError as error:
    raise ImportError("sktgsh.distributed needs dask: pip install sktgsh[dask]") from error

__all__ = ["ShardedNeighbors", "fit", "partial_fit", "transform"]


def fit(
    hasher: TaskGeometricHasher, X: Any, y: Any = None, *, task: Any = None
) -> TaskGeometricHasher:
    """Learn from a dask array or DataFrame; ``hasher.fit_batches`` of its partitions.

    The frozen network is built from the first partition. Each partition is added up where it lies,
    the sums are added in pairs, and every task is learned once, from the total. Rows do not travel,
    but for the 2,000 a task that the density of task inference is estimated from.

    Parameters
    ----------
    hasher : TaskGeometricHasher
        With ``solver="ridge"``. It is fitted in place.
    X : dask array or dask DataFrame of shape (n_samples, n_features)
        Samples. Partitions without rows are skipped. Where an array does not know the lengths of
        its chunks, `y` and `task` have as many chunks, or the lengths are computed first.
    y : dask array or Series, or array-like of shape (n_samples,), optional
        Class labels, in partitions like those of X where X is a DataFrame. Labels may be missing:
        the first partition then needs some of the unlabelled rows of each task.
    task : as `y`, or int or str, optional
        One task label for all rows, or one per row.

    Returns
    -------
    hasher : TaskGeometricHasher

    Raises
    ------
    ValueError
        As :meth:`~sktgsh.TaskGeometricHasher.fit_batches`; or if partitions do not match.

    See Also
    --------
    sktgsh.distributed.partial_fit : Learns more rows, or new tasks.
    sktgsh.distributed.transform : Codes of a dask collection.

    Examples
    --------
    >>> import dask.array as da
    >>> from sktgsh import TaskGeometricHasher, distributed
    >>> from sktgsh.datasets import load_digits_tasks
    >>> X, y, task = load_digits_tasks(n_tasks=1)
    >>> X = da.from_array(X, chunks=(500, -1))
    >>> hasher = distributed.fit(TaskGeometricHasher(n_bits=8, random_state=0), X, y, task=task)
    >>> distributed.transform(hasher, X, task=0).compute().shape
    (1797, 8)
    """
    parts = _partitions(X, y, task)
    if not _learn(hasher, delayed(_started)(hasher, *parts[0]), parts):
        # The first partition has no row.
        sizes = dask.compute(*[delayed(num_samples)(rows) for rows, *_ in parts])
        parts = [part for part, size in zip(parts, sizes) if size]
        if not parts:
            raise ValueError("X has no rows in any partition; give some")
        _learn(hasher, delayed(_started)(hasher, *parts[0]), parts)
    return hasher


def partial_fit(
    hasher: TaskGeometricHasher, X: Any, y: Any = None, *, task: Any = None
) -> TaskGeometricHasher:
    """Learn more rows of known tasks, or new tasks; see :func:`~sktgsh.distributed.fit`.

    Parameters
    ----------
    hasher : TaskGeometricHasher
        Fitted, or not; it is changed in place.
    X, y, task
        As in :func:`~sktgsh.distributed.fit`.

    Returns
    -------
    hasher : TaskGeometricHasher

    Raises
    ------
    ValueError
        As in :func:`~sktgsh.distributed.fit`; or if a task was closed that more rows are given for.

    See Also
    --------
    sktgsh.distributed.fit : Learns from all partitions.

    Examples
    --------
    >>> import dask.array as da
    >>> from sktgsh import TaskGeometricHasher, distributed
    >>> from sktgsh.datasets import load_digits_tasks
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> X = da.from_array(X, chunks=(1797, -1))
    >>> hasher = distributed.fit(
    ...     TaskGeometricHasher(n_bits=8, n_hidden=64), X[:1797], y[:1797], task="flat"
    ... )
    >>> hasher = distributed.partial_fit(hasher, X[1797:], y[1797:], task="turned")
    >>> hasher.tasks_.tolist()
    ['flat', 'turned']
    """
    if not hasattr(hasher, "model_"):
        return fit(hasher, X, y, task=task)
    parts, copied = _partitions(X, y, task), working_copy(hasher, fresh=False)
    copied.model_ = copied.model_.travelling()
    _learn(hasher, delayed(_going_on)(copied, *parts[0]), parts)
    return hasher


def _learn(hasher: TaskGeometricHasher, started: Any, parts: list[tuple]) -> bool:
    """Learn in place from partitions; returns whether there was something to start from."""
    sums = [delayed(_sums_of)(started, *part) for part in parts]
    while len(sums) > 1:
        pairs = [sums[i : i + 2] for i in range(0, len(sums), 2)]
        sums = [delayed(_added)(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    draft, total = dask.compute(started, sums[0])
    if draft is None:
        return False
    # The sums of known tasks did not travel: a copy that goes on learning keeps its model.
    if draft.modulations_:
        draft.model_ = hasher.model_
    hasher.__dict__ = draft.learn_sums(total).__dict__
    return True


def _started(hasher: TaskGeometricHasher, *chunk: Any) -> TaskGeometricHasher | None:
    return hasher.started(*chunk) if num_samples(chunk[0]) else None


def _going_on(hasher: TaskGeometricHasher, *chunk: Any) -> TaskGeometricHasher:
    return hasher.going_on(*chunk) if num_samples(chunk[0]) else hasher


def _sums_of(started: TaskGeometricHasher | None, *chunk: Any) -> dict:
    return started.sums_of(*chunk) if started is not None and num_samples(chunk[0]) else {}


def _added(first: dict, second: dict) -> dict:
    total = dict(first)
    add_sums(total, second)
    return total


def transform(hasher: Any, X: Any, *, task: Any = None) -> da.Array:
    """Codes of a dask array or DataFrame, computed when they are asked for.

    Parameters
    ----------
    hasher : hasher
        Any fitted hasher of the package.
    X, task
        As in :func:`~sktgsh.distributed.fit`; ``"infer"`` is a task like any other.

    Returns
    -------
    codes : dask array of shape (n_samples, n_bits), dtype uint8
        Packed if the hasher's `packed` is set. The number of rows of a DataFrame's partitions is
        not known before they are computed.

    See Also
    --------
    sktgsh.distributed.fit : Learns from all partitions.
    sktgsh.distributed.ShardedNeighbors : Search on partitions.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import SignedRandomProjectionHasher, distributed
    >>> X = load_digits().data
    >>> hasher = SignedRandomProjectionHasher(n_bits=8, random_state=0).fit(X)
    >>> codes = distributed.transform(hasher, da.from_array(X, chunks=(500, -1)))
    >>> codes.compute().shape
    (1797, 8)
    """
    fitted, width = delayed(hasher), hasher._n_features_out
    rows = X.chunks[0] if hasattr(X, "chunks") else [np.nan] * X.npartitions
    blocks = [
        da.from_delayed(delayed(_codes)(fitted, width, part, labels), (n, width), np.uint8)
        for n, (part, _, labels) in zip(rows, _partitions(X, None, task))
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)


def _codes(hasher: Any, width: int, X: Any, task: Any) -> np.ndarray:
    if not num_samples(X):
        return np.empty((0, width), np.uint8)
    return np.asarray(hasher.transform(X, task=task))


def _is_single(values: Any) -> bool:
    """Whether a column is left out, or one value that all rows have."""
    return values is None or (np.ndim(values) == 0 and not hasattr(values, "to_delayed"))


def _partitions(X: Any, y: Any, task: Any) -> list[tuple]:
    """(X, y, task) of each partition of X."""
    named = {"y": y, "task": task}
    if hasattr(X, "chunks"):
        arrays = {name: da.asarray(v) for name, v in named.items() if not _is_single(v)}
        X, cut = _cut_alike(X, arrays)
        named |= cut
        parts = X.to_delayed().ravel().tolist()
    else:
        parts = X.to_delayed()
    columns = []
    for name, values in named.items():
        if _is_single(values):
            columns.append([values] * len(parts))
            continue
        if not hasattr(values, "to_delayed"):
            raise ValueError(
                f"{name} is a {type(values).__name__}, but X is a dask DataFrame, whose partitions "
                "have unknown lengths; give a column of it"
            )
        pieces = np.ravel(np.asarray(values.to_delayed(), dtype=object)).tolist()
        if len(pieces) != len(parts):
            raise ValueError(f"{name} has {len(pieces)} partitions, but X has {len(parts)}")
        columns.append(pieces)
    return list(zip(parts, *columns))


def _cut_alike(X: da.Array, columns: dict[str, da.Array]) -> tuple[da.Array, dict[str, da.Array]]:
    """Cut columns where X is cut.

    Where lengths of chunks are not known, a column with as many chunks as X stays as it is: each
    chunk is checked when it is read. Otherwise the lengths are computed.
    """
    if X.numblocks[1] > 1:
        X = _with_lengths(X).rechunk({1: -1})
    cut = {}
    for name, values in columns.items():
        if (_knows_lengths(X) and _knows_lengths(values)) or len(values.chunks[0]) != X.numblocks[
            0
        ]:
            X, values = _with_lengths(X), _with_lengths(values)
            if len(values) != len(X):
                raise ValueError(f"{name} has {len(values)} rows for {len(X)} rows of X")
            values = values.rechunk({0: X.chunks[0]})
        cut[name] = values.rechunk({1: -1}) if values.ndim > 1 else values
    return X, cut


def _knows_lengths(array: da.Array) -> bool:
    return not np.isnan(array.chunks[0]).any()


def _with_lengths(array: da.Array) -> da.Array:
    """An array that knows the lengths of its chunks; the one that is given stays as it is."""
    return array if _knows_lengths(array) else array.copy().compute_chunk_sizes()


class ShardedNeighbors:
    """Nearest codes among shards that lie on the workers of a cluster.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours of a query, where a call does not say.
    **params
        Further parameters of :class:`~sktgsh.neighbors.HammingNeighbors`.

    See Also
    --------
    sktgsh.distributed.transform : Codes of a dask collection.
    sktgsh.neighbors.HammingNeighbors : Search by Hamming distance, in memory.

    Examples
    --------
    >>> import dask.array as da
    >>> from sktgsh.distributed import ShardedNeighbors
    >>> codes = da.from_array([[0, 0, 0], [0, 1, 1], [1, 1, 1]], chunks=(2, 3))
    >>> ShardedNeighbors(n_neighbors=2).fit(codes).kneighbors([[0, 1, 1]])
    (array([[0., 1.]]), array([[1, 2]]))
    """

    def __init__(self, n_neighbors: int = 5, **params: Any):
        self.n_neighbors, self.params = n_neighbors, params

    def fit(self, X: da.Array) -> ShardedNeighbors:
        """Index each partition of a dask array of codes where it lies.

        Parameters
        ----------
        X : dask array of shape (n_samples, n_bits) or (n_samples, n_bytes)
            Codes; a row's number is its id.

        Returns
        -------
        self : ShardedNeighbors
        """
        parts = X.rechunk({1: -1}).to_delayed().ravel().tolist()
        sizes = dask.compute(*[delayed(len)(part) for part in parts])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        built = [
            delayed(_shard)(self.params, part, int(start))
            for part, start, size in zip(parts, starts, sizes)
            if size
        ]
        self.shards_: Sequence[Any] = dask.persist(*built)
        self.n_samples_fit_ = int(starts[-1])
        return self

    def kneighbors(self, X: Any, n_neighbors: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest codes of each query, over all shards.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
            Queries.
        n_neighbors : int, optional
            By default as in the constructor.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
        ids : ndarray of shape (n_queries, n_neighbors), dtype int64
            Nearest first; of equal distances, the smaller row first.

        Raises
        ------
        ValueError
            If there are fewer codes than neighbours asked for.
        """
        k = check_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        check_available(k, self.n_samples_fit_)
        queries = delayed(np.asarray(X))
        found = [delayed(_search)(shard, queries, k) for shard in self.shards_]
        while len(found) > 1:
            pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
            found = [delayed(_nearest)(pair, k) for pair in pairs]
        return dask.compute(delayed(_nearest)(found, k))[0]


def _shard(params: dict, codes: np.ndarray, start: int) -> HammingNeighbors:
    return HammingNeighbors(**params).fit(codes, ids=np.arange(start, start + len(codes)))


def _search(shard: HammingNeighbors, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    return shard.kneighbors(queries, min(k, shard.n_samples_fit_))


def _nearest(parts: list, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of what several shards found."""
    distances, ids = (np.concatenate(part, axis=1) for part in zip(*parts))
    return ranking.nearest(distances, ids, k)
