"""Real-valued queries against bits: the exact distance of any pair, and scans.

A query adds up a table of 256 sums for each byte of a code. Sums run in one order whatever the
batch, so equal codes are equally far from a query to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np

from ...codes import asymmetric_hamming_distances, unpack_codes
from .. import ranking

# Codes of a block: unpacked, they fill 1 MB at 64 bits.
_BLOCK_ROWS = 4096
# Distances, and entries of tables, that are held at once.
_BLOCK_VALUES = 2**20
_BYTE = 256


def _tables(values: np.ndarray, width: int) -> np.ndarray:
    """Lookup tables: the share of each value of each `width` bits in the distance, in float64.

    Shape (n_queries, n_parts, 2**width).
    """
    n_queries, n_bits = values.shape
    padded = np.zeros((n_queries, -(-n_bits // 8) * 8))
    padded[:, :n_bits] = values
    parts = padded.reshape(n_queries, -1, width)
    # The cost of a 0 where the value expects a 1, and the reverse.
    costs = np.maximum(np.stack([parts, -parts], axis=-1), 0)
    tables = costs[:, :, 0]
    for bit in range(1, width):
        longer = tables[..., :, None] + costs[:, :, bit, None, :]
        tables = longer.reshape(*parts.shape[:2], -1)
    return tables


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
    distances = np.empty(candidates.shape)
    step = max(1, _BLOCK_VALUES // (candidates.shape[1] * packed.shape[1]))
    for start in range(0, len(values), step):
        span = slice(start, start + step)
        part = candidates[span]
        query_of = np.repeat(np.arange(len(part)), part.shape[1])
        exact = _of_pairs(_tables(values[span], 4), packed[part.ravel()], query_of)
        distances[span] = exact.reshape(part.shape)
    distances[candidates < 0] = np.inf
    return distances


def _of_pairs(tables: np.ndarray, codes: np.ndarray, query_of: np.ndarray) -> np.ndarray:
    """Distance of each code from its query, by tables of four bits."""
    distances = np.zeros(len(codes))
    for byte in range(codes.shape[1]):
        distances += tables[query_of, 2 * byte, codes[:, byte] >> 4]
        distances += tables[query_of, 2 * byte + 1, codes[:, byte] & 15]
    return distances


def nearest(values: np.ndarray, packed: np.ndarray, k: int) -> ranking.Found:
    """The `k` nearest codes of each query: products propose, and exact distances rank.

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

    def propose(asked: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        coarse, found = _by_products(values[asked], packed, n)
        measured = distances_to(values[asked], packed, found)
        return measured, found, coarse[:, -1] - _most_off(values[asked])

    return ranking.proven_nearest(
        propose, lambda asked, k: scan(values[asked], packed, k), len(values), len(packed), k
    )


def _by_products(values: np.ndarray, packed: np.ndarray, n: int) -> ranking.Found:
    """The `n` nearest up to rounding in float32; faiss selects."""
    best = faiss.ResultHeap(len(values), n, keep_max=True)
    for start in range(0, len(packed), _BLOCK_ROWS):
        bits = unpack_codes(packed[start : start + _BLOCK_ROWS], values.shape[1])
        products, rows = faiss.knn(
            values, bits.astype(np.float32), min(n, len(bits)), metric=faiss.METRIC_INNER_PRODUCT
        )
        best.add_result(products, rows + start)
    best.finalize()
    return np.maximum(values, 0).sum(axis=1, keepdims=True, dtype=np.float64) - best.D, best.I


def _most_off(values: np.ndarray) -> np.ndarray:
    """Bound on the error of a sum of a query's values in float32."""
    sizes = np.abs(values).sum(axis=1, dtype=np.float64)
    return sizes * (values.shape[1] + 8) * np.finfo(np.float32).eps


def scan(values: np.ndarray, packed: np.ndarray, k: int) -> ranking.Found:
    """The `k` nearest codes of each query, by the exact distances of all of them."""
    near, found = np.empty((len(values), k)), np.empty((len(values), k), np.int64)
    for span, tables in _groups(values):
        best = np.empty((len(tables), 0)), np.empty((len(tables), 0), np.int64)
        for start in range(0, len(packed), _BLOCK_ROWS):
            distances = _all_distances(tables, packed[start : start + _BLOCK_ROWS])
            rows = np.broadcast_to(np.arange(start, start + distances.shape[1]), distances.shape)
            if distances.shape[1] > k:
                last = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
                query_of, place = np.nonzero(distances <= last)
                pairs = query_of, distances[query_of, place], place + start
                distances, rows = ranking.nearest_of_pairs(*pairs, len(tables), k)
            distances = np.concatenate([best[0], distances], axis=1)
            best = ranking.nearest(distances, np.concatenate([best[1], rows], axis=1), k)
        near[span], found[span] = best
    return near, found


def _groups(values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield some queries and their tables of a byte, so few that these stay small."""
    step = max(1, _BLOCK_VALUES // max(_BLOCK_ROWS, 32 * values.shape[1]))
    for start in range(0, len(values), step):
        yield slice(start, start + step), _tables(values[start : start + step], 8)


def _all_distances(tables: np.ndarray, codes: np.ndarray) -> np.ndarray:
    distances = np.zeros((len(tables), len(codes)))
    for byte in range(codes.shape[1]):
        distances += tables[:, byte, codes[:, byte]]
    return distances


def within(
    values: np.ndarray, packed: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All codes up to a distance: the query, the distance and the row of each pair."""
    tables, off = _tables(values, 4), _most_off(values)[:, None]
    parts = [(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
    for start in range(0, len(packed), _BLOCK_ROWS):
        codes = packed[start : start + _BLOCK_ROWS]
        coarse = asymmetric_hamming_distances(values, codes, packed=True)
        query_of, row = np.nonzero(coarse <= radius + off)
        exact = _of_pairs(tables, codes[row], query_of)
        inside = exact <= radius
        parts.append((query_of[inside], exact[inside], row[inside] + start))
    queries, near, rows = (np.concatenate(part) for part in zip(*parts))
    return queries, near, rows
