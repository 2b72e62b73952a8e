"""Euclidean norms of rows of any size, from the least numbers of a type to the greatest."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

_BLOCK_ROWS = 8192


def norms_of(X: Any) -> np.ndarray:
    """Euclidean norms of rows in float64, of numbers of any size."""
    largest = abs(X).max(axis=1)
    largest = np.asarray(largest.toarray() if sparse.issparse(largest) else largest, np.float64)
    scale = np.where(largest > 0, largest, 1).reshape(-1, 1)
    if sparse.issparse(X):
        squares = X.astype(np.float64).multiply(1 / scale).power(2).sum(axis=1)
        return np.sqrt(np.asarray(squares)).ravel() * scale.ravel()
    norms = np.empty(len(X))
    for start in range(0, len(X), _BLOCK_ROWS):
        span = slice(start, start + _BLOCK_ROWS)
        part = X[span] / scale[span]
        norms[span] = np.sqrt(np.einsum("ij,ij->i", part, part))
    return norms * scale.ravel()
