"""Classes never seen, on sentence embeddings: 100 intents trained on, 50 not, 64 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision

from ._common import report, skip_without
from ._peers import itq_signs, pca_signs

N_BITS, N_SEEN, SEEDS = 64, 100, (0, 1, 2)


def settings(seed: int) -> dict[str, Any]:
    """Our settings by name; the share of structure bits and the penalty trade old for new."""

    def ours(**params: Any) -> TaskGeometricHasher:
        return TaskGeometricHasher(N_BITS, random_state=seed, **params)

    return {
        "ours": ours(),
        "ours, random codewords": ours(codebook="random"),
        "ours, structure 0.25": ours(structure_fraction=0.25),
        "ours, structure 0.5": ours(structure_fraction=0.5),
        "ours, alpha=0.3": ours(alpha=0.3),
        "ours, alpha=1": ours(alpha=1.0),
        "ours, structure 0.25, alpha=0.3": ours(structure_fraction=0.25, alpha=0.3),
        "ours, structure 0.5, alpha=0.3": ours(structure_fraction=0.5, alpha=0.3),
        "signed projections": SignedRandomProjectionHasher(N_BITS, random_state=seed),
        "trivial: a classifier's answer": ClassifierHasher(n_bits=N_BITS, random_state=seed),
    }


@skip_without("clinc150.npz")
def run(data: str) -> None:
    X, y = fetch_clinc150(data, return_X_y=True)
    Q, q = fetch_clinc150(data, subset="test", return_X_y=True)
    found: dict[str, list] = {}
    for seed in SEEDS:
        seen = np.random.default_rng(seed).permutation(150)[:N_SEEN]
        train, asked = np.isin(y, seen), np.isin(q, seen)

        def add(name: str, codes: Any, queries: Any, train=train, asked=asked) -> None:
            found.setdefault(name, []).append(
                (
                    mean_average_precision(queries[asked], q[asked], codes[train], y[train]),
                    mean_average_precision(queries[~asked], q[~asked], codes[~train], y[~train]),
                    mean_average_precision(queries[~asked], q[~asked], codes, y),
                )
            )

        for name, hasher in settings(seed).items():
            hasher.fit(X[train], y[train])
            add(name, np.asarray(hasher.transform(X)), np.asarray(hasher.transform(Q)))
        add("PCA-sign", *pca_signs(X[train], N_BITS, X, Q))
        add("ITQ (faiss)", *itq_signs(X[train], N_BITS, X, Q))
    rows = [
        dict(
            zip(
                ("method", "seen", "unseen", "everything"),
                (name, *np.median(values, axis=0).tolist()),
            )
        )
        for name, values in found.items()
    ]
    report("unseen_intents", rows)
