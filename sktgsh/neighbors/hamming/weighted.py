"""Real-valued queries against bits: the exact distance of any pair, and scans.

Products in float32 say which codes may be among the nearest, given their rounding. Only these are
measured in float64, by a sum that runs in one order whatever the batch: equal codes are equally far
from a query to the last digit.
"""

from __future__ import annotations

import numpy as np

from ...bits import pack_bits, unpack_bits
from ...codes import asymmetric_hamming_distances
from .. import ranking
from ..distances import by_blocks

# Codes of a block: unpacked, they fill 1 MB at 64 bits.
_BLOCK_ROWS = 4096
# Products that are held at once, and values in pairs that are measured at once.
_BLOCK_VALUES, _PAIR_VALUES = 2**18, 2**16
# Greatest products of parts, for each neighbour, among which the bound on the best is found.
_PARTS = 8


def _measured(
    values: np.ndarray, packed: np.ndarray, query_of: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Distances of pairs in float64: the sum of the sizes of values whose bits differ."""
    signs, sizes = pack_bits(values > 0), np.abs(values).astype(np.float64)

    def summed(query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        bits = np.take(signs, query_of, axis=0) ^ np.take(packed, rows, axis=0)
        differing = unpack_bits(bits, values.shape[1]).astype(np.float64)
        return np.einsum("ij,ij->i", np.take(sizes, query_of, axis=0), differing)

    n_pairs = max(1, _PAIR_VALUES // values.shape[1])
    return by_blocks(summed, query_of, rows, np.float64, n_pairs)


def distances_to(values: np.ndarray, packed: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Distances of each query to its own candidates.

    Parameters
    ----------
    values : ndarray of shape (n_queries, n_bits), dtype float32
    packed : ndarray of shape (n_codes, n_bytes), dtype uint8
    candidates : ndarray of shape (n_queries, n_candidates)
        Rows of `packed`; -1 where there is none.

    Returns
    -------
    distances : ndarray of shape (n_queries, n_candidates), dtype float64
        Infinity where there is none.
    """
    query_of = np.repeat(np.arange(len(values)), candidates.shape[1])
    distances = _measured(values, packed, query_of, candidates.ravel()).reshape(candidates.shape)
    distances[candidates < 0] = np.inf
    return distances


def nearest_among(
    values: np.ndarray, packed: np.ndarray, candidates: np.ndarray, k: int
) -> ranking.Found:
    """The `k` nearest of each query's own candidates; parameters as in :func:`distances_to`."""
    if candidates.shape[1] <= 2 * k:
        return ranking.nearest(distances_to(values, packed, candidates), candidates, k)
    near = np.full((len(values), k), np.inf)
    found = np.full((len(values), k), -1, np.int64)
    step = max(1, _BLOCK_VALUES // (candidates.shape[1] * values.shape[1]))
    for start in range(0, len(values), step):
        span = slice(start, start + step)
        own, asked = candidates[span], values[span]
        bits = unpack_bits(np.take(packed, own.ravel(), axis=0), values.shape[1])
        bits = bits.astype(np.float32).reshape(*own.shape, -1)
        products = np.matmul(bits, asked[:, :, None])[:, :, 0]
        products[own < 0] = -np.inf
        query_of, place = _may_be_best(products, asked, k)
        kept = own[query_of, place] >= 0
        query_of, place = query_of[kept], place[kept]
        rows = own[query_of, place]
        exact = _measured(asked, packed, query_of, rows)
        near[span], found[span] = ranking.nearest_of_pairs(query_of, exact, rows, len(own), k)
    return near, found


def nearest(values: np.ndarray, packed: np.ndarray, k: int) -> ranking.Found:
    """The `k` nearest codes of each query, by a scan of all.

    Parameters
    ----------
    values, packed
        As in :func:`distances_to`; at least `k` codes.
    k : int

    Returns
    -------
    distances : ndarray of shape (n_queries, k), dtype float64
    rows : ndarray of shape (n_queries, k), dtype int64
    """
    if len(packed) <= 2 * k:
        every = np.broadcast_to(np.arange(len(packed)), (len(values), len(packed)))
        return nearest_among(values, packed, every, k)
    near = np.full((len(values), k), np.inf)
    found = np.full((len(values), k), -1, np.int64)
    step = max(1, _BLOCK_VALUES // min(len(packed), _BLOCK_ROWS))
    for start in range(0, len(packed), _BLOCK_ROWS):
        block = packed[start : start + _BLOCK_ROWS]
        bits = unpack_bits(block, values.shape[1]).astype(np.float32).T
        for first in range(0, len(values), step):
            span = slice(first, first + step)
            asked = values[span]
            query_of, rows = _may_be_best(asked @ bits, asked, k, near[span, -1])
            exact = _measured(asked, block, query_of, rows)
            best = ranking.nearest_of_pairs(query_of, exact, rows + start, len(asked), k)
            if start:
                distances = np.concatenate([near[span], best[0]], axis=1)
                best = ranking.nearest(distances, np.concatenate([found[span], best[1]], axis=1), k)
            near[span], found[span] = best
    return near, found


def _may_be_best(
    products: np.ndarray, values: np.ndarray, k: int, reach: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Query and column of the products of values and bits that may be among the `k` greatest.

    `reach` says beyond which distance a code is not asked for, where that is known.
    """
    n_queries, n_columns = products.shape
    least = np.full(n_queries, -np.inf)
    if n_columns > k:
        least = _reached(products, k)
    off = _most_off(values)
    if reach is not None:
        # The distance is what a code of zeros misses, less the product.
        least = np.maximum(least, _missed(values) - reach)
    at = np.flatnonzero(~(products < (least - 2 * off).astype(np.float32)[:, None]))
    query_of = at // n_columns
    return query_of, at - query_of * n_columns


def _reached(products: np.ndarray, k: int) -> np.ndarray:
    """What `k` products of each query reach at least: the `k`-th greatest, or a little less."""
    width = _PARTS * k
    n_parts = products.shape[1] // width
    if n_parts > 1:
        parts = products[:, : n_parts * width].reshape(len(products), n_parts, width)
        products = parts.max(axis=1)
    place = products.shape[1] - k
    return np.partition(products, place, axis=1)[:, place].astype(np.float64)


def _missed(values: np.ndarray) -> np.ndarray:
    """The distance of a code of zeros."""
    return np.maximum(values, 0).sum(axis=1, dtype=np.float64)


def _most_off(values: np.ndarray) -> np.ndarray:
    """Bound on the error of a sum of a query's values in float32."""
    sizes = np.abs(values).sum(axis=1, dtype=np.float64)
    return sizes * (values.shape[1] + 8) * np.finfo(np.float32).eps


def within(
    values: np.ndarray, packed: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All codes up to a distance: the query, the distance and the row of each pair."""
    off = _most_off(values)[:, None]
    parts = [(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
    for start in range(0, len(packed), _BLOCK_ROWS):
        codes = packed[start : start + _BLOCK_ROWS]
        coarse = asymmetric_hamming_distances(values, codes, packed=True)
        query_of, row = np.nonzero(coarse <= radius + off)
        exact = _measured(values, codes, query_of, row)
        inside = exact <= radius
        parts.append((query_of[inside], exact[inside], row[inside] + start))
    queries, near, rows = (np.concatenate(part) for part in zip(*parts))
    return queries, near, rows
