"""A model exchanged without encoding the database anew: the new one learns the old one's codes."""

from __future__ import annotations

import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_clinc150, fetch_mnist
from sktgsh.metrics import mean_average_precision
from sktgsh.task_geometric.encoding.image_encoder import default_convolution

from ._common import frozen_features_of, report, seconds, skip_without


def exchange(
    name: str,
    n_bits: int,
    old: tuple[np.ndarray, np.ndarray],
    new: tuple[np.ndarray, np.ndarray],
    y: np.ndarray,
    q: np.ndarray,
    share: float = 1.0,
) -> dict:
    """Old and new features of (rows, queries); the new model sees a share of the rows."""
    before = TaskGeometricHasher(n_bits, random_state=0).fit(old[0], y)
    database = before.transform(old[0])
    few = np.random.default_rng(0).permutation(len(y))[: int(share * len(y))]
    after = TaskGeometricHasher(n_bits, random_state=0)
    time, _ = seconds(lambda: after.fit_codes(new[0][few], database[few]))
    queries = after.transform(new[1])
    alone = TaskGeometricHasher(n_bits, random_state=0).fit(new[0], y)
    return dict(
        data=name,
        rows=len(few),
        bits_equal=float((queries == before.transform(old[1])).mean()),
        old_on_old=mean_average_precision(before.transform(old[1]), q, database, y),
        new_on_old=mean_average_precision(queries, q, database, y),
        new_on_new=mean_average_precision(alone.transform(new[1]), q, alone.transform(new[0]), y),
        unrelated=mean_average_precision(alone.transform(new[1]), q, database, y),
        seconds=time,
    )


@skip_without("clinc150.npz and mnist.npz")
def run(data: str) -> None:
    X, y = fetch_clinc150(data, return_X_y=True)
    Q, q = fetch_clinc150(data, subset="test", return_X_y=True)
    half = X.shape[1] // 2
    first, second = (X[:, :half], Q[:, :half]), (X[:, half:], Q[:, half:])
    rows = [
        exchange("clinc150: half of the columns to the other half", 64, first, second, y, q, share)
        for share in (1.0, 0.2)
    ]
    X, y = (part[:20_000] for part in fetch_mnist(data, return_X_y=True))
    Q, q = (part[:1000] for part in fetch_mnist(data, subset="test", return_X_y=True))
    hasher = TaskGeometricHasher(
        8, n_hidden=8, encoder=default_convolution((28, 28), X, 0), random_state=0
    ).fit(X, y)
    features = [frozen_features_of(hasher, part) for part in (X, Q)]
    rows.append(exchange("MNIST: pixels to convolutional features", 32, (X, Q), features, y, q))
    report("exchange", rows)
