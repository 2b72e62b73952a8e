"""Data, timing and tables that the benchmarks share."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_mnist
from sktgsh.metrics import mean_average_precision

RESULTS = Path(__file__).parent / "results"


@dataclass
class Options:
    """What the command line asks of all benchmarks."""

    quick: bool = False


OPTIONS = Options()


@dataclass
class Images:
    """Labelled images: a database to learn from, and queries."""

    name: str
    X: np.ndarray
    y: np.ndarray
    Q: np.ndarray
    q: np.ndarray
    shape: tuple[int, int]

    def retrieval(self, queries: np.ndarray, database: np.ndarray, packed: bool = False) -> float:
        """mAP of 1,000 queries against the whole database."""
        return mean_average_precision(
            queries[:1000], self.q[:1000], database, self.y, packed=packed
        )


def load_images(data: str | None) -> Images:
    """MNIST from a folder; without one, scikit-learn's digits."""
    if data is None:
        X, y = load_digits(return_X_y=True)
        X, Q, y, q = train_test_split(X.astype(np.float32), y, test_size=0.25, random_state=0)
        return Images("digits", X, y, Q, q, (8, 8))
    X, y = fetch_mnist(data, return_X_y=True)
    Q, q = fetch_mnist(data, subset="test", return_X_y=True)
    return Images("MNIST", X, y, Q, q, (28, 28))


def frozen_features_of(hasher: TaskGeometricHasher, X: Any) -> np.ndarray:
    """Features that the frozen network of a fitted hasher computes before the expansion."""
    parts = hasher.model_.network.map_features(
        lambda rows, made: made[: len(rows)].numpy().copy(), X
    )
    return np.concatenate(parts)


def halved(images: np.ndarray) -> np.ndarray:
    """Images of 28 x 28 pixels as rows of 14 x 14 means, dtype float32."""
    means = np.asarray(images, np.float32).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return means.reshape(len(means), -1)


def seconds(function: Callable[[], Any], repeat: int = 1) -> tuple[float, Any]:
    """Median wall time of some runs, and the last result."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return float(np.median(times)), result


def medians(tries: list[dict[str, float]]) -> dict[str, float]:
    """Median of each figure over repetitions."""
    return {key: float(np.median([found[key] for found in tries])) for key in tries[0]}


def plus_minus(values: Sequence[float]) -> str:
    """Mean and standard deviation of one figure over repetitions."""
    return f"{np.mean(values):.3f} +- {np.std(values):.3f}"


def skip_without(files: str) -> Callable:
    """Print a sentence in place of a benchmark whose data are not there."""

    def decorate(run: Callable[[str], None]) -> Callable[[str | None], None]:
        @wraps(run)
        def run_or_skip(data: str | None) -> None:
            name = run.__module__.rsplit(".", 1)[-1]
            if data is None:
                print(f"\n== {name}: skipped; name a folder with {files} by --data")
                return
            try:
                run(data)
            except FileNotFoundError as error:
                print(f"\n== {name}: skipped; {error}")

        return run_or_skip

    return decorate


def exponent(sizes: list[float], costs: list[float]) -> float:
    """Slope of cost against size, both on a logarithmic scale."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def report(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print rows as a table, and save them as ``benchmarks/results/NAME.csv``."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[_text(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    print(f"\n== {name}")
    for line in [columns, *cells]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip(), flush=True
        )
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
