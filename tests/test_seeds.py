"""Everything that takes `random_state`: two seeds differ, one seed repeats, None varies."""

import inspect
from importlib import import_module

import numpy as np
import pytest
from estimators import everything, public_classes
from sklearn.base import clone
from sklearn.datasets import load_digits

import sktgsh
from sktgsh import datasets, evaluation, inspection, neighbors

ALL, DIGITS = load_digits(return_X_y=True)
X, y = ALL[:200, 20:36], DIGITS[:200]
TASK = np.arange(200) % 2
ROOMS = ("sktgsh", *(f"sktgsh.{name}" for name in ("autoencoders", "codes", "datasets", "deep")))
ROOMS += tuple(f"sktgsh.{name}" for name in ("distributed", "evaluation", "export", "inspection"))
ROOMS += tuple(f"sktgsh.{name}" for name in ("lsh", "metrics", "neighbors", "networks"))
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def takes_seed(function):
    return "random_state" in inspect.signature(function).parameters


def seeded():
    """Names of all public functions, constructors and methods with a parameter `random_state`."""
    found = set()
    for room in map(import_module, ROOMS):
        for name in room.__all__:
            value = getattr(room, name)
            if inspect.isclass(value):
                found |= {name} if takes_seed(value) else set()
                methods = inspect.getmembers(value, callable)
                found |= {
                    f"{name}.{method}"
                    for method, function in methods
                    if not method.startswith("_") and takes_seed(function)
                }
            elif callable(value) and takes_seed(value):
                found.add(name)
    return found


def drawn_by_fit(estimator, seed):
    """Codes of an estimator; of an index, which rows it finds with few hashes."""
    model = clone(estimator).set_params(random_state=seed).fit(X, y)
    return model.kneighbors(X)[0] if hasattr(model, "kneighbors") else model.transform(X)


ESTIMATORS = {
    type(estimator).__name__: estimator
    for estimator in everything((4, 4))
    if "random_state" in estimator.get_params(deep=False)
}
ESTIMATORS["LSHNeighbors"] = neighbors.LSHNeighbors(n_bits=12, n_tables=2)
HASHER = sktgsh.TaskGeometricHasher(8, n_hidden=64, random_state=0).fit(X, y, task=TASK)
CODES = sktgsh.SignedRandomProjectionHasher(4, random_state=0).fit_transform(X)


def tuned(seed):
    index = neighbors.LSHNeighbors.tune(X, target_recall=0.5, n_samples=40, random_state=seed)
    return [*map(repr, index.get_params().values()), str(vars(index).get("tuned"))]


CALLS = {
    "TaskGeometricHasher.reconstruct": lambda seed: HASHER.reconstruct(
        3, 0, n_samples=3, noise=1.0, random_state=seed
    ),
    "LSHNeighbors.tune": tuned,
    "ClassHoldOut": lambda seed: np.concatenate(
        [test for _, test in evaluation.ClassHoldOut(random_state=seed).split(X, y)]
    ),
    "ClassifierHasher": lambda seed: (
        evaluation.ClassifierHasher(random_state=seed).fit(X, y).transform(X)
    ),
    "one_shot_accuracy": lambda seed: evaluation.one_shot_accuracy(
        None, CODES, y, n_repeats=2, random_state=seed
    ),
    "transfer_accuracy": lambda seed: evaluation.transfer_accuracy(
        None, CODES, y, random_state=seed
    ),
    "identifier_recovery": lambda seed: evaluation.identifier_recovery(
        X, X[:, :1], np.arange(200) % 20, max_rows=50, random_state=seed
    ),
    "retrieval_report": lambda seed: [
        list(row.values())[2:]
        for row in evaluation.retrieval_report(
            {}, ALL, DIGITS, unseen_classes=[0, 1, 2], random_state=seed
        ).rows
    ],
    "make_image_tasks": lambda seed: datasets.make_image_tasks(
        X, y, "permuted", 2, random_state=seed
    )[0],
    "load_digits_tasks": lambda seed: datasets.load_digits_tasks("permuted", 2, random_state=seed)[
        0
    ],
    "make_manifolds": lambda seed: datasets.make_manifolds(random_state=seed).data,
    "CodeMapDisplay.from_predictions": lambda seed: (
        inspection.CodeMapDisplay.from_predictions(
            CODES, y, max_rows=40, random_state=seed
        ).positions
    ),
    "CodeMapDisplay.from_estimator": lambda seed: (
        inspection.CodeMapDisplay.from_estimator(
            HASHER, X, y, task=0, max_rows=40, random_state=seed
        ).positions
    ),
    "RepresentationSimilarityDisplay.from_estimator": lambda seed: (
        inspection.RepresentationSimilarityDisplay.from_estimator(
            HASHER, X, y, task=TASK, max_rows=40, random_state=seed
        ).other_class
    ),
}
CALLS |= {
    name: lambda seed, estimator=estimator: drawn_by_fit(estimator, seed)
    for name, estimator in ESTIMATORS.items()
}


def test_nothing_that_takes_a_seed_is_left_out():
    assert seeded() == set(CALLS)
    assert {kind.__name__ for kind in public_classes()} >= set(ESTIMATORS)


@pytest.mark.parametrize("name", CALLS)
def test_seeds_differ_one_repeats_and_none_varies(name):
    def draw(seed):
        return np.asarray(CALLS[name](seed))

    first = draw(0)
    np.testing.assert_array_equal(first, draw(0))
    np.testing.assert_array_equal(draw(np.random.RandomState(3)), draw(np.random.RandomState(3)))
    others = [draw(1), draw(2)]
    assert any(not np.array_equal(first, other) for other in others)
    # Of draws of a few numbers, two may be equal by chance.
    unseeded = [draw(None) for _ in range(2)]
    if np.array_equal(*unseeded):
        unseeded = [draw(None) for _ in range(5)]
    assert any(not np.array_equal(unseeded[0], other) for other in unseeded[1:])
