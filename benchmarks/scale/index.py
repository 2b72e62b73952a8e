"""Memory, build and queries of an index of 1, 3 and 10 million codes; their slopes to 100 million.

Each index has a process of its own. Queries are stored codes of which two bits are flipped. Set
OMP_NUM_THREADS=1 for one thread. ``MILLIONS`` in the environment sets other sizes, as in "1,3".
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from sktgsh.neighbors import CodeStore, HammingNeighbors

from .._common import report
from ..partial_million import anonymous_bytes

N_BYTES, K, N_SINGLE, N_TOGETHER = 8, 10, 30, 100
MILLIONS = (1.0, 3.0, 10.0)
TARGET = 100e6
# A graph of more codes takes too long to build on one core.
MOST_IN_GRAPH = 1_000_000
KINDS = ("flat", "multihash", "hnsw", "CodeStore")


def codes_and_queries(n_codes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random codes, and some of them with two bits flipped, with the rows that they come from."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (n_codes, N_BYTES), dtype=np.uint8)
    origins = rng.choice(n_codes, N_TOGETHER, replace=False)
    queries = codes[origins]
    for bit in (3, 42):
        queries[:, bit // 8] ^= 1 << bit % 8
    return codes, queries, origins


def milliseconds(search: Callable[[np.ndarray], Any], queries: np.ndarray) -> tuple[float, float]:
    """Median time of a query by itself, and time of a query among many."""
    search(queries[:1])
    single = []
    for query in queries[:N_SINGLE]:
        start = time.perf_counter()
        search(query[None])
        single.append(time.perf_counter() - start)
    start = time.perf_counter()
    search(queries)
    return 1e3 * median(single), 1e3 * (time.perf_counter() - start) / len(queries)


def measured(kind: str, n_codes: int) -> dict[str, Any]:
    """Build an index and search it; memory beyond that of the codes, which are there before."""
    codes, queries, origins = codes_and_queries(n_codes)
    with tempfile.TemporaryDirectory() as folder:
        before, start = anonymous_bytes(), time.perf_counter()
        index: Any
        if kind == "CodeStore":
            index = CodeStore(folder, 8 * N_BYTES, packed=True)
            index.add(codes, ids=np.arange(n_codes))
        else:
            index = HammingNeighbors(K, algorithm=kind, packed=True).fit(codes)
        built, memory = time.perf_counter() - start, anonymous_bytes() - before
        search = lambda rows: index.kneighbors(rows, K)[1]  # noqa: E731
        found = search(queries)
        single, together = milliseconds(search, queries)
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return dict(
        index=kind,
        codes=n_codes,
        found=float(np.mean(found[:, 0] == origins)),
        memory_MiB=memory / 2**20,
        disk_MiB=disk / 2**20,
        build_s=built,
        query_ms=single,
        query_of_100_ms=together,
    )


def extrapolated(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The line through the two largest sizes, at 100 million codes."""
    small, large = rows[-2:]
    share = (TARGET - large["codes"]) / (large["codes"] - small["codes"])
    figures = {
        name: large[name] + share * (large[name] - small[name])
        for name in ("memory_MiB", "disk_MiB", "build_s", "query_ms", "query_of_100_ms")
        # What does not grow with the codes has no line.
        if large[name] > small[name]
    }
    return dict(index=f"{large['index']}, on paper", codes=int(TARGET), **figures)


def run(data: str | None) -> None:
    given = os.environ.get("MILLIONS")
    millions = [float(part) for part in given.split(",")] if given else MILLIONS
    sizes, rows = [int(1e6 * size) for size in millions], []
    for kind in KINDS:
        some = []
        for size in sizes:
            if kind == "hnsw" and size > MOST_IN_GRAPH:
                continue
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                some.append(alone.submit(measured, kind, size).result())
            print(some[-1], flush=True)
        rows += some + ([extrapolated(some)] if len(some) > 1 else [])
    report("scale_index", rows)
