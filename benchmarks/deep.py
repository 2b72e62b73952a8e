"""Deep supervised hashing on images, and geometric sensitive hashing on synthetic manifolds."""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, GroupKFold

from sktgsh import DeepSupervisedHasher, GeometricHasher, GradientSolver
from sktgsh.datasets import make_manifolds
from sktgsh.evaluation import one_shot_accuracy
from sktgsh.metrics import geometric_sensitivity

from ._common import Images, load_images, report
from ._reference import train_reference


def quality(images: Images) -> None:
    """mAP by epochs, and codes of classes at 8 bits."""
    rows = []
    for n_bits, epochs in ((32, 5), (8, 5)):
        start = time.perf_counter()
        hasher = DeepSupervisedHasher(
            n_bits,
            image_shape=images.shape,
            solver=GradientSolver(max_epochs=epochs),
            random_state=0,
        ).fit(images.X, images.y)
        spent = time.perf_counter() - start
        rows.append(
            dict(
                bits=n_bits,
                epochs=epochs,
                map=images.retrieval(hasher.transform(images.Q), hasher.transform(images.X)),
                least_distance_of_classes=int(
                    hasher.class_distances_[np.triu_indices(len(hasher.classes_), 1)].min()
                ),
                seconds=spent,
                seconds_per_epoch=float(np.median([epoch["dur"] for epoch in hasher.history_])),
            )
        )
    report(f"deep_{images.name}", rows)


def random_partner_epoch(images: Images) -> float:
    """An epoch of the same network by the random-partner recipe: two forward passes an image."""
    hasher = DeepSupervisedHasher(
        image_shape=images.shape, solver=GradientSolver(max_epochs=1), random_state=0
    )
    net = hasher.fit(images.X[:256], images.y[:256]).module_.train()
    samples = torch.from_numpy(images.X.astype(np.float32) / images.X.max())
    labels = torch.from_numpy(images.y.astype(np.int64))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4)
    start = time.perf_counter()
    for rows in torch.randperm(len(samples)).split(128):
        partner = torch.randint(len(samples), (len(rows),))
        optimizer.zero_grad()
        first, second = net(samples[rows]), net(samples[partner])
        distance = (first - second).square().sum(dim=1)
        similar = labels[rows] == labels[partner]
        loss = torch.where(similar, distance, torch.relu(64 - distance)).mean() / 2
        loss = loss + 0.01 * sum((o.abs() - 1).abs().sum(dim=1).mean() for o in (first, second))
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start


def speed(images: Images) -> None:
    """Seconds an epoch: ours, the random-partner recipe on our network and on its own."""
    ours = DeepSupervisedHasher(
        image_shape=images.shape, solver=GradientSolver(max_epochs=2), random_state=0
    )
    ours = float(ours.fit(images.X, images.y).history_[-1]["dur"])
    partner = random_partner_epoch(images)
    spent = []
    train_reference(
        images.X, images.y, images.shape[0], 32, 1, lambda encode, s: spent.append(s) or True
    )
    report(
        f"deep_epoch_{images.name}",
        [
            dict(recipe="DeepSupervisedHasher, all pairs of a batch", seconds=ours, ratio=1.0),
            dict(recipe="random partner, same network", seconds=partner, ratio=partner / ours),
            dict(
                recipe="random partner, reference network", seconds=spent[0], ratio=spent[0] / ours
            ),
        ],
    )


def manifolds() -> None:
    """One-shot accuracy, variance and gamma on manifolds that were held out."""
    drawn = make_manifolds(1010, 50, random_state=0)
    held_out = drawn.target >= 1000
    X, y = drawn.data[held_out], drawn.target[held_out]
    train = drawn.data[~held_out], drawn.target[~held_out]
    rng = np.random.RandomState(0)
    rows = []
    for name, solver in (
        ("untrained", GradientSolver(max_epochs=1, lr=1e-9)),
        ("trained", None),
    ):
        hasher = GeometricHasher(256, solver=solver, random_state=0).fit(*train)
        r = hasher.representation(drawn.data)
        sensitivity = geometric_sensitivity(r[held_out], y)
        some = rng.permutation(len(train[0]))[:6000]
        gamma = drawn.gamma[drawn.target]
        # Chosen on other manifolds than those that are scored.
        grid = {"gamma": [0.3, 1.0], "alpha": [0.03, 0.1, 0.3]}
        model = GridSearchCV(KernelRidge(kernel="rbf"), grid, cv=GroupKFold(3))
        model.fit(r[~held_out][some], gamma[~held_out][some], groups=train[1][some])
        rows.append(
            dict(
                representation=name,
                one_shot_codes=one_shot_accuracy(hasher, X, y, random_state=0),
                one_shot_real=one_shot_nearest(r[held_out], y),
                mean_variance=float(sensitivity.variance.mean()),
                epsilon=sensitivity.epsilon,
                rho=sensitivity.rho,
                gamma_r2=float(model.score(r[held_out], gamma[held_out])),
            )
        )
    rows.append(dict(representation="raw inputs", one_shot_real=one_shot_nearest(X, y)))
    report("manifolds", rows)


def one_shot_nearest(values: np.ndarray, y: np.ndarray, n_repeats: int = 20) -> float:
    """One-shot accuracy by Euclidean distance."""
    rng, classes, found = np.random.RandomState(0), np.unique(y), []
    for _ in range(n_repeats):
        support = np.array([rng.choice(np.flatnonzero(y == c)) for c in classes])
        distance = ((values[:, None] - values[support][None]) ** 2).sum(axis=2)
        others = np.setdiff1d(np.arange(len(y)), support)
        found.append((classes[distance.argmin(axis=1)] == y)[others].mean())
    return float(np.mean(found))


def run(data: str | None) -> None:
    images = load_images(data)
    manifolds()
    speed(images)
    quality(images)
