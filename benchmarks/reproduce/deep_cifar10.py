"""DSH on CIFAR-10, as far as half an hour on one thread goes.

Liu et al., CVPR 2016, with the paper's network and a small residual one: trained on all images at
hand; and by the protocol that became the standard, 1,000 queries, 5,000 training images, the rest
database.
"""

from __future__ import annotations

import numpy as np

from sktgsh import DeepSupervisedHasher, GradientSolver
from sktgsh.datasets import fetch_cifar10
from sktgsh.metrics import mean_average_precision

from .._common import report, seconds, skip_without

N_BITS = 24
# Network, largest step, training images of a class (None: all), epochs.
RUNS = (
    ("convnet", 0.003, None, 20),
    ("resnet", 0.01, 500, 60),
    ("resnet", 0.01, None, 40),
)


@skip_without("cifar10_images.npz")
def run(data: str) -> None:
    train, test = (fetch_cifar10(data, kind="images", subset=part) for part in ("train", "test"))
    rng, rows = np.random.RandomState(0), []
    queries = _of_each_class(test.target, 100, rng)
    for module, lr, n_of_class, n_epochs in RUNS:
        used = np.arange(len(train.target))
        if n_of_class:
            used = _of_each_class(train.target, n_of_class, rng)
        # Training images are not searched where only some are trained on.
        rest = np.setdiff1d(np.arange(len(train.target)), used) if n_of_class else used
        hasher = DeepSupervisedHasher(
            N_BITS,
            module=module,
            image_shape=train.image_shape,
            solver=GradientSolver(lr=lr, max_epochs=n_epochs),
            random_state=0,
        )
        spent, _ = seconds(lambda: hasher.fit(train.data[used], train.target[used]))
        score = mean_average_precision(
            hasher.transform(test.data[queries]),
            test.target[queries],
            hasher.transform(train.data[rest]),
            train.target[rest],
        )
        rows.append(
            dict(
                network=module,
                trained_on=len(used),
                database=len(rest),
                epochs=n_epochs,
                map=score,
                minutes=spent / 60,
            )
        )
        report("reproduce_deep_cifar10", rows)


def _of_each_class(y: np.ndarray, n_rows: int, rng: np.random.RandomState) -> np.ndarray:
    chosen = [rng.permutation(np.flatnonzero(y == label))[:n_rows] for label in np.unique(y)]
    return np.sort(np.concatenate(chosen))
