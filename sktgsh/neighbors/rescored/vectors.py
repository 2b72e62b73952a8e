"""Vectors that candidates are ranked by: in memory or in a file, of 4, 2 or 1 bytes a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ...arrays import as_numbers
from ...persistence import saved
from ..distances import DensePoints

PRECISIONS = ("same", "float32", "float16", "int8")
# Rows that are converted at once, and numbers in the candidates that are ranked at once.
_BLOCK_ROWS = 8192
_BLOCK_NUMBERS = 2**22


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
        part = self.stored[rows]
        part = part.astype(np.result_type(part.dtype, np.float32), copy=False)
        if self.precision == "int8":
            part *= self.step
            part += self.centre
        return part

    def ranked(
        self, queries: np.ndarray, candidates: np.ndarray, k: int, metric: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest of each query's candidates.

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
        distances, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
        step = max(1, _BLOCK_NUMBERS // max(1, candidates.shape[1] * queries.shape[1]))
        for start in range(0, len(queries), step):
            span = slice(start, start + step)
            query_of, place = np.nonzero(candidates[span] >= 0)
            some, row_of = np.unique(candidates[span][query_of, place], return_inverse=True)
            points = DensePoints(self[some], metric)
            distances[span], found = points.nearest(queries[span], query_of, row_of, k)
            rows[span] = np.where(found < 0, -1, np.append(some, -1)[found])
        return distances, rows


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
