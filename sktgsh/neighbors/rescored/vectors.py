"""Vectors that candidates are ranked by: in memory or in a file, of 4, 2 or 1 bytes a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ...arrays import as_numbers
from ...persistence import saved
from .. import ranking
from ..distances import Measure, by_blocks, rounded_up

PRECISIONS = ("same", "float32", "float16", "int8")
# Rows that are converted at once, and numbers in the candidates that are ranked at once.
_BLOCK_ROWS = 8192
_BLOCK_NUMBERS = 2**18


def row_blocks(n_rows: int) -> list[slice]:
    """Blocks of rows that are small in memory."""
    return [
        slice(start, min(start + _BLOCK_ROWS, n_rows)) for start in range(0, n_rows, _BLOCK_ROWS)
    ]


def _extremes(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest number of each feature."""
    low = np.min([X[rows].min(axis=0) for rows in row_blocks(len(X))], axis=0)
    high = np.max([X[rows].max(axis=0) for rows in row_blocks(len(X))], axis=0)
    return low.astype(np.float64), high.astype(np.float64)


@saved("Vectors")
class Vectors:
    """Rows, kept as they came or shortened.

    Parameters
    ----------
    X : ndarray or memmap of shape (n_rows, n_features)
    precision : {"same", "float32", "float16", "int8"}
        ``"same"`` keeps X itself, which may be memory-mapped. ``"int8"`` rounds each feature to 255
        steps between its extremes; rows added beyond these make the steps wider.
    """

    stored: np.ndarray
    centre: Any  # of each feature, as is the step; None unless the precision is int8
    step: Any

    def __init__(self, X: np.ndarray, precision: str):
        self.precision = precision
        self.centre = self.step = None
        if precision == "int8":
            self._set_steps(*_extremes(X))
        self.stored = self._shortened(X)

    def _set_steps(self, low: np.ndarray, high: np.ndarray) -> None:
        self.centre = ((low + high) / 2).astype(np.float32)
        self.step = np.where(high > low, (high - low) / 254, 1).astype(np.float32)

    def __len__(self) -> int:
        return len(self.stored)

    def _shortened(self, X: np.ndarray) -> np.ndarray:
        if self.precision == "same":
            return X
        stored = np.empty(X.shape, self.precision)
        for rows in row_blocks(len(X)):
            part = X[rows]
            if self.precision == "int8":
                part = np.clip(np.rint((part - self.centre) / self.step), -127, 127)
            with np.errstate(over="ignore"):
                stored[rows] = part
            if not np.isfinite(stored[rows]).all():
                raise ValueError(f"X has numbers beyond {self.precision}; use another `vectors`")
        return stored

    def added(self, X: np.ndarray) -> Vectors:
        """These rows and some more; a copy in memory, in a type that holds all of them."""
        grown = object.__new__(Vectors)
        grown.__dict__.update(self.__dict__)
        stored = self.stored
        if self.precision == "int8":
            stored = grown._widened(self, X)
        grown.stored = np.concatenate([stored, grown._shortened(X)])
        return grown

    def _widened(self, before: Vectors, X: np.ndarray) -> np.ndarray:
        """Rows of before, in steps that reach to the extremes of X where theirs do not."""
        reach = 127 * before.step.astype(np.float64)
        old_low, old_high = before.centre - reach, before.centre + reach
        low, high = _extremes(X)
        spare = before.step / 2
        if (low >= old_low - spare).all() and (high <= old_high + spare).all():
            return before.stored
        # A constant feature has a step of 1 and no extent.
        is_constant = (before.stored == 0).all(axis=0)
        old_low = np.where(is_constant, before.centre, old_low)
        old_high = np.where(is_constant, before.centre, old_high)
        self._set_steps(np.minimum(low, old_low), np.maximum(high, old_high))
        widened = np.empty_like(before.stored)
        for rows in row_blocks(len(widened)):
            widened[rows] = self._shortened(before[np.arange(rows.start, rows.stop)])
        return widened

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Rows in float32, or in float64 where they have more digits."""
        part = np.take(self.stored, rows, axis=0)
        part = part.astype(np.result_type(part.dtype, np.float32), copy=False)
        if self.precision == "int8":
            part *= self.step
            part += self.centre
        return part

    def ranked(
        self,
        queries: np.ndarray,
        candidates: np.ndarray,
        k: int,
        metric: str,
        radius: float = np.inf,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest of each query's candidates; those beyond a radius may be left out.

        Parameters
        ----------
        queries : ndarray of shape (n_queries, n_features), dtype float32
        candidates : ndarray of shape (n_queries, n_candidates)
            Rows; -1 where there is none.

        Returns
        -------
        distances : ndarray of shape (n_queries, k), dtype float64
        rows : ndarray of shape (n_queries, k), dtype int64
            Infinity and -1 where there are too few candidates.
        """
        step = max(1, _BLOCK_NUMBERS // max(1, candidates.shape[1] * queries.shape[1]))
        parts = []
        for start in range(0, len(queries), step):
            span = slice(start, start + step)
            query_of, near, found = self._measured(
                queries[span], candidates[span], k, metric, radius
            )
            parts.append((query_of + start, near, found))
        query_of, near, found = map(np.concatenate, zip(*parts))
        return ranking.nearest_of_pairs(query_of, near, found, len(queries), k)

    def _measured(
        self, queries: np.ndarray, candidates: np.ndarray, k: int, metric: str, radius: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Query, distance and row of the candidates that may be among the nearest."""
        vectors = self[candidates.ravel()]
        is_there = candidates >= 0
        dtype = np.result_type(queries.dtype, vectors.dtype, np.float32)
        asked, vectors = queries.astype(dtype, copy=False), vectors.astype(dtype, copy=False)
        vectors = vectors.reshape(*candidates.shape, -1)
        kept = is_there
        if candidates.shape[1] > k or radius < np.inf:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                coarse, share, off = _coarse(metric, asked, vectors)
                coarse[~is_there] = np.inf
                reach = radius + off
                if candidates.shape[1] > k:
                    last = np.partition(coarse, k - 1, axis=1)[:, k - 1]
                    reach = np.minimum(reach, last * (1 + share) + 2 * off)
                kept = ~(coarse > rounded_up(reach / (1 - share), dtype)[:, None]) & is_there
        query_of, place = np.nonzero(kept)
        measure = Measure(metric, asked)
        near = by_blocks(
            lambda query_of, place: measure(query_of, vectors[query_of, place]),
            query_of,
            place,
            np.float64,
            _BLOCK_ROWS // 8,
        )
        return query_of, near, candidates[query_of, place]


def _coarse(
    metric: str, queries: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """Distances of each query from vectors of its own, in their type, and how far they are off.

    The error is at most a share of a distance plus an amount a query.
    """
    tiny = np.finfo(vectors.dtype)
    sums = (queries.shape[1] / 4 + 8) * float(tiny.eps)
    if metric == "euclidean":
        differences = vectors - queries[:, None]
        squares = np.einsum("qmd,qmd->qm", differences, differences)
        underflow = 10 * np.sqrt(float(tiny.tiny) * queries.shape[1])
        return np.sqrt(squares), sums, np.full(len(queries), underflow)
    products = np.matmul(vectors, queries[:, :, None])[:, :, 0]
    norms = np.sqrt(np.einsum("qmd,qmd->qm", vectors, vectors))
    sizes = np.sqrt(np.einsum("qd,qd->q", queries, queries))
    # Products that leave the range of the type, or nearly so, bound nothing.
    least, most = float(tiny.tiny) ** 0.4, float(tiny.max) ** 0.4
    is_safe = (norms.min(axis=1) > least) & (norms.max(axis=1) < most)
    is_safe &= (sizes > least) & (sizes < most)
    if metric == "inner_product":
        off = 2 * sums * sizes.astype(np.float64) * norms.max(axis=1)
        return -products, 0.0, np.where(is_safe, off, np.inf)
    cosines = 1 - products / (norms * sizes[:, None])
    return cosines, 0.0, np.where(is_safe, 4 * sums, np.inf)


def as_rows(X: Any, n_features: int | None = None) -> np.ndarray:
    """Checked rows; a memory-mapped array stays where it is."""
    if sparse.issparse(X):
        raise TypeError("X is sparse, but vectors are dense here; use LSHNeighbors, or X.toarray()")
    X = as_numbers(X, "X")
    if X.ndim != 2 or X.dtype.kind not in "fiu" or not X.size:
        raise ValueError(
            f"X has shape {X.shape} and dtype {X.dtype}; expected numbers of shape "
            "(n_samples, n_features), at least one of them"
        )
    if n_features is not None and X.shape[1] != n_features:
        raise ValueError(f"X has {X.shape[1]} features, but {n_features} were fitted")
    for rows in row_blocks(len(X)):
        if not np.isfinite(X[rows]).all():
            raise ValueError("X has NaN or infinite numbers")
    return X
