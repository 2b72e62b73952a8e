"""Real-valued queries, and candidates by code ranked by their vectors: quality by oversampling."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_cifar10, fetch_clinc150
from sktgsh.metrics import mean_average_precision, precision_at_k
from sktgsh.neighbors import RescoredNeighbors

from ._common import RESULTS, load_images, report

K, FACTORS = 10, (1, 2, 5, 10, 20, 50, 100)


def data_sets(data: str | None) -> dict[str, tuple]:
    """Name to (database, labels, queries, their labels)."""
    images = load_images(data)
    sets = {images.name: (images.X, images.y, images.Q[:1000], images.q[:1000])}
    if data is None:
        return sets
    for name, fetch in [("cifar10_features", fetch_cifar10), ("clinc150", fetch_clinc150)]:
        X, y = fetch(data, return_X_y=True)
        Q, q = fetch(data, subset="test", return_X_y=True)
        rows = np.random.default_rng(0).permutation(len(Q))[:1000]
        sets[name] = (X, y, Q[rows], q[rows])
    return sets


def hashers(n_bits: int) -> list:
    return [
        SignedRandomProjectionHasher(n_bits, random_state=0),
        TaskGeometricHasher(n_bits, random_state=0),
    ]


def real_values(sets: dict[str, tuple]) -> None:
    """mAP of queries as codes and as values."""
    rows = []
    for name, (X, y, Q, q) in sets.items():
        for n_bits in (32, 64):
            for hasher in hashers(n_bits):
                if not hasattr(hasher, "decision_function"):
                    continue
                codes = hasher.fit(X, y).transform(X)
                by_code = mean_average_precision(hasher.transform(Q), q, codes, y)
                by_value = mean_average_precision(hasher.decision_function(Q), q, codes, y)
                rows.append(
                    dict(
                        data=name,
                        hasher=type(hasher).__name__,
                        bits=n_bits,
                        codes=by_code,
                        values=by_value,
                        gain=by_value - by_code,
                    )
                )
    report("rescoring_real_values", rows)


def rescored(sets: dict[str, tuple]) -> list[dict[str, Any]]:
    """Recall of the float neighbours, and precision of classes, by oversampling."""
    rows = []
    for name, (X, y, Q, q) in sets.items():
        exact = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(X)
        distances, found = exact.kneighbors(Q)
        rows.append(
            dict(data=name, hasher="float32", recall=1.0, precision=(y[found] == q[:, None]).mean())
        )
        for hasher in hashers(64):
            frozen = FrozenEstimator(hasher.fit(X, y))
            for vectors in ("float32", "int8"):
                index = RescoredNeighbors(frozen, vectors=vectors).fit(X)
                for factor in FACTORS:
                    if vectors == "int8" and factor not in (10, 100):
                        continue
                    _, near = index.kneighbors(Q, K, oversampling=factor)
                    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(near, found)])
                    rows.append(
                        dict(
                            data=name,
                            hasher=type(hasher).__name__,
                            bits=64,
                            vectors=vectors,
                            oversampling=factor,
                            recall=float(recall),
                            precision=float((y[near] == q[:, None]).mean()),
                        )
                    )
            codes = hasher.transform(X)
            by_code = precision_at_k(hasher.transform(Q), q, codes, y, k=K)
            rows.append(
                dict(
                    data=name,
                    hasher=type(hasher).__name__,
                    bits=64,
                    vectors="none",
                    precision=by_code,
                )
            )
    return report("rescoring", rows)


def draw(rows: list[dict[str, Any]]) -> None:
    """Recall and precision by oversampling, a curve for each data set and hasher."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    curves: dict[tuple, list] = {}
    for row in rows:
        if row.get("vectors") == "float32":
            curves.setdefault((row["data"], row["hasher"]), []).append(row)
    for (name, hasher), points in curves.items():
        style = "-" if hasher == "TaskGeometricHasher" else "--"
        for ax, figure_of in zip(axes, ("recall", "precision")):
            factors = [row["oversampling"] for row in points]
            label = f"{name}, {hasher}"
            ax.plot(factors, [row[figure_of] for row in points], style, marker="o", label=label)
    axes[0].set(xscale="log", xlabel="oversampling", ylabel=f"recall of {K} float neighbours")
    axes[1].set(xscale="log", xlabel="oversampling", ylabel=f"share of the class among {K}")
    axes[1].legend(fontsize="small")
    figure.savefig(RESULTS / "rescoring.png", dpi=120)
    print(f"picture: {RESULTS / 'rescoring.png'}")


def run(data: str | None) -> None:
    sets = data_sets(data)
    real_values(sets)
    draw(rescored(sets))
