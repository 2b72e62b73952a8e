"""Rows with several labels: mAP and nDCG@100 of test queries against the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import DeepSupervisedHasher, SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_multilabel
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision, ndcg_at_k

from ._common import medians, report, seconds, skip_without
from ._peers import RidgeHasher
from .unseen import N_BITS, RotationHasher

SEEDS = (0, 1, 2)


def hashers(seed: int, several_labels: bool) -> dict[str, Any]:
    """Rivals; `several_labels` leaves out what fits one classifier for each of hundreds."""
    ours = TaskGeometricHasher(N_BITS, random_state=seed)
    found = {
        "TaskGeometricHasher": ours,
        "TaskGeometricHasher, ridge+sgd": TaskGeometricHasher(
            N_BITS, solver="ridge+sgd", random_state=seed
        ),
        "plain ridge onto mean codewords": RidgeHasher(N_BITS, random_state=seed),
        "plain ridge onto our mean codewords": RidgeHasher(
            N_BITS, codewords_of=ours, random_state=seed
        ),
        "plain ridge, cut at the mean": RidgeHasher(N_BITS, "mean", random_state=seed),
        "DeepSupervisedHasher": DeepSupervisedHasher(N_BITS, random_state=seed),
        "trivial: classifiers' answers": ClassifierHasher(n_bits=N_BITS, random_state=seed),
        "ITQ": RotationHasher(itq=True),
        "PCA-sign": RotationHasher(itq=False),
        "signed projections": SignedRandomProjectionHasher(N_BITS, random_state=seed),
    }
    if several_labels:
        del found["trivial: classifiers' answers"]
    return found


def figures(hasher: Any, X: Any, y: Any, Q: Any, q: Any) -> dict[str, float]:
    fit_seconds, fitted = seconds(lambda: hasher.fit(X, y))
    asked, database = np.asarray(fitted.transform(Q)), np.asarray(fitted.transform(X))
    return {
        "mAP": mean_average_precision(asked, q, database, y),
        "nDCG@100": ndcg_at_k(asked, q, database, y, k=100),
        "nDCG@100, 2**s - 1": ndcg_at_k(asked, q, database, y, k=100, gain="exponential"),
        "fit s": fit_seconds,
    }


@skip_without("multilabel_scene.npz and multilabel_delicious.npz")
def run(data: str) -> None:
    for name in ("scene", "delicious"):
        X, y = fetch_multilabel(name, data, return_X_y=True)
        Q, q = fetch_multilabel(name, data, subset="test", return_X_y=True)
        many = y.shape[1] > 100
        tries = []
        for seed in SEEDS:
            slow = many and seed != SEEDS[0]
            tries.append(
                {
                    method: figures(hasher, X, y, Q, q)
                    for method, hasher in hashers(seed, many).items()
                    if not (slow and "Deep" in method)
                }
            )
        rows = [
            dict(method=method, **medians([found[method] for found in tries if method in found]))
            for method in tries[0]
        ]
        report(f"multilabel_{name}", rows)
