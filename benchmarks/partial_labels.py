"""Rows without a label: all classes labelled, some classes half labelled, and no label at all.

Queries of labelled classes, of the others, and all of them against *all* training rows; and the
share of the 10 nearest rows by cosine among the first 100 of the code. Mean and standard deviation
over three draws of the labelled classes and rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import normalize

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_cifar10, fetch_clinc150
from sktgsh.metrics.retrieval import average_precisions

from ._common import report, skip_without
from ._peers import itq_signs

SEEDS = (0, 1, 2)
N_NEAREST, N_FOUND = 10, 100


class Setting(NamedTuple):
    """Data, the length of the code, and how many classes are labelled in part."""

    name: str
    fetch: Any
    n_bits: int
    n_labelled: int
    n_rows: int


SETTINGS = (
    Setting("clinc150", fetch_clinc150, 64, 100, 15_000),
    Setting("clinc150", fetch_clinc150, 32, 100, 15_000),
    Setting("cifar10_features", fetch_cifar10, 32, 5, 10_000),
)


def neighbour_recall(queries: np.ndarray, codes: np.ndarray, nearest: np.ndarray) -> float:
    """Expected share of the nearest rows among the first rows by Hamming distance, under ties."""
    signs = 2 * codes.T.astype(np.float32) - 1
    shares = []
    for query, rows in zip(2 * queries.astype(np.float32) - 1, nearest):
        agreement = query @ signs
        last = np.partition(agreement, -N_FOUND)[-N_FOUND]
        n_before, n_tied = (agreement > last).sum(), (agreement == last).sum()
        found = (agreement[rows] > last).sum()
        found += (agreement[rows] == last).sum() * (N_FOUND - n_before) / n_tied
        shares.append(found / len(rows))
    return float(np.mean(shares))


def cosine_precisions(cosines: np.ndarray, q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Average precision of each query's ranking by cosine."""
    found = []
    for similar, label in zip(cosines, q):
        hits = y[np.argsort(-similar)] == label
        found.append((hits.cumsum() / np.arange(1, len(y) + 1))[hits].mean())
    return np.array(found)


def codes_of(
    setting: Setting, X: np.ndarray, y: np.ndarray, labelled: np.ndarray, Q: np.ndarray, seed: int
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Labels, method, codes of the database and codes of the queries."""
    partial = np.where(labelled, y, -1)
    trained = {
        ("some", "ours, labelled rows only"): (X[labelled], y[labelled]),
        ("some", "ours"): (X, partial),
        ("none", "ours"): (X, None),
        ("all", "ours"): (X, y),
    }
    for (labels, method), rows in trained.items():
        hasher = TaskGeometricHasher(setting.n_bits, missing_label=-1, random_state=seed)
        hasher.fit(*rows)
        yield labels, method, np.asarray(hasher.transform(X)), np.asarray(hasher.transform(Q))
    yield ("none", "ITQ (faiss)", *itq_signs(X, setting.n_bits, X, Q))


@skip_without("clinc150.npz and cifar10_features.npz")
def run(data: str) -> None:
    figures: dict[tuple, list] = {}
    for setting in SETTINGS:
        for seed in SEEDS:
            for key, found in judged(setting, data, seed):
                figures.setdefault(key, []).append(found)
    names = ("labelled", "others", "all", "recall")
    rows = []
    for (name, n_bits, labels, method), values in figures.items():
        row = dict(data=name, bits=n_bits, labels=labels, method=method)
        means, deviations = np.mean(values, axis=0), np.std(values, axis=0)
        for column, mean, deviation in zip(names, means, deviations):
            row |= {column: round(float(mean), 4), f"+-{column}": round(float(deviation), 4)}
        rows.append(row)
    report("partial_labels", rows)


def judged(setting: Setting, data: str, seed: int) -> Iterator[tuple[tuple, tuple[float, ...]]]:
    """Figures of each method on one draw of rows and labels."""
    rng = np.random.default_rng(seed)
    X, y = setting.fetch(data, return_X_y=True)
    Q, q = setting.fetch(data, subset="test", return_X_y=True)
    drawn = np.sort(rng.permutation(len(X))[: setting.n_rows])
    X, y = X[drawn].astype(np.float32), y[drawn].astype(int)
    known = rng.permutation(np.unique(y))[: setting.n_labelled]
    labelled = np.isin(y, known) & (rng.random(len(y)) < 0.5)
    cosines = normalize(Q.astype(np.float32)) @ normalize(X).T
    nearest = np.argpartition(-cosines, N_NEAREST, axis=1)[:, :N_NEAREST]
    asked = np.isin(q, known)
    key = setting.name, setting.n_bits

    def split(precisions: np.ndarray, recall: float) -> tuple[float, ...]:
        parts = precisions[asked], precisions[~asked], precisions
        return (*(float(part.mean()) for part in parts), recall)

    yield (*key, "none", "float cosine"), split(cosine_precisions(cosines, q, y), 1.0)
    for labels, method, codes, queries in codes_of(setting, X, y, labelled, Q, seed):
        precisions = average_precisions(queries, q, codes, y)
        recall = neighbour_recall(queries, codes, nearest)
        yield (*key, labels, method), split(precisions, recall)
