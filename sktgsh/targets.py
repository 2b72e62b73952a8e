"""Targets: one reading of `y`, as class labels or as an indicator of several labels a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .tasks import is_missing, kind_of, plain_labels


def check_targets(
    y: Any, n_samples: int | None = None, *, name: str = "y", several: bool = True
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
    several : bool, default=True
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
        raise ValueError(f"{name} has {y.ndim} dimensions; {_expected(several)}")
    if n_samples is not None and len(y) != n_samples:
        raise ValueError(f"{name} has {len(y)} labels for {n_samples} rows; give one for each row")
    if y.ndim == 2:
        if not several:
            raise ValueError(f"{name} has shape {y.shape}; {_expected(several)}")
        return _as_indicator(y, name)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(f"{name} holds nan or infinity; {_expected(several)}")
    if y.dtype == object and any(isinstance(label, (list, tuple, set, frozenset)) for label in y):
        raise ValueError(f"{name} holds lists of labels; {_expected(several)}")
    if y.dtype == object:
        _check_objects(y, name)
    return y


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


def _expected(several: bool) -> str:
    if not several:
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
