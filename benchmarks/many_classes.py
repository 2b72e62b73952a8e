"""Classes by the thousand: time and memory against their number."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

from ._common import exponent, report, seconds

N_FEATURES, N_BITS = 128, 32


def measure(n_classes: int) -> dict:
    """Fit normal classes, 12 rows of each to learn from."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_classes, N_FEATURES)).astype(np.float32)
    y = np.repeat(np.arange(n_classes), 12)
    X = centres[y] + 0.7 * rng.normal(size=(len(y), N_FEATURES)).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hasher = TaskGeometricHasher(N_BITS, n_hidden=1024, max_open_tasks=0, random_state=0)
    time, _ = seconds(lambda: hasher.fit(X, y))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    q = np.arange(min(n_classes, 1000))
    Q = centres[q] + 0.7 * rng.normal(size=(len(q), N_FEATURES)).astype(np.float32)
    found = mean_average_precision(hasher.transform(Q), q, hasher.transform(X), y)
    return dict(classes=n_classes, rows=len(y), seconds=time, MB=(after - before) / 1024, map=found)


def run(data: str | None) -> None:
    sizes, rows = [100, 1000, 3000, 10_000], []
    for size in sizes:
        # Peak memory is a process's own.
        code = (
            "import json; from benchmarks.many_classes import measure; "
            f"print(json.dumps(measure({size})))"
        )
        printed = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        rows.append(json.loads(printed.strip().splitlines()[-1]))
    large = rows[1:]
    rows.append(
        dict(
            classes="exponent, from 1,000",
            seconds=exponent([r["classes"] for r in large], [r["seconds"] for r in large]),
            MB=exponent([r["classes"] for r in large], [r["MB"] for r in large]),
        )
    )
    report("many_classes", rows)
