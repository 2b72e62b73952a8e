"""Time of learning with few or no labels against that with as many labelled classes.

15,000 rows x 384, 300 classes. Processor time of each fit, in turns; the ratio to the labelled fit.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.datasets import make_blobs

from sktgsh import TaskGeometricHasher

from ._common import medians, report

N_ROWS, N_COLUMNS, N_CLASSES, N_TURNS = 15_000, 384, 300, 3


def seconds_of(X: np.ndarray, y: Any) -> float:
    """Processor time of one fit."""
    hasher = TaskGeometricHasher(64, missing_label=-1, random_state=0)
    start = time.process_time()
    hasher.fit(X, y)
    return time.process_time() - start


def run(data: str | None) -> None:
    rng = np.random.default_rng(0)
    X, y = make_blobs(N_ROWS, N_COLUMNS, centers=N_CLASSES, cluster_std=8.0, random_state=0)
    X = X.astype(np.float32)
    some = np.where((y < 200) & (rng.random(N_ROWS) < 0.5), y, -1)
    labels = {"all": y, "some": some, "none": None}
    tries = [{name: seconds_of(X, own) for name, own in labels.items()} for _ in range(N_TURNS)]
    found = medians(tries)
    ratios = medians([{name: one[name] / one["all"] for name in one} for one in tries])
    report(
        "partial_cost",
        [dict(labels=name, seconds=found[name], ratio=ratios[name], asked=1.3) for name in found],
    )
