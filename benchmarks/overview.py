"""The table that the README and the landing page open with.

clinc150, 64 bits: mean average precision of test queries against all training rows, where all rows
are labelled, half of the rows of 100 of the 150 intents, or none; where the rows that are searched
are not those that taught; and among the 50 intents that were never labelled. Means of three seeds.
Writes ``docs/tables/overview.csv``, from which the landing page is built.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import normalize

from sktgsh import ITQHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision

from ._common import report, skip_without
from .partial_labels import cosine_precisions

TABLE = Path(__file__).parent.parent / "docs" / "tables" / "overview.csv"
SEEDS, N_BITS, N_KNOWN = (0, 1, 2), 64, 100
METHODS = ("sktgsh", "ITQ", "a classifier's answer", "float32 vectors")


class Case(NamedTuple):
    """Rows that teach with their labels (-1: none), rows that are searched, and queries."""

    name: str
    X: np.ndarray
    y: np.ndarray
    searched: np.ndarray
    labels: np.ndarray
    Q: np.ndarray
    q: np.ndarray


def cases(data: str, seed: int) -> Iterator[Case]:
    """What is asked, on one draw of rows and intents."""
    rng = np.random.default_rng(seed)
    X, y = fetch_clinc150(data, return_X_y=True)
    Q, q = fetch_clinc150(data, subset="test", return_X_y=True)
    X, Q, y, q = X.astype(np.float32), Q.astype(np.float32), y.astype(int), q.astype(int)
    known = rng.permutation(np.unique(y))[:N_KNOWN]
    half = np.isin(y, known) & (rng.random(len(y)) < 0.5)
    yield Case("all rows labelled", X, y, X, y, Q, q)
    yield Case(
        "half of the rows of 100 classes labelled, 50 classes without a label",
        X,
        np.where(half, y, -1),
        X,
        y,
        Q,
        q,
    )
    yield Case("no label", X, np.full_like(y, -1), X, y, Q, q)
    taught, new = np.array_split(rng.permutation(len(X)), 2)
    yield Case(
        "all rows labelled, searching new rows that nobody trained on",
        X[taught],
        y[taught],
        X[new],
        y[new],
        Q,
        q,
    )
    of_known, asked = np.isin(y, known), np.isin(q, known)
    yield Case(
        "classes never seen, among themselves",
        *(X[of_known], y[of_known]),
        *(X[~of_known], y[~of_known]),
        *(Q[~asked], q[~asked]),
    )


def figures(case: Case, seed: int) -> dict[str, float]:
    """Mean average precision by method."""
    cosines = normalize(case.Q) @ normalize(case.searched).T
    found = {"float32 vectors": float(cosine_precisions(cosines, case.q, case.labels).mean())}
    labelled = case.y >= 0
    fitted: dict[str, Any] = {
        "sktgsh": TaskGeometricHasher(N_BITS, missing_label=-1, random_state=seed).fit(
            case.X, case.y
        ),
        "ITQ": ITQHasher(N_BITS, random_state=seed).fit(case.X),
    }
    if labelled.any():
        classifier = ClassifierHasher(n_bits=N_BITS, random_state=seed)
        fitted["a classifier's answer"] = classifier.fit(case.X[labelled], case.y[labelled])
    for name, hasher in fitted.items():
        codes = hasher.transform(case.Q), hasher.transform(case.searched)
        found[name] = mean_average_precision(codes[0], case.q, codes[1], case.labels)
    return found


@skip_without("clinc150.npz")
def run(data: str) -> None:
    collected: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        for case in cases(data, seed):
            collected.setdefault(case.name, []).append(figures(case, seed))
    width = fetch_clinc150(data, return_X_y=True)[0].shape[1]
    rows: list[dict[str, Any]] = [
        {"": "bytes a row", **dict.fromkeys(METHODS, N_BITS // 8), METHODS[-1]: 4 * width}
    ]
    for name, tries in collected.items():
        means = {m: np.mean([t[m] for t in tries]) for m in METHODS if m in tries[0]}
        best = max(means, key=means.__getitem__)
        cells = {m: f"{mean:.3f}" for m, mean in means.items()}
        rows.append({"": name, **cells, best: f"**{cells[best]}**"})
        spread = {m: float(np.std([t[m] for t in tries])) for m in means}
        print(name, {m: f"+- {value:.4f}" for m, value in spread.items()}, flush=True)
    report("overview", rows)
    TABLE.parent.mkdir(exist_ok=True)
    with open(TABLE, "w", newline="") as file:
        writer = csv.DictWriter(file, ["", *METHODS], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
