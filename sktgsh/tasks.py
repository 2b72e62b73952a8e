"""Task labels: their check, and their column among the features.

A task label is an integer or a string. It comes as one label for all rows, as an array with one
label per row, or as a column of X.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._sklearn import safe_indexing

INFER = "infer"
# The largest whole number up to which float64 holds each one.
_LARGEST_FLOAT = 2**53
_LARGEST = 2**63 - 1
_KINDS = {"U": "str", "T": "str", "i": "int", "u": "int", "f": "float", "b": "bool"}


def kind_of(label: Any) -> str:
    """The type of a label, in a word."""
    if isinstance(label, (str, np.str_)):
        return "str"
    if isinstance(label, (bool, np.bool_)):
        return "bool"
    if isinstance(label, (int, np.integer)):
        return "int"
    if isinstance(label, (float, np.floating)):
        return "float"
    return type(label).__name__


def plain_labels(labels: Any) -> Any:
    """Replace members of an Enum by their values, where these are strings or integers.

    NumPy writes the names of such members, cut to the length of their values.

    Parameters
    ----------
    labels : list, tuple, array-like or object
        As they were given.

    Returns
    -------
    labels : list or object
        The same object where there are no such members.
    """
    listed = labels.tolist() if str(getattr(labels, "dtype", "")) == "object" else labels
    if not isinstance(listed, (list, tuple)):
        return labels
    kinds = {type(label) for label in listed}
    if not any(issubclass(kind, Enum) and issubclass(kind, (str, int)) for kind in kinds):
        return labels
    return [label.value if isinstance(label, Enum) else label for label in listed]


def _check_kind(labels: np.ndarray) -> np.ndarray:
    """Labels as int64 or str, whatever array they came in."""
    kind = labels.dtype.kind
    if kind == "O":
        listed = labels.tolist()
        _check_nothing_missing(np.array([is_missing(label) for label in listed], bool), listed)
        kinds = sorted({kind_of(label) for label in listed})
    else:
        kinds = [_KINDS.get(kind, str(labels.dtype))]
    if kinds == ["str"]:
        return labels if kind == "U" else np.array(labels.tolist(), dtype=str)
    if kinds == ["int"] or not len(labels):
        return _whole_numbers(labels, _LARGEST)
    if kinds == ["float"]:
        labels = labels.astype(np.float64)
        _check_nothing_missing(np.isnan(labels), labels)
        return _whole_numbers(labels, _LARGEST_FLOAT)
    hint = "give integers only, or strings only"
    if kind in "mM":
        hint = "name moments by strings, as in task.astype(str)"
    raise ValueError(f"task has labels of type {' and '.join(kinds)}; {hint}")


def is_missing(label: Any) -> bool:
    """Whether it is None, nan or what data frames write where a value is missing."""
    if isinstance(label, (float, np.floating)):
        return bool(np.isnan(label))
    return label is None or type(label).__name__ in ("NAType", "NaTType")


def _check_nothing_missing(missing: np.ndarray, labels: Any) -> None:
    if missing.any():
        first = int(missing.argmax())
        raise ValueError(
            f"task has no label ({labels[first]}) for {missing.sum()} of {len(labels)} rows, row "
            f"{first} the first of them; give every row a task, or leave these rows out"
        )


def _whole_numbers(labels: np.ndarray, limit: int) -> np.ndarray:
    """As int64; a task column inside a float array holds whole numbers, or it is an error."""
    for label in (labels.min(), labels.max()) if len(labels) else ():
        if not abs(label) <= limit:
            raise ValueError(
                f"task has the label {label}; whole numbers go to {limit} here. Give longer ones "
                "as strings"
            )
    whole = labels.astype(np.int64)
    if (whole != labels).any():
        raise ValueError(
            f"task has labels of type float, {labels[whole != labels][0]} among them; give "
            "integers or strings"
        )
    return whole


def check_task(task: Any, n_samples: int) -> np.ndarray:
    """One checked task label per row.

    Parameters
    ----------
    task : int, str, None or array-like of shape (n_samples,)
        One label for all rows, or one per row. None stands for the single task ``0``.
    n_samples : int
        Number of rows of X.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        Integers (int64) or strings.

    Raises
    ------
    ValueError
        If the number of labels is not the number of rows, one is missing, or they are neither all
        integers nor all strings.
    """
    if task is None:
        return np.zeros(n_samples, dtype=np.int64)
    if np.ma.is_masked(task):
        raise ValueError("task has masked labels; give every row a task, or leave these rows out")
    task = task.value if isinstance(task, Enum) else plain_labels(task)
    labels = np.asarray(task) if hasattr(task, "dtype") else np.asarray(task, dtype=object)
    if labels.ndim == 0:
        return np.repeat(_check_kind(labels.reshape(1)), n_samples)
    if labels.ndim != 1:
        raise ValueError(f"task has shape {labels.shape}; give one label per row, or a single one")
    if len(labels) != n_samples:
        raise ValueError(
            f"task has {len(labels)} labels for {n_samples} rows of X; "
            "give one label per row, or a single label for all"
        )
    return _check_kind(labels)


def unique_in_order(labels: np.ndarray) -> list:
    """The different labels, in the order in which they first appear, as plain Python values."""
    _, first = np.unique(labels, return_index=True)
    return labels[np.sort(first)].tolist()


def check_same_kind(
    labels: Sequence, known: Sequence, name: str = "task", what: str = "tasks"
) -> None:
    """Raise ValueError if new labels are strings where the known ones are not, or the reverse."""
    kinds = [kind_of(some[0]) for some in (labels, known) if len(some)]
    if len(kinds) == 2 and kinds[0] != kinds[1] and "str" in kinds:
        raise ValueError(
            f"{name} has labels of type {kinds[0]}, but the {what} learned before, "
            f"{format_labels(known)}, are of type {kinds[1]}"
        )


def format_labels(labels: Sequence, most: int = 8) -> str:
    """A list of labels for an error message, cut where it gets long."""
    named = ", ".join(repr(label) for label in list(labels)[:most])
    return named + (f", ... ({len(labels)} in all)" if len(labels) > most else "")


def check_known(labels: ArrayLike, known: Sequence) -> None:
    """Raise ValueError if a label is not among the known ones, and name those."""
    learned = set(known)
    rows = np.asarray(labels)
    unknown = [label for label in unique_in_order(rows) if label not in learned]
    if unknown:
        n_rows = int(np.isin(rows, unknown).sum())
        of_rows = f" in {n_rows} of {rows.size} rows" if rows.size > 1 else ""
        raise ValueError(
            f"task has the unknown label {format_labels(unknown)}{of_rows}; "
            f"the tasks learned so far are {format_labels(known)}"
        )


def iter_tasks(labels: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield ``(label, rows)`` for each task, in order of first appearance."""
    if len(labels) == 1 or (len(labels) and (labels == labels[0]).all()):
        yield labels[0].item(), np.arange(len(labels))
        return
    unique, first, place = np.unique(labels, return_index=True, return_inverse=True)
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    unique = unique.tolist()
    for position in np.argsort(first):
        yield unique[position], rows[position]


