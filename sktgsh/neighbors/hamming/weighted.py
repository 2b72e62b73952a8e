"""Real-valued queries against bits: scans and ranking by :func:`.weighted_distances`.

Bits are unpacked block by block, and multiplied with the queries.
"""

from __future__ import annotations

import faiss
import numpy as np

from ...codes import unpack_codes, weighted_distances

# Codes of a block: unpacked, they fill 1 MB at 64 bits.
_BLOCK_ROWS = 4096
# Values of a block of candidates, one block a group of queries.
_BLOCK_VALUES = 2**22


def _unpacked(packed: np.ndarray, n_bits: int) -> np.ndarray:
    return unpack_codes(packed, n_bits).astype(np.float32)


def _missed(values: np.ndarray) -> np.ndarray:
    """The distance of a code of zeros."""
    return np.maximum(values, 0).sum(axis=1, keepdims=True)


def nearest(values: np.ndarray, packed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest codes of each query, by a scan of all; faiss selects.

    Parameters
    ----------
    values : ndarray of shape (n_queries, n_bits), dtype float32
    packed : ndarray of shape (n_codes, n_bytes), dtype uint8
        At least `k` codes.
    k : int

    Returns
    -------
    distances : ndarray of shape (n_queries, k), dtype float32
    rows : ndarray of shape (n_queries, k), dtype int64
    """
    best = faiss.ResultHeap(len(values), k, keep_max=True)
    for start in range(0, len(packed), _BLOCK_ROWS):
        bits = _unpacked(packed[start : start + _BLOCK_ROWS], values.shape[1])
        products, rows = faiss.knn(
            values, bits, min(k, len(bits)), metric=faiss.METRIC_INNER_PRODUCT
        )
        best.add_result(products, rows + start)
    best.finalize()
    return np.maximum(_missed(values) - best.D, 0), best.I


def within(
    values: np.ndarray, packed: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All codes up to a distance: the query, the distance and the row of each pair."""
    parts = []
    for start in range(0, len(packed), _BLOCK_ROWS):
        distances = weighted_distances(values, packed[start : start + _BLOCK_ROWS], packed=True)
        query_of, row = np.nonzero(distances <= radius)
        parts.append((query_of, distances[query_of, row], row + start))
    queries, near, rows = (np.concatenate(part) for part in zip(*parts))
    return queries, near, rows


def distances_to(values: np.ndarray, packed: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Distances of each query to its own candidates.

    Parameters
    ----------
    values, packed
        As in :func:`nearest`.
    candidates : ndarray of shape (n_queries, n_candidates)
        Rows of `packed`; -1 where there is none.

    Returns
    -------
    distances : ndarray of shape (n_queries, n_candidates), dtype float32
        Infinity where there is none.
    """
    n_queries, n_candidates = candidates.shape
    distances = np.empty((n_queries, n_candidates), np.float32)
    step = max(1, _BLOCK_VALUES // (n_candidates * values.shape[1]))
    for start in range(0, n_queries, step):
        span = slice(start, start + step)
        bits = _unpacked(packed[candidates[span].ravel()], values.shape[1])
        bits = bits.reshape(-1, n_candidates, values.shape[1])
        products = np.matmul(bits, values[span, :, None])[:, :, 0]
        distances[span] = np.maximum(_missed(values[span]) - products, 0)
    distances[candidates < 0] = np.inf
    return distances


def best(distances: np.ndarray, candidates: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest of each query's candidates, in order; of equal ones, the first."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(candidates, order, axis=1),
    )
