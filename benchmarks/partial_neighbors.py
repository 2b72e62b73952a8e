"""The number of neighbours without any label: classes against nearest rows.

mAP of 1,500 test queries among all training rows, and the share of their 10 nearest rows by cosine
among the first 100 of the code; three draws.
"""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import normalize

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

from ._common import plus_minus, report, skip_without
from .partial_labels import N_NEAREST, SETTINGS, Setting, neighbour_recall
from .tenants import seeds

NUMBERS = (4, 8, 12, 20, 40)


def measured(setting: Setting, data: str, seed: int) -> list[tuple[float, float]]:
    """mAP and recall for each number of neighbours, on one draw of rows and queries."""
    rng = np.random.default_rng(seed)
    X, y = setting.fetch(data, return_X_y=True)
    Q, q = setting.fetch(data, subset="test", return_X_y=True)
    drawn, asked = rng.permutation(len(X))[: setting.n_rows], rng.permutation(len(Q))[:1500]
    X, y, Q, q = X[drawn].astype(np.float32), y[drawn], Q[asked].astype(np.float32), q[asked]
    cosines = normalize(Q) @ normalize(X).T
    nearest = np.argpartition(-cosines, N_NEAREST, axis=1)[:, :N_NEAREST]
    found = []
    for number in NUMBERS:
        hasher = TaskGeometricHasher(setting.n_bits, n_neighbors=number, random_state=seed).fit(X)
        codes, queries = hasher.transform(X), hasher.transform(Q)
        recall = neighbour_recall(queries, codes, nearest)
        found.append((mean_average_precision(queries, q, codes, y), recall))
    return found


@skip_without("clinc150.npz and cifar10_features.npz")
def run(data: str) -> None:
    rows = []
    for setting in SETTINGS[1:3]:
        tries = np.array([measured(setting, data, seed) for seed in seeds()])
        for number, found in zip(NUMBERS, np.moveaxis(tries, 1, 0)):
            row: dict = dict(data=setting.name, bits=setting.n_bits, n_neighbors=number)
            rows.append(row | dict(zip(("mAP", "recall"), map(plus_minus, found.T))))
        report("partial_neighbors", rows)
