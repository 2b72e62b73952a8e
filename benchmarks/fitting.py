"""Fitting and encoding against scikit-learn's RidgeCV, by turns in one process; fewer units."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150
from sktgsh.metrics import mean_average_precision
from sktgsh.random import random_signs
from sktgsh.threads import one_thread

from ._common import plus_minus, report, skip_without
from .tenants import seeds

N_BITS, N_ROUNDS = 64, 5
UNITS = (2048, 1024, 512)
PENALTIES = np.logspace(-2, 3, 6)


def calls(X: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], Any]]:
    """The two sides; each gives codes of the rows that it learned from."""
    words = np.stack([random_signs(label, N_BITS, 0) for label in range(150)]).astype(np.float32)[y]
    return {
        "ours": lambda: TaskGeometricHasher(N_BITS, random_state=0).fit(X, y).transform(X),
        "RidgeCV": lambda: RidgeCV(PENALTIES).fit(X, words).predict(X) > 0,
    }


def by_turns(both: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median of the ratios of seconds and of processor time, with the seconds of each."""
    wall: dict[str, list[float]] = {name: [] for name in both}
    used: dict[str, list[float]] = {name: [] for name in both}
    for turn in range(N_ROUNDS + 1):
        for name in list(both) if turn % 2 else list(both)[::-1]:
            start = time.perf_counter(), time.process_time()
            both[name]()
            if turn:  # the first turn warms up
                wall[name].append(time.perf_counter() - start[0])
                used[name].append(time.process_time() - start[1])
    ratios = [a / b for a, b in zip(*wall.values())]
    return dict(
        ratio=median(ratios),
        least=min(ratios),
        most=max(ratios),
        processor_ratio=median(a / b for a, b in zip(*used.values())),
        **{f"{name}_seconds": median(found) for name, found in wall.items()},
    )


def with_fewer_units(X: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    """mAP of a fifth of the rows, held out, and processor seconds, by the number of units."""
    rows = []
    for n_hidden in UNITS:
        found, used = [], []
        for seed in seeds():
            X_seen, X_held, y_seen, y_held = train_test_split(
                X, y, test_size=0.2, stratify=y, random_state=seed
            )
            start = time.process_time()
            hasher = TaskGeometricHasher(N_BITS, n_hidden=n_hidden, random_state=seed)
            codes = hasher.fit(X_seen, y_seen).transform(X_seen)
            used.append(time.process_time() - start)
            held = hasher.transform(X_held)
            found.append(mean_average_precision(held, y_held, codes, y_seen))
        rows.append(dict(n_hidden=n_hidden, mAP=plus_minus(found), seconds=median(used)))
    return rows


@skip_without("clinc150.npz")
def run(data: str) -> None:
    X, y = fetch_clinc150(data, return_X_y=True)
    both, rows = calls(X.astype(np.float32), y), []
    rows.append(dict(threads="all", **by_turns(both)))
    with one_thread(), threadpool_limits(1):
        rows.append(dict(threads="one", **by_turns(both)))
    report("fitting", rows)
    report("fitting_units", with_fewer_units(X.astype(np.float32), y))
