"""Two threads against one, alternating: idle, beside a busy process, and beside two."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.datasets import load_digits_tasks

from .._common import OPTIONS, report

TRIES, QUICK_TRIES = 15, 5
PLACES = ("as it is", "beside a busy process", "beside two busy processes")
# Short jobs are repeated for as long as this: where the scheduler puts them then weighs less.
LEAST_SECONDS = 0.7


@contextmanager
def busy_processes(n_processes: int) -> Iterator[None]:
    """Other processes that compute all the time."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds_each(job: Callable[[], Any]) -> float:
    """Mean time of one run of a job."""
    started, n_runs = time.perf_counter(), 0
    while time.perf_counter() - started < LEAST_SECONDS:
        job()
        n_runs += 1
    return (time.perf_counter() - started) / n_runs


def run(data: str | None) -> None:
    X, y, task = load_digits_tasks(n_tasks=12)
    small = TaskGeometricHasher(n_hidden=256, random_state=0)
    with threadpool_limits(1):
        many = TaskGeometricHasher(n_hidden=256, random_state=0).fit(X, y, task=task)
        first = task == task[0]
        wide = TaskGeometricHasher(random_state=0).fit(X[first], y[first])
    signs = SignedRandomProjectionHasher(random_state=0).fit(X)
    deep = DeepSupervisedHasher(solver=GradientSolver(max_epochs=2), random_state=0)
    jobs: dict[str, Callable[[], Any]] = {
        "fit, 12 tasks, 256 units": lambda: small.fit(X, y, task=task)
    }
    four = np.isin(task, np.unique(task)[:4])
    wide_tasks = TaskGeometricHasher(random_state=0)
    jobs["fit and predict_task, 4 tasks, 2,048 units"] = lambda: wide_tasks.fit(
        X[four], y[four], task=task[four]
    ).predict_task(X[four])
    jobs |= {
        "predict_task, 12 tasks, 4,313 rows": lambda: many.predict_task(X[:4313]),
        "transform, 12 tasks, 21,564 rows": lambda: many.transform(X, task=task),
        "transform, 2,048 units, 21,564 rows": lambda: wide.transform(X),
    }
    jobs["signed projections, transform"] = lambda: signs.transform(X)
    jobs["deep hasher, 2 epochs"] = lambda: deep.fit(X[:1797], y[:1797])
    rows = []
    for n_busy, where in enumerate(PLACES):
        load = os.getloadavg()[0]
        for name, job in jobs.items():
            times: dict[int, list[float]] = {1: [], 2: []}
            for trial in range(QUICK_TRIES if OPTIONS.quick else TRIES):
                # Which comes first changes: a machine's speed drifts.
                for n_threads in (1, 2) if trial % 2 else (2, 1):
                    with threadpool_limits(n_threads), busy_processes(n_busy):
                        times[n_threads].append(seconds_each(job))
            one, two = np.array(times[1]), np.array(times[2])
            rows.append(
                dict(
                    job=name,
                    where=where,
                    load_before=load,
                    seconds_one=float(np.median(one)),
                    two_to_one=float(np.median(two / one)),
                    best_two_to_one=float(two.min() / one.min()),
                )
            )
    report("scale_threads", rows)
