"""One label a class, all other rows without a label, beside the cosine to the labelled row.

Accuracy of test rows: `predict_class` of the hasher, and the class of the labelled row of largest
cosine. Mean and standard deviation over three draws of the labelled rows. Digits without a folder.
"""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import normalize

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150

from ._common import plus_minus, report
from .partial_labels import SEEDS, fetch_digits

SETTINGS = {"digits": (fetch_digits, 32), "clinc150": (fetch_clinc150, 64)}


def run(data: str | None) -> None:
    rows = []
    for name, (fetch, n_bits) in SETTINGS.items():
        if data is None and name != "digits":
            continue
        X, y = fetch(data, return_X_y=True)
        Q, q = fetch(data, subset="test", return_X_y=True)
        X, Q = X.astype(np.float32), Q.astype(np.float32)
        found = []
        for seed in SEEDS:
            order = np.random.default_rng(seed).permutation(len(y))
            shown = np.array([order[y[order] == label][0] for label in np.unique(y)])
            partial = np.full(len(y), -1)
            partial[shown] = y[shown]
            hasher = TaskGeometricHasher(n_bits, missing_label=-1, random_state=seed)
            ours = np.mean(hasher.fit(X, partial).predict_class(Q) == q)
            nearest = (normalize(Q) @ normalize(X[shown]).T).argmax(axis=1)
            found.append((ours, np.mean(y[shown][nearest] == q)))
        for method, values in zip(("ours", "cosine"), zip(*found)):
            rows.append(dict(data=name, method=method, accuracy=plus_minus(values)))
    report("partial_one_shot", rows)
