"""HammingNeighbors: filters, tenants, real-valued queries and equal codes, as ratios to a scan."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from sktgsh import DeepSupervisedHasher, GradientSolver, TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150
from sktgsh.neighbors import HammingNeighbors
from sktgsh.neighbors.hamming import weighted

from ._common import load_images, report

N_CODES, N_QUERIES, N_TENANTS, K = 1_000_000, 1000, 1000, 10


def in_turn(searches: dict[str, Callable[[], Any]], repeat: int = 3) -> dict[str, float]:
    """Least seconds of the processor's time of each, run in turn.

    Other processes do not lengthen it. Threads that wait for others do: set OMP_NUM_THREADS=1 on
    a busy machine.
    """
    times: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(repeat):
        for name, search in searches.items():
            start = time.process_time()
            search()
            times[name].append(time.process_time() - start)
    return {name: min(values) for name, values in times.items()}


def ratios(name: str, times: dict[str, float], base: str) -> None:
    """A table of how many times as fast as the base each is."""
    report(
        name,
        [
            dict(search=search, seconds=spent, times_as_fast=times[base] / spent)
            for search, spent in times.items()
        ],
    )


def million() -> None:
    """A million random codes of 64 bits."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (N_CODES, 8), dtype=np.uint8)
    queries = rng.integers(0, 256, (N_QUERIES, 8), dtype=np.uint8)
    values = rng.standard_normal((N_QUERIES, 64)).astype(np.float32)
    tenant = rng.permutation(N_CODES) % N_TENANTS
    asked = rng.integers(0, N_TENANTS, N_QUERIES)
    mask = rng.random(N_CODES) < 0.01
    few = slice(0, 100)
    raw = faiss.IndexBinaryFlat(64)
    raw.add(codes)
    index = HammingNeighbors(K, packed=True).fit(codes)
    tenants = HammingNeighbors(K, packed=True).fit(codes, task=tenant)
    small = rng.integers(0, 256, (N_TENANTS * 100, 8), dtype=np.uint8)
    owner = np.append(np.full(N_CODES, -1), np.arange(len(small)) % N_TENANTS)
    uneven = HammingNeighbors(K, packed=True).fit(np.vstack([codes, small]), task=owner)
    times = in_turn(
        {
            "faiss IndexBinaryFlat": lambda: raw.search(queries, K),
            "HammingNeighbors": lambda: index.kneighbors(queries),
            "a mask of 1 %": lambda: index.kneighbors(queries, filter=mask),
            "ids of 1 %": lambda: index.kneighbors(queries, filter=np.flatnonzero(mask)),
            "a task for each query, of 1,000": lambda: tenants.kneighbors(queries, task=asked),
            "the task of a million, beside 1,000": lambda: uneven.kneighbors(queries, task=-1),
        }
    )
    ratios("hamming_search_filters", times, "faiss IndexBinaryFlat")
    times = in_turn(
        {
            "codes, 100 queries": lambda: index.kneighbors(queries[few]),
            "real values, 100 queries": lambda: index.kneighbors(values[few]),
            "real values, oversampling 10": lambda: index.kneighbors(values[few], oversampling=10),
            "real values, a product (a rival)": lambda: weighted.nearest(values[few], codes, K),
        }
    )
    ratios("hamming_search_real_values", times, "codes, 100 queries")
    times = in_turn(
        {
            "codes, 1,000 queries": lambda: index.kneighbors(queries),
            "real values, 1,000 queries": lambda: index.kneighbors(values),
        }
    )
    ratios("hamming_search_real_values_1000", times, "codes, 1,000 queries")
    index.remove(rng.permutation(N_CODES)[: N_CODES // 10])
    times = in_turn(
        {
            "faiss IndexBinaryFlat": lambda: raw.search(queries[few], K),
            "a tenth removed": lambda: index.kneighbors(queries[few]),
            "one code removed and added": lambda: index.remove([0]).add(codes[:1]),
        }
    )
    ratios("hamming_search_tombstones", times, "faiss IndexBinaryFlat")


def learned(data: str | None) -> None:
    """Learned codes, many of which are equal."""
    images = load_images(data)
    sets = [(images.name, images.X, images.y, images.Q[:1000])]
    if data is not None:
        X, y = fetch_clinc150(data, return_X_y=True)
        sets.append(("clinc150", X, y, fetch_clinc150(data, subset="test").data[:1000]))
    rows = []
    for name, X, y, Q in sets:
        hashers = [TaskGeometricHasher(bits, packed=True, random_state=0) for bits in (32, 64)]
        if name == "clinc150":
            hashers.append(
                DeepSupervisedHasher(
                    64, packed=True, solver=GradientSolver(max_epochs=20), random_state=0
                )
            )
        for hasher in hashers:
            codes = hasher.fit(X, y).transform(X)
            queries = hasher.transform(Q)
            rows.append(dict(data=name, hasher=type(hasher).__name__, bits=hasher.n_bits))
            rows[-1] |= equal_codes(codes, queries)
    report("hamming_search_distinct", rows)


def equal_codes(codes: np.ndarray, queries: np.ndarray) -> dict[str, Any]:
    """Searches of learned codes against the flat scan, and what a graph misses."""
    raw = faiss.IndexBinaryFlat(8 * codes.shape[1])
    raw.add(codes)
    plain_graph = faiss.IndexBinaryHNSW(8 * codes.shape[1], 16)
    plain_graph.hnsw.efSearch = 64
    plain_graph.add(codes)
    index = HammingNeighbors(K, packed=True).fit(codes)
    graph = HammingNeighbors(K, packed=True, algorithm="hnsw").fit(codes)
    times = in_turn(
        {
            "flat": lambda: raw.search(queries, K),
            "distinct": lambda: index.kneighbors(queries),
            "graph": lambda: graph.kneighbors(queries),
        },
        repeat=5,
    )
    exact = raw.search(queries, K)[0]
    return dict(
        rows=len(codes),
        distinct=len(np.unique(codes, axis=0)),
        times_as_fast=times["flat"] / times["distinct"],
        equal_distances=bool((index.kneighbors(queries)[0] == exact).all()),
        graph_times_as_fast=times["flat"] / times["graph"],
        graph_recall=float((graph.kneighbors(queries)[0] <= exact[:, -1:]).mean()),
        faiss_graph_recall=float((plain_graph.search(queries, K)[0] <= exact[:, -1:]).mean()),
    )


def run(data: str | None) -> None:
    million()
    learned(data)
