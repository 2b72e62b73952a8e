"""Threads beside a busy process, files, workers, ONNX, and more rows than memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from sktgsh import DeepSupervisedHasher, SignedRandomProjectionHasher, TaskGeometricHasher, load
from sktgsh.datasets import load_digits_tasks

from ._common import load_images, report, seconds

GIGABYTE = 2**30


@contextmanager
def busy_process():
    """Another process that computes all the time."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def threads() -> None:
    """Two threads against one, alternating, idle and beside a busy process."""
    X, y, task = load_digits_tasks(n_tasks=12)
    fitted = TaskGeometricHasher(n_hidden=256, random_state=0).fit(X, y, task=task)
    signs = SignedRandomProjectionHasher(random_state=0).fit(X)
    jobs: dict[str, Callable[[], Any]] = {
        "fit, 12 tasks, 256 units": lambda: TaskGeometricHasher(n_hidden=256, random_state=0).fit(
            X, y, task=task
        ),
        "predict_task": lambda: fitted.predict_task(X[:4313]),
        "transform": lambda: fitted.transform(X, task=task),
        "signed projections, transform": lambda: signs.transform(X),
        "deep hasher, 2 epochs": lambda: DeepSupervisedHasher(max_epochs=2).fit(X[:1797], y[:1797]),
    }
    rows = []
    for where in ("idle", "beside a busy process"):
        for name, job in jobs.items():
            times: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(3):
                for n_threads in times:
                    with threadpool_limits(n_threads):
                        if where == "idle":
                            times[n_threads].append(seconds(job)[0])
                        else:
                            with busy_process():
                                times[n_threads].append(seconds(job)[0])
            one, two = (float(np.median(times[n])) for n in (1, 2))
            rows.append(dict(job=name, where=where, seconds_one=one, two_to_one=two / one))
    report("scale_threads", rows)


def files(data: str | None) -> None:
    """Bytes of a hasher and of one task, and bits that half precision changes."""
    images, rows = load_images(data), []
    n_rows = min(10_000, len(images.X))
    for params in ({}, {"encoder": "conv", "image_shape": images.shape}):
        hasher = TaskGeometricHasher(random_state=0, **params)
        hasher.fit(images.X[:n_rows], images.y[:n_rows], task="first")
        folder = Path(tempfile.mkdtemp())
        hasher.save(folder / "hasher")
        copy = load(folder / "hasher")
        for half in (False, True):
            hasher.export_task("first", folder / "task", half=half)
            copy.import_task(folder / "task", task=f"half {half}")
            codes = [
                h.transform(images.Q, task=t)
                for h, t in ((hasher, "first"), (copy, f"half {half}"))
            ]
            rows.append(
                dict(
                    encoder=params.get("encoder", "default"),
                    half=half,
                    hasher_bytes=(folder / "hasher").stat().st_size,
                    task_bytes=(folder / "task").stat().st_size,
                    share_of_bits_changed=float((codes[0] != codes[1]).mean()),
                )
            )
    report(f"scale_files_{images.name}", rows)


def workers(data: str | None) -> None:
    """One dask worker against two, on encoding and on statistics."""
    import dask.array as da
    from dask.distributed import Client, LocalCluster

    from sktgsh import distributed

    images, rows = load_images(data), []
    X = da.from_array(images.X.astype(np.float32), chunks=(max(1, len(images.X) // 16), -1))
    for n_workers in (1, 2):
        cluster = LocalCluster(n_workers, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster):
            hasher = TaskGeometricHasher(random_state=0)
            fit = seconds(lambda h=hasher: distributed.fit(h, X, images.y), repeat=3)[0]
            encode = seconds(lambda h=hasher: distributed.transform(h, X).compute(), repeat=3)[0]
        rows.append(dict(workers=n_workers, fit_seconds=fit, transform_seconds=encode))
    first = rows[0]
    for row in rows:
        row["fit_ratio"] = first["fit_seconds"] / row["fit_seconds"]
        row["transform_ratio"] = first["transform_seconds"] / row["transform_seconds"]
    report(f"scale_workers_{images.name}", rows)


def onnx(data: str | None) -> None:
    """ONNX against transform: rows a second, and bits that differ."""
    import onnxruntime

    from sktgsh.export import to_onnx

    images, rows = load_images(data), []
    n_rows, Q = min(10_000, len(images.X)), images.Q.astype(np.float32)
    drawn = np.random.default_rng(0).uniform(0, Q.max(), Q.shape).astype(np.float32)
    for params in ({}, {"encoder": "conv", "image_shape": images.shape}):
        hasher = TaskGeometricHasher(random_state=0, **params)
        hasher.fit(images.X[:n_rows], images.y[:n_rows])
        path = Path(tempfile.mkdtemp()) / "codes.onnx"
        to_onnx(hasher, path)
        session = onnxruntime.InferenceSession(path)

        def run(samples: np.ndarray, session: Any = session) -> np.ndarray:
            parts = np.array_split(samples, max(1, len(samples) // 256))
            return np.concatenate([session.run(None, {"samples": part})[0] for part in parts])

        ours, codes = seconds(lambda h=hasher: h.transform(Q), repeat=3)
        theirs, found = seconds(lambda: run(Q), repeat=3)
        rows.append(
            dict(
                encoder=params.get("encoder", "default"),
                file_bytes=path.stat().st_size,
                onnx_to_transform=theirs / ours,
                bits_changed_real=float((found[:, 0] != codes).mean()),
                bits_changed_random=float((run(drawn)[:, 0] != hasher.transform(drawn)).mean()),
            )
        )
    report(f"scale_onnx_{images.name}", rows)


def memory() -> None:
    """Fit and transform of a file that is larger than what the process may allocate."""
    with tempfile.TemporaryDirectory() as folder:
        path, n_features = Path(folder) / "rows.npy", 2048
        n_rows = int(1.5 * GIGABYTE) // (4 * n_features)
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, n_features))
        rng = np.random.default_rng(0)
        for start in range(0, n_rows, 10_000):
            part = rows[start : start + 10_000]
            part[:] = rng.standard_normal(part.shape, dtype=np.float32)
        del rows
        command = [sys.executable, "-m", "benchmarks.scale", str(path)]
        limited = subprocess.run(command, capture_output=True, text=True)
    if limited.returncode:
        raise RuntimeError(limited.stderr)
    print(limited.stdout)


def _fit_in_little_memory(path: str) -> None:
    """Run in a process of its own, whose allocations the operating system limits."""
    limit = GIGABYTE
    torch.zeros(1)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    X = np.load(path, mmap_mode="r")
    y = (np.asarray(X[:, 0]) > 0).astype(np.int8)
    try:
        np.array(X)
    except MemoryError:
        copied = "refused"
    else:
        copied = "possible"
    hasher = TaskGeometricHasher(n_hidden=256, skip=False, packed=True, random_state=0)
    fit = seconds(lambda: hasher.fit(X, y))[0]
    encode, codes = seconds(lambda: hasher.transform(X))
    report(
        "scale_memory",
        [
            dict(
                file_gigabytes=os.path.getsize(path) / GIGABYTE,
                limit_gigabytes=limit / GIGABYTE,
                copy_of_the_file=copied,
                fit_seconds=fit,
                transform_seconds=encode,
                code_bytes=codes.nbytes,
            )
        ],
    )


def run(data: str | None) -> None:
    threads()
    files(data)
    workers(data)
    onnx(data)
    memory()


if __name__ == "__main__":
    _fit_in_little_memory(sys.argv[1])
