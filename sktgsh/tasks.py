"""Task labels: checked, encoded, and told apart from the features.

A task label is an integer or a string. It comes as one label for all rows, as an array with one
label per row, or as a column of X.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

INFER = "infer"


def _kind(label: Any) -> str:
    if isinstance(label, (str, np.str_)):
        return "str"
    if isinstance(label, (bool, np.bool_)):
        return "bool"
    if isinstance(label, (int, np.integer)):
        return "int"
    return type(label).__name__


def _check_kind(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind in "iuU":
        return labels
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        return labels.astype(np.int64)  # a task column inside a float array
    kinds = sorted({_kind(label) for label in labels.ravel().tolist()})
    if kinds == ["str"]:
        return labels.astype(str)
    if kinds == ["int"]:
        return labels.astype(np.int64)
    raise ValueError(
        f"task has labels of type {' and '.join(kinds)}; give integers only, or strings only"
    )


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
        Integers or strings.

    Raises
    ------
    ValueError
        If the number of labels is not the number of rows, or labels are neither all integers nor
        all strings.
    """
    if task is None:
        return np.zeros(n_samples, dtype=np.int64)
    if np.ndim(task) == 0:
        return np.repeat(_check_kind(np.asarray([task], dtype=object)), n_samples)
    is_array = hasattr(task, "dtype")
    labels = np.asarray(task if is_array else np.asarray(task, dtype=object))
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


def check_same_kind(labels: Sequence, known: Sequence) -> None:
    """Raise ValueError if new task labels are strings where the known ones are integers."""
    if len(known) and len(labels) and _kind(labels[0]) != _kind(known[0]):
        raise ValueError(
            f"task has labels of type {_kind(labels[0])}, but the tasks learned before, "
            f"{name_some(known)}, are of type {_kind(known[0])}"
        )


def name_some(labels: Sequence, most: int = 8) -> str:
    """A list of labels for an error message, cut where it gets long."""
    named = ", ".join(repr(label) for label in list(labels)[:most])
    return named + (f", ... ({len(labels)} in all)" if len(labels) > most else "")


def check_known(labels: np.ndarray, known: Sequence) -> None:
    """Raise ValueError if a label is not among the known ones, and name those."""
    learned = set(known)
    unknown = [label for label in unique_in_order(labels) if label not in learned]
    if unknown:
        raise ValueError(
            f"task has the unknown label {name_some(unknown)}; "
            f"the tasks learned so far are {name_some(known)}"
        )


def iter_tasks(labels: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield ``(label, rows)`` for each task, in order of first appearance."""
    for label in unique_in_order(labels):
        yield label, np.flatnonzero(labels == label)


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
        columns = list(X.columns)
        if isinstance(task_column, str) and task_column not in columns:
            raise ValueError(
                f"task_column={task_column!r} is not a column of X; "
                f"the columns are {name_some(columns)}"
            )
        name = task_column if isinstance(task_column, str) else columns[task_column]
        return X.drop(columns=[name]), X[name].to_numpy()
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
