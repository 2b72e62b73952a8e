"""GSH: how tight manifolds are, how far apart, and what one example of a new class is good for.

Dikkala, Kaplun and Panigrahy, arXiv 2103.06875. Synthetic manifolds, and images by class and task.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sktgsh import GeometricHasher, GradientSolver, TaskGeometricHasher
from sktgsh.datasets import make_image_tasks, make_manifolds
from sktgsh.evaluation import identifier_recovery
from sktgsh.metrics import geometric_sensitivity

from .._common import Images, load_images, report
from ..deep import one_shot_nearest
from ._published import learn, rotations

# A step this small leaves the network as it was drawn.
UNTRAINED = dict(solver=GradientSolver(max_epochs=1, lr=1e-9))
N_ROWS = 5_000


def run(data: str | None) -> None:
    synthetic()
    images = load_images(data)
    by_class(images)
    by_task(images)


def sensitivity(values: np.ndarray, y: np.ndarray, task: np.ndarray | None = None) -> dict:
    found = geometric_sensitivity(values, y, task=task)
    row = dict(mean_variance=float(found.variance.mean()), epsilon=found.epsilon)
    if task is None:
        return dict(**row, rho=found.rho)
    return dict(**row, rho_within=found.rho_within_task, rho_across=found.rho_across_tasks)


def synthetic() -> None:
    """Manifolds held out: 1,000 to train on, 50 to measure."""
    drawn = make_manifolds(1050, 50, random_state=0)
    held_out = drawn.target >= 1000
    X, y = drawn.data[held_out], drawn.target[held_out]
    gamma = drawn.gamma[y]
    few = y < 1010
    rows = []

    def add(name: str, r: np.ndarray) -> None:
        rows.append(
            dict(
                representation=name,
                **sensitivity(r, y),
                gamma_r2=identifier_recovery(r, gamma, y, random_state=0),
                one_shot_of_10=one_shot_nearest(r[few], y[few]),
            )
        )

    add("inputs", X / np.linalg.norm(X, axis=1).mean())
    for name, params in (("untrained network", UNTRAINED), ("trained network", {})):
        hasher = GeometricHasher(256, random_state=0, **params)
        hasher.fit(drawn.data[~held_out], drawn.target[~held_out])
        add(name, hasher.representation(X))
    report("reproduce_manifolds_synthetic", rows)


def by_class(images: Images) -> None:
    """The ten digits as manifolds; then five digits that the network never saw."""
    rows, Q, q = [], images.Q[:5000], images.q[:5000]
    new, n_epochs = q >= 5, 5 if len(images.X) > 5000 else 30
    for classes, known in (("all", images.y >= 0), ("0 to 4", images.y < 5)):
        used = np.flatnonzero(known)
        for name, params, n_rows in (
            ("untrained", UNTRAINED, 500),
            ("trained", dict(solver=GradientSolver(max_epochs=n_epochs)), N_ROWS),
        ):
            hasher = GeometricHasher(256, image_shape=images.shape, random_state=0, **params)
            hasher.fit(images.X[used[:n_rows]], images.y[used[:n_rows]])
            r = hasher.representation(Q)
            row = dict(network=name, trained_on=classes, **sensitivity(r, q))
            if classes != "all":
                row["one_shot_5_to_9"] = one_shot_nearest(r[new][:1000], q[new][:1000])
            rows.append(row)
    pixels = Q.astype(np.float64)
    one_shot = one_shot_nearest(pixels[new][:1000], q[new][:1000])
    rows.append(dict(network="pixels", **sensitivity(pixels, q), one_shot_5_to_9=one_shot))
    report(f"reproduce_manifolds_{images.name}", rows)


def by_task(images: Images) -> None:
    """Four rotations as tasks: representations of FlyNet, and codes of both codebooks."""
    n_rows, rows = 500, []
    Q, q, task = make_image_tasks(images.Q[:n_rows], images.q[:n_rows], n_tasks=4)
    few = replace(images, X=images.X[:N_ROWS], y=images.y[:N_ROWS])
    *_, learned = learn(rotations(few, 4, 90), 10 * images.X.shape[1], n_epochs=1)
    trained = learned.hasher.representation(Q, task=task)
    last, drawn = (np.stack([learned.steps[t][i] for t in task.tolist()]) for i in (-1, 0))
    for name, values in (
        ("pixels", Q.astype(np.float64)),
        ("FlyNet before", trained / last * drawn),
        ("FlyNet after", trained),
    ):
        rows.append(dict(representation=name, **sensitivity(values, q, task)))
    for codebook in ("shared", "per task"):
        hasher = TaskGeometricHasher(64, share_codebook=codebook == "shared", random_state=0)
        for label, X, y, _, _ in rotations(few, 4, 90):
            hasher.partial_fit(X, y, task=label)
        codes = 2.0 * hasher.transform(Q, task=task) - 1
        rows.append(
            dict(representation=f"64 bits, codebook {codebook}", **sensitivity(codes, q, task))
        )
    report(f"reproduce_manifolds_tasks_{images.name}", rows)
