"""Seconds until a mAP of 0.95 at 32 bits, encoding included: ours, and deep hashing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sktgsh import (
    ConvEncoder,
    DeepSupervisedHasher,
    GradientSolver,
    ModuleEncoder,
    TaskGeometricHasher,
)
from sktgsh.task_geometric.encoding.image_encoder import default_convolution

from ._common import Images, load_images, report, seconds
from ._reference import train_reference

N_BITS, GOAL, MOST_EPOCHS = 32, 0.95, 8


def ours(images: Images, name: str, hasher: Any) -> dict:
    """Fit, encode queries and database."""
    fit, fitted = seconds(lambda: hasher.fit(images.X, images.y))
    encode, codes = seconds(
        lambda: [fitted.transform(rows) for rows in (images.Q[:1000], images.X)]
    )
    return dict(method=name, map=images.retrieval(*codes), seconds=fit + encode)


def reference(images: Images) -> list[dict]:
    """The published recipe, epoch by epoch until the goal is reached."""
    rows: list[dict] = []

    def on_epoch(encode: Callable, spent: float) -> bool:
        time, codes = seconds(lambda: [encode(part) for part in (images.Q[:1000], images.X)])
        name = f"reference recipe, {len(rows) + 1} epochs"
        rows.append(dict(method=name, map=images.retrieval(*codes), seconds=spent + time))
        return rows[-1]["map"] >= GOAL

    train_reference(images.X, images.y, images.shape[0], N_BITS, MOST_EPOCHS, on_epoch)
    return rows


def run(data: str | None) -> None:
    images = load_images(data)
    conv = TaskGeometricHasher(
        head="block", n_hidden=32 * 254, encoder=ConvEncoder(images.shape), random_state=0
    )
    coarse = default_convolution(images.shape, images.X[:10_000], seed=0, stride=2)
    fast = TaskGeometricHasher(
        head="block",
        n_hidden=32 * 254,
        encoder=ModuleEncoder(coarse, n_inputs=3),
        random_state=0,
    )
    rows = [
        ours(images, "TaskGeometricHasher, conv of stride 2, ridge", fast),
        ours(images, "TaskGeometricHasher, conv, ridge", conv),
    ]
    for epochs in (1, 2):
        deep = DeepSupervisedHasher(
            N_BITS,
            image_shape=images.shape,
            solver=GradientSolver(max_epochs=epochs),
            random_state=0,
        )
        rows.append(ours(images, f"DeepSupervisedHasher, {epochs} epochs", deep))
    rows += reference(images)
    for row in rows:
        row["ratio"] = row["seconds"] / rows[0]["seconds"]
    report(f"time_to_goal_{images.name}", rows)
