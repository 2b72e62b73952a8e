"""Many rows without a label: learning from all of them, and from the part that is the default.

MNIST's 60,000 training images, none labelled, or half of five classes; 32 bits. mAP of 1,500 test
queries against all training rows, and the share of their 10 nearest rows by cosine among the first
100 of the code; three draws.
"""

from __future__ import annotations

import time
from unittest.mock import patch

import numpy as np
from sklearn.preprocessing import normalize

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_mnist
from sktgsh.metrics import mean_average_precision
from sktgsh.task_geometric.learning import unlabelled

from ._common import plus_minus, report, skip_without
from .partial_labels import N_NEAREST, N_QUERIES, neighbour_recall
from .tenants import seeds

N_BITS = 32
PARTS = {"all": 10**9, "default": unlabelled._ALL_UNLABELLED}


def measured(data: str, seed: int) -> dict[tuple[str, str], tuple[float, ...]]:
    """mAP, recall and processor seconds by labels and by what is learned from."""
    X, y = fetch_mnist(data, return_X_y=True)
    Q, q = fetch_mnist(data, subset="test", return_X_y=True)
    rng = np.random.default_rng(seed)
    asked = rng.permutation(len(Q))[:N_QUERIES]
    X, y, Q, q = X.astype(np.float32), y.astype(int), Q[asked].astype(np.float32), q[asked]
    known = rng.permutation(np.unique(y))[:5]
    some = np.where(np.isin(y, known) & (rng.random(len(y)) < 0.5), y, -1)
    nearest = np.argpartition(-normalize(Q) @ normalize(X).T, N_NEAREST, axis=1)[:, :N_NEAREST]
    found = {}
    for labels, given in (("none", None), ("some", some)):
        for part, n_rows in PARTS.items():
            hasher = TaskGeometricHasher(N_BITS, missing_label=-1, random_state=seed)
            start = time.process_time()
            with patch.object(unlabelled, "_ALL_UNLABELLED", n_rows):
                hasher.fit(X, given)
            spent = time.process_time() - start
            codes, queries = hasher.transform(X), hasher.transform(Q)
            recall = neighbour_recall(queries, codes, nearest)
            found[labels, part] = mean_average_precision(queries, q, codes, y), recall, spent
    return found


@skip_without("mnist.npz")
def run(data: str) -> None:
    tries, rows = [measured(data, seed) for seed in seeds()], []
    for labels, part in tries[0]:
        precision, recall, spent = zip(*(one[labels, part] for one in tries))
        row = dict(labels=labels, rows=part, mAP=plus_minus(precision), recall=plus_minus(recall))
        rows.append(row | dict(seconds=float(np.median(spent))))
    report("partial_sample", rows)
