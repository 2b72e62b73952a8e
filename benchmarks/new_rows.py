"""Retrieval among rows that nobody trained on: half of the training rows teach, half are searched.

A hasher that knows the rows it learned from by heart gives them their labels' codes. Where these
rows are the database, that counts as skill. Databases grow by rows without labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.datasets import fetch_cifar10, fetch_clinc150, fetch_mnist
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision

from ._common import report, skip_without
from ._peers import RidgeHasher

SEEDS, N_QUERIES = (0, 1, 2), 1000
SETS = (("clinc150", fetch_clinc150, 64), ("cifar10_features", fetch_cifar10, 32))
SETS += (("MNIST", fetch_mnist, 32),)


def hashers(n_bits: int, seed: int) -> dict[str, Any]:
    gradient_steps = dict(solver=GradientSolver(max_epochs=5, lr=0.02))
    return {
        "TaskGeometricHasher": TaskGeometricHasher(n_bits, random_state=seed),
        "TaskGeometricHasher, ridge+sgd": TaskGeometricHasher(
            n_bits, random_state=seed, **gradient_steps
        ),
        "DeepSupervisedHasher (mlp)": DeepSupervisedHasher(n_bits, random_state=seed),
        "trivial: a classifier's answer": ClassifierHasher(n_bits=n_bits, random_state=seed),
        "ridge, random codewords": RidgeHasher(n_bits, random_state=seed),
        "signed projections": SignedRandomProjectionHasher(n_bits, random_state=seed),
    }


@skip_without("clinc150.npz, cifar10_features.npz and mnist.npz")
def run(data: str) -> None:
    rows = []
    for name, fetch, n_bits in SETS:
        X, y = fetch(data, return_X_y=True)
        Q, q = fetch(data, subset="test", return_X_y=True)
        rng = np.random.default_rng(0)
        asked, order = rng.permutation(len(Q))[:N_QUERIES], rng.permutation(len(X))
        taught, new = np.array_split(order, 2)
        for method in hashers(n_bits, 0):
            scores = []
            for seed in SEEDS:
                hasher = hashers(n_bits, seed)[method].fit(X[taught], y[taught])
                codes = hasher.transform(Q[asked])
                scores.append(
                    [
                        mean_average_precision(codes, q[asked], hasher.transform(X[part]), y[part])
                        for part in (taught, new)
                    ]
                )
            of_taught, of_new = np.median(scores, axis=0).tolist()
            lowest, highest = np.min(scores, axis=0)[1], np.max(scores, axis=0)[1]
            rows.append(
                dict(
                    data=name,
                    bits=n_bits,
                    method=method,
                    taught=of_taught,
                    new=of_new,
                    worst=float(lowest),
                    best=float(highest),
                )
            )
            report("new_rows", rows)
