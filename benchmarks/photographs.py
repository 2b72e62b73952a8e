"""Colour photographs as they come: the convolutional encoder, beside a network that is trained."""

from __future__ import annotations

import numpy as np

from sktgsh import (
    ConvEncoder,
    DeepSupervisedHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.datasets import fetch_cifar10
from sktgsh.metrics import mean_average_precision

from ._common import report, seconds, skip_without

SHAPE, N_BITS = (32, 32, 3), 32


@skip_without("cifar10_images.npz")
def run(data: str) -> None:
    X, y = fetch_cifar10(data, kind="images", return_X_y=True)
    Q, q = fetch_cifar10(data, kind="images", subset="test", return_X_y=True)
    X, Q = X.reshape(len(X), -1), Q.reshape(len(Q), -1)
    rows: list[dict] = []

    def add(name: str, hasher) -> float:
        time, _ = seconds(lambda: hasher.fit(X, y))
        encode, database = seconds(lambda: np.asarray(hasher.transform(X)))
        found = mean_average_precision(np.asarray(hasher.transform(Q)), q, database, y)
        rows.append(dict(method=name, map=found, fit=time, encode=encode))
        print(rows[-1], flush=True)
        return time

    for seed in (0, 1, 2):
        conv = TaskGeometricHasher(
            N_BITS, encoder=ConvEncoder(SHAPE), max_open_tasks=0, random_state=seed
        )
        time = add(f"TaskGeometricHasher, conv, seed {seed}", conv)
    add("TaskGeometricHasher, default", TaskGeometricHasher(N_BITS, random_state=0))
    one = DeepSupervisedHasher(
        N_BITS, image_shape=SHAPE, solver=GradientSolver(max_epochs=1), random_state=0
    )
    epoch, _ = seconds(lambda: one.fit(X, y))
    epochs = max(1, round(time / epoch))
    add(
        f"DeepSupervisedHasher, {epochs} epochs (the same time)",
        DeepSupervisedHasher(
            N_BITS, image_shape=SHAPE, solver=GradientSolver(max_epochs=epochs), random_state=0
        ),
    )
    add("signed projections", SignedRandomProjectionHasher(N_BITS, random_state=0))
    report("photographs", rows)
