"""Files that one Python writes and another reads: ``python pythons.py write|read FOLDER ...``."""

import platform
import sys
from pathlib import Path

import numpy as np

import sktgsh
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors

X = (np.arange(40.0 * 6) ** 2 % 19).reshape(40, 6)
Y = (X.sum(axis=1) > X.sum() / 40).astype(int)
TASK = np.arange(40) % 2

ESTIMATORS = {
    "tasks": sktgsh.TaskGeometricHasher(8, n_hidden=16, random_state=0),
    "signs": sktgsh.SignedRandomProjectionHasher(8, random_state=0),
    "fly": sktgsh.FlyHasher(8, random_state=0),
    "deep": sktgsh.DeepSupervisedHasher(
        8, solver=sktgsh.GradientSolver(max_epochs=1), random_state=0
    ),
    "autoencoder": sktgsh.WinnerTakeAllAutoencoder(
        8, solver=sktgsh.GradientSolver(max_epochs=1), random_state=0
    ),
    "codes": HammingNeighbors(3),
    "tables": LSHNeighbors(n_bits=2, n_tables=2, random_state=0),
}


def answers(name, estimator):
    """What an estimator says about the rows."""
    if name == "codes":
        return estimator.kneighbors(X > 9)[1]
    if name == "tables":
        return estimator.kneighbors(X)[1]
    if name == "tasks":
        return estimator.transform(X, task=np.where(TASK, "odd", "even"))
    return estimator.transform(X)


def fitted():
    """Estimators by name."""
    for name, estimator in ESTIMATORS.items():
        if name == "tasks":
            estimator.fit(X, Y, task=np.where(TASK, "odd", "even"))
        elif name == "codes":
            estimator.fit(X > 9)
        else:
            estimator.fit(X, Y)
    return ESTIMATORS


def write(folder, estimators):
    """A file of each estimator, and what it says."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, estimator in estimators.items():
        estimator.save(folder / f"{name}.sktgsh")
        np.save(folder / f"{name}.npy", answers(name, estimator))


def read(folder):
    """Number of files whose estimators say what they said."""
    files = sorted(folder.glob("*.sktgsh"))
    for path in files:
        found = answers(path.stem, sktgsh.load(path))
        np.testing.assert_array_equal(found, np.load(path.with_suffix(".npy")), path.name)
    return len(files)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        if sys.argv[1] == "write":
            write(Path(name), fitted())
        else:
            print(f"Python {platform.python_version()} reads {read(Path(name))} files of {name}")
