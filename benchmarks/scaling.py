"""Growth of the cost with hidden units, bits, rows and tasks."""

from __future__ import annotations

import tracemalloc

import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks

from ._common import exponent, load_images, report, seconds

N_TASKS = 200


def growth(data: str | None) -> None:
    """Fit and transform times, with the fitted exponents."""
    images = load_images(data)
    n_rows = min(20_000, len(images.X))
    X, y = images.X[:n_rows], images.y[:n_rows]
    rows = []

    def measure(what: str, sizes: list[int], make) -> None:
        fits, transforms = [], []
        for size in sizes:
            hasher, part = make(size)
            fits.append(seconds(lambda h=hasher, p=part: h.fit(X[:p], y[:p]))[0])
            transforms.append(seconds(lambda h=hasher, p=part: h.transform(X[:p]), 3)[0])
        for size, fit, transform in zip(sizes, fits, transforms):
            rows.append(dict(what=what, size=size, fit_seconds=fit, transform_seconds=transform))
        rows.append(
            dict(
                what=what,
                size="exponent",
                fit_seconds=exponent(sizes, fits),
                transform_seconds=exponent(sizes, transforms),
            )
        )

    def hasher(**params) -> TaskGeometricHasher:
        return TaskGeometricHasher(random_state=0, **params)

    def block(**params) -> TaskGeometricHasher:
        return hasher(encoder="fly", head="block", **params)

    measure("n_hidden, shared", [512, 1024, 2048, 4096], lambda n: (hasher(n_hidden=n), n_rows))
    measure("n_bits, shared", [8, 16, 32, 64], lambda n: (hasher(n_bits=n), n_rows))
    measure("n_hidden, block", [2048, 4096, 8192, 16384], lambda n: (block(n_hidden=n), n_rows))
    measure("n_bits, block", [8, 16, 32, 64], lambda n: (block(n_bits=n), n_rows))
    measure(
        "rows",
        [n_rows // 8, n_rows // 4, n_rows // 2, n_rows],
        lambda n: (hasher(), n),
    )
    report(f"scaling_{images.name}", rows)


def many_tasks() -> None:
    """Time and memory of adding a task, the last of 200 against the first."""
    X, y, task = load_digits_tasks(n_tasks=N_TASKS, step=360 / N_TASKS)
    X, y, task = X[::4], y[::4], task[::4]
    hasher = TaskGeometricHasher(max_open_tasks=1, random_state=0)
    times, memory = [], []
    tracemalloc.start()
    for label in dict.fromkeys(task.tolist()):
        rows = task == label
        before = tracemalloc.get_traced_memory()[0]
        times.append(seconds(lambda r=rows, t=label: hasher.partial_fit(X[r], y[r], task=t))[0])
        memory.append(tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    # The very first also draws the network; the next ones have fewer tasks to be told apart from.
    first, last = slice(10, 30), slice(-20, None)
    report(
        "scaling_tasks",
        [
            dict(
                tasks=name,
                median_seconds=float(np.median(times[part])),
                median_bytes=float(np.median(memory[part])),
            )
            for name, part in ((f"11 to 30 of {N_TASKS}", first), (f"last 20 of {N_TASKS}", last))
        ]
        + [
            dict(
                tasks="ratio",
                median_seconds=float(np.median(times[last]) / np.median(times[first])),
                median_bytes=float(np.median(memory[last]) / np.median(memory[first])),
            )
        ],
    )


def run(data: str | None) -> None:
    many_tasks()
    growth(data)
