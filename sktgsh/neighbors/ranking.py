"""The one rule by which every index ranks: by distance; of equal distances, the smaller row first.

The rule decides which rows are found as well as their order, so that an answer depends neither on
the kind of index nor on batches, threads or shards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Proposals beyond the neighbours asked for, and the factor between one round and the next.
_SPARE, _GROWTH, _N_ROUNDS = 22, 4, 3
# Rows in the keys of `nearest`, and the one that stands for none.
_ROW_BITS, _NO_ROW = np.uint64(32), np.uint64(2**32 - 1)
_INFINITY = 2**31
# Candidates for each neighbour above which the best are selected before they are sorted.
_MANY = 8
# Entries for each pair up to which pairs are put into a matrix.
_LARGEST_FILLED = 4
# Share of pairs out of order, up to which only their queries are sorted.
_FEW_FALLS = 1 / 32

Found = tuple[np.ndarray, np.ndarray]


def nearest(distances: np.ndarray, rows: np.ndarray, k: int) -> Found:
    """The `k` nearest of each query's own rows.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, n_candidates)
        Infinity where there is no row; integers are not negative.
    rows : ndarray of shape (n_queries, n_candidates)
        Numbers of rows, or ids that sort as wished.
    k : int

    Returns
    -------
    distances, rows : ndarray of shape (n_queries, min(k, n_candidates))
        Nearest first.
    """
    least = rows.min(initial=0) if rows.dtype.kind == "i" else -2
    whole = None if least < -1 or rows.max(initial=0) >= _NO_ROW else _as_whole(distances)
    if whole is None:
        order = _argsort(distances, rows, k)
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)
    # The row -1 becomes the greatest one.
    keys = (whole << _ROW_BITS) | rows.astype(np.uint32)
    if keys.shape[1] > _MANY * k:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys = np.sort(keys, axis=1)[:, :k]
    found = (keys & _NO_ROW).astype(np.int64)
    if least < 0:
        found[found == _NO_ROW] = -1
    return _as_distances(keys >> _ROW_BITS), found


def _argsort(distances: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The order of the `k` nearest of each query's rows; only ties look at the rows."""
    order = np.argsort(distances, axis=1)[:, : k + 1]
    near = np.take_along_axis(distances, order, axis=1)
    (tied,) = np.nonzero((near[:, 1:] == near[:, :-1]).any(axis=1))
    order = order[:, :k]
    if len(tied):
        order[tied] = np.lexsort((rows[tied], distances[tied]), axis=1)[:, :k]
    return order


def nearest_of_pairs(
    query_of: np.ndarray, distances: np.ndarray, rows: np.ndarray, n_queries: int, k: int
) -> Found:
    """The `k` nearest rows of each query, where pairs of a query and a row come as a list.

    Parameters
    ----------
    query_of, distances, rows : ndarray of shape (n_pairs,)
        Pairs in any order; distances are finite, and integers among them not negative.
    n_queries, k : int

    Returns
    -------
    distances : ndarray of shape (n_queries, k), dtype float64
    rows : ndarray of shape (n_queries, k), dtype int64
        Nearest first; infinity and -1 where a query has fewer pairs.
    """
    ranks, values = _as_whole(distances), None
    if ranks is None:
        values, ranks = np.unique(distances, return_inverse=True)
        ranks = ranks.astype(np.uint64)
    counts = np.bincount(query_of, minlength=n_queries)
    place = (np.cumsum(counts) - counts)[:, None] + np.arange(k)
    is_full = bool(counts.min(initial=k) >= k)
    is_there = slice(None) if is_full else np.arange(k) < counts[:, None]
    best = _sorted_pairs(query_of, ranks, rows, n_queries, place[is_there])
    own = _as_distances(best[0]) if values is None else values[best[0]].astype(np.float64)
    if is_full:
        return own, best[1]
    near, found = np.full((n_queries, k), np.inf), np.full((n_queries, k), -1, np.int64)
    near[is_there], found[is_there] = own, best[1]
    return near, found


def _sorted_pairs(
    query_of: np.ndarray, ranks: np.ndarray, rows: np.ndarray, n_queries: int, place: np.ndarray
) -> Found:
    """Ranks and rows at some places of the sorted pairs, by one integer each where it fits."""
    row_bits = int(rows.max(initial=0)).bit_length()
    query_shift = row_bits + int(ranks.max(initial=0)).bit_length()
    if query_shift + (n_queries - 1).bit_length() > 64:
        order = np.lexsort((rows, ranks, query_of))[place]
        return ranks[order], rows[order].astype(np.int64)
    keys = query_of.astype(np.uint64) << np.uint64(query_shift)
    keys |= ranks << np.uint64(row_bits)
    keys |= rows.astype(np.uint64)
    _sort(keys, query_of, n_queries)
    best = keys[place]
    best &= np.uint64((1 << query_shift) - 1)
    found = best & np.uint64((1 << row_bits) - 1)
    return best >> np.uint64(row_bits), found.astype(np.int64)


