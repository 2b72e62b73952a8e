"""Tenants with few labels or none: tasks alone, tasks that learn together, one task for all.

Labels are drawn at random in a half of the classes or in all of them; the other rows have none.
Queries are held-out rows of a task, against those of the same task.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sktgsh import TaskGeometricHasher

from ._common import report
from .domains import Part
from .stored_codes import within_tasks
from .tenants import dealt, seeds, turned_digits

# Share of the classes that have labels, and of their rows, in each half of the tenants.
LABELS = (
    ("none", (0.0, 0.0), (0.0, 0.0)),
    ("half of the rows of half of the classes", (0.5, 0.5), (0.5, 0.5)),
    ("half of the rows", (1.0, 0.5), (1.0, 0.5)),
    ("all, and none in the others", (1.0, 1.0), (0.0, 0.0)),
    ("all, and half of half in the others", (1.0, 1.0), (0.5, 0.5)),
)


def labelled(train: Part, shares: list[tuple[float, float]], seed: int) -> np.ndarray:
    """Labels of some rows, and -1 for the others."""
    drawn = np.random.default_rng(seed).random(len(train.y))
    classes, y = np.unique(train.y), np.full(len(train.y), -1)
    for tasks, (of_classes, of_rows) in zip(np.array_split(np.unique(train.task), 2), shares):
        known = classes[: round(of_classes * len(classes))]
        kept = np.isin(train.task, tasks) & np.isin(train.y, known) & (drawn < of_rows)
        y[kept] = train.y[kept]
    return y


def measure(train: Part, test: Part, y: np.ndarray, n_bits: int, seed: int) -> list[float]:
    """mAP of tasks alone, of tasks that learn together, and of one task for all rows."""
    # Tenants whose rows all have labels are another benchmark's.
    unlabelled = np.unique(train.task[y < 0])
    test = test.of(np.flatnonzero(np.isin(test.task, unlabelled)))
    found = []
    for params, own in ((dict(share_prior=False), True), ({}, True), ({}, False)):
        hasher = TaskGeometricHasher(n_bits, missing_label=-1, random_state=seed, **params)
        hasher.fit(train.X, y, task=train.task if own else None)
        codes = hasher.transform(test.X, task=test.task if own else None)
        found.append(within_tasks(codes, test, codes, test))
    return found


def run(data: str | None) -> None:
    sets: list[tuple[str, Any, int]] = [
        ("digits, 10 tenants", partial(dealt, "digits", data, 10, False), 32),
        ("digits, 12 rotations, 150 rows each", partial(turned_digits, 150), 32),
    ]
    if data is not None:
        sets.insert(1, ("clinc150, 10 tenants", partial(dealt, "clinc150", data, 10, False), 64))
    rows = []
    for name, load, n_bits in sets:
        for labels, *shares in LABELS:
            tries = []
            for seed in seeds():
                train, test = load(seed)
                tries.append(measure(train, test, labelled(train, shares, seed), n_bits, seed))
            row: dict[str, Any] = {"tasks": name, "labels": labels}
            for place, key in enumerate(("alone", "together", "one task for all")):
                values = [found[place] for found in tries]
                row[key], row[f"{key} +-"] = float(np.mean(values)), float(np.std(values))
            rows.append(row)
            report("partial_tenants", rows)
