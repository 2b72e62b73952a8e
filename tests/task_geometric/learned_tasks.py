"""What the tests of the flagship share."""

import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

SOLVERS = ["ridge", "sgd", "ridge+sgd"]


def small(**params):
    return TaskGeometricHasher(**{"n_bits": 16, "n_hidden": 512, "random_state": 0, **params})


def held_out_map(hasher, train, test):
    values = []
    for label in hasher.tasks_:
        (X, y), (Q, q) = (
            (part[0][part[2] == label], part[1][part[2] == label]) for part in (train, test)
        )
        codes = [hasher.transform(rows, task=label) for rows in (Q, X)]
        values.append(mean_average_precision(codes[0], q, codes[1], y))
    return np.mean(values)
