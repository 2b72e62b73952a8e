"""Files of every class that can be saved, and answers of what they hold.

``python tests/persistence/pythons.py write FOLDER`` writes them with the code and the Python of
today; ``read FOLDER ...`` opens them with any other and compares the answers. The folders below
``kept`` hold what older versions have written; the tests read them for good.
"""

import platform
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import sktgsh
from sktgsh import GradientSolver
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors, RescoredNeighbors
from sktgsh.networks import resnet

IMAGES, DIGITS = (part[:60] for part in load_digits(return_X_y=True))
Y = DIGITS % 4
# The columns whose values differ most, for what needs no images.
X = IMAGES[:, 18:30]
TASK = np.where(np.arange(60) % 2, "odd", "even")
QUERIES = np.arange(12)


class Backbone(torch.nn.Module):
    """An encoder of a user's: files hold its weights, and ``load`` is given the module."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(12, 6)

    def forward(self, samples):
        return self.layer(samples).relu()


def own_layers():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU())


def tasks(**params):
    return sktgsh.TaskGeometricHasher(8, **{"n_hidden": 16, "random_state": 0} | params)


CODES = {"codes_flat": HammingNeighbors(3), "codes_hnsw": HammingNeighbors(3, algorithm="hnsw")}
CODES |= {"codes_multihash": HammingNeighbors(3, algorithm="multihash")}
CODES |= {"codes_changed": HammingNeighbors(3), "codes_repeated": HammingNeighbors(3)}
LEARNS_TASKS = {
    "tasks": tasks(),
    "tasks_apart": tasks(share_codebook=False, codebook="hadamard", max_open_tasks=2),
    "tasks_gaussian": tasks(
        encoder="gaussian", structure_fraction=0.5, passthrough=False, alpha=0.1
    ),
    "tasks_fly": tasks(encoder="fly", head="block", packed=True, codebook="random"),
    "tasks_sgd": tasks(
        solver=GradientSolver(start="random", max_epochs=1, lr=0.2, optimizer="sgd", batch_size=32)
    ),
    "tasks_both": tasks(solver=GradientSolver(loss="hinge", max_epochs=1, lr_schedule=None)),
    "tasks_foreign": tasks(encoder=Backbone()),
    "tasks_layers": tasks(encoder=own_layers(), n_hidden=8),
    "tasks_conv": tasks(encoder=sktgsh.ConvEncoder((3, 4))),
    "tasks_colour": tasks(encoder=sktgsh.ConvEncoder((2, 2, 3))),
    "flynet": sktgsh.TaskGeometricHasher.flynet(n_bits=8, n_hidden=32, random_state=0),
    "task_column": tasks(task_column=-1),
}
LEARNS_IMAGES = {
    "geometric": sktgsh.GeometricHasher(
        4,
        n_components=2,
        module=resnet((8, 8), 2, (4, 8)),
        solver=GradientSolver(max_epochs=1),
        random_state=0,
    ),
    "convolutional": sktgsh.ConvWinnerTakeAllAutoencoder(
        (8, 8),
        n_filters=(4,),
        filter_size=3,
        decoder_size=3,
        solver=GradientSolver(max_epochs=1),
        random_state=0,
    ),
}
LEARNS = {
    "signs": sktgsh.SignedRandomProjectionHasher(8, random_state=0),
    "pstable": sktgsh.PStableHasher(8, r=20.0, random_state=0),
    "sparse": sktgsh.SparseProjectionHasher(8, n_inputs=4, random_state=0),
    "fly": sktgsh.FlyHasher(40, random_state=0),
    "dense_fly": sktgsh.DenseFlyHasher(8, packed=True, random_state=np.random.RandomState(3)),
    "sign_alsh": sktgsh.SignALSH(8, random_state=0),
    "simple_lsh": sktgsh.SimpleLSH(8, max_norm=100.0, random_state=0),
    "l2_alsh": sktgsh.L2ALSH(8, random_state=0),
    "chosen_length": sktgsh.TaskGeometricHasherCV(
        [4, 8], estimator=sktgsh.TaskGeometricHasher(n_hidden=16), cv=2, random_state=0
    ),
    "several_labels": tasks(),
    "deep": sktgsh.DeepSupervisedHasher(
        8, module=own_layers(), solver=GradientSolver(max_epochs=1, batch_size=16), random_state=0
    ),
    "dense": sktgsh.WinnerTakeAllAutoencoder(
        8, solver=GradientSolver(max_epochs=1, batch_size=16), random_state=0
    ),
    "tables": LSHNeighbors(n_bits=2, n_tables=2, random_state=0),
    "tables_pstable": LSHNeighbors(
        sktgsh.PStableHasher(r=30.0), n_bits=2, n_tables=2, metric="euclidean", random_state=0
    ),
    "rescored": RescoredNeighbors(
        sktgsh.SignedRandomProjectionHasher(16, random_state=0), vectors="int8"
    ),
    "rescored_euclidean": RescoredNeighbors(metric="euclidean", candidates="values"),
}
UNFITTED = {"unfitted": tasks(encoder="gaussian", structure_fraction=0.25)}
# What ``load`` must be given, by file.
GIVEN = {"tasks_foreign": lambda: {"encoder": Backbone()}}


def fitted():
    """Estimators by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # dead units, classes that share a code
        for name, estimator in CODES.items():
            ids = [f"row {i}" for i in range(60)] if name == "codes_flat" else np.arange(60) + 7
            codes = X > (15 if name == "codes_repeated" else 7)
            estimator.fit(codes, ids=ids, task=TASK)
        CODES["codes_changed"].remove([9, 12]).add(X[:3] > 4, ids=[99, 98, 97], task=TASK[:3])
        for name, estimator in LEARNS_TASKS.items():
            if name == "task_column":
                estimator.fit(np.column_stack([X, np.arange(60) % 2]), Y)
            else:
                estimator.fit(X, Y, task=TASK)
        for estimator in LEARNS_IMAGES.values():
            estimator.fit(IMAGES, Y)
        for name, estimator in LEARNS.items():
            labels = (
                np.column_stack([DIGITS % 2, DIGITS > 4, DIGITS < 7])
                if name == "several_labels"
                else Y
            )
            estimator.fit(X, labels)
    return CODES | LEARNS_TASKS | LEARNS_IMAGES | LEARNS | UNFITTED


