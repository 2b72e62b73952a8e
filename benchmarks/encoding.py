"""Rows encoded in a second, end to end, against the dense product and faiss; and bytes a task."""

from __future__ import annotations

import faiss
import numpy as np
import torch

from sktgsh import ConvEncoder, TaskGeometricHasher

from ._common import Images, load_images, report, seconds


def dense_transform(images: Images, n_hidden: int) -> float:
    """Seconds of the dense product, ReLU and head, for all rows in float32."""
    X = torch.from_numpy(images.X.astype(np.float32))
    weight = torch.zeros(n_hidden, X.shape[1])
    columns = torch.rand(n_hidden, X.shape[1]).argsort(dim=1)[:, :7]
    weight.scatter_(1, columns, 1.0)
    head = torch.randn(32, n_hidden)

    def encode() -> None:
        for rows in X.split(1024):
            hidden = rows @ weight.T
            hidden = torch.relu(hidden - hidden.mean(dim=1, keepdim=True))
            np.packbits((hidden @ head.T > 0).numpy(), axis=1)

    return seconds(encode, repeat=3)[0]


def run(data: str | None) -> None:
    images = load_images(data)
    n_hidden, n_rows = 7840, len(images.X)
    hasher = TaskGeometricHasher(
        encoder="fly", head="block", n_hidden=n_hidden, packed=True, random_state=0
    )
    hasher.fit(images.X, images.y)
    dense = dense_transform(images, n_hidden)
    X32 = images.X.astype(np.float32)
    lsh = faiss.IndexLSH(X32.shape[1], 32)
    times = {
        "dense float32 product": dense,
        "TaskGeometricHasher.transform, fly, block": seconds(lambda: hasher.transform(images.X), 3)[
            0
        ],
        "the same, 8 of 32 bits": seconds(lambda: hasher.transform(images.X, n_bits=8), 3)[0],
        "faiss IndexLSH, 32 bits": seconds(lambda: lsh.sa_encode(X32), 3)[0],
    }
    conv = TaskGeometricHasher(
        n_hidden=8192, encoder=ConvEncoder(images.shape), packed=True, random_state=0
    ).fit(images.X[:10_000], images.y[:10_000])
    few = images.X[:10_000]
    times["TaskGeometricHasher.transform, conv"] = (
        seconds(lambda: conv.transform(few))[0] * n_rows / len(few)
    )
    report(
        f"encoding_{images.name}",
        [
            dict(method=name, rows_per_second=n_rows / time, ratio=dense / time)
            for name, time in times.items()
        ],
    )
    modulation = hasher.modulations_[0]
    report(
        f"task_bytes_{images.name}",
        [
            dict(what="context, strength, biases, codebook", bytes=modulation.nbytes),
            dict(what="density, for task inference", bytes=modulation.density.nbytes),
            dict(
                what="sums of an open task (never exported)",
                bytes=hasher.model_.statistics[0].nbytes,
            ),
        ],
    )
