"""Small hashers and scores that the tests of the flagship share."""

import numpy as np

from sktgsh import GradientSolver, TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

SOLVERS = ["ridge", "sgd", "ridge+sgd"]


def small(**params):
    return TaskGeometricHasher(**{"n_bits": 16, "n_hidden": 512, "random_state": 0, **params})


def steps(solver, **params):
    """The solver of a name, with parameters of its gradient steps where it takes any."""
    start = "random" if solver == "sgd" else "ridge"
    return solver if solver == "ridge" else GradientSolver(start=start, **params)


def held_out_map(hasher, train, test):
    values = []
    for label in hasher.tasks_:
        (X, y), (Q, q) = (
            (part[0][part[2] == label], part[1][part[2] == label]) for part in (train, test)
        )
        codes = [hasher.transform(rows, task=label) for rows in (Q, X)]
        values.append(mean_average_precision(codes[0], q, codes[1], y))
    return np.mean(values)
