"""Classes never seen: train on digits 0 to 4, retrieve among 5 to 9, all methods at 32 bits."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from sktgsh import (
    ConvEncoder,
    DeepSupervisedHasher,
    GeometricHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.base import HasherMixin
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision
from sktgsh.task_geometric.encoding.image_encoder import default_convolution

from ._common import Images, frozen_features_of, load_images, report

N_BITS, SEEN, SEEDS = 32, 5, (0, 1, 2)


class RotationHasher(HasherMixin, BaseEstimator):
    """PCA-sign or ITQ, for comparison."""

    packed = False

    def __init__(self, itq: bool):
        self.itq = itq

    def fit(self, X: np.ndarray, y: Any = None, *, task: Any = None) -> RotationHasher:
        X = np.ascontiguousarray(X, np.float32)
        if self.itq:
            self.model_ = faiss.ITQTransform(X.shape[1], N_BITS, True)
            self.model_.train(X)
        else:
            self.model_ = PCA(N_BITS, random_state=0).fit(X)
        return self

    def transform(self, X: np.ndarray, *, task: Any = None) -> np.ndarray:
        X = np.ascontiguousarray(X, np.float32)
        return (self.model_.apply(X) if self.itq else self.model_.transform(X)) > 0


def frozen_features(images: Images, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The convolutional encoder's features of all rows, standardised on the training rows."""
    hasher = TaskGeometricHasher(
        8, n_hidden=8, encoder=ConvEncoder(images.shape), random_state=0
    ).fit(images.X[train], images.y[train])
    return frozen_features_of(hasher, images.X), frozen_features_of(hasher, images.Q)


def figures(hasher: Any, images: Images, X: np.ndarray, Q: np.ndarray, train: np.ndarray) -> dict:
    """mAP among unseen classes (500 queries) and among seen ones."""
    fitted = hasher.fit(X[train], images.y[train])
    found = {}
    for name, is_part in (("unseen", lambda y: y >= SEEN), ("seen", lambda y: y < SEEN)):
        rows, queries = np.flatnonzero(is_part(images.y)), np.flatnonzero(is_part(images.q))[:500]
        found[name] = mean_average_precision(
            np.asarray(fitted.transform(Q[queries])),
            images.q[queries],
            np.asarray(fitted.transform(X[rows])),
            images.y[rows],
        )
    return found


def run(data: str | None) -> None:
    images = load_images(data)
    train = np.flatnonzero(images.y < SEEN)
    conv = dict(encoder=ConvEncoder(images.shape), random_state=0)
    rows = []

    def add(name: str, hasher: Any, X: np.ndarray = images.X, Q: np.ndarray = images.Q) -> None:
        rows.append(dict(method=name, **figures(hasher, images, X, Q, train)))

    for codewords in ("learned", "hadamard", "random"):
        for share in (0.0, 0.25, 0.5, 0.75):
            add(
                f"conv, ridge, {codewords} codewords, structure {share}",
                TaskGeometricHasher(codebook=codewords, structure_fraction=share, **conv),
            )
    for solver, start in (("sgd", "random"), ("ridge+sgd", "ridge")):
        steps = GradientSolver(start=start, max_epochs=3, lr=0.04)
        for share in (0.0, 0.5):
            add(
                f"conv, {solver}, structure {share}",
                TaskGeometricHasher(structure_fraction=share, solver=steps, **conv),
            )
    for share in (0.0, 0.5):
        add(
            f"fly, ridge, structure {share}",
            TaskGeometricHasher(structure_fraction=share, random_state=0),
        )
    add(
        "GeometricHasher, 5 epochs",
        GeometricHasher(
            N_BITS, image_shape=images.shape, solver=GradientSolver(max_epochs=5), random_state=0
        ),
    )
    add(
        "DeepSupervisedHasher, 5 epochs",
        DeepSupervisedHasher(
            N_BITS, image_shape=images.shape, solver=GradientSolver(max_epochs=5), random_state=0
        ),
    )
    add("trivial: a classifier's answer", ClassifierHasher())
    features = frozen_features(images, train)
    for name, data_pair in (("pixels", (images.X, images.Q)), ("conv features", features)):
        add(
            f"signed projections, {name}",
            SignedRandomProjectionHasher(N_BITS, random_state=0),
            *data_pair,
        )
        add(f"PCA-sign, {name}", RotationHasher(itq=False), *data_pair)
        add(f"ITQ, {name}", RotationHasher(itq=True), *data_pair)
    report(f"unseen_{images.name}", rows)
    rows.clear()
    unit = images.X / images.X.std(), images.Q / images.X.std()
    for seed in SEEDS:
        large = dict(n_hidden=16320, structure_fraction=0.5, random_state=seed)
        add(
            f"conv, ridge, n_hidden=16320, structure 0.5, seed {seed}",
            TaskGeometricHasher(encoder=ConvEncoder(images.shape), **large),
        )
        add(
            f"the same, filters from a normal distribution, seed {seed}",
            TaskGeometricHasher(encoder=default_convolution(images.shape, None, seed), **large),
            *unit,
        )
    report(f"unseen_many_units_{images.name}", rows)
