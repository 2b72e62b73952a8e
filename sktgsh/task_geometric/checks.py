"""Checks of training data; they raise before anything is learned."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from .._sklearn import check_sample_weight
from ..codes import check_codes, unpack_codes
from ..targets import check_targets
from ..tasks import INFER, check_same_kind, check_task, format_labels, iter_tasks
from .learning.rows import Rows, sorted_classes
from .learning.settings import LearningSettings
from .model import TaskModel


def check_class_number(
    label: Any, classes: Collection, n_samples: int, others: Collection = ()
) -> None:
    """Raise ValueError for a task of a single class, unless other tasks have two to learn from."""
    if len(classes) < 2 and len(others) < 2:
        raise ValueError(
            f"task {label!r} has one class only, {format_labels(list(classes))} "
            f"(n_samples={n_samples}); at least 2 are needed to learn what tells them apart. If "
            "later chunks bring more classes, name all in partial_fit(..., classes=...)"
        )


def check_classes(classes: Any) -> list:
    """Check class labels that may have no row yet, and sort them."""
    if classes is None:
        return []
    if np.ndim(classes) != 1:
        raise ValueError(f"classes={classes!r}; expected a list of the labels that y will have")
    return sorted_classes(check_targets(classes, name="classes").tolist())


def check_given_codes(codes: np.ndarray, n_bits: int, packed: bool) -> np.ndarray:
    """Check target codes, and unpack them."""
    width = -(-n_bits // 8) if packed else n_bits
    if codes.ndim != 2 or codes.shape[1] != width:
        raise ValueError(
            f"codes has shape {codes.shape}; expected (n_samples, {width}) for n_bits={n_bits}"
            + (" in packed bytes" if packed else "")
        )
    return unpack_codes(codes, n_bits) if packed else check_codes(codes)


def check_rows(
    X: Any,
    y: np.ndarray,
    labels: np.ndarray,
    sample_weight: Any,
    codes: np.ndarray | None,
    missing: np.ndarray | None = None,
) -> tuple[Rows, np.ndarray]:
    """Check targets and weights of checked samples; rows without a label or weight drop out.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Targets; ignored if `codes` are given.
    labels : ndarray of shape (n_samples,)
        Task of each row.
    sample_weight : array-like of shape (n_samples,) or None
    codes : ndarray of shape (n_samples, n_bits) or None
    missing : ndarray of shape (n_samples,), dtype bool, or None
        Rows whose label is missing; they stay. A row of an indicator that is all 0 drops out.

    Returns
    -------
    rows : Rows
    labels : ndarray of shape (n_rows,)
        Task of each of the rows that are left.
    """
    if INFER in labels.tolist():
        raise ValueError(f"task has the label {INFER!r}, which is reserved; rename that task")
    y = check_targets(y, X.shape[0]) if codes is None else np.zeros(X.shape[0], dtype=int)
    if y.ndim == 1:
        check_classification_targets(y)
    keep, weight = np.ones(X.shape[0], dtype=bool), None
    if sample_weight is not None:
        weight = check_sample_weight(sample_weight, X, ensure_non_negative=True)
        keep = weight > 0
    if y.ndim == 2:
        keep &= y.any(axis=1) if missing is None else y.any(axis=1) | missing
    kept = np.flatnonzero(keep)
    if not len(kept):
        raise ValueError("y has no label in any row; at least 2 labels are needed")
    rows = Rows(X, np.arange(X.shape[0]), y, weight, codes, missing)
    return rows.take(kept), labels[kept]


def with_class_weight(
    rows: Rows, labels: np.ndarray, class_weight: str | dict | None, in_chunks: bool
) -> Rows:
    """Multiply the weights of rows by those of their classes, task by task.

    Parameters
    ----------
    rows : Rows
    labels : ndarray of shape (n_rows,)
        Task of each row.
    class_weight : dict, "balanced" or None
    in_chunks : bool
        Whether further rows of the tasks may come.
    """
    if class_weight is None or rows.codes is not None:
        return rows
    if rows.multilabel:
        raise ValueError("class_weight has no meaning for label indicators; use sample_weight")
    if in_chunks and class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' needs all rows of a task at once; give a dict of weights for "
            "learning in chunks"
        )
    weight = np.ones(len(labels)) if rows.sample_weight is None else rows.sample_weight.copy()
    if isinstance(class_weight, dict):
        check_class_weights(class_weight)
        weight *= [class_weight.get(label, 1.0) for label in rows.y.tolist()]
    else:
        for _, positions in iter_tasks(labels):
            weight[positions] *= compute_sample_weight("balanced", rows.y[positions])
    return replace(rows, sample_weight=weight)


def check_class_weights(class_weight: Mapping[Hashable, float]) -> None:
    """Raise ValueError for a weight that is no positive number."""
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 < weight < np.inf:
            raise ValueError(
                f"class_weight has {weight!r} for class {label!r}; expected a positive number"
            )


def check_task_labels(task: Any, n_samples: int, model: TaskModel | None) -> np.ndarray:
    """Check the task of each training row; new labels must be of the kind of the known ones."""
    labels = check_task(task, n_samples)
    if model is not None:
        check_same_kind(labels.tolist(), model.tasks)
    return labels


def check_tasks(
    rows: Rows, labels: np.ndarray, model: TaskModel | None, settings: LearningSettings, reset: bool
) -> None:
    """Raise ValueError for a task that cannot be learned from its rows.

    Parameters
    ----------
    rows : Rows
    labels : ndarray of shape (n_rows,)
        Task of each row.
    model : TaskModel or None
        What was learned before.
    settings : LearningSettings
    reset : bool
        Whether known tasks are learned anew.
    """
    known = {} if model is None else model.modulations
    parts = {label: rows.take(positions) for label, positions in iter_tasks(labels)}
    for label, part in parts.items():
        previous = None if reset else known.get(label)
        positions = part.positions
        if part.has_unlabelled and not settings.learns_unlabelled:
            raise ValueError(
                f"y has no label for {part.lacks_label.sum()} rows of task {label!r}, and gradient "
                "steps need one for each row; use solver='ridge', or leave these rows out"
            )
        sums = model.statistics.get(label) if previous and model else None
        grouped = sums is not None and sums.neighbourhoods is not None
        had_codes = previous is not None and not previous.classes and not grouped
        if previous is not None and had_codes != (part.codes is not None):
            raise ValueError(
                f"task {label!r} was learned from "
                f"{'classes' if previous.classes else 'codes'}; go on with the same, or fit it "
                "again from all its rows"
            )
        others = [m.classes for task, m in known.items() if task != label or previous]
        check_same_kind(part.classes, [c for classes in others for c in classes], "y", "classes")
        classes = set(part.classes) | set(previous.classes if previous else ())
        if part.codes is None and not part.has_unlabelled and not grouped:
            tell = classes_of_others(label, {**known, **parts}, settings)
            check_class_number(label, classes, len(positions), tell)
        if previous and settings.closed_form and model and label not in model.statistics:
            raise ValueError(
                f"task {label!r} is closed: the sums that the closed form needs to take more rows "
                "were dropped. Fit it again from all its rows, keep more tasks open "
                f"(max_open_tasks={settings.max_open_tasks}), or use solver='sgd'"
            )


def classes_of_others(
    label: Any, tasks: Mapping[Any, Any], settings: LearningSettings
) -> set[Hashable]:
    """Classes of the other tasks, which a small task may take its solution from."""
    if not (settings.closed_form and settings.share_prior):
        return set()
    return {c for other, part in tasks.items() if other != label for c in part.classes}


def check_not_frozen(labels: Iterable, model: TaskModel, freeze_codes: bool) -> None:
    """Raise ValueError if codes of a learned task would change, and may not."""
    changed = [label for label in labels if label in model.modulations]
    if freeze_codes and changed:
        raise ValueError(
            f"freeze_codes=True, and codes of learned tasks would change: {format_labels(changed)}."
            " Give the rows another task label, clone the hasher to start afresh, or set "
            "freeze_codes=False and encode the stored rows of these tasks again"
        )


def warn_of_few_codes(model: TaskModel, labels: Iterable) -> None:
    """Warn where a task has more classes than its bits can spell codewords."""
    network = model.network
    for label in labels:
        modulation = model.modulations.get(label)
        if modulation is None or network.head == "readout":
            continue
        bits, n_classes = network.layout.codebook_bits, len(modulation.classes)
        if modulation.structure is not None:
            bits = bits[~modulation.structure.alone[bits]]
        if len(bits) and n_classes > 2 ** min(len(bits), 62):
            warnings.warn(
                f"task {label!r} has {n_classes} classes, but {len(bits)} bits spell at most "
                f"{2 ** len(bits)} codewords, so that classes share them; raise n_bits",
                UserWarning,
                stacklevel=3,
            )


def check_open(label: Any, model: TaskModel, max_open_tasks: int, whose: str) -> None:
    """Raise ValueError if a model has dropped a task's sums."""
    if label not in model.statistics:
        raise ValueError(
            f"task {label!r} is closed: its sums were dropped by {whose} hasher. Keep more tasks "
            f"open (max_open_tasks={max_open_tasks}), and add rows or merge before saving"
        )
