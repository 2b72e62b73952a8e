"""Few classes and rare classes: what the bits of a long code say.

Two, three and four classes: distinct columns, mAP between the classes, and how many of the 10
nearest held-out neighbours are among the 30 rows of nearest code; for "more structure", directions
weigh as much as classes in the bits that have both. Rare classes: mean mAP over the
classes with and without ``class_weight="balanced"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sktgsh import ITQHasher, TaskGeometricHasher
from sktgsh.metrics import mean_average_precision
from sktgsh.task_geometric.learning import structure

from ._common import report
from .tenants import seeds

N_NEAREST, N_FOUND = 10, 30


def tables() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    yield "breast_cancer", *load_breast_cancer(return_X_y=True)
    yield "iris", *load_iris(return_X_y=True)
    X, y = load_digits(return_X_y=True)
    yield "digits % 4", X, y % 4


def distinct_columns(codes: np.ndarray) -> int:
    """Number of bits that are no copy of another one, or of its opposite."""
    return len(np.unique(codes ^ codes[:1], axis=1).T)


def figures(
    codes: np.ndarray, q: np.ndarray, database: np.ndarray, y: np.ndarray, near: np.ndarray
) -> dict[str, float]:
    ranked = np.argsort(cdist(codes, database, "hamming"), axis=1, kind="stable")[:, :N_FOUND]
    return {
        "distinct": float(distinct_columns(database)),
        "mAP": mean_average_precision(codes, q, database, y),
        "recall": float(np.mean([np.isin(a, b).mean() for a, b in zip(near, ranked)])),
    }


def measure(X: np.ndarray, y: np.ndarray, n_bits: int, seed: int) -> dict[str, dict[str, float]]:
    X, Q, y, q = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
    scaler = StandardScaler().fit(X)
    A, B = scaler.transform(X), scaler.transform(Q)
    near = np.argsort(cdist(B, A), axis=1, kind="stable")[:, :N_NEAREST]
    ours = TaskGeometricHasher(n_bits, random_state=seed)
    # A first chunk leaves its bits to classes that may come.
    copies = TaskGeometricHasher(n_bits, random_state=seed).partial_fit(X, y)
    itq = ITQHasher(min(n_bits, X.shape[1]), random_state=seed).fit(A)
    with patch.object(structure, "_PART", 1.0):
        firmer = clone(ours).fit(X, y)
    ours.fit(X, y)
    found = {
        name: figures(hasher.transform(Q), q, hasher.transform(X), y, near)
        for name, hasher in (("filled", ours), ("more structure", firmer), ("copies", copies))
    }
    return found | {"ITQ": figures(itq.transform(B), q, itq.transform(A), y, near)}


def rare(shares: list[float], seed: int) -> dict[str, float]:
    """Mean mAP over the classes of digits, of which some are rare in training."""
    X, y = load_digits(return_X_y=True)
    X, Q, y, q = train_test_split(X, y, test_size=0.4, random_state=seed, stratify=y)
    rng, rows = np.random.default_rng(seed), []
    for label, share in enumerate(shares):
        own = rng.permutation(np.flatnonzero(y == label))
        rows.append(rng.choice(own, max(2, round(share * 1000)), replace=share * 1000 > len(own)))
    kept, found = np.concatenate(rows), {}
    asked = q < len(shares)
    for name, weight in (("equal", None), ("balanced", "balanced")):
        hasher = TaskGeometricHasher(32, class_weight=weight, random_state=seed)
        codes = hasher.fit(X[kept], y[kept]).transform(Q[asked])
        found[name] = float(
            np.mean(
                [
                    mean_average_precision(codes[own], q[asked][own], codes, q[asked])
                    for own in (np.flatnonzero(q[asked] == label) for label in range(len(shares)))
                ]
            )
        )
    return found


def run(data: str | None) -> None:
    rows = []
    for name, X, y in tables():
        for n_bits in (16, 32, 64):
            tries = [measure(X, y, n_bits, seed) for seed in seeds()]
            for method in tries[0]:
                row = {"data": name, "bits": n_bits, "codes": method}
                for key in tries[0][method]:
                    values = [found[method][key] for found in tries]
                    row[key] = float(np.mean(values))
                    row[f"{key} +-"] = float(np.std(values))
                rows.append(row)
    report("few_classes", rows)
    rows = []
    for name, shares in (
        ("six classes, one with 90 % of the rows", [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]),
        ("two classes, 1 : 1,000", [2.0, 0.002]),
    ):
        tries = [rare(shares, seed) for seed in seeds()]
        row = {"data": name}
        for key in tries[0]:
            values = [found[key] for found in tries]
            row[key], row[f"{key} +-"] = float(np.mean(values)), float(np.std(values))
        rows.append(row)
    report("rare_classes", rows)
