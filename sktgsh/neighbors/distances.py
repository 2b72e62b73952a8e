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

from ..norms import norms_of
from ..persistence import saved
from . import ranking

# Pairs of a block, whose rows fit into the cache.
_BLOCK_PAIRS = 8192
# Beyond these norms, products of float32 numbers may leave their range.
_SAFE_NORMS = (1e-15, 1e15)
# Smaller distances may become 0 in float32, as their squares leave its range.
_UNDERFLOW = 1e-18


def by_blocks(
    function: Callable, query_of: np.ndarray, rows: np.ndarray, dtype: Any, n: int
) -> np.ndarray:
    """Results of a function of pairs, `n` pairs at a time."""
    if len(rows) <= n:
        return np.asarray(function(query_of, rows), dtype)
    out = np.empty(len(rows), dtype)
    for start in range(0, len(rows), n):
        span = slice(start, start + n)
        out[span] = function(query_of[span], rows[span])
    return out


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
    """Rows and more rows, in a type that holds both."""
    dtype = np.promote_types(X.dtype, more.dtype)
    if sparse.issparse(X):
        return type(X)(sparse.vstack([X, more], format="csr", dtype=dtype))
    return np.concatenate([X, more], dtype=dtype)


def points_of(X: Any, metric: str) -> DensePoints | SparsePoints:
    """Rows to be ranked by a metric."""
    return (SparsePoints if sparse.issparse(X) else DensePoints)(X, metric)


