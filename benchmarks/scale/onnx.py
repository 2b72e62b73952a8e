"""ONNX against transform, weights in float32 and in int8: time, size, and bits that differ."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import quantize_dynamic

from sktgsh import ConvEncoder, TaskGeometricHasher
from sktgsh.export import to_onnx

from .._common import load_images, report, seconds


def encode(session: Any, samples: np.ndarray) -> np.ndarray:
    """Codes that onnxruntime gives, in batches of 256."""
    parts = np.array_split(samples, max(1, len(samples) // 256))
    return np.concatenate([session.run(None, {"samples": part})[0][:, 0] for part in parts])


def run(data: str | None) -> None:
    images, rows = load_images(data), []
    n_rows, Q = min(10_000, len(images.X)), images.Q.astype(np.float32)
    drawn = np.random.default_rng(0).uniform(0, Q.max(), Q.shape).astype(np.float32)
    folder = Path(tempfile.mkdtemp())
    for params in ({}, {"encoder": ConvEncoder(images.shape)}):
        hasher = TaskGeometricHasher(random_state=0, **params)
        hasher.fit(images.X[:n_rows], images.y[:n_rows])
        to_onnx(hasher, folder / "float32.onnx")
        quantize_dynamic(folder / "float32.onnx", folder / "int8.onnx")
        ours, codes = seconds(lambda h=hasher: h.transform(Q), repeat=3)
        database = hasher.transform(images.X)
        for weights in ("float32", "int8"):
            path = folder / f"{weights}.onnx"
            session = onnxruntime.InferenceSession(path)
            theirs, found = seconds(lambda s=session: encode(s, Q), repeat=3)
            rows.append(
                dict(
                    encoder=str(params.get("encoder", "default")),
                    weights=weights,
                    megabytes=path.stat().st_size / 2**20,
                    time_to_transform=theirs / ours,
                    bits_changed_real=float((found != codes).mean()),
                    bits_changed_random=float(
                        (encode(session, drawn) != hasher.transform(drawn)).mean()
                    ),
                    mAP=images.retrieval(found, database),
                )
            )
    report(f"scale_onnx_{images.name}", rows)
