"""A million rows without a label beside faiss ITQ and k-means of the same rows.

Rows lie in a memory-mapped file; ``ROWS`` in the environment sets another number of them. Memory is
the growth of the process beyond X, which is mapped and counts where pages of it are resident.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from sktgsh import TaskGeometricHasher

from ._common import report

N_ROWS, N_COLUMNS, N_CLUSTERS, N_CENTROIDS, CHUNK = 1_000_000, 384, 1000, 300, 50_000


def clustered(path: Path, n_rows: int) -> np.ndarray:
    """Rows around random centres, written chunk by chunk."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((N_CLUSTERS, N_COLUMNS), dtype=np.float32)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, N_COLUMNS))
    for start in range(0, n_rows, CHUNK):
        stop = min(start + CHUNK, n_rows)
        noise = rng.standard_normal((stop - start, N_COLUMNS), dtype=np.float32)
        X[start:stop] = centres[rng.integers(0, N_CLUSTERS, stop - start)] + 1.5 * noise
    X.flush()
    return np.load(path, mmap_mode="r")


def anonymous_bytes() -> int:
    """Memory of the process that is not mapped from a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def measured(work: Callable[[], Any]) -> dict[str, float]:
    """Processor seconds of some work."""
    start = time.process_time()
    work()
    return dict(seconds=time.process_time() - start)


def rivals(X: np.ndarray) -> None:
    """ITQ and k-means by faiss, each with its own sampling."""
    itq = faiss.ITQTransform(N_COLUMNS, 64, True)
    itq.train(X)
    faiss.Kmeans(N_COLUMNS, N_CENTROIDS, seed=0).train(X)


def run(data: str | None) -> None:
    n_rows = int(os.environ.get("ROWS", N_ROWS))
    with tempfile.TemporaryDirectory() as folder:
        X = clustered(Path(folder) / "rows.npy", n_rows)
        faiss_time = measured(lambda: rivals(X))
        hasher, before, most = TaskGeometricHasher(64, random_state=0), anonymous_bytes(), [0]
        chunks = ((X[start : start + CHUNK], None) for start in range(0, n_rows, CHUNK))

        def watched() -> Any:
            for chunk in chunks:
                most[0] = max(most[0], anonymous_bytes())
                yield chunk
            most[0] = max(most[0], anonymous_bytes())

        ours = measured(lambda: hasher.fit_batches(watched()))
        grown = (max(most[0], anonymous_bytes()) - before) / 2**30
    report(
        "partial_million",
        [
            dict(method="faiss ITQ and k-means", rows=n_rows, **faiss_time, ratio=1.0),
            dict(
                method="ours, no label",
                rows=n_rows,
                **ours,
                ratio=ours["seconds"] / faiss_time["seconds"],
                gib_beyond_X=grown,
            ),
        ],
    )
