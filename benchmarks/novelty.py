"""Rows of classes never seen: ours beside scikit-learn's outlier detectors.

Some classes are never trained on; their held-out rows are to be told from held-out rows of the
others. The threshold is the 95 % quantile of a third part, of known classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sktgsh import TaskGeometricHasher

from ._common import report
from .tenants import embedded, seeds

QUANTILE = 0.95


def detectors(X: np.ndarray, y: np.ndarray, n_bits: int, seed: int) -> Iterator[tuple[str, Any]]:
    """Name, and a function that is large for rows of no known class."""
    hasher = TaskGeometricHasher(n_bits, random_state=seed).fit(X, y)
    yield "novelty_scores", hasher.novelty_scores
    network, modulations = hasher.model_.network, list(hasher.modulations_.values())
    yield (
        "density of the task (predict_task)",
        lambda Q: -network.log_densities(Q, modulations)[:, 0],
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    yield (
        "LogisticRegression, 1 - probability",
        lambda Q: 1 - classifier.predict_proba(Q).max(axis=1),
    )
    n_axes = min(50, X.shape[1])
    for name, model in (
        ("IsolationForest", IsolationForest(random_state=seed)),
        ("LocalOutlierFactor", LocalOutlierFactor(novelty=True)),
        ("OneClassSVM", OneClassSVM(nu=0.05)),
        ("PCA, LocalOutlierFactor", make_pipeline(PCA(n_axes), LocalOutlierFactor(novelty=True))),
    ):
        fitted = make_pipeline(StandardScaler(), model).fit(X)
        yield name, lambda Q, fitted=fitted: -fitted.score_samples(Q)


def measure(name: str, data: str | None, n_new: int, n_bits: int, seed: int) -> dict[str, tuple]:
    train, test = embedded(name, data, seed)
    new = np.random.default_rng(seed).permutation(np.unique(train.y))[:n_new]
    known = train.of(np.flatnonzero(~np.isin(train.y, new)))
    X, held_out, y, _ = train_test_split(known.X, known.y, test_size=0.2, random_state=seed)
    is_new, found = np.isin(test.y, new), {}
    judge: Callable
    for method, judge in detectors(X, y, n_bits, seed):
        scores, threshold = judge(test.X), np.quantile(judge(held_out), QUANTILE)
        flagged = scores > threshold
        found[method] = (
            roc_auc_score(is_new, scores),
            flagged[is_new].mean(),
            flagged[~is_new].mean(),
        )
    return found


def run(data: str | None) -> None:
    rows = []
    sets = [("digits", 2, 32)] + ([] if data is None else [("clinc150", 50, 64)])
    for name, n_new, n_bits in sets:
        tries = [measure(name, data, n_new, n_bits, seed) for seed in seeds()]
        for method in tries[0]:
            values = np.array([found[method] for found in tries])
            columns = ("AUC", "new rows flagged", "known rows flagged")
            row = {"data": name, "never seen": n_new, "method": method}
            row |= dict(zip(columns, values.mean(axis=0).tolist()))
            rows.append(row | {"AUC +-": float(values[:, 0].std())})
        report("novelty", rows)
