"""Rows streamed in batches of fixed size, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

# Types that samples may come in and stay in; batch by batch they become float32.
SAMPLE_DTYPES = [np.float32, np.float64, np.uint8, np.int8, np.int16, np.int32, np.int64]
# Hidden activity of one batch stays in the cache. The number is fixed, and the last batch is
# filled up: every row then takes the same path through the same kernels, whatever comes beside it.
BATCH_ROWS = 128
# Rows that statistics of samples are estimated from.
STATISTICS_ROWS = 10_000


def dense_rows(X: Any, rows: np.ndarray | slice) -> np.ndarray:
    """Rows of a dense or sparse matrix as a float32 array."""
    part = X[rows]
    return np.ascontiguousarray(part.toarray() if sparse.issparse(part) else part, np.float32)


def iter_batches(X: Any, rows: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Yield (positions, samples) where samples always has BATCH_ROWS rows.

    Rows beyond ``len(positions)`` are filling, to be cut off from what is made of them.
    """
    n_rows = X.shape[0] if rows is None else len(rows)
    for start in range(0, n_rows, BATCH_ROWS):
        positions = np.arange(start, min(start + BATCH_ROWS, n_rows))
        span = slice(start, start + BATCH_ROWS) if rows is None else rows[positions]
        samples = dense_rows(X, span)
        if len(samples) < BATCH_ROWS:
            filled = np.zeros((BATCH_ROWS, samples.shape[1]), np.float32)
            filled[: len(samples)] = samples
            samples = filled
        yield positions, torch.from_numpy(samples)
