"""Encoding, of one row to 15,000, against the same arithmetic in NumPy; a query end to end.

Both are measured by turns. Set OMP_NUM_THREADS=1 to compare them on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import faiss
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150
from sktgsh.neighbors import HammingNeighbors

from ._common import report, skip_without

N_BITS, N_ROUNDS, N_CODES = 64, 15, 1_000_000
SIZES = (1, 10, 128, 1000, 15_000)


class Plain:
    """The arithmetic of `transform`: scaling, a product, max, two products, a threshold."""

    def __init__(self, hasher: TaskGeometricHasher):
        network, (modulation,) = hasher.model_.network, hasher.modulations_.values()
        weights, bias = (part.numpy() for part in network.folded_weights(modulation))
        self.W = network.encoder.expansion.weight.numpy().T.copy()
        self.C = (weights[:, : self.W.shape[1]] * network.encoder.unit_scale).T.copy()
        self.D = weights[:, self.W.shape[1] :].T.copy()
        self.bias, self.inputs = bias, network.inputs

    def __call__(self, X: np.ndarray) -> np.ndarray:
        rows = ((X - self.inputs.shift) * self.inputs.scale).astype(np.float32)
        hidden = np.maximum(rows @ self.W, 0)
        return hidden @ self.C + rows @ self.D + self.bias > 0


def by_turns(
    ours: Callable[[np.ndarray], Any],
    theirs: Callable[[np.ndarray], Any],
    parts: list[np.ndarray],
) -> tuple[list[float], list[float]]:
    """Seconds a call of both, on the same parts of the rows, in changing order."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(N_ROUNDS):
        for side in ((0, 1), (1, 0))[turn % 2]:
            call, start = (ours, theirs)[side], time.perf_counter()
            for part in parts:
                call(part)
            times[side].append((time.perf_counter() - start) / len(parts))
    return times


def parts_of(Q: np.ndarray, size: int) -> list[np.ndarray]:
    """About 200 rows, or one part, in parts of a size; other queries each time."""
    many = np.resize(Q, (max(size, 200 // size * size), Q.shape[1]))
    return np.split(many, len(many) // size)


def encode(hasher: TaskGeometricHasher, Q: np.ndarray) -> list[dict]:
    plain, rows = Plain(hasher), []
    for size in SIZES:
        ours, theirs = by_turns(hasher.transform, plain, parts_of(Q, size))
        ratios = sorted(a / b for a, b in zip(ours, theirs))
        rows.append(
            dict(
                rows=size,
                ratio=median(ratios),
                least=ratios[0],
                most=ratios[-1],
                milliseconds=1000 * median(ours),
                numpy_milliseconds=1000 * median(theirs),
            )
        )
    return rows


def certain_share(hasher: TaskGeometricHasher, Q: np.ndarray) -> float:
    """Share of rows whose bits are certain without a full batch."""
    (modulation,) = hasher.modulations_.values()
    found = hasher.model_.network.short_bits(Q, np.arange(len(Q)), modulation)
    return float(found[1].mean())


def search(hasher: TaskGeometricHasher, X: np.ndarray, Q: np.ndarray) -> list[dict]:
    """One query after another: code and search among a million codes, with the tail."""
    codes = hasher.set_params(packed=True).transform(X)
    flips = np.random.default_rng(0).integers(0, 256, (N_CODES, codes.shape[1]), np.uint8)
    many = np.resize(codes, (N_CODES, codes.shape[1])) ^ (flips & np.roll(flips, 1, axis=1))
    index = HammingNeighbors(10, packed=True).fit(many)
    flat = faiss.IndexBinaryFlat(N_BITS)
    flat.add(many)
    plain = Plain(hasher)
    calls = {
        "transform and HammingNeighbors": lambda q: index.kneighbors(hasher.transform(q)),
        "NumPy and faiss": lambda q: flat.search(np.packbits(plain(q), axis=1), 10),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for start in range(200):
        for name, call in calls.items():
            begin = time.perf_counter()
            call(Q[start : start + 1])
            times[name].append(1000 * (time.perf_counter() - begin))
    return [
        dict(what=name, p50=float(np.percentile(t, 50)), p99=float(np.percentile(t, 99)))
        for name, t in times.items()
    ]


@skip_without("clinc150.npz")
def run(data: str) -> None:
    X, y = fetch_clinc150(data, return_X_y=True)
    Q, _ = fetch_clinc150(data, subset="test", return_X_y=True)
    X, Q = X.astype(np.float32), Q.astype(np.float32)
    hasher = TaskGeometricHasher(N_BITS, random_state=0).fit(X, y)
    report("latency_encode", encode(hasher, Q))
    report("latency_certain", [dict(certain_rows=certain_share(hasher, Q))])
    report("latency_search", search(hasher, X, Q))
