"""The scaling of samples on their way into the frozen network, estimated from the first task."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis, min_max_axis

from ...batches import InputScaling, power_of_two
from ...random import generator

# Wide samples are summed into this many columns with random signs. Samples of fewer than half as
# many more columns are not: sums would save little, and mix columns.
MOST_FEATURES = 4096
# The deviation of a column is at least this share of its range: a pixel that is rarely on would
# otherwise outweigh all others in a task that has it on.
_LEAST_SHARE_OF_RANGE = 0.05
# Scaled values are clipped here, because of outliers and of columns that vary in later tasks only.
_MOST_DEVIATIONS = 10.0
CHUNK_ROWS = 1024


def scale_by_column(X: Any, rows: np.ndarray, seed: int) -> InputScaling:
    """Scale each column by its own mean and deviation; sum wide samples into fewer columns."""
    mean, std, span = _moments(X, rows)
    if X.shape[1] > 1.5 * MOST_FEATURES:
        return _sketched(X, rows, std, span, seed)
    return InputScaling(mean, _column_scale(std, span), _MOST_DEVIATIONS)


def scale_as_one(X: Any, rows: np.ndarray, centred: bool, exact: bool) -> InputScaling:
    """Scale all columns by one mean and one deviation.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    rows : ndarray of int
        Rows that mean and deviation are estimated from.
    centred : bool
        Subtract the mean.
    exact : bool
        Divide by the deviation itself. Otherwise its nearest power of two divides, which rounds no
        digit.
    """
    mean, std, _ = _moments(X, rows)
    centre = float(mean.mean())
    deviation = float(np.sqrt(np.mean(std**2 + (mean - centre) ** 2)))
    scale = 1 / (max(deviation, 1e-30) if exact else power_of_two(deviation))
    return InputScaling(centre if centred else 0.0, scale)


def distinct_rows(X: Any, rows: np.ndarray) -> np.ndarray:
    """Drop repeated rows, and sort the others by a digest of their values.

    Statistics of the result depend neither on the order of the rows nor on repetitions: a row of
    weight 2 counts like the row twice.
    """
    digests: dict[bytes, int] = {}
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        for content, row in zip(_contents(X[chunk]), chunk.tolist()):
            digests.setdefault(blake2b(content, digest_size=8).digest(), row)
    return np.array([digests[digest] for digest in sorted(digests)])


def _contents(part: Any) -> Iterator[bytes]:
    """Yield the values of each row as bytes, without making sparse rows dense."""
    # float64 tells all rows of other types apart; float32 might not.
    if sparse.issparse(part):
        part = sparse.csr_array(part, dtype=np.float64)
        part.sum_duplicates()  # and in order
        part.eliminate_zeros()
        places = part.indices.astype(np.int64)
        for start, stop in pairwise(part.indptr.tolist()):
            yield places[start:stop].tobytes() + part.data[start:stop].tobytes()
    else:
        for values in np.asarray(part, np.float64) + 0.0:  # -0 is 0
            yield values.tobytes()


def _sketched(
    X: Any, rows: np.ndarray, std: np.ndarray, span: np.ndarray, seed: int
) -> InputScaling:
    """Add each column to one of a few sums, with a random sign (Charikar et al. 2002)."""
    rng, n_columns = generator(seed, "sketch"), X.shape[1]
    target = rng.integers(MOST_FEATURES, size=n_columns)
    signs = rng.choice([-1.0, 1.0], size=n_columns)
    sketch = sparse.csr_array(
        (signs, (np.arange(n_columns), target)), shape=(n_columns, MOST_FEATURES)
    )
    scale = _column_scale(std, span)
    plain = InputScaling(0.0, scale, np.inf, sketch)
    total, squares = np.zeros(MOST_FEATURES), np.zeros(MOST_FEATURES)
    for start in range(0, len(rows), CHUNK_ROWS):
        values = plain(X, rows[start : start + CHUNK_ROWS]).astype(np.float64)
        total, squares = total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    mean = total / len(rows)
    spread = np.sqrt(np.maximum(squares / len(rows) - mean**2, 0))
    typical = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    sketch = sketch / typical
    return InputScaling(mean / typical, scale, _MOST_DEVIATIONS, sparse.csr_array(sketch))


def _moments(X: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and range of each column, in float64."""
    if sparse.issparse(X):
        part = sparse.csr_matrix(X[rows], dtype=np.float64)
        mean, variance = mean_variance_axis(part, axis=0)
        least, most = min_max_axis(part, axis=0)
        return mean, np.sqrt(variance), most - least
    chunks = [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
    mean = sum(X[chunk].sum(axis=0, dtype=np.float64) for chunk in chunks) / len(rows)
    squares = sum(np.square(X[chunk] - mean).sum(axis=0) for chunk in chunks)
    least = np.min([X[chunk].min(axis=0) for chunk in chunks], axis=0).astype(np.float64)
    most = np.max([X[chunk].max(axis=0) for chunk in chunks], axis=0).astype(np.float64)
    return mean, np.sqrt(squares / len(rows)), most - least


def _column_scale(std: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Factor of each column; a constant column gets the typical factor of the others."""
    deviation = np.maximum(std, _LEAST_SHARE_OF_RANGE * span)
    alive = deviation > 0
    typical = float(np.median(deviation[alive])) if alive.any() else 1.0
    return 1 / np.where(alive, deviation, typical)
