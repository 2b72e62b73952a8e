"""Labels of classes and of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from sklearn.base import clone

from sktgsh.tasks import check_task

from .harness import N_ROWS, Case, Subject, X, Y, quietly, read_only, refit

LABELS: dict[str, Callable[[], Any]] = {
    "list": lambda: Y.tolist(),
    "uint8": lambda: Y.astype(np.uint8),
    "whole floats": lambda: Y.astype(float),
    "negative": lambda: Y - 5,
    "large": lambda: Y + 2**40,
    "byte-swapped": lambda: Y.astype(">i4"),
    "read-only": lambda: read_only(Y),
    "booleans": lambda: Y == 1,
    "strings": lambda: np.array(["a", "b", "c"])[Y],
    "unicode strings": lambda: np.array(["ä", "日本", "🙂"])[Y],
    "objects": lambda: np.array(["a", "b", "c"], object)[Y],
    "pandas": lambda: pd.Series(Y, index=Y),
    "pandas categories": lambda: pd.Series(np.array(["a", "b", "c"])[Y]).astype("category"),
    "pandas Int64": lambda: pd.Series(Y, dtype="Int64"),
    "polars": lambda: pl.Series(Y),
    "torch": lambda: torch.from_numpy(Y),
    "one of each class twice": lambda: np.repeat(np.arange(N_ROWS // 2), 2),
}
BAD_LABELS: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: None, "requires y|y to be passed|y cannot be None|y has 0 dimensions"),
    "too few": (lambda: Y[:-1], "inconsistent numbers of samples"),
    "too many": (lambda: np.append(Y, 0), "inconsistent numbers of samples"),
    "no labels": (lambda: Y[:0], "inconsistent numbers of samples|0 sample"),
    "NaN": (lambda: np.where(Y == 1, np.nan, Y), "y contains NaN|y holds nan"),
    "infinity": (
        lambda: np.where(Y == 1, np.inf, Y),
        "y contains infinity|y holds nan or infinity",
    ),
    "None among labels": (lambda: np.where(Y == 1, None, Y), "NaN|None"),
    "missing in pandas": (
        lambda: pd.Series(np.where(Y == 1, np.nan, Y)),
        "y contains NaN|y holds nan",
    ),
    "fractions": (lambda: Y + 0.5, "[Uu]nknown label type|continuous"),
    "strings and integers": (
        lambda: np.array(["a" if c else 1 for c in Y], object),
        "y .*(int and str|str and int)",
    ),
    "one class": (lambda: np.zeros(N_ROWS, int), "one class"),
    "three dimensions": (lambda: np.zeros((N_ROWS, 2, 2), int), "y|dim"),
    "a number": (lambda: 3, "y|iterable|sized|len|[Ss]ingleton"),
}


MISSING = ("none", "NaN", "None among labels", "missing in pandas")


def label_cases() -> Iterator[Case]:
    for name, make in LABELS.items():
        # Two folds hold one of two rows each.
        in_pairs = name == "one of each class twice"
        yield Case(
            "labels",
            name,
            lambda m, s, make=make: refit(s, X, make()),
            where=lambda s, p=in_pairs: s.learns and (not p or s.name != "TaskGeometricHasherCV"),
        )
        yield Case(
            "labels",
            f"{name}, then another fit",
            lambda m, s, make=make: quietly(lambda: m.fit(X, make()).fit(X, Y)).transform(X),
            expected=lambda s: s.codes,
            where=lambda s: s.name == "TaskGeometricHasher",
        )
    for name, (make, error) in BAD_LABELS.items():
        yield Case(
            "labels",
            name,
            lambda m, s, make=make: m.fit(X, make()),
            error,
            # The flagship learns from rows without a label, and the choice of its length from
            # those that have one.
            where=lambda s, n=name: (
                s.is_supervised
                and not (n in MISSING and s.name == "TaskGeometricHasher")
                and not (n in MISSING[1:] and s.name == "TaskGeometricHasherCV")
            ),
        )


HALVES = np.arange(N_ROWS) % 2
TASKS: dict[str, Callable[[], Any]] = {
    "integers": lambda: HALVES,
    "uint64": lambda: HALVES.astype(np.uint64),
    "byte-swapped": lambda: HALVES.astype(">i2"),
    "whole floats": lambda: HALVES.astype(np.float32),
    "list": lambda: HALVES.tolist(),
    "strings": lambda: np.array(["a", "b"])[HALVES],
    "unicode strings": lambda: np.array(["ä", "🙂"])[HALVES],
    "the empty string": lambda: np.array(["", "b"])[HALVES],
    "pandas categories": lambda: pd.Series(HALVES).astype("category"),
    "pandas Int64": lambda: pd.Series(HALVES, dtype="Int64"),
    "polars": lambda: pl.Series(HALVES),
    "torch": lambda: torch.from_numpy(HALVES),
    "one label": lambda: np.int16(3),
    "one string": lambda: "a",
}
BAD_TASKS: dict[str, tuple[Callable[[], Any], str]] = {
    "too few": (lambda: HALVES[1:], "task has 29 labels"),
    "too many": (lambda: np.append(HALVES, 0), "task has 31 labels"),
    "none": (list, "task has 0 labels"),
    "NaN": (lambda: np.where(HALVES == 1, np.nan, 0), "task has no label"),
    "None": (lambda: np.where(HALVES == 1, None, "a"), "task has no label"),
    "NA": (lambda: pd.Series([None, 1] * (N_ROWS // 2), dtype="Int64"), "task has no label"),
    "null": (lambda: pl.Series([None, "a"] * (N_ROWS // 2)), "task has no label"),
    "booleans": (lambda: HALVES == 1, "task has labels of type bool"),
    "fractions": (lambda: HALVES + 0.5, "task has labels of type float"),
    "moments": (lambda: HALVES.astype("datetime64[s]"), "task has labels of type datetime64"),
    "complex": (lambda: HALVES + 1j, "task has labels of type complex"),
    "bytes": (lambda: np.array([b"a", b"b"])[HALVES], "task has labels of type"),
    "strings and integers": (lambda: [1, "a"] * (N_ROWS // 2), "task has .*int and str"),
    "two columns": (lambda: np.stack([HALVES, HALVES], 1), "task has shape"),
    "too large": (lambda: HALVES.astype(np.uint64) + np.uint64(2**63), "task has the label"),
    "a dict": (lambda: {0: 1}, "task has labels of type dict"),
}


def task_cases() -> Iterator[Case]:
    def learned(m: Any, s: Subject, task: Any) -> np.ndarray:
        model = clone(s.estimator).fit(X, Y, task=task)
        codes = model.transform(X, task=task)
        again = clone(s.estimator).fit(X, Y, task=task).transform(X[::-1], task=_reversed(task))
        if not np.array_equal(codes[::-1], again):
            raise AssertionError("codes depend on the order of rows")
        return codes

    for name, make in TASKS.items():
        yield Case(
            "tasks",
            name,
            lambda m, s, make=make: learned(m, s, make()),
            where=lambda s: s.name == "TaskGeometricHasher",
        )
        yield Case(
            "tasks", f"{name}, in score", lambda m, s, make=make: _scored(s, make()), where=_hasher
        )
    for name, (make, error) in BAD_TASKS.items():
        yield Case(
            "tasks",
            name,
            lambda m, s, make=make: m.fit(X, Y, task=make()),
            error,
            where=lambda s: s.has_tasks,
        )
        yield Case(
            "tasks",
            f"{name}, in transform",
            lambda m, s, make=make: m.transform(X, task=make()),
            error,
            where=lambda s: s.has_tasks,
        )
        yield Case(
            "tasks",
            f"{name}, in score",
            lambda m, s, make=make: m.score(X, Y, task=make()),
            error,
            where=_hasher,
        )
    unknown = {"unknown integer": 7, "unknown string": "x", "unknown among known": [0, 7] * 15}
    for name, task in unknown.items():
        yield Case(
            "tasks",
            name,
            lambda m, s, task=task: m.transform(X, task=task),
            "task has the unknown label .*learned so far",
            where=lambda s: s.has_tasks,
        )


def _hasher(subject: Subject) -> bool:
    return subject.is_hasher


def _reversed(task: Any) -> Any:
    labels = np.asarray(task)
    return task if labels.ndim == 0 else labels[::-1]


def _scored(subject: Subject, task: Any) -> np.ndarray:
    """Codes, if the score of them is that of plain integers for tasks."""
    model = subject.fitted()
    plain = check_task(task, N_ROWS)
    if subject.has_tasks:
        model = quietly(lambda: clone(subject.estimator).fit(X, Y, task=task))
        return model.transform(X, task=task)
    score = model.score(X, Y, task=task)
    expected = model.score(X, Y, task=np.unique(plain, return_inverse=True)[1])
    if score != expected:
        raise AssertionError(f"score is {score}, not {expected}")
    return model.transform(X)
