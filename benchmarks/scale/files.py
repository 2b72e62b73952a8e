"""Bytes of a hasher and of one task, and bits that half precision changes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sktgsh import ConvEncoder, TaskGeometricHasher, load

from .._common import load_images, report


def run(data: str | None) -> None:
    images, rows = load_images(data), []
    n_rows = min(10_000, len(images.X))
    for params in ({}, {"encoder": ConvEncoder(images.shape)}):
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
                    encoder=str(params.get("encoder", "default")),
                    half=half,
                    hasher_bytes=(folder / "hasher").stat().st_size,
                    task_bytes=(folder / "task").stat().st_size,
                    share_of_bits_changed=float((codes[0] != codes[1]).mean()),
                )
            )
    report(f"scale_files_{images.name}", rows)
