"""Rows without a label: all labels, some classes half labelled, a tenth of all labels, and none.

Queries of labelled classes, of the others, and all of them against *all* training rows; and the
share of the 10 nearest rows by cosine among the first 100 of the code. Mean and standard deviation
over three draws of the labelled classes and rows, and of 1,500 test queries. Without a folder, on
digits alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from sktgsh import DeepSupervisedHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_cifar10, fetch_clinc150
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics.retrieval import average_precisions

from ._common import OPTIONS, load_images, plus_minus, report
from ._peers import itq_signs, pca_signs

SEEDS = (0, 1, 2)
N_NEAREST, N_FOUND, N_QUERIES = 10, 100, 1500
# Share of the rows of all classes that are labelled in the setting "tenth".
TENTH = 0.1


class Setting(NamedTuple):
    """Data, the length of the code, how many classes are labelled in part, and whose codes."""

    name: str
    fetch: Any
    n_bits: int
    n_labelled: int
    n_rows: int
    labels: tuple[str, ...] = ("all", "some", "tenth", "none")


def fetch_digits(
    data: str | None, subset: str = "train", return_X_y: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The digits, in the form of the other loaders."""
    images = load_images(None)
    return (images.X, images.y) if subset == "train" else (images.Q, images.q)


DIGITS = Setting("digits", fetch_digits, 32, 5, 2_000)
SETTINGS = (
    DIGITS,
    Setting("clinc150", fetch_clinc150, 64, 100, 15_000),
    Setting("cifar10_features", fetch_cifar10, 32, 5, 10_000),
    Setting("clinc150", fetch_clinc150, 32, 100, 15_000, ("none",)),
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


def spread(X: np.ndarray, partial: np.ndarray) -> np.ndarray:
    """Labels of all rows by scikit-learn's label spreading on the graph of nearest rows."""
    model = LabelSpreading(kernel="knn", n_neighbors=10, max_iter=30).fit(normalize(X), partial)
    return np.asarray(model.transduction_)


def self_trained(X: np.ndarray, partial: np.ndarray) -> np.ndarray:
    """Labels of the rows that scikit-learn's self-training gives one, and -1 for the others."""
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return np.asarray(SelfTrainingClassifier(classifier).fit(X, partial).transduction_)


def codes_of(
    setting: Setting,
    X: np.ndarray,
    y: np.ndarray,
    labelled: dict[str, np.ndarray],
    Q: np.ndarray,
    seed: int,
    peers: bool,
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Labels, method, codes of the database and codes of the queries."""
    n_bits = setting.n_bits
    ours = TaskGeometricHasher(n_bits, missing_label=-1, random_state=seed)
    # A ridge classifier: a logistic regression of 150 classes takes longer than all else.
    classifier = make_pipeline(StandardScaler(), RidgeClassifier())
    trivial = ClassifierHasher(classifier, n_bits, random_state=seed)
    deep = DeepSupervisedHasher(n_bits, random_state=seed)
    learned: list[tuple[str, str, Any, Any]] = [
        ("all", "ours", ours, lambda: (X, y)),
        ("all", "trivial solution", trivial, lambda: (X, y)),
        ("none", "ours", ours, lambda: (X, None)),
    ]
    for labels, known in labelled.items():
        partial, few = np.where(known, y, -1), (X[known], y[known])
        learned += [
            (labels, "ours", ours, lambda p=partial: (X, p)),
            (labels, "ours, labelled rows only", ours, lambda f=few: f),
            (labels, "label spreading, then ours", ours, lambda p=partial: (X, spread(X, p))),
            (labels, "self-training, then ours", ours, lambda p=partial: (X, self_trained(X, p))),
            (labels, "trivial solution", trivial, lambda f=few: f),
            (labels, "DeepSupervisedHasher", deep, lambda f=few: f),
        ]
    for labels, method, hasher, rows in learned:
        if labels in setting.labels and (peers or (method == "ours" and labels != "all")):
            fitted = clone(hasher).fit(*rows())
            yield labels, method, fitted.transform(X), fitted.transform(Q)
    yield ("none", "ITQ", *itq_signs(X, n_bits, X, Q))
    if peers:
        yield ("none", "PCA signs", *pca_signs(X, n_bits, X, Q))


def run(data: str | None) -> None:
    for setting in SETTINGS if data is not None else (DIGITS,):
        figures: dict[tuple, list] = {}
        for seed in SEEDS[:1] if OPTIONS.quick else SEEDS:
            for key, found in judged(setting, data, seed, peers=not OPTIONS.quick):
                figures.setdefault(key, []).append(found)
        report(f"partial_labels_{setting.name}_{setting.n_bits}", table(figures))


def table(figures: dict[tuple, list]) -> list[dict[str, Any]]:
    """Means and standard deviations over the draws."""
    rows = []
    for (name, n_bits, labels, method), values in figures.items():
        row = dict(data=name, bits=n_bits, labels=labels, method=method)
        columns = "labelled", "others", "all", "recall"
        rows.append(row | dict(zip(columns, map(plus_minus, zip(*values)))))
    return rows


def judged(
    setting: Setting, data: str | None, seed: int, peers: bool
) -> Iterator[tuple[tuple, tuple[float, ...]]]:
    """Figures of each method on one draw of rows and labels."""
    rng = np.random.default_rng(seed)
    X, y = setting.fetch(data, return_X_y=True)
    Q, q = setting.fetch(data, subset="test", return_X_y=True)
    drawn = np.sort(rng.permutation(len(X))[: setting.n_rows])
    X, y = X[drawn].astype(np.float32), y[drawn].astype(int)
    known = rng.permutation(np.unique(y))[: setting.n_labelled]
    chance = rng.random(len(y))
    labelled = {"some": np.isin(y, known) & (chance < 0.5), "tenth": chance < TENTH}
    asked = np.sort(rng.permutation(len(Q))[:N_QUERIES])
    Q, q = Q[asked].astype(np.float32), q[asked]
    cosines = normalize(Q) @ normalize(X).T
    nearest = np.argpartition(-cosines, N_NEAREST, axis=1)[:, :N_NEAREST]
    asked = np.isin(q, known)
    key = setting.name, setting.n_bits

    def split(precisions: np.ndarray, recall: float) -> tuple[float, ...]:
        parts = precisions[asked], precisions[~asked], precisions
        return (*(float(part.mean()) for part in parts), recall)

    yield (*key, "none", "float cosine"), split(cosine_precisions(cosines, q, y), 1.0)
    for labels, method, codes, queries in codes_of(setting, X, y, labelled, Q, seed, peers):
        precisions = average_precisions(queries, q, codes, y)
        recall = neighbour_recall(queries, codes, nearest)
        yield (*key, labels, method), split(precisions, recall)
