"""Euclidean norms of rows of any size, from the least numbers of a type to the greatest."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

_BLOCK_ROWS = 1024
_SAFE_NORMS = (1e-140, 1e140)


def norms_of(X: Any) -> np.ndarray:
    """Euclidean norms of rows in float64, of numbers of any size."""
    if sparse.issparse(X):
        largest = np.asarray(abs(X).max(axis=1).toarray(), np.float64).reshape(-1, 1)
        scale = np.where(largest > 0, largest, 1)
        squares = X.astype(np.float64).multiply(1 / scale).power(2).sum(axis=1)
        return np.sqrt(np.asarray(squares)).ravel() * scale.ravel()
    norms = np.empty(len(X))
    for start in range(0, len(X), _BLOCK_ROWS):
        span = slice(start, start + _BLOCK_ROWS)
        part = X[span].astype(np.float64, copy=False)
        norms[span] = np.sqrt(np.einsum("ij,ij->i", part, part))
    # Squares of these rows left the range of float64, or nearly so.
    (unsafe,) = np.nonzero(~((norms > _SAFE_NORMS[0]) & (norms < _SAFE_NORMS[1])))
    if len(unsafe):
        rows = X[unsafe].astype(np.float64)
        largest = np.abs(rows).max(axis=1, initial=0)
        scale = np.where(largest > 0, largest, 1)
        norms[unsafe] = np.linalg.norm(rows / scale[:, None], axis=1) * scale
    return norms