@saved("DensePoints")
class DensePoints:
    """Dense rows, and exact distances of pairs.

    faiss measures all pairs in float32, and what may be among the nearest is measured again in
    float64. Where float32 would lose digits or leave its range, rows are first shifted to their
    mean (Euclidean distance), scaled to norm 1 (cosine), or scaled as a whole.
    """

    def __init__(self, X: np.ndarray, metric: str):
        self.metric, self.X = metric, X
        self.norms: Any = norms_of(X) if metric == "cosine" else None
        largest = float(max(X.max(initial=0), -X.min(initial=0)))
        # Powers of two change no digit.
        self.scale = float(2.0 ** -np.frexp(largest)[1]) if largest else 1.0
        self.is_single = X.dtype == np.float32 and self._is_in_range(largest)
        self.centre = 0.0
        if metric == "euclidean" and not self.is_single:
            self.centre = X.mean(axis=0, dtype=np.float64)
        self.points = X if self.is_single else self._to_single(X, self.norms)
        # The greatest norm, but for rounding.
        squares = np.einsum("ij,ij->i", self.points, self.points)
        self.longest = 1.01 * float(np.sqrt(squares.max(initial=0)))

    def _is_in_range(self, largest: float) -> bool:
        if self.metric == "cosine":
            largest = self.norms.max(initial=1)
            return self.norms.min(initial=1) > _SAFE_NORMS[0] and largest < _SAFE_NORMS[1]
        return largest == 0 or _SAFE_NORMS[0] < largest < _SAFE_NORMS[1]

    def __getstate__(self) -> dict:
        return {"metric": self.metric, "X": self.X}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["X"], state["metric"])  # type: ignore[misc]

    def _to_single(self, X: np.ndarray, norms: Any) -> np.ndarray:
        if self.is_single:
            with np.errstate(over="ignore"):
                return np.ascontiguousarray(X, np.float32)
        out = np.empty(X.shape, np.float32)
        for start in range(0, len(X), _BLOCK_PAIRS):
            span = slice(start, start + _BLOCK_PAIRS)
            part = X[span].astype(np.float64)
            if self.metric == "cosine":
                part /= np.where(norms[span, None] > 0, norms[span, None], 1)
            else:
                part = (part - self.centre) * self.scale
            with np.errstate(over="ignore"):
                out[span] = part
        return out

    def added(self, X: np.ndarray) -> DensePoints:
        """These rows and some more; a copy."""
        return DensePoints(stacked(self.X, X), self.metric)

    def nearest(
        self,
        queries: np.ndarray,
        query_of: np.ndarray,
        rows: np.ndarray,
        k: int,
    ) -> ranking.Found:
        """The `k` nearest rows of each query among its pairs, (n_queries, k).

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features)
        query_of, rows : ndarray of shape (n_pairs,)
        k : int
        """
        coarse, share, off = self._coarse(queries, query_of, rows)
        last = ranking.reach_of_each(query_of, coarse, len(queries), k)
        # A row of coarse distance c is at least at c - off, the k-th at most at last + off.
        reach = last * (1 + share) + 2 * off
        kept = np.flatnonzero(~(coarse > rounded_up(reach / (1 - share))[query_of]))
        query_of, rows = query_of[kept], rows[kept]
        exact = self.distances(queries, query_of, rows)
        return ranking.nearest_of_pairs(query_of, exact, rows, len(queries), k)

    def within(
        self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray, radius: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Select the pairs up to a radius, with their distances.

        Parameters
        ----------
        queries, query_of, rows
            As in :meth:`nearest`.
        radius : float

        Returns
        -------
        pairs : ndarray of int
            Positions among the pairs.
        distances : ndarray of float64
        """
        coarse, share, off = self._coarse(queries, query_of, rows)
        scale = self.scale if self.metric == "euclidean" and not self.is_single else 1.0
        pairs = np.flatnonzero(~(coarse * (1 - share) > scale * radius + off[query_of]))
        exact = self.distances(queries, query_of[pairs], rows[pairs])
        return pairs[exact <= radius], exact[exact <= radius]

    def _coarse(
        self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, float, np.ndarray]:
        """Distances of pairs in float32, and how far they are off, as in `_errors`."""
        norms: Any = norms_of(queries) if self.metric == "cosine" else None
        asked = self._to_single(queries, norms)
        share, off = self._errors(asked, queries.dtype)
        return self._in_single(asked, norms, query_of, rows), share, off

    def _in_single(
        self, asked: np.ndarray, norms: Any, query_of: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        out = np.empty(len(rows), np.float32)
        if not len(rows):
            return out
        euclidean = self.metric == "euclidean"
        name = "pairwise_indexed_L2sqr" if euclidean else "pairwise_indexed_inner_product"
        left, right = query_of.astype(np.int64), rows.astype(np.int64)
        pointers = (asked, left, self.points, right, out)
        getattr(faiss, name)(asked.shape[1], len(rows), *map(faiss.swig_ptr, pointers))
        if euclidean:
            return np.sqrt(out)
        if self.metric == "cosine":
            if self.is_single:
                with np.errstate(divide="ignore", invalid="ignore"):
                    out = out / (norms[query_of] * self.norms[rows]).astype(np.float32)
            return 1 - out
        return -out

    def _errors(self, asked: np.ndarray, dtype: np.dtype) -> tuple[float, np.ndarray]:
        """Bounds on the error of coarse distances: a share of them, plus an amount a query."""
        rounding = np.finfo(np.float32).eps
        # faiss adds up in at least four lanes, side by side.
        sums = (asked.shape[1] / 4 + 8) * rounding
        if self.metric == "cosine":
            return 0.0, np.full(len(asked), 4 * sums)
        sizes = np.sqrt(np.einsum("ij,ij->i", asked, asked, dtype=np.float64))
        if self.metric == "inner_product":
            return 0.0, 2 * sums * sizes * self.longest
        is_rounded = not self.is_single or dtype != np.float32
        return sums, is_rounded * rounding * (sizes + self.longest) + _UNDERFLOW

    def distances(self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs in float64."""
        measure = Measure(self.metric, queries)

        def exact(query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
            norms = None if self.norms is None else self.norms[rows]
            return measure(query_of, np.take(self.X, rows, axis=0), norms)

        return by_blocks(exact, query_of, rows, np.float64, _BLOCK_PAIRS // 8)


def rounded_up(bounds: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
    """Numbers of a type that are no smaller."""
    with np.errstate(over="ignore"):
        return np.nextafter(bounds.astype(dtype), np.inf, dtype=dtype)


class Measure:
    """Distances from queries in float64, by differences, whatever the size of numbers.

    The cosine's is half the squared difference of unit vectors, which is never negative. A zero
    vector, which has no direction, is at distance 1 from all.

    Parameters
    ----------
    metric : {"cosine", "euclidean", "inner_product"}
    queries : ndarray of shape (n_queries, n_features)
    """

    def __init__(self, metric: str, queries: np.ndarray):
        self.metric, self.queries = metric, queries
        if metric == "cosine":
            norms = norms_of(queries)
            self.queries, self.is_zero = _units(queries, norms), norms == 0

    def __call__(
        self, query_of: np.ndarray, rows: np.ndarray, norms: np.ndarray | None = None
    ) -> np.ndarray:
        """Distance of each row from its query; the norms of rows may be known."""
        asked = np.take(self.queries, query_of, axis=0)
        if self.metric == "euclidean":
            return norms_of(np.subtract(asked, rows, dtype=np.float64))
        if self.metric == "inner_product":
            asked, rows = asked.astype(np.float64, copy=False), rows.astype(np.float64, copy=False)
            return -np.einsum("ij,ij->i", asked, rows)
        norms = norms_of(rows) if norms is None else norms
        asked -= _units(rows, norms)
        is_zero = (norms == 0) | self.is_zero[query_of]
        return np.where(is_zero, 1.0, np.einsum("ij,ij->i", asked, asked) / 2)


def _units(rows: np.ndarray, norms: np.ndarray) -> np.ndarray:
    return np.divide(rows, np.where(norms == 0, 1, norms)[:, None], dtype=np.float64)


@saved("SparsePoints")
class SparsePoints:
    """Sparse rows, never made dense."""

    def __init__(self, X: sparse.csr_array, metric: str):
        self.metric, self.X = metric, X
        self.norms: Any = norms_of(X) if metric == "cosine" else None

    def added(self, X: sparse.csr_array) -> SparsePoints:
        """These rows and some more; a copy."""
        return SparsePoints(stacked(self.X, X), self.metric)

    def nearest(
        self, queries: Any, query_of: np.ndarray, rows: np.ndarray, k: int
    ) -> ranking.Found:
        """As in :meth:`DensePoints.nearest`."""
        near = self.distances(queries, query_of, rows)
        return ranking.nearest_of_pairs(query_of, near, rows, queries.shape[0], k)

    def within(
        self, queries: Any, query_of: np.ndarray, rows: np.ndarray, radius: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """As in :meth:`DensePoints.within`."""
        near = self.distances(queries, query_of, rows)
        pairs = np.flatnonzero(near <= radius)
        return pairs, near[pairs].astype(np.float64)

    def distances(self, queries: Any, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
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

        return by_blocks(exact, query_of, rows, np.float64, _BLOCK_PAIRS)


@saved("CodePoints")
class CodePoints:
    """Codes by the number of values that differ: 64-bit words of bits, or integers."""

    def __init__(self, values: np.ndarray):
        self.values = values

    def added(self, values: np.ndarray) -> CodePoints:
        """These codes and some more; a copy."""
        return CodePoints(np.concatenate([self.values, values]))

    def nearest(
        self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray, k: int
    ) -> ranking.Found:
        """As in :meth:`DensePoints.nearest`."""
        near = self.distances(queries, query_of, rows)
        return ranking.nearest_of_pairs(query_of, near, rows, len(queries), k)

    def within(
        self, queries: Any, query_of: np.ndarray, rows: np.ndarray, radius: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """As in :meth:`DensePoints.within`."""
        near = self.distances(queries, query_of, rows)
        pairs = np.flatnonzero(near <= radius)
        return pairs, near[pairs].astype(np.float64)

    def distances(self, queries: np.ndarray, query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Distances of pairs, whole numbers in float32."""
        is_bits = self.values.dtype == np.uint64

        def differing(query_of: np.ndarray, rows: np.ndarray) -> np.ndarray:
            left = np.take(queries, query_of, axis=0)
            right = np.take(self.values, rows, axis=0)
            changed = np.bitwise_count(left ^ right) if is_bits else left != right
            total = changed[:, 0].astype(np.uint32)
            for column in range(1, changed.shape[1]):
                total += changed[:, column]
            return total

        return by_blocks(differing, query_of, rows, np.float32, _BLOCK_PAIRS)