def answers(estimator):
    """What an estimator says about some of the rows, by method."""
    if not hasattr(estimator, "n_features_in_"):
        return {"parameters": np.array(sorted(estimator.get_params()))}
    width = estimator.n_features_in_
    samples = (IMAGES if width == 64 else X)[QUERIES]
    if isinstance(estimator, HammingNeighbors):
        distances, rows = estimator.kneighbors(samples > 7, task="odd")
        return {"distances": distances, "rows": np.array(rows.tolist())}  # strings, no objects
    if hasattr(estimator, "kneighbors"):
        distances, rows = estimator.kneighbors(samples, n_neighbors=3)
        return {"distances": distances, "rows": rows}
    params = {}
    if getattr(estimator, "task_column", None) is not None:
        samples = np.column_stack([samples, QUERIES % 2])
    elif len(getattr(estimator, "tasks_", [])) > 1:
        params = {"task": TASK[QUERIES]}
    found = {"transform": estimator.transform(samples, **params)}
    for method in ("transform_queries", "decision_function", "hash_values", "predict_class"):
        if hasattr(estimator, method):
            found[method] = getattr(estimator, method)(samples, **params)
    if params:
        found["predict_task"] = estimator.predict_task(samples)
    return found


def write(folder, estimators):
    """A file of each estimator, and one of what they say."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {}
    for name, estimator in estimators.items():
        estimator.save(folder / f"{name}.sktgsh")
        said |= {f"{name}.{method}": found for method, found in answers(estimator).items()}
    np.savez_compressed(folder / "answers.npz", **said)


def compare(folder, name):
    """Open one file of a folder, and raise AssertionError unless it says what it said."""
    loaded = sktgsh.load(folder / f"{name}.sktgsh", **GIVEN.get(name, dict)())
    found = answers(loaded)
    with np.load(folder / "answers.npz") as said:
        expected = {key: said[key] for key in said.files if key.split(".")[0] == name}
    if name not in UNFITTED:
        assert found.keys() >= {key.split(".")[1] for key in expected}
        for key, values in expected.items():
            where = f"{key} of {folder}"
            if key.endswith(".rows"):
                last = expected[key.replace(".rows", ".distances")][:, -1:]
                near = expected[key.replace(".rows", ".distances")] < last
                # Formats before 2 had no rule for ties: rows at the largest distance may differ.
                for found_rows, rows, kept in zip(found["rows"], values, near):
                    assert set(rows[kept].tolist()) <= set(found_rows.tolist()), where
            elif values.dtype.kind == "f":  # the last digit is the machine's
                np.testing.assert_allclose(
                    found[key.split(".")[1]], values, 1e-4, 1e-5, err_msg=where
                )
            else:
                np.testing.assert_array_equal(found[key.split(".")[1]], values, where)
    return loaded


def read(folder):
    """Number of files whose estimators say what they said."""
    files = sorted(folder.glob("*.sktgsh"))
    for path in files:
        compare(folder, path.stem)
    return len(files)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        if sys.argv[1] == "write":
            write(Path(name), fitted())
        else:
            print(f"Python {platform.python_version()} reads {read(Path(name))} files of {name}")
