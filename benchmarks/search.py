"""Search: HammingNeighbors against raw faiss."""

from __future__ import annotations

import os
import subprocess
import sys

import faiss
import numpy as np

from sktgsh.neighbors import HammingNeighbors

from ._common import report, seconds

N_CODES, N_QUERIES = 1_000_000, 1000

# Growth of the process by an index of a million codes of 8 bytes, and by its lookup tables.
_MEMORY = f"""
import numpy as np, resource
from sktgsh.neighbors import HammingNeighbors
codes = np.random.default_rng(0).integers(0, 256, ({N_CODES}, 8), dtype=np.uint8)
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
HammingNeighbors(packed=True).fit(codes[:1000]).kneighbors(codes[:10])
before = resident()
index = HammingNeighbors(packed=True).fit(codes)
print(resident() - before)
index.kneighbors(np.ones((1, 64)) * 0.5)
print(resident() - before)
"""


def cluster_codes(n_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes around random centres, and queries of the same kind."""
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 2, (1000, 8 * n_bytes), dtype=np.uint8)
    drawn = centres[rng.integers(0, 1000, N_CODES + N_QUERIES)]
    flips = rng.random(drawn.shape, dtype=np.float32) < 0.15
    packed = np.packbits(drawn ^ flips, axis=1)
    return packed[:N_CODES], packed[N_CODES:]


def hamming() -> None:
    rows = []
    for n_bytes in (8, 32):
        codes, queries = cluster_codes(n_bytes)
        raw = faiss.IndexBinaryFlat(8 * n_bytes)
        raw.add(codes)
        index = HammingNeighbors(10, packed=True).fit(codes)
        for _ in range(2):  # in turn, the second time counts
            raw_time, (expected, _) = seconds(lambda: raw.search(queries, 10), repeat=5)
            time, (found, _) = seconds(lambda: index.kneighbors(queries), repeat=5)
        rows += [
            dict(
                bits=8 * n_bytes,
                index="faiss IndexBinaryFlat",
                queries_per_second=N_QUERIES / raw_time,
                ratio=1.0,
            ),
            dict(
                bits=8 * n_bytes,
                index="HammingNeighbors",
                queries_per_second=N_QUERIES / time,
                ratio=raw_time / time,
                equal_distances=bool((found == expected).all()),
            ),
        ]
        for algorithm in ("multihash", "hnsw"):
            approximate = HammingNeighbors(10, algorithm=algorithm, packed=True).fit(
                codes[:200_000]
            )
            exact = HammingNeighbors(10, packed=True).fit(codes[:200_000])
            exact_time, (expected, _) = seconds(lambda: exact.kneighbors(queries))
            time, (found, _) = seconds(lambda: approximate.kneighbors(queries))
            rows.append(
                dict(
                    bits=8 * n_bytes,
                    index=f"{algorithm}, 200,000 codes",
                    queries_per_second=N_QUERIES / time,
                    ratio=exact_time / time,
                    recall=float((found <= expected[:, -1:]).mean()),
                )
            )
    report("search_hamming", rows)


def memory() -> None:
    """Growth of a fresh process, in parts of the packed codes."""
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    grown = subprocess.run(
        [sys.executable, "-c", _MEMORY], capture_output=True, text=True, check=True, env=environment
    )
    after = dict(zip(("fit", "a real-valued query"), map(int, grown.stdout.split())))
    report(
        "search_memory",
        [
            dict(after=what, codes=N_CODES, grown_bytes=grown, ratio=grown / (8 * N_CODES))
            for what, grown in after.items()
        ],
    )


def run(data: str | None) -> None:
    hamming()
    memory()
