"""What every figure of retrieval is computed from: counts by distance, streamed by blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..codes import iter_hamming_distances
from ..targets import check_comparable, check_targets, n_shared_labels

# A block's counting keys and counts, 8 bytes each, fill about 32 MB each.
_BLOCK_SIZE = 4 * 2**20


def iter_level_counts(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    packed: bool = False,
    graded: bool = False,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Count the database's rows by their distance from each query, and by their relevance to it.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    graded : bool, default=False
        Tell rows apart by how many labels they share with the query, not only by whether.

    Yields
    ------
    rows : slice
        Queries.
    counts : ndarray of shape (n_rows, n_bits + 1, n_grades)
        By distance and grade: grade 0 shares nothing.
    """
    codes = np.asarray(codes)
    y = check_targets(y, len(codes))
    if (database_codes is None) != (database_y is None):
        raise ValueError("database_codes and database_y go together: give both, or neither")
    leave_self_out = database_codes is None
    if leave_self_out:
        database_codes, database_y = codes, y
    else:
        database_codes = np.asarray(database_codes)
        database_y = check_targets(database_y, len(database_codes), name="database_y")
        check_comparable(y, database_y, "y", "database_y")
    y, database_y = _for_counting(y, database_y)
    highest = _highest_grade(y, database_y) if graded else 1
    n_cells = (codes.shape[1] * (8 if packed else 1) + 1) * (highest + 1)
    n_rows = max(1, _BLOCK_SIZE // max(len(database_codes), n_cells))
    for rows, distances in iter_hamming_distances(
        codes, database_codes, packed=packed, block_bytes=2 * n_rows * len(database_codes)
    ):
        cells = distances.astype(np.int64)
        cells *= highest + 1
        cells += np.minimum(n_shared_labels(y[rows], database_y), highest)
        cells += n_cells * np.arange(len(cells))[:, None]
        counts = np.bincount(cells.ravel(), minlength=len(cells) * n_cells)
        counts = counts.reshape(len(cells), -1, highest + 1)
        if leave_self_out:
            # A row lies at distance 0 from itself and shares all its labels, which may be none.
            own = np.minimum(1 if y.ndim == 1 else y[rows].sum(axis=1), highest)
            counts[np.arange(len(cells)), 0, own] -= 1
        yield rows, counts


def _for_counting(y: np.ndarray, database_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as small integers; indicators laid out for many products with few rows."""
    if y.ndim == 2:
        return y, np.asfortranarray(database_y, dtype=np.uint16)
    _, index = np.unique(np.concatenate([y, database_y]), return_inverse=True)
    index = index.astype(np.int32)
    return index[: len(y)], index[len(y) :]


def _highest_grade(y: np.ndarray, database_y: np.ndarray) -> int:
    if y.ndim == 1:
        return 1
    most = (labels.sum(axis=1).max(initial=0) for labels in (y, database_y))
    return max(1, int(min(most)))
