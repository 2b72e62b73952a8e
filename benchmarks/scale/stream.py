"""Encoding a memory-mapped file against reading it and multiplying, by turns; memory beside it.

``ROWS`` in the environment sets another number of rows than 10 million, which take 15 GB of disk.
Set OMP_NUM_THREADS=1 to compare them on one thread. Both write packed codes to a file.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from sktgsh import TaskGeometricHasher

from .._common import report
from ..latency import Plain
from ..partial_million import CHUNK, anonymous_bytes, clustered

N_ROWS, N_TURNS = 10_000_000, 3


def encoded(X: np.ndarray, encode: Callable[[np.ndarray], np.ndarray], path: Path) -> int:
    """Write the codes of all rows; returns the most memory that this took beyond the start."""
    before, most = anonymous_bytes(), 0
    codes = np.lib.format.open_memmap(path, "w+", np.uint8, (len(X), 8))
    for start in range(0, len(X), CHUNK):
        codes[start : start + CHUNK] = encode(X[start : start + CHUNK])
        most = max(most, anonymous_bytes())
    return most - before


def run(data: str | None) -> None:
    n_rows, tries = int(os.environ.get("ROWS", N_ROWS)), []
    with tempfile.TemporaryDirectory() as folder:
        X = clustered(Path(folder) / "rows.npy", n_rows)
        few = np.array(X[:15_000])
        hasher = TaskGeometricHasher(64, packed=True, random_state=0)
        plain = Plain(hasher.fit(few, few[:, 0] > 0))
        ways = {
            "sktgsh": hasher.transform,
            "NumPy": lambda rows: np.packbits(plain(rows), axis=1),
        }
        grown = dict.fromkeys(ways, 0)
        for turn in range(N_TURNS):
            found = {}
            for name in list(ways)[:: 1 if turn % 2 else -1]:
                start = time.perf_counter()
                more = encoded(X, ways[name], Path(folder) / f"{name}.npy")
                found[name], grown[name] = time.perf_counter() - start, max(grown[name], more)
            tries.append(found)
    ratio = median(one["sktgsh"] / one["NumPy"] for one in tries)
    report(
        "scale_stream",
        [
            dict(
                method=name,
                rows=n_rows,
                seconds=median(one[name] for one in tries),
                ratio=ratio if name == "sktgsh" else 1.0,
                mebibytes=grown[name] / 2**20,
            )
            for name in ways
        ],
    )