def _sort(keys: np.ndarray, query_of: np.ndarray, n_queries: int) -> None:
    """Sort keys in place: only those of queries that are not in order, where these are few."""
    falls = np.flatnonzero(keys[1:] < keys[:-1])
    if len(falls) > _FEW_FALLS * len(keys):
        keys.sort()
    elif len(falls):
        is_unsorted = np.zeros(n_queries, bool)
        is_unsorted[query_of[falls]] = is_unsorted[query_of[falls + 1]] = True
        some = np.flatnonzero(is_unsorted[query_of])
        keys[some] = np.sort(keys[some])
        if (keys[1:] < keys[:-1]).any():  # queries came in no order
            keys.sort()


def reach_of_each(
    query_of: np.ndarray, distances: np.ndarray, n_queries: int, k: int
) -> np.ndarray:
    """The distance of the `k`-th nearest pair of each query; infinity where there are fewer.

    Parameters
    ----------
    query_of, distances : ndarray of shape (n_pairs,)
        Queries in ascending order.
    n_queries, k : int
    """
    counts = np.bincount(query_of, minlength=n_queries)
    reach = np.full(n_queries, np.inf)
    (enough,) = np.nonzero(counts >= k)
    if not len(enough):
        return reach
    width = int(counts.max())
    if n_queries * width <= _LARGEST_FILLED * len(distances):
        padded = np.full((n_queries, width), np.inf, distances.dtype)
        padded[np.arange(width) < counts[:, None]] = distances
        reach[enough] = np.partition(padded, k - 1, axis=1)[enough, k - 1]
        return reach
    ends = np.cumsum(counts)
    for query in enough.tolist():
        own = distances[ends[query] - counts[query] : ends[query]]
        reach[query] = np.partition(own, k - 1)[k - 1]
    return reach


def best_of_each(
    query_of: np.ndarray,
    distances: np.ndarray,
    n_queries: int,
    most: int,
    sizes: np.ndarray | None = None,
) -> np.ndarray:
    """Keep the `most` nearest pairs of each query, and those that tie with the last.

    Parameters
    ----------
    query_of, distances : ndarray of shape (n_pairs,)
        Distances are whole numbers that are not negative.
    n_queries, most : int
    sizes : ndarray of int of shape (n_pairs,), optional
        How many each pair counts for; by default, one.

    Returns
    -------
    kept : ndarray of bool of shape (n_pairs,)
    """
    near = distances.astype(np.int64)
    width = int(near.max(initial=0)) + 1
    counts = np.bincount(query_of * width + near, sizes, minlength=n_queries * width)
    last = (counts.reshape(n_queries, width).cumsum(axis=1) < most).sum(axis=1)
    return near <= last[query_of]


def _as_whole(distances: np.ndarray) -> np.ndarray | None:
    """Distances as unsigned integers, infinity as _INFINITY; None if they are not whole."""
    if distances.dtype.kind in "iu":
        return distances.astype(np.uint64)
    if not distances.size or distances.min() < 0 or not float(distances.flat[0]).is_integer():
        return None
    whole = np.minimum(distances, _INFINITY).astype(np.uint64)
    is_whole = whole == distances
    if is_whole.all() or (is_whole | (distances == np.inf)).all():
        return whole
    return None


def _as_distances(whole: np.ndarray) -> np.ndarray:
    distances = whole.astype(np.float64)
    distances[whole == _INFINITY] = np.inf
    return distances


def proven_nearest(
    propose: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]],
    scan: Callable[[np.ndarray, int], Found],
    n_queries: int,
    n_rows: int,
    k: int,
    n_rounds: int = _N_ROUNDS,
    n_first: int = 0,
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
    n_first : int, default=0
        Least number of proposals to ask for at first.

    Returns
    -------
    distances, rows : ndarray of shape (n_queries, k)
    """
    distances, rows = np.empty((n_queries, k)), np.empty((n_queries, k), np.int64)
    left, n_proposals = np.arange(n_queries), max(n_first, k + _SPARE)
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
