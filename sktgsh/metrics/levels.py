"""Counts of rows by distance, in blocks; all retrieval metrics are computed from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import are_values, has_floats
from ..codes import asymmetric_hamming_distances, iter_hamming_distances
from ..targets import check_comparable, check_targets, n_shared_labels, split_missing

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
) -> Iterator[tuple[slice | np.ndarray, np.ndarray]]:
    """Count the database's rows by their distance from each query, and by their relevance to it.

    Rows without a label are left out, as queries and in the database.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    graded : bool, default=False
        Tell rows apart by how many labels they share with the query, not only by whether.

    Yields
    ------
    rows : slice or ndarray of int
        Queries.
    counts : ndarray of shape (n_rows, n_levels, n_grades)
        By distance and grade: grade 0 shares nothing. A level is a Hamming distance; for queries in
        floating point, which are scores of bits, the rank of a distance among the query's.
    """
    codes, y, positions = _labelled(np.asarray(codes), y, "y")
    if (database_codes is None) != (database_y is None):
        raise ValueError("database_codes and database_y go together: give both, or neither")
    leave_self_out = database_codes is None
    if leave_self_out and has_floats(codes):
        raise ValueError(
            "codes are floating point numbers, which are scores of bits: they are compared with "
            "database_codes only. Give codes as integers, as in codes.astype('uint8')"
        )
    is_real = not leave_self_out and are_values(codes, "codes", stacklevel=5)
    if leave_self_out:
        database_codes, database_y = codes, y
    else:
        database_codes = np.asarray(database_codes)
        database_codes, database_y, _ = _labelled(database_codes, database_y, "database_y")
        check_comparable(y, database_y, "y", "database_y")
    y, database_y = _for_counting(y, database_y)
    highest = _highest_grade(y, database_y) if graded else 1
    n_levels, level_blocks = _levels(codes, database_codes, packed, highest, is_real)
    n_cells = n_levels * (highest + 1)
    for rows, levels in level_blocks:
        cells = levels.astype(np.int64)
        cells *= highest + 1
        cells += np.minimum(n_shared_labels(y[rows], database_y), highest)
        cells += n_cells * np.arange(len(cells))[:, None]
        counts = np.bincount(cells.ravel(), minlength=len(cells) * n_cells)
        counts = counts.reshape(len(cells), -1, highest + 1)
        if leave_self_out:
            # A row lies at distance 0 from itself and shares all its labels, which may be none.
            own = np.minimum(1 if y.ndim == 1 else y[rows].sum(axis=1), highest)
            counts[np.arange(len(cells)), 0, own] -= 1
        yield rows if positions is None else positions[rows], counts


def _labelled(
    codes: np.ndarray, y: Any, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Codes and labels of the rows that have one, and their positions if some have none."""
    y, missing = split_missing(y)
    y = check_targets(y, len(codes), name=name)
    if missing is None:
        return codes, y, None
    positions = np.flatnonzero(~missing)
    return codes[positions], y[positions], positions


def _levels(
    codes: np.ndarray, database_codes: np.ndarray, packed: bool, highest: int, is_real: bool
) -> tuple[int, Iterator[tuple[slice, np.ndarray]]]:
    """Number of levels, and blocks of (rows, levels of the database's rows)."""
    if is_real:
        # Equal codes are at one distance from a query; products would differ in the last digit.
        database_codes, place = np.unique(database_codes, axis=0, return_inverse=True)
        n_levels, n_database = len(database_codes), len(place)
    else:
        n_levels = codes.shape[1] * (8 if packed else 1) + 1
        n_database = len(database_codes)
    n_rows = max(1, _BLOCK_SIZE // max(n_database, n_levels * (highest + 1)))
    if is_real:
        return n_levels, _iter_real_levels(codes, database_codes, place, packed, n_rows)
    return n_levels, iter_hamming_distances(
        codes, database_codes, packed=packed, block_bytes=2 * n_rows * n_database
    )


def _iter_real_levels(
    values: np.ndarray, distinct: np.ndarray, place: np.ndarray, packed: bool, n_rows: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of (rows, levels): the rank of each row's distance among the query's."""
    for start in range(0, len(values), n_rows):
        rows = slice(start, min(start + n_rows, len(values)))
        distances = asymmetric_hamming_distances(values[rows], distinct, packed=packed)
        order = np.argsort(distances, axis=1)
        steps = np.diff(np.take_along_axis(distances, order, axis=1), axis=1) > 0
        levels = np.zeros(distances.shape, np.int64)
        np.put_along_axis(levels, order[:, 1:], np.cumsum(steps, axis=1), axis=1)
        yield rows, levels[:, place.ravel()]


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


def iter_relevant(
    *arguments: Any, packed: bool
) -> Iterator[tuple[slice | np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (rows, relevant, total), both of shape (n_rows, n_levels)."""
    for rows, counts in iter_level_counts(*arguments, packed=packed):
        yield rows, counts[..., 1], counts.sum(axis=2)
