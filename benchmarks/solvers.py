"""Quality against training time: our solvers, the published recipe, the classical methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sktgsh import ConvEncoder, GradientSolver, SignedRandomProjectionHasher, TaskGeometricHasher

from ._common import RESULTS, Images, load_images, report, seconds
from ._peers import itq_signs, pca_signs

N_BITS = 32
SEEDS = (0, 1, 2)


def settings(images: Images) -> dict[str, Callable[[int], Any]]:
    """Name, and a function from a seed to a hasher."""
    shared = dict(encoder=ConvEncoder(images.shape))
    conv, block = shared | dict(head="block"), dict(encoder="fly", head="block")
    # A context, 32 biases and a strength are learned: at most 7,840, 8,192 and 16,384 numbers.
    fly, small, large = 32 * 243, 32 * 254, 32 * 510
    polish = dict(solver=GradientSolver(max_epochs=5, lr=0.04))
    return {
        "default (differences, shared), ridge": lambda s: TaskGeometricHasher(random_state=s),
        "conv, shared, ridge": lambda s: TaskGeometricHasher(random_state=s, **shared),
        "conv, shared, ridge+sgd": lambda s: TaskGeometricHasher(
            random_state=s, **shared, solver=GradientSolver(max_epochs=5, lr=0.02)
        ),
        "fly, ridge": lambda s: TaskGeometricHasher(n_hidden=fly, **block, random_state=s),
        "fly, sgd": lambda s: TaskGeometricHasher(
            n_hidden=fly,
            solver=GradientSolver(start="random", max_epochs=5),
            random_state=s,
            **block,
        ),
        "fly, ridge+sgd": lambda s: TaskGeometricHasher(
            n_hidden=fly, **block, random_state=s, **polish
        ),
        "FlyNet, 3 epochs": lambda s: TaskGeometricHasher.flynet(
            n_hidden=10 * images.X.shape[1], random_state=s
        ).set_params(solver__max_epochs=3),
        "conv 8k, ridge": lambda s: TaskGeometricHasher(n_hidden=small, random_state=s, **conv),
        "conv 8k, ridge+sgd": lambda s: TaskGeometricHasher(
            n_hidden=small, random_state=s, **conv, **polish
        ),
        "conv 16k, ridge": lambda s: TaskGeometricHasher(n_hidden=large, random_state=s, **conv),
        "conv 16k, ridge+sgd": lambda s: TaskGeometricHasher(
            n_hidden=large, random_state=s, **conv, **polish
        ),
        "conv 16k, ridge+sgd, 10 epochs": lambda s: TaskGeometricHasher(
            n_hidden=large, random_state=s, **conv, solver=GradientSolver(max_epochs=10, lr=0.04)
        ),
        "signed projections": lambda s: SignedRandomProjectionHasher(N_BITS, random_state=s),
    }


def measure(name: str, make: Callable[[int], Any], images: Images, seeds: tuple) -> dict:
    """Median mAP and fit time over seeds."""
    scores, times = [], []
    for seed in seeds:
        time, hasher = seconds(lambda seed=seed: make(seed).fit(images.X, images.y))
        scores.append(images.retrieval(hasher.transform(images.Q), hasher.transform(images.X)))
        times.append(time)
    return dict(
        method=name,
        map=float(np.median(scores)),
        worst=min(scores),
        best=max(scores),
        seconds=float(np.median(times)),
    )


def classical(images: Images) -> list[dict]:
    """PCA-sign and ITQ on pixels."""
    X, Q = images.X.astype(np.float32), images.Q.astype(np.float32)

    rows = []
    for name, function in (("PCA-sign", pca_signs), ("ITQ (faiss)", itq_signs)):
        time, codes = seconds(lambda: function(X, N_BITS, Q, X))
        rows.append(dict(method=name, map=images.retrieval(*codes), seconds=time))
    return rows


def run(data: str | None) -> None:
    images = load_images(data)
    # Three seeds where a figure is claimed.
    rows = [
        measure(name, make, images, SEEDS if "ridge+sgd" in name or "shared" in name else SEEDS[:1])
        for name, make in settings(images).items()
    ]
    rows += classical(images)
    report(f"solvers_{images.name}", rows)
    draw(rows, images.name)


def draw(rows: list[dict], name: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for row in rows:
        ours = not row["method"].startswith(("PCA", "ITQ", "signed"))
        ax.scatter(row["seconds"], row["map"], color="tab:blue" if ours else "tab:gray")
        ax.annotate(
            row["method"],
            (row["seconds"], row["map"]),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=7,
        )
    ax.set_xscale("log")
    ax.set(
        xlabel="seconds to train, two cores",
        ylabel="mean average precision, 32 bits",
        title=f"{name}: quality against training time",
    )
    figure.savefig(RESULTS / f"solvers_{name}.png", dpi=120)
