"""FlyHash and DenseFly beside signed projections, at equal operations and at equal bits.

Dasgupta et al., Science 2017; Sharma and Navlakha, arXiv 1812.01844. 10,000 rows; relevant to a
query are the 2 % of rows that are nearest to it by Euclidean distance. A unit of the fly sums a
tenth of the features, so that 10 K units cost what K dense projections cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances

from sktgsh import DenseFlyHasher, FlyHasher, SignedRandomProjectionHasher
from sktgsh.datasets import fetch_clinc150, fetch_mnist
from sktgsh.metrics import mean_average_precision

from .._common import report
from ._pictures import new_figure, save_picture

LENGTHS, SEEDS = (4, 8, 16, 32, 64), (0, 1, 2)
N_ROWS, N_QUERIES, N_NEAREST = 10_000, 500, 200


def hashers(k: int, seed: int) -> dict[str, Any]:
    """Methods by name: first three of the same number of operations, then one of the same bits."""
    return {
        "signed projections, K bits": SignedRandomProjectionHasher(k, random_state=seed),
        "FlyHash, K of 10 K units": FlyHasher(10 * k, sparsity=0.1, random_state=seed),
        "DenseFly, 10 K bits": DenseFlyHasher(10 * k, random_state=seed),
        "signed projections, 10 K bits": SignedRandomProjectionHasher(10 * k, random_state=seed),
    }


def run(data: str | None) -> None:
    if data is None:
        print("reproduce.fly: skipped; give --data with mnist.npz and clinc150.npz")
        return
    figure, axes = new_figure(1, 2)
    for ax, (name, X, y) in zip(axes[0], _data_sets(data)):
        # The fly's inhibition takes the mean of a row away; signed projections get the same rows.
        X = X - X.mean(axis=1, keepdims=True)
        rows = quality(X, y)
        report(f"reproduce_fly_{name}", rows)
        for method in dict.fromkeys(row["method"] for row in rows):
            scores = [row["map_nearest"] for row in rows if row["method"] == method]
            # Two of the lines coincide: the one below is broad, the one above is dashed.
            style, width = ("--", 1.5) if method.startswith("signed") else ("-", 4)
            ax.plot(LENGTHS, scores, style, lw=width, marker="o", ms=4, label=method)
        ax.set(title=name, xlabel="K", ylabel="mAP of the 2 % nearest", xscale="log")
        ax.set_xticks(LENGTHS, LENGTHS)
        ax.minorticks_off()
    axes[0, 0].legend(fontsize="x-small")
    save_picture(figure, "fly")


def _data_sets(data: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    images, digits = fetch_mnist(data, subset="test", return_X_y=True)
    embedding, intent = fetch_clinc150(data, return_X_y=True)
    chosen = np.random.RandomState(0).permutation(len(intent))[:N_ROWS]
    return [
        ("MNIST", images[:N_ROWS].astype(np.float32), digits[:N_ROWS]),
        ("clinc150", embedding[chosen].astype(np.float32), intent[chosen]),
    ]


def quality(X: np.ndarray, y: np.ndarray) -> list[dict]:
    """Means over seeds, of the nearest rows and of the rows of a class."""
    queries, others = np.arange(N_QUERIES), np.arange(N_QUERIES, len(X))
    distances = pairwise_distances(X[queries], X[others])
    nearest = np.argpartition(distances, N_NEAREST - 1, axis=1)[:, :N_NEAREST]
    # A label for each query: its own, and that of the rows which are relevant to it.
    relevant = np.zeros((len(others), N_QUERIES), np.uint8)
    relevant[nearest, queries[:, None]] = 1
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for k in LENGTHS:
        for seed in SEEDS:
            for name, hasher in hashers(k, seed).items():
                codes = hasher.fit(X).transform(X)
                parts = codes[queries], codes[others]
                scores = (
                    mean_average_precision(parts[0], np.eye(N_QUERIES), parts[1], relevant),
                    mean_average_precision(parts[0], y[queries], parts[1], y[others]),
                )
                found.setdefault((name, k), []).append(scores)
    rows = []
    for (name, k), scores in sorted(found.items(), key=lambda item: item[0][1]):
        near, of_class = np.mean(scores, axis=0)
        spread = float(np.std([score[0] for score in scores]))
        rows.append(
            dict(
                method=name, K=k, map_nearest=float(near), spread=spread, map_class=float(of_class)
            )
        )
    return rows
