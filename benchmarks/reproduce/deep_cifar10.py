"""DSH on CIFAR-10 with the paper's network, as far as a few minutes on one thread go.

Liu et al., CVPR 2016: trained on all images at hand; and by the protocol that became the standard,
1,000 queries, 5,000 training images, the rest database.
"""

from __future__ import annotations

import numpy as np

from sktgsh import DeepSupervisedHasher
from sktgsh.datasets import fetch_cifar10
from sktgsh.metrics import mean_average_precision

from .._common import report, seconds, skip_without

# Bits, training images of a class (None: all), epochs.
RUNS = ((24, 500, 10), (24, None, 3))


@skip_without("cifar10_images.npz")
def run(data: str) -> None:
    train, test = (fetch_cifar10(data, kind="images", subset=part) for part in ("train", "test"))
    rng, rows = np.random.RandomState(0), []
    queries = _of_each_class(test.target, 100, rng)
    for n_bits, n_of_class, n_epochs in RUNS:
        used = np.arange(len(train.target))
        if n_of_class:
            used = _of_each_class(train.target, n_of_class, rng)
        # Training images are not searched where only some are trained on.
        rest = np.setdiff1d(np.arange(len(train.target)), used) if n_of_class else used
        hasher = DeepSupervisedHasher(
            n_bits,
            module="convnet",
            image_shape=train.image_shape,
            margin=2.0 * n_bits,
            max_epochs=n_epochs,
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
                trained_on=len(used),
                database=len(rest),
                bits=n_bits,
                epochs=n_epochs,
                map=score,
                minutes=spent / 60,
            )
        )
        report("reproduce_deep_cifar10", rows)


def _of_each_class(y: np.ndarray, n_rows: int, rng: np.random.RandomState) -> np.ndarray:
    chosen = [rng.permutation(np.flatnonzero(y == label))[:n_rows] for label in np.unique(y)]
    return np.sort(np.concatenate(chosen))
