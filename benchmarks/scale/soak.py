"""Work that goes on and on: ``python -m benchmarks.scale.soak --minutes 10``.

A hasher learns tasks, forgets the oldest, encodes, infers, searches, is saved and loaded. Memory
must not grow: it is read at the end of each round, and its slope is printed.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from sktgsh import TaskGeometricHasher, load
from sktgsh.datasets import load_digits_tasks
from sktgsh.neighbors import HammingNeighbors

from .._common import report

MINUTES, WARM_UP_SHARE, N_TASKS = 1.0, 0.2, 6


def resident_bytes() -> int:
    """Memory of this process that is in use (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def one_round(number: int, path: Path, X: np.ndarray, y: np.ndarray, task: np.ndarray) -> None:
    """Everything once; all results are checked."""
    hasher = TaskGeometricHasher(n_hidden=256, max_open_tasks=2, random_state=number)
    hasher.fit(X[task == 0], y[task == 0], task=0)
    for label in np.unique(task)[1:]:
        own = task == label
        hasher.partial_fit(X[own], y[own], task=label)
    codes = hasher.transform(X, task=task)
    if not (hasher.predict_task(X[:2000]) == task[:2000]).mean() > 0.5:
        raise RuntimeError("tasks are no longer recognised")
    index = HammingNeighbors(3).fit(codes)
    index.save(path)
    hasher.save(path.with_suffix(".hasher"))
    again = load(path.with_suffix(".hasher"))
    if not np.array_equal(again.transform(X, task=task), codes):
        raise RuntimeError("codes changed by saving")
    found, there = (i.kneighbors(codes[:500])[1] for i in (index, load(path)))
    if not np.array_equal(found, there):
        raise RuntimeError("neighbours changed by saving")
    hasher.export_task(0, path.with_suffix(".task"))
    again.import_task(path.with_suffix(".task"), task=999)


def soak(minutes: float) -> None:
    """Rounds for some minutes; the slope is of what comes after the first fifth."""
    X, y, task = load_digits_tasks(n_tasks=N_TASKS)
    samples: list[tuple[float, int]] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() - begun < 60 * minutes:
            one_round(len(samples), Path(folder) / "index", X, y, task)
            gc.collect()
            samples.append((time.monotonic() - begun, resident_bytes()))
    times, sizes = np.array(samples).T
    kept = times > WARM_UP_SHARE * times[-1]
    megabytes = sizes[kept] / 2**20
    slope = np.polyfit(times[kept] / 60, megabytes, 1)[0] if kept.sum() > 1 else np.nan
    report(
        "scale_soak",
        [
            dict(
                minutes=times[-1] / 60,
                rounds=len(samples),
                tasks_learned=N_TASKS * len(samples),
                megabytes_after_warm_up=float(megabytes[0]),
                megabytes_at_the_end=float(megabytes[-1]),
                most_megabytes=float(megabytes.max()),
                megabytes_per_minute=float(slope),
            )
        ],
    )


def run(data: str | None) -> None:
    soak(MINUTES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    soak(parser.parse_args().minutes)
