"""The one rule by which every index ranks: by distance; of equal distances, the smaller row first.

The rule decides which rows are found as well as their order, so that an answer depends neither on
the kind of index nor on batches, threads or shards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Proposals beyond the neighbours asked for, and the factor between one round and the next.
_SPARE, _GROWTH, _N_ROUNDS = 22, 4, 3
_SIGN = np.uint32(1 << 31)

Found = tuple[np.ndarray, np.ndarray]


def nearest(distances: np.ndarray, rows: np.ndarray, k: int) -> Found:
    """The `k` nearest of each query's own rows.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, n_candidates)
        Infinity where there is no row.
    rows : ndarray of shape (n_queries, n_candidates)
        Numbers of rows, or ids that sort as wished.
    k : int

    Returns
    -------
    distances, rows : ndarray of shape (n_queries, min(k, n_candidates))
        Nearest first.
    """
    keys = _as_keys(distances, rows, 32)
    if keys is not None:
        keys.sort(axis=1)
        return _from_keys(keys[:, :k], 32)
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)


def nearest_of_pairs(
    query_of: np.ndarray, distances: np.ndarray, rows: np.ndarray, n_queries: int, k: int
) -> Found:
    """The `k` nearest rows of each query, where pairs of a query and a row come as a list.

    Parameters
    ----------
    query_of, distances, rows : ndarray of shape (n_pairs,)
        Pairs in any order; distances are finite.
    n_queries, k : int

    Returns
    -------
    distances : ndarray of shape (n_queries, k), dtype float64
    rows : ndarray of shape (n_queries, k), dtype int64
        Nearest first; infinity and -1 where a query has fewer pairs.
    """
    counts = np.bincount(query_of, minlength=n_queries)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = place < k
    at = np.repeat(np.arange(n_queries), counts)[kept], place[kept]
    near, found = np.full((n_queries, k), np.inf), np.full((n_queries, k), -1, np.int64)
    row_bits = max(1, int(rows.max(initial=0)).bit_length())
    keys = _as_keys(distances, rows, row_bits) if n_queries <= 1 << (32 - row_bits) else None
    if keys is not None:
        keys |= query_of.astype(np.uint64) << np.uint64(32 + row_bits)
        keys.sort()
        near[at], found[at] = _from_keys(keys[kept], row_bits)
    else:
        order = np.lexsort((rows, distances, query_of))[kept]
        near[at], found[at] = distances[order], rows[order]
    return near, found


def _as_keys(distances: np.ndarray, rows: np.ndarray, row_bits: int) -> np.ndarray | None:
    """One integer for each distance and row, which sorts as both; None if 64 bits are too few.

    Distances take the 32 bits above the row's, so they must be numbers of single precision.
    """
    with np.errstate(over="ignore"):
        single = distances.astype(np.float32) + np.float32(0)  # of two zeros, the positive one
    if rows.dtype.kind != "i" or not np.array_equal(single, distances):
        return None
    missing = rows < 0
    if rows.max(initial=0) >= 2**32 - 1 or rows.min(initial=0) < -1:
        return None
    if np.isfinite(single[missing]).any():
        return None
    bits = single.view(np.uint32)
    in_order = np.where(bits >> np.uint32(31) == 1, ~bits, bits | _SIGN).astype(np.uint64)
    # The row -1 becomes the greatest one.
    return (in_order << np.uint64(row_bits)) | rows.astype(np.uint32)


def _from_keys(keys: np.ndarray, row_bits: int) -> Found:
    in_order = (keys >> np.uint64(row_bits)).astype(np.uint32)
    bits = np.where(in_order >= _SIGN, in_order ^ _SIGN, ~in_order)
    rows = (keys & np.uint64((1 << row_bits) - 1)).astype(np.int64)
    if row_bits == 32:
        rows[rows == 2**32 - 1] = -1
    return bits.view(np.float32).astype(np.float64), rows


def proven_nearest(
    propose: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]],
    scan: Callable[[np.ndarray, int], Found],
    n_queries: int,
    n_rows: int,
    k: int,
    n_rounds: int = _N_ROUNDS,
) -> Found:
    """The `k` nearest rows by a search that is fast, but inexact or without a rule for ties.

    Parameters
    ----------
    propose : callable
        Takes numbers of queries, and how many rows to propose for each. Returns distances and
        rows of the proposals, and a floor for each query: no other row is nearer.
    scan : callable
        Takes numbers of queries and `k`; ranks all rows. It answers what proposals cannot prove.
    n_queries, n_rows, k : int
        There are at least `k` rows.
    n_rounds : int, default=3
        How often to ask for more proposals.

    Returns
    -------
    distances, rows : ndarray of shape (n_queries, k)
    """
    distances, rows = np.empty((n_queries, k)), np.empty((n_queries, k), np.int64)
    left, n_proposals = np.arange(n_queries), k + _SPARE
    for _ in range(n_rounds):
        if not len(left) or n_proposals >= n_rows:
            break
        measured, found, floor = propose(left, n_proposals)
        near, best = nearest(measured, found, k)
        distances[left], rows[left] = near, best
        # At the floor itself, a row that was not proposed may tie and be smaller.
        left = left[(near[:, -1] >= floor) & (floor < np.inf)]
        n_proposals *= _GROWTH
    if len(left):
        distances[left], rows[left] = scan(left, k)
    return distances, rows


def most_queries(n_rows: int) -> int:
    """Number of queries that fit into the sort keys of pairs, beside rows and distances."""
    return 1 << (32 - max(1, (n_rows - 1).bit_length()))
