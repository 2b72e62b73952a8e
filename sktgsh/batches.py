"""Rows streamed in batches of fixed size, dense or sparse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from .persistence import saved

# Types that samples may come in and stay in; batch by batch they become float32.
SAMPLE_DTYPES = [np.float32, np.float64, np.uint8, np.int8, np.int16, np.int32, np.int64]
# Rows of a batch; their hidden activity fits into the cache. The last batch is filled up to it, so
# that every row passes the same kernels, whatever rows come beside it.
BATCH_ROWS = 128
# Sample size for means and deviations of columns.
STATISTICS_ROWS = 10_000


def dense_rows(X: Any, rows: np.ndarray | slice) -> np.ndarray:
    """Rows of a dense or sparse matrix as a float32 array."""
    part = X[rows]
    return np.ascontiguousarray(part.toarray() if sparse.issparse(part) else part, np.float32)


def power_of_two(value: float) -> float:
    """The nearest power of two; scaling by it is exact, so codes do not depend on rounding."""
    return float(2.0 ** np.round(np.log2(value))) if np.isfinite(value) and value > 0 else 1.0


@saved("InputScaling")
@dataclass(frozen=True)
class InputScaling:
    """Standardisation of the samples of a frozen network: columns less their mean, by deviation.

    Computed in float64 and given in float32: a large common offset costs no digit. Where there are
    many columns, `sketch` sums them into fewer with random signs, and sparse rows are never dense.

    Attributes
    ----------
    shift : float or ndarray of shape (n_values,), dtype float64
        Taken from the values, after the sketch where there is one.
    scale : float or ndarray of shape (n_columns,), dtype float64
        Columns are multiplied by it.
    limit : float
        Scaled values are cut at minus and plus this.
    sketch : csr_array of shape (n_columns, n_values), or None
    """

    shift: float | np.ndarray = 0.0
    scale: float | np.ndarray = 1.0
    limit: float = np.inf
    sketch: sparse.csr_array | None = None

    def __call__(self, X: Any, rows: np.ndarray | slice) -> np.ndarray:
        """Scaled rows, (n_rows, n_values), dtype float32."""
        part = X[rows]
        if self.sketch is not None:
            part = part.multiply(self.scale) if sparse.issparse(part) else part * self.scale
            values = part @ self.sketch
            values = values.toarray() if sparse.issparse(values) else np.asarray(values)
            values = values - self.shift
        else:
            part = part.toarray() if sparse.issparse(part) else part
            values = np.subtract(part, self.shift, dtype=np.float64)
            values *= self.scale
        if np.isfinite(self.limit):
            np.clip(values, -self.limit, self.limit, out=values)
        return np.ascontiguousarray(values, np.float32)


class ScaledRows:
    """Rows less an offset, times a scale, in float64 before they become float32.

    Values of 64 bits may differ by less than float32 can hold beside what they have in common.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    shift : float or ndarray of shape (n_features,), or None
        None takes from each row its mean.
    scale : float or ndarray of shape (n_features,), default=1.0
    """

    def __init__(
        self, X: np.ndarray, shift: float | np.ndarray | None, scale: float | np.ndarray = 1.0
    ):
        self.X, self.shift, self.scale, self.shape = X, shift, scale, X.shape

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        part = np.array(self.X[rows], np.float64, order="C")
        part -= part.mean(axis=1, keepdims=True) if self.shift is None else self.shift
        part *= self.scale
        return part


def iter_batches(
    X: Any,
    rows: np.ndarray | None = None,
    take: Callable[[Any, np.ndarray | slice], np.ndarray] = dense_rows,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (positions, samples) where samples always has BATCH_ROWS rows.

    Rows beyond ``len(positions)`` are filling, to be cut off from what is made of them. `take`
    makes rows of X into a float32 array.
    """
    n_rows = X.shape[0] if rows is None else len(rows)
    for start in range(0, n_rows, BATCH_ROWS):
        positions = np.arange(start, min(start + BATCH_ROWS, n_rows))
        span = slice(start, start + BATCH_ROWS) if rows is None else rows[positions]
        samples = take(X, span)
        if len(samples) < BATCH_ROWS:
            filled = np.zeros((BATCH_ROWS, samples.shape[1]), np.float32)
            filled[: len(samples)] = samples
            samples = filled
        yield positions, samples
