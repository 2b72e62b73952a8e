"""Sets drawn without replacement, against NumPy's; and what the widest sparse hasher costs.

Processor's time, the least of nine rounds by turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import sparse

from sktgsh import DenseFlyHasher
from sktgsh.random import generator, sample_without_replacement

from ._common import report

# Columns of the data, inputs of a unit, units.
SIZES = [
    (64, 6, 1024),
    (384, 38, 1024),
    (784, 78, 1024),
    (3072, 307, 1024),
    (200_000, 320, 64),
    (200_000, 2_000, 64),
    (200_000, 20_000, 64),
    (1_000_000, 10, 64),
]


def least_times(*functions: Callable[[], object]) -> list[float]:
    """Seconds of each function, called by turns."""
    times = []
    for _ in range(9):
        for function in functions:
            start = time.process_time()
            function()
            times.append(time.process_time() - start)
    return np.reshape(times, (-1, len(functions))).min(axis=0).tolist()


def run(data: str | None) -> None:
    rows = []
    for n_columns, n_inputs, n_units in SIZES:
        rng = generator(0, "benchmark")
        ours, theirs = least_times(
            lambda: sample_without_replacement(n_columns, n_inputs, n_units, rng),
            lambda: [
                rng.choice(n_columns, n_inputs, replace=False, shuffle=False)
                for _ in range(n_units)
            ],
        )
        sizes = dict(columns=n_columns, inputs=n_inputs, units=n_units)
        rows.append(sizes | dict(seconds=ours, against="numpy choice", ratio=ours / theirs))
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(100), 20), rng.integers(0, 200_000, 2000)
    X = sparse.csr_array((rng.random(2000, np.float32), place), (100, 200_000))
    hasher = DenseFlyHasher(random_state=0).fit(X)
    fit, product = least_times(lambda: hasher.fit(X), lambda: X @ hasher.components_.T)
    sizes = dict(columns=200_000, inputs=20_000, units=1024)
    rows.append(sizes | dict(seconds=fit, against="its product", ratio=fit / product))
    report("draws", rows)
