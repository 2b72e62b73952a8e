"""ONNX against transform: rows a second, and bits that differ."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sktgsh import TaskGeometricHasher

from .._common import load_images, report, seconds


def run(data: str | None) -> None:
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
