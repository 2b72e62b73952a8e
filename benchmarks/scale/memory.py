"""Fit and transform of a file that is larger than what the process may allocate."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.utils.data import DataLoader, Dataset

from sktgsh import TaskGeometricHasher

from .._common import report, seconds

GIGABYTE = 2**30
N_FEATURES, CHUNK_ROWS = 1024, 8192
SOURCES = ("memory-mapped array", "iterator", "Parquet batches", "torch DataLoader")


class MappedRows(Dataset):
    """Rows of a memory-mapped array with their labels."""

    def __init__(self, X: np.ndarray):
        self.X = X

    def __len__(self) -> int:
        return len(self.X)

    def __getitems__(self, rows: list[int]) -> list:
        part = self.X[rows[0] : rows[-1] + 1]
        return [torch.from_numpy(part.copy()), torch.from_numpy(labels(part))]


def labels(X: np.ndarray) -> np.ndarray:
    """Two classes that the rows tell."""
    return (X[:, 0] > 0).astype(np.int8)


def batches_of(source: str, folder: Path, X: np.ndarray) -> Iterator[tuple]:
    """Chunks (X, y) of one of the SOURCES that gives them."""
    if source == "iterator":
        for start in range(0, len(X), CHUNK_ROWS):
            part = np.array(X[start : start + CHUNK_ROWS])
            yield part, labels(part)
    elif source == "Parquet batches":
        # Without pre_buffer=False, pyarrow keeps what it has read.
        file = pq.ParquetFile(folder / "rows.parquet", pre_buffer=False)
        for batch in file.iter_batches(CHUNK_ROWS):
            part = np.column_stack([column.to_numpy() for column in batch.columns])
            yield part, labels(part)
    else:
        yield from DataLoader(MappedRows(X), CHUNK_ROWS, collate_fn=list)


def write(folder: Path, gigabytes: float) -> None:
    """The rows, as an array and as Parquet."""
    n_rows = int(gigabytes * GIGABYTE) // (4 * N_FEATURES)
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, (n_rows, N_FEATURES))
    rng, writer = np.random.default_rng(0), None
    for start in range(0, n_rows, CHUNK_ROWS):
        part = rows[start : start + CHUNK_ROWS]
        part[:] = rng.standard_normal(part.shape, dtype=np.float32)
        table = pa.table({f"x{i}": column for i, column in enumerate(part.T.copy())})
        writer = writer or pq.ParquetWriter(
            folder / "rows.parquet", table.schema, compression="none", use_dictionary=False
        )
        writer.write_table(table)
    writer.close()


def fit_and_transform(source: str, folder: Path) -> dict:
    """Run in a process of its own, whose allocations the operating system limits."""
    torch.zeros(1)
    resource.setrlimit(resource.RLIMIT_DATA, (GIGABYTE, GIGABYTE))
    X = np.load(folder / "rows.npy", mmap_mode="r")
    try:
        np.array(X)
    except MemoryError:
        copied = "refused"
    else:
        copied = "possible"
    hasher = TaskGeometricHasher(n_hidden=256, passthrough=False, packed=True, random_state=0)
    if source == "memory-mapped array":
        fit = seconds(lambda: hasher.fit(X, labels(X)))[0]
        encode, codes = seconds(lambda: hasher.transform(X))
    else:
        fit = seconds(lambda: hasher.fit_batches(batches_of(source, folder, X)))[0]
        encode, codes = seconds(
            lambda: np.concatenate(
                [hasher.transform(np.asarray(part)) for part, _ in batches_of(source, folder, X)]
            )
        )
    return dict(
        source=source,
        rows=len(X),
        file_gigabytes=os.path.getsize(folder / "rows.npy") / GIGABYTE,
        limit_gigabytes=1.0,
        copy_of_the_file=copied,
        fit_seconds=fit,
        transform_seconds=encode,
        classes_found=float((hasher.predict_class(X[:5000]) == labels(X[:5000])).mean()),
        code_megabytes=codes.nbytes / 2**20,
    )


def run(data: str | None, gigabytes: float = 1.5) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), gigabytes)
        for source in SOURCES:
            command = [sys.executable, "-m", "benchmarks.scale.memory", source, name]
            limited = subprocess.run(command, capture_output=True, text=True)
            if limited.returncode:
                raise RuntimeError(limited.stderr)
            rows.append(json.loads(limited.stdout))
    report("scale_memory", rows)


if __name__ == "__main__":
    print(json.dumps(fit_and_transform(sys.argv[1], Path(sys.argv[2]))))
