"""Targets: one reading of `y`, as class labels or as an indicator of several labels a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .tasks import is_missing, kind_of, plain_labels


def check_targets(
    y: Any, n_samples: int | None = None, *, name: str = "y", multilabel: bool = True
) -> np.ndarray:
    """Class labels, one a row, or an indicator matrix of labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,), or {array-like, sparse} of shape (n_samples, n_labels)
        Class labels; or 1 where a row has a label and 0 elsewhere. A single column holds class
        labels.
    n_samples : int, optional
        Number of rows that y must be for.
    name : str, default="y"
        Name of the argument in errors.
    multilabel : bool, default=True
        Whether a row may have several labels.

    Returns
    -------
    targets : ndarray of shape (n_samples,), or (n_samples, n_labels) uint8

    Raises
    ------
    ValueError
        If y is neither, or not of `n_samples` rows.
    """
    if y is None:
        raise ValueError(f"requires {name} to be passed, but the target {name} is None")
    y = _as_array(y, name)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2):
        raise ValueError(f"{name} has {y.ndim} dimensions; {_expected(multilabel)}")
    if n_samples is not None and len(y) != n_samples:
        raise ValueError(f"{name} has {len(y)} labels for {n_samples} rows; give one for each row")
    if y.ndim == 2:
        if not multilabel:
            raise ValueError(f"{name} has shape {y.shape}; {_expected(multilabel)}")
        return _as_indicator(y, name)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(f"{name} holds nan or infinity; {_expected(multilabel)}")
    if y.dtype == object and any(isinstance(label, (list, tuple, set, frozenset)) for label in y):
        raise ValueError(f"{name} holds lists of labels; {_expected(multilabel)}")
    if y.dtype == object:
        _check_objects(y, name)
    return y


def split_missing(y: Any, missing_label: Any = None) -> tuple[Any, np.ndarray | None]:
    """Tell rows without a label from the others.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Labels. None, nan, pandas.NA and NaT are missing; a row of an indicator is missing if one
        of its values is.
    missing_label : object, optional
        Another label that stands for a missing one, such as -1.

    Returns
    -------
    y : array-like
        `y` itself if no label is missing. Otherwise a copy with some other label, or zeros, in the
        rows without a label; whole numbers are integers again.
    missing : ndarray of shape (n_samples,), dtype bool, or None
        Rows without a label; None if no label is missing.
    """
    if sparse.issparse(y):
        return y, None
    table = _as_array(y, "y")
    if table.dtype.kind not in "fOMm" and missing_label is None:
        return y, None
    missing: np.ndarray = _missing_values(table, missing_label)
    if not missing.any():
        return y, None
    if table.ndim == 2 and table.shape[1] > 1:
        rows = np.asarray(missing.any(axis=1))
        filled = np.where(rows[:, None], 0, table)
        return filled.astype(np.uint8 if rows.all() else np.float64), rows
    rows, labels = missing.reshape(-1), table.reshape(-1)
    if rows.all():
        return np.zeros(len(rows), int), rows
    known = labels[~rows]
    if known.dtype == object:
        known = np.array(known.tolist())
    if known.dtype.kind == "f" and (known == np.round(known)).all():
        known = known.astype(np.int64)
    filled = np.full(len(rows), known[0], known.dtype)
    filled[~rows] = known
    return filled, rows


def _missing_values(table: np.ndarray, missing_label: Any) -> np.ndarray:
    """Mask of the values that are missing, of the table's shape."""
    missing: np.ndarray = np.zeros(table.shape, bool)
    if table.dtype.kind == "f":
        missing = np.isnan(table)
    elif table.dtype.kind in "Mm":
        missing = np.isnat(table)
    elif table.dtype == object:
        flags = [is_missing(label) for label in table.ravel().tolist()]
        missing = np.array(flags, bool).reshape(table.shape)
    if missing_label is not None:
        missing = missing | np.asarray(table == missing_label, bool)
    return missing


def _check_objects(y: np.ndarray, name: str) -> None:
    """Raise ValueError for a missing label, and for strings beside other labels."""
    missing = np.array([is_missing(label) for label in y], bool)
    if missing.any():
        first = int(missing.argmax())
        raise ValueError(
            f"{name} has no label ({y[first]}) for {missing.sum()} of {len(y)} rows, row {first} "
            "the first of them; leave these rows out"
        )
    kinds = sorted({kind_of(label) for label in y})
    if "str" in kinds and len(kinds) > 1:
        raise ValueError(
            f"{name} has labels of type {' and '.join(kinds)}; '0' and 0 are different classes, so "
            "give labels of one type"
        )


def _as_array(y: Any, name: str) -> np.ndarray:
    if sparse.issparse(y):
        return y.toarray()
    try:
        return np.asarray(plain_labels(y))
    except ValueError as error:
        raise ValueError(f"{name} has rows of different length; {_expected(True)}") from error


def _expected(multilabel: bool) -> str:
    if not multilabel:
        return "expected one class label for each row"
    return (
        "expected one class label for each row, or an indicator (n_samples, n_labels) of 0 and 1 "
        "(sklearn.preprocessing.MultiLabelBinarizer makes one of lists of labels)"
    )


def _as_indicator(y: np.ndarray, name: str) -> np.ndarray:
    if y.dtype.kind in "buif":
        other = y[(y != 0) & (y != 1)]
        came = f"the value {other[0]}" if len(other) else None
    else:
        came = f"dtype {y.dtype}"
    if came:
        raise ValueError(f"{name} has shape {y.shape} and {came}; {_expected(True)}")
    return y.astype(np.uint8)


def check_comparable(y: np.ndarray, other: np.ndarray, name: str, other_name: str) -> None:
    """Raise ValueError unless both are class labels, or indicators of equally many labels."""
    if y.shape[1:] != other.shape[1:]:
        raise ValueError(
            f"{name} has shape {y.shape} and {other_name} {other.shape}; give class labels in "
            "both, or indicators of the same labels"
        )


def n_shared_labels(y: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Number of labels that each pair of rows shares (its grade of relevance).

    Parameters
    ----------
    y, other : ndarray of shape (n_rows,) or (n_rows, n_labels)
        As :func:`check_targets` gives them.

    Returns
    -------
    shared : ndarray of shape (n_rows, n_other_rows), of bool or of unsigned integers
    """
    if y.ndim == 1:
        return y[:, None] == other[None, :]
    # Rows have few labels, and the cost of a sparse product grows with these alone.
    return sparse.csr_array(y.astype(np.uint16)) @ other.T.astype(np.uint16, order="C", copy=False)
