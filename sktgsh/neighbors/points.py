"""Indexed rows, dense, sparse or codes, and their distances from queries in given pairs.

Pairs come as two arrays, the query and the row of each. Distances of a pair do not depend on the
pairs beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from scipy import sparse

from ..persistence import saved

# Pairs in a block: what is made of them stays in the cache.
_BLOCK_PAIRS = 8192
# Beyond these norms, products of float32 numbers may leave their range.
_SAFE_NORMS = (1e-15, 1e15)


def _by_blocks(
    function: Callable, query_of: np.ndarray, rows: np.ndarray, dtype: Any, n: int
) -> np.ndarray:
    out = np.empty(len(rows), dtype)
    for start in range(0, len(rows), n):
        span = slice(start, start + n)
        out[span] = function(query_of[span], rows[span])
    return out


def norms_of(X: Any) -> np.ndarray:
    """Euclidean norms of rows in float64, of numbers of any size."""
    largest = abs(X).max(axis=1)
    largest = np.asarray(largest.toarray() if sparse.issparse(largest) else largest, np.float64)
    scale = np.where(largest > 0, largest, 1).reshape(-1, 1)
    if sparse.issparse(X):
        squares = X.astype(np.float64).multiply(1 / scale).power(2).sum(axis=1)
        return np.sqrt(np.asarray(squares)).ravel() * scale.ravel()
    norms = np.empty(len(X))
    for start in range(0, len(X), _BLOCK_PAIRS):
        span = slice(start, start + _BLOCK_PAIRS)
        part = X[span] / scale[span]
        norms[span] = np.sqrt(np.einsum("ij,ij->i", part, part))
    return norms * scale.ravel()


def check_directions(X: Any, name: str, metric: str) -> None:
    """Raise ValueError if a row is zero, which has no direction."""
    largest = abs(X).max(axis=1)
    largest = largest.toarray() if sparse.issparse(largest) else largest
    zero = np.flatnonzero(np.ravel(largest) == 0)
    if len(zero):
        raise ValueError(
            f"{name} has a zero vector (row {zero[0]}), which has no direction; "
            f"metric={metric!r} needs one. Remove such rows"
        )


def stacked(X: Any, more: Any) -> Any:
    """Rows and more rows, in the type of the first."""
    if sparse.issparse(X):
        return type(X)(sparse.vstack([X, more.astype(X.dtype)], format="csr"))
    return np.concatenate([X, more.astype(X.dtype)])


def points_of(X: Any, metric: str) -> DensePoints | SparsePoints:
    """Rows to be ranked by a metric."""
    return (SparsePoints if sparse.issparse(X) else DensePoints)(X, metric)


@saved("DensePoints")
class DensePoints:
    """Dense rows; faiss ranks pairs in float32 by their difference or product.

    Rows in float64 are shifted to their mean (Euclidean distance) or scaled (cosine) before they
    become float32: an offset that all rows have costs no digits.
    """

    def __init__(self, X: np.ndarray, metric: str):
        self.metric, self.X = metric, X
        self.centre = X.mean(axis=0) if metric == "euclidean" else 0
        # None, unless the metric is the cosine.
        self.norms: Any = norms_of(X) if metric == "cosine" else None
        self.is_exact = X.dtype == np.float32 and self._is_safe()
        self.points = self._to_float32(X, self.norms)

    def _is_safe(self) -> bool:
        if self.metric != "cosine":
            return True
        return self.norms.min() > _SAFE_NORMS[0] and self.norms.max() < _SAFE_NORMS[1]

    def _to_float32(self, X: np.ndarray, norms: Any) -> np.ndarray:
        if self.is_exact:
            return np.ascontiguousarray(X, np.float32)
        out = np.empty(X.shape, np.float32)
        for start in range(0, len(X), _BLOCK_PAIRS):
            span = slice(start, start + _BLOCK_PAIRS)
            part = X[span].astype(np.float64)
            if self.metric == "cosine":
                part /= norms[span, None]
            elif self.metric == "euclidean":
                part -= self.centre
            out[span] = part
        return out

    def added(self, X: np.ndarray) -> DensePoints:
        """These rows and some more; a copy."""
        grown = object.__new__(DensePoints)
        grown.__dict__ = dict(self.__dict__)
        grown.X = stacked(self.X, X)
        if self.metric == "cosine":
            grown.norms = np.concatenate([self.norms, norms_of(X)])
        grown.is_exact = self.is_exact and grown._is_safe()
        if grown.is_exact or self.is_exact:
            grown.points = grown._to_float32(grown.X, grown.norms)
        else:
            norms = None if self.norms is None else grown.norms[len(self.X) :]
            grown.points = np.concatenate([self.points, grown._to_float32(X, norms)])
        return grown

    def distances(self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs in float32."""
        norms: Any = norms_of(queries) if self.metric == "cosine" else None
        asked = self._to_float32(queries, norms)
        out = np.empty(len(rows), np.float32)
        if not len(rows):
            return out
        euclidean = self.metric == "euclidean"
        name = "pairwise_indexed_L2sqr" if euclidean else "pairwise_indexed_inner_product"
        left, right = query_of.astype(np.int64), rows.astype(np.int64)
        pointers = (asked, left, self.points, right, out)
        getattr(faiss, name)(self.X.shape[1], len(rows), *map(faiss.swig_ptr, pointers))
        if euclidean:
            return np.sqrt(out)
        if self.metric == "cosine":
            if self.is_exact:
                out /= (norms[query_of] * self.norms[rows]).astype(np.float32)
            return np.maximum(1 - out, 0)
        return -out

    def refined(self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs as exact as the rows' own type."""
        if self.is_exact:
            return self.distances(queries, query_of, rows).astype(np.float64)
        norms: Any = norms_of(queries) if self.metric == "cosine" else None

        def exact(query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
            left = queries[query_of].astype(np.float64)
            right = self.X[rows].astype(np.float64)
            if self.metric == "inner_product":
                return -np.einsum("ij,ij->i", left, right)
            if self.metric == "cosine":
                left, right = left / norms[query_of, None], right / self.norms[rows, None]
            squares = ((left - right) ** 2).sum(axis=1)
            return squares / 2 if self.metric == "cosine" else np.sqrt(squares)

        return _by_blocks(exact, query_of, rows, np.float64, _BLOCK_PAIRS // 8)


@saved("SparsePoints")
class SparsePoints:
    """Sparse rows, never made dense."""

    def __init__(self, X: sparse.csr_array, metric: str):
        self.metric, self.X = metric, X
        self.norms: Any = norms_of(X) if metric == "cosine" else None

    def added(self, X: sparse.csr_array) -> SparsePoints:
        """These rows and some more; a copy."""
        return SparsePoints(stacked(self.X, X), self.metric)

    def distances(self, queries: Any, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs in float32."""
        return self.refined(queries, query_of, rows).astype(np.float32)

    def refined(self, queries: Any, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs in float64."""
        queries = queries.tocsr().astype(np.float64)
        norms: Any = norms_of(queries) if self.metric == "cosine" else None

        def exact(query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
            left, right = queries[query_of], self.X[rows].astype(np.float64)
            if self.metric == "inner_product":
                return -np.asarray(left.multiply(right).sum(axis=1)).ravel()
            if self.metric == "cosine":
                left = left.multiply(1 / norms[query_of, None]).tocsr()
                right = right.multiply(1 / self.norms[rows, None]).tocsr()
            squares = np.asarray((left - right).power(2).sum(axis=1)).ravel()
            return squares / 2 if self.metric == "cosine" else np.sqrt(squares)

        return _by_blocks(exact, query_of, rows, np.float64, _BLOCK_PAIRS)


@saved("CodePoints")
class CodePoints:
    """Codes by the number of values that differ: 64-bit words of bits, or integers."""

    def __init__(self, values: np.ndarray):
        self.values = values

    def added(self, values: np.ndarray) -> CodePoints:
        """These codes and some more; a copy."""
        return CodePoints(np.concatenate([self.values, values]))

    def distances(self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs in float32."""
        is_bits = self.values.dtype == np.uint64

        def differing(query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
            left = np.take(queries, query_of, axis=0)
            right = np.take(self.values, rows, axis=0)
            changed = np.bitwise_count(left ^ right) if is_bits else left != right
            total = changed[:, 0].astype(np.uint32)
            for column in range(1, changed.shape[1]):
                total += changed[:, column]
            return total

        return _by_blocks(differing, query_of, rows, np.float32, _BLOCK_PAIRS)

    def refined(self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs in float64."""
        return self.distances(queries, query_of, rows).astype(np.float64)


def best_of_each(
    query_of: np.ndarray, distances: np.ndarray, n_queries: int, most: int
) -> np.ndarray:
    """Which pairs to keep: the `most` nearest of each query, and those as near as the last.

    Parameters
    ----------
    query_of, distances : ndarray of shape (n_pairs,)
        Distances are whole numbers that are not negative.

    Returns
    -------
    kept : ndarray of bool of shape (n_pairs,)
    """
    if not len(distances):
        return np.zeros(0, bool)
    near = distances.astype(np.int64)
    width = int(near.max()) + 1
    counts = np.bincount(query_of * width + near, minlength=n_queries * width)
    last = (counts.reshape(n_queries, width).cumsum(axis=1) < most).sum(axis=1)
    return near <= last[query_of]


def nearest_of_each(
    query_of: np.ndarray, distances: np.ndarray, rows: np.ndarray, n_queries: int, k: int
) -> np.ndarray:
    """The `k` nearest rows of each query, by one sort.

    A 64-bit number holds query, distance and row, in this order; of equal distances, the first
    row comes first.

    Parameters
    ----------
    query_of, distances, rows : ndarray of shape (n_pairs,)
        Queries in ascending order; distances in float32.

    Returns
    -------
    pairs : ndarray of shape (n_queries, k), dtype int64
        Rows; -1 where there are none left.
    """
    row_bits = max(1, int(rows.max(initial=0)).bit_length())
    high = (query_of.astype(np.uint64) << np.uint64(32)) | _in_order(distances)
    order = (high << np.uint64(row_bits)) | rows.astype(np.uint64)
    order.sort()
    counts = np.bincount(query_of, minlength=n_queries)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    place = starts[:, None] + np.arange(k)
    found = np.full((n_queries, k), -1, np.int64)
    there = np.arange(k) < counts[:, None]
    found[there] = (order[place[there]] & np.uint64((1 << row_bits) - 1)).astype(np.int64)
    return found


def most_queries(n_rows: int) -> int:
    """How many queries :func:`nearest_of_each` can take at once."""
    return 1 << (32 - max(1, (n_rows - 1).bit_length()))


def _in_order(distances: np.ndarray) -> np.ndarray:
    """Unsigned numbers in the order of float32 ones."""
    bits = (distances + np.float32(0)).astype(np.float32).view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
