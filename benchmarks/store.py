"""CodeStore: single adds one after another, and searches against LanceDB's own.

Adds are also measured by the processor's time, which other processes do not lengthen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import numpy as np

from sktgsh.neighbors import CodeStore

from ._common import report, seconds

N_ADDS, EVERY = 10_000, 1000
N_CODES, N_BYTES = 1_000_000, 8
SIZES = (10_000, 100_000, 1_000_000)


def single_adds(n_adds: int, compact_every: int | None) -> list[dict]:
    """Times of an add and of a query, for every `EVERY` adds."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (n_adds, N_BYTES), dtype=np.uint8)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = CodeStore(folder, 8 * N_BYTES, packed=True, compact_every=compact_every)
        for first in range(0, n_adds, EVERY):
            adds = []
            started, used = time.perf_counter(), time.process_time()
            for row in range(first, min(first + EVERY, n_adds)):
                time_add, _ = seconds(
                    lambda: store.add(codes[row : row + 1], ids=[row], task=row % 10)
                )
                adds.append(time_add)
            whole, used = time.perf_counter() - started, time.process_time() - used
            queried = time.process_time()
            query, _ = seconds(lambda: store.kneighbors(codes[first : first + 1], 1), repeat=9)
            queried = time.process_time() - queried
            rows.append(
                dict(
                    compact_every=str(compact_every),
                    adds=first + len(adds),
                    add_ms=1e3 * float(np.median(adds)),
                    mean_add_ms=1e3 * whole / len(adds),
                    processor_add_ms=1e3 * used / len(adds),
                    query_ms=1e3 * query,
                    processor_query_ms=1e3 * queried / 9,
                    files=sum(path.is_file() for path in Path(folder).rglob("*")),
                )
            )
            print(rows[-1], flush=True)
    return rows


def old_and_new(n_adds: int, n_tries: int = 60) -> list[dict]:
    """Adds and queries of a store of many single adds, in multiples of those of a new store.

    In turn in one process, so that a busy machine lengthens both alike.
    """
    codes = np.random.default_rng(0).integers(0, 256, (n_adds, N_BYTES), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        old = CodeStore(f"{folder}/old", 8 * N_BYTES, packed=True)
        new = CodeStore(f"{folder}/new", 8 * N_BYTES, packed=True)
        for row in range(n_adds):
            old.add(codes[row : row + 1], ids=[row], task=row % 10)
        new.add(codes[:100], ids=np.arange(100))
        times: dict[str, list[float]] = {}

        def spend(what: str, function: Callable[[], Any]) -> None:
            start = time.process_time()
            function()
            times.setdefault(what, []).append(time.process_time() - start)

        for row in range(n_tries):
            for name, store in [("old", old), ("new", new)]:
                code, ids = codes[row : row + 1], [n_adds + row]
                spend(f"{name} add", lambda s=store, c=code, i=ids: s.add(c, ids=i, task=3))
                spend(f"{name} query", lambda s=store, c=code: s.kneighbors(c, 1))
    found = {what: float(np.median(values)) for what, values in times.items()}
    return [
        dict(
            adds=n_adds,
            add_ratio=found["old add"] / found["new add"],
            query_ratio=found["old query"] / found["new query"],
        )
    ]


def sizes(n_tries: int = 30) -> list[dict]:
    """Single changes and queries of stores of many rows, in multiples of those of the smallest.

    In turn in one process, by the processor's time: a busy machine lengthens all alike.
    """
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        stores, times = {}, {}
        for n_codes in SIZES:
            codes = rng.integers(0, 256, (n_codes, N_BYTES), dtype=np.uint8)
            stores[n_codes] = CodeStore(f"{folder}/{n_codes}", 8 * N_BYTES, packed=True)
            stores[n_codes].add(codes, ids=np.arange(n_codes))
        for row in range(n_tries):
            code = rng.integers(0, 256, (1, N_BYTES), dtype=np.uint8)
            for n_codes, store in stores.items():
                changes = {
                    "add": lambda: store.add(code, ids=[n_codes + row]),
                    "upsert": lambda: store.upsert(code, ids=[row]),
                    "remove": lambda: store.remove([n_codes + row]),
                }
                for what, change in changes.items():
                    start = time.process_time()
                    change()
                    spent = time.process_time() - start
                    times.setdefault((n_codes, what), []).append(spent)
    found = {key: float(np.median(values)) for key, values in times.items()}
    return [
        dict(rows=n_codes, change=what, ms=1e3 * spent, ratio=spent / found[SIZES[0], what])
        for (n_codes, what), spent in found.items()
    ]


def searches() -> list[dict]:
    """Batches of queries: the store, LanceDB's own search one by one, an index in memory."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (N_CODES, N_BYTES), dtype=np.uint8)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = CodeStore(folder, 8 * N_BYTES, packed=True)
        store.add(codes, ids=np.arange(N_CODES))
        table = lancedb.connect(folder).open_table("codes")
        index = store.to_index()

        def one_by_one(queries: np.ndarray) -> None:
            for query in queries:
                search = table.search(query, vector_column_name="code").distance_type("hamming")
                search.select(["id", "_distance"]).limit(10).to_arrow()

        for n_queries in (1, 10, 100):
            queries = codes[:n_queries] ^ np.uint8(1)
            times = {"store": [], "lance": [], "index": []}
            for _ in range(3):  # in turn
                times["store"].append(seconds(lambda: store.kneighbors(queries, 10))[0])
                times["lance"].append(seconds(lambda: one_by_one(queries))[0])
                times["index"].append(seconds(lambda: index.kneighbors(queries, 10))[0])
            own, lance, memory = (float(np.median(times[name])) for name in times)
            rows.append(
                dict(
                    codes=N_CODES,
                    queries=n_queries,
                    store_ms=1e3 * own,
                    ratio_lancedb=lance / own,
                    ratio_index=memory / own,
                )
            )
    return rows


def run(data: str | None) -> None:
    report("store_sizes", sizes())
    report("store_searches", searches())
    report("store_old_and_new", old_and_new(N_ADDS))
    report("store_single_adds", single_adds(N_ADDS, 64) + single_adds(EVERY, None))