def split_task_column(X: Any, task_column: int | str) -> tuple[Any, Any]:
    """Take the task labels out of X.

    Parameters
    ----------
    X : DataFrame, ndarray or sparse matrix of shape (n_samples, n_features + 1)
        Samples with their task.
    task_column : int or str
        The column's name in a DataFrame, or its index.

    Returns
    -------
    features : of the type of X, shape (n_samples, n_features)
    labels : array-like of shape (n_samples,)

    Raises
    ------
    ValueError
        If X has no such column.
    """
    if hasattr(X, "columns"):
        position = _column_position(list(X.columns), task_column)
        kept = np.delete(np.arange(len(X.columns)), position).tolist()
        return safe_indexing(X, kept, axis=1), safe_indexing(X, position, axis=1)
    if isinstance(task_column, str):
        raise ValueError(
            f"task_column={task_column!r} is a name, but X is a {type(X).__name__} without column "
            "names; give the column's index, or X as a DataFrame"
        )
    X = X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)
    if X.ndim != 2 or not -X.shape[1] <= task_column < X.shape[1]:
        raise ValueError(f"task_column={task_column} is not a column of X with shape {X.shape}")
    kept = np.delete(np.arange(X.shape[1]), task_column)
    labels = X[:, [task_column]]
    labels = labels.toarray() if hasattr(labels, "toarray") else labels
    return X[:, kept], labels.ravel()


def _column_position(columns: list, task_column: int | str) -> int:
    """Position of the column in a data frame."""
    if isinstance(task_column, str):
        if task_column not in columns:
            raise ValueError(
                f"task_column={task_column!r} is not a column of X; "
                f"the columns are {format_labels(columns)}"
            )
        return columns.index(task_column)
    if not -len(columns) <= task_column < len(columns):
        raise ValueError(
            f"task_column={task_column} is not a column of X with {len(columns)} columns"
        )
    return range(len(columns))[task_column]


def check_not_scaled(labels: ArrayLike, task_column: int | str) -> None:
    """Raise ValueError for a task column that a scaler has changed.

    A scaler subtracts the mean: it turns two tasks 0 and 1 with as many rows into -1 and 1. Tasks
    among floats must therefore be whole numbers that are not negative; integers may be any.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        The task column.
    task_column : int or str
        Its name or index.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind != "f":
        return
    scaled = (labels < 0) | ((labels % 1 != 0) & np.isfinite(labels))
    if scaled.any():
        raise ValueError(
            f"task_column={task_column!r} holds the number {labels[scaled][0]}, as a scaler leaves "
            "it; let earlier steps of a pipeline see the features alone, as in "
            f"sktgsh.FeaturesOnly(StandardScaler(), {task_column!r}), or give tasks as strings"
        )
