"""Real-valued queries, and candidates by code ranked by their vectors: quality by oversampling."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_cifar10, fetch_clinc150
from sktgsh.metrics import mean_average_precision
from sktgsh.neighbors import RescoredNeighbors

from ._common import RESULTS, load_images, report

K, FACTORS = 10, (1, 2, 5, 10, 20, 50, 100)
# A gain is a mean over so many groups of queries, which say how far it is chance.
N_QUERIES, N_GROUPS = 4000, 8
N_RESCORED = 1000
LARGEST = np.nextafter(np.float32(1), np.float32(0))


def data_sets(data: str | None) -> dict[str, tuple]:
    """Name to (database, labels, queries, their labels)."""
    images = load_images(data)
    sets = {images.name: (images.X, images.y, images.Q[:N_QUERIES], images.q[:N_QUERIES])}
    if data is None:
        return sets
    for name, fetch in [("cifar10_features", fetch_cifar10), ("clinc150", fetch_clinc150)]:
        X, y = fetch(data, return_X_y=True)
        Q, q = fetch(data, subset="test", return_X_y=True)
        rows = np.random.default_rng(0).permutation(len(Q))[:N_QUERIES]
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
                codes = hasher.fit(X, y).transform(X)
                by_code = map_of_groups(hasher.transform(Q), q, codes, y)
                gain = map_of_groups(hasher.decision_function(Q), q, codes, y) - by_code
                rows.append(
                    dict(
                        data=name,
                        hasher=type(hasher).__name__,
                        bits=n_bits,
                        codes=float(by_code.mean()),
                        gain=float(gain.mean()),
                        standard_error=float(gain.std(ddof=1) / N_GROUPS**0.5),
                    )
                )
                report("rescoring_real_values", rows)


def map_of_groups(queries: np.ndarray, q: np.ndarray, codes: np.ndarray, y: np.ndarray) -> Any:
    """mAP of each group of queries, (N_GROUPS,)."""
    groups = np.array_split(np.arange(len(queries)), N_GROUPS)
    return np.array([mean_average_precision(queries[g], q[g], codes, y) for g in groups])


def squashed(sets: dict[str, tuple]) -> None:
    """Gains of learned scores as they come, and squashed, on held-out training rows.

    A fifth of the classes is not learned, but lies in the database.
    """
    rows = []
    for name, (X, y, *_) in sets.items():
        classes = np.random.RandomState(0).permutation(np.unique(y))
        unseen = np.isin(y, classes[: len(classes) // 5])
        held_out = np.zeros(len(y), bool)
        held_out[np.random.RandomState(1).permutation(len(y))[:N_QUERIES]] = True
        for fraction in (0.0, 0.5):
            hasher = TaskGeometricHasher(64, structure_fraction=fraction, random_state=0)
            hasher.fit(X[~unseen & ~held_out], y[~unseen & ~held_out])
            codes = hasher.transform(X[~held_out])
            row = dict(data=name, structure_fraction=fraction)
            for kind, asked in (("seen", held_out & ~unseen), ("unseen", held_out & unseen)):
                values = hasher.decision_function(X[asked])
                given = (values > 0, np.arctanh(np.clip(values, -LARGEST, LARGEST)), values)
                scores = [map_of_groups(v, y[asked], codes, y[~held_out]).mean() for v in given]
                row |= {
                    f"{kind}, codes": scores[0],
                    f"{kind}, as they come": scores[1] - scores[0],
                    f"{kind}, squashed": scores[2] - scores[0],
                }
            rows.append(row)
            report("rescoring_squashed", rows)


def candidate_finders() -> dict[str, tuple[Any, str]]:
    """Name to a hasher of 64 bits, and whether candidates are found by codes or by values."""
    projections, ours = hashers(64)
    rotated = make_pipeline(PCA(64, random_state=0), projections)
    return {
        "signed projections": (projections, "codes"),
        "PCA, then signed projections": (rotated, "codes"),
        "PCA, then signed projections; values": (rotated, "values"),
        "TaskGeometricHasher": (ours, "codes"),
    }


def rescored(sets: dict[str, tuple]) -> list[dict[str, Any]]:
    """Recall of the float neighbours, and mAP of classes among them, by oversampling."""
    rows = []
    for name, (X, y, *queries) in sets.items():
        Q, q = (part[:N_RESCORED] for part in queries)
        exact = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(X)
        found = exact.kneighbors(Q, return_distance=False)
        rows.append(dict(data=name, finder="float32", recall=1.0, map_at_10=map_at(y[found], q)))
        for finder, (hasher, candidates) in candidate_finders().items():
            frozen = FrozenEstimator(hasher.fit(X, y))
            for vectors, factors in {"float32": FACTORS, "int8": (50,)}.items():
                index = RescoredNeighbors(frozen, vectors=vectors, candidates=candidates).fit(X)
                for factor in factors:
                    near = index.kneighbors(Q, K, return_distance=False, oversampling=factor)
                    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(near, found)])
                    rows.append(
                        dict(
                            data=name,
                            finder=finder,
                            vectors=vectors,
                            oversampling=factor,
                            recall=float(recall),
                            map_at_10=map_at(y[near], q),
                        )
                    )
    return report("rescoring", rows)


def map_at(labels: np.ndarray, q: np.ndarray) -> float:
    """Mean average precision of the K labels that each query found."""
    hits = labels == q[:, None]
    precision = np.cumsum(hits, axis=1) / np.arange(1, K + 1)
    return float(((precision * hits).sum(axis=1) / K).mean())


def draw(rows: list[dict[str, Any]]) -> None:
    """Recall and mAP by oversampling, a row of pictures for each data set."""
    names = list(dict.fromkeys(row["data"] for row in rows))
    figure, axes = plt.subplots(
        len(names), 2, figsize=(9, 3 * len(names)), layout="constrained", squeeze=False, sharex=True
    )
    for pair, name in zip(axes, names):
        whole, *own = [row for row in rows if row["data"] == name]
        for finder in dict.fromkeys(row["finder"] for row in own):
            points = [r for r in own if r["finder"] == finder and r["vectors"] == "float32"]
            for ax, what in zip(pair, ("recall", "map_at_10")):
                factors = [row["oversampling"] for row in points]
                ax.plot(factors, [row[what] for row in points], marker="o", label=finder)
        pair[1].axhline(whole["map_at_10"], color="gray", label="all vectors")
        pair[0].set(xscale="log", title=name, ylabel=f"recall of {K} float neighbours")
        pair[1].set(xscale="log", title=name, ylabel=f"mAP of classes among {K}")
    for ax in axes[-1]:
        ax.set_xlabel("oversampling")
    axes[0, 1].legend(fontsize="small")
    figure.savefig(RESULTS / "rescoring.png", dpi=120)
    print(f"picture: {RESULTS / 'rescoring.png'}")


def run(data: str | None) -> None:
    sets = data_sets(data)
    real_values(sets)
    squashed(sets)
    draw(rescored(sets))
