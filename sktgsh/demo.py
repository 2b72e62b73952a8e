"""The main job, end to end: ``make demo``, or ``python -m sktgsh.demo --data FOLDER``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from sklearn.model_selection import train_test_split

from .base import HasherMixin
from .codes import hamming_distances
from .datasets import fetch_mnist, load_digits_tasks, make_image_tasks
from .inspection import RepresentationSimilarityDisplay, TaskSimilarityDisplay
from .lsh import SignedRandomProjectionHasher
from .metrics import mean_average_precision
from .task_geometric import TaskGeometricHasher

BITS = (16, 32, 64)
OUTPUT = Path("demo_output")
# Classes that one hasher never sees in training.
HELD_OUT = (7, 8, 9)

Samples = tuple[np.ndarray, np.ndarray, np.ndarray]


def load(data: str | None) -> tuple[Samples, Samples, tuple[int, int]]:
    """Training and test rows (X, y, task), and the shape of an image."""
    if data is not None:
        X, y = fetch_mnist(data, return_X_y=True)
        Q, q = fetch_mnist(data, subset="test", return_X_y=True)
        train = make_image_tasks(X[:10_000], y[:10_000], n_tasks=36)
        return train, make_image_tasks(Q[:1000], q[:1000], n_tasks=36), (28, 28)
    X, y, task = load_digits_tasks(n_tasks=12)
    n_images = len(y) // 12
    train, test = train_test_split(np.arange(n_images), test_size=0.25, random_state=0)
    train, test = (np.add.outer(np.arange(12) * n_images, rows).ravel() for rows in (train, test))
    return (X[train], y[train], task[train]), (X[test], y[test], task[test]), (8, 8)


def task_rows(samples: Samples, label: int) -> tuple[np.ndarray, np.ndarray]:
    """X and y of one task."""
    X, y, task = samples
    return X[task == label], y[task == label]


def retrieval(hasher: HasherMixin, train: Samples, test: Samples, label: int, n_bits: int) -> float:
    """mAP of a task's test rows as queries against its training rows."""
    (X, y), (Q, q) = task_rows(train, label), task_rows(test, label)
    database, queries = (hasher.transform(rows, task=label)[:, :n_bits] for rows in (X, Q))
    return mean_average_precision(queries, q, database, y)


def retrieval_held_out(hasher: HasherMixin, test: Samples, label: int) -> float:
    """mAP among test rows of the classes that were held out from training."""
    Q, q = task_rows(test, label)
    rows = np.isin(q, HELD_OUT)
    return mean_average_precision(hasher.transform(Q[rows], task=label), q[rows])


def print_table(
    hasher: TaskGeometricHasher,
    unseen: HasherMixin,
    plain: HasherMixin,
    train: Samples,
    test: Samples,
) -> None:
    """Per task and mean: mAP by code length for both methods, and on classes held out."""
    head = [f"ours {n}" for n in BITS] + [f"random {n}" for n in BITS]
    head += ["ours, new classes", "random, new classes"]
    rows = []
    for label in hasher.tasks_:
        ours = [retrieval(hasher, train, test, label, n) for n in BITS]
        random = [retrieval(plain, train, test, label, n) for n in BITS]
        new = [retrieval_held_out(one, test, label) for one in (unseen, plain)]
        rows.append(ours + random + new)
    print("\nmean average precision (held-out rows against training rows), by number of bits")
    print("task  " + "  ".join(head))
    for label, row in [*zip(hasher.tasks_, rows), ("mean", np.mean(rows, axis=0))]:
        cells = [f"{value:.3f}".rjust(len(name)) for value, name in zip(row, head)]
        print(f"{label!s:>4}  " + "  ".join(cells))
    print(
        f"new classes: digits {HELD_OUT}, 64 bits, trained on the others with "
        "structure_fraction=0.5"
    )


def print_inference(hasher: TaskGeometricHasher, test: Samples, n_rows: int = 2000) -> None:
    """Share of rows whose task is inferred, from one row and from ten."""
    X, _, task = test
    rows = np.random.RandomState(0).permutation(len(task))[:n_rows]
    rows = rows[np.argsort(task[rows], kind="stable")]
    # Up to ten rows of one task make a group.
    position = np.concatenate([np.arange(n) for n in np.unique(task[rows], return_counts=True)[1]])
    groups = task[rows] * 1000 + position // 10
    single = np.mean(hasher.predict_task(X[rows]) == task[rows])
    tens = np.mean(hasher.predict_task(X[rows], groups=groups) == task[rows])
    chance = 1 / len(hasher.tasks_)
    print(
        f"task recognised: {single:.1%} of single rows, {tens:.1%} of rows in groups of 10 "
        f"(chance {chance:.1%})"
    )


def draw_similarity(hasher: TaskGeometricHasher) -> None:
    """Similarity of tasks' modulations, before and after learning."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    # What gradient training would start from: one random context a task.
    n_tasks = len(hasher.tasks_)
    untrained = np.random.RandomState(0).uniform(-1, 1, (n_tasks, hasher.n_hidden_))
    before = TaskSimilarityDisplay.from_predictions(untrained, hasher.tasks_.tolist(), ax=axes[0])
    after = TaskSimilarityDisplay.from_estimator(hasher, ax=axes[1])
    before.ax_.set_title("Before: random contexts")
    after.ax_.set_title("After: related tasks are alike")
    figure.savefig(OUTPUT / "task_similarity.png", dpi=120)


def draw_histograms(hasher: TaskGeometricHasher, test: Samples) -> None:
    """Similarity of representations, within and across tasks."""
    X, y, task = test
    display = RepresentationSimilarityDisplay.from_estimator(hasher, X, y, task=task)
    display.figure_.savefig(OUTPUT / "representations.png", dpi=120)


def _show(ax: Axes, image: np.ndarray, shape: tuple[int, int]) -> None:
    ax.imshow(image.reshape(shape), cmap="gray_r")
    ax.set(xticks=[], yticks=[])


def draw_reconstructions(hasher: TaskGeometricHasher, shape: tuple[int, int]) -> None:
    """Each class in several tasks, as the modulated network knows it."""
    tasks = hasher.tasks_[:: max(1, len(hasher.tasks_) // 4)]
    figure, axes = plt.subplots(len(tasks), 10, figsize=(9, len(tasks)), layout="constrained")
    for row, label in zip(axes, tasks):
        for ax, digit in zip(row, hasher.classes_):
            _show(ax, hasher.reconstruct(digit, label)[0], shape)
        row[0].set_ylabel(f"task {label}")
    figure.suptitle("Each class, reconstructed from the code of the class in the task")
    figure.savefig(OUTPUT / "reconstructions.png", dpi=120)


def draw_neighbours(
    hasher: TaskGeometricHasher, train: Samples, test: Samples, shape: tuple[int, int]
) -> None:
    """Some queries, and the training rows whose codes are nearest."""
    tasks = hasher.tasks_[:: max(1, len(hasher.tasks_) // 6)]
    figure, axes = plt.subplots(len(tasks), 9, figsize=(9, len(tasks)), layout="constrained")
    rng = np.random.RandomState(1)
    for row, label in zip(axes, tasks):
        (X, y), (Q, q) = task_rows(train, label), task_rows(test, label)
        query = rng.randint(len(Q))
        codes = hasher.transform(X, task=label)
        distances = hamming_distances(hasher.transform(Q[query : query + 1], task=label), codes)[0]
        _show(row[0], Q[query], shape)
        row[0].set_ylabel(f"task {label}")
        for ax, found in zip(row[1:], np.argsort(distances, kind="stable")):
            _show(ax, X[found], shape)
            colour = "tab:green" if y[found] == q[query] else "tab:red"
            ax.set_xlabel(str(distances[found]), color=colour, labelpad=1)
    axes[0, 0].set_title("query")
    figure.suptitle("A query of each task, and the nearest codes with their distance in bits")
    figure.savefig(OUTPUT / "neighbours.png", dpi=120)


def main(data: str | None = None) -> None:
    """Learn the tasks, print the table, save the pictures."""
    train, test, shape = load(data)
    X, y, task = train
    labels = list(dict.fromkeys(task.tolist()))
    name = "digits" if data is None else "MNIST (10,000 training images)"
    print(f"{name}: {len(labels)} tasks (rotations), {len(y):,} training rows")
    start = time.perf_counter()
    first = task != labels[-1]
    hasher = TaskGeometricHasher(max(BITS), random_state=0, max_open_tasks=1, verbose=1)
    hasher.fit(X[first], y[first], task=task[first])
    hasher.set_params(verbose=0)  # what follows is quick, and its bars would hide the table
    old = test[2] != labels[-1]
    before = hasher.transform(test[0][old], task=test[2][old])
    hasher.partial_fit(X[~first], y[~first], task=task[~first])
    after = hasher.transform(test[0][old], task=test[2][old])
    seen = ~np.isin(y, HELD_OUT)
    unseen = TaskGeometricHasher(
        max(BITS), structure_fraction=0.5, random_state=0, max_open_tasks=1, verbose=1
    ).fit(X[seen], y[seen], task=task[seen])
    unseen.set_params(verbose=0)
    plain = SignedRandomProjectionHasher(max(BITS), random_state=0).fit(X)
    print_table(hasher, unseen, plain, train, test)
    print(f"\nbits of older tasks that changed when the last was added: {(before != after).sum()}")
    print(f"learned for a task: {hasher.modulations_[labels[0]].nbytes / 1024:.0f} kB")
    print_inference(hasher, test)
    OUTPUT.mkdir(exist_ok=True)
    draw_similarity(hasher)
    draw_histograms(hasher, test)
    draw_reconstructions(hasher, shape)
    draw_neighbours(hasher, train, test, shape)
    print(f"pictures: {', '.join(sorted(str(path) for path in OUTPUT.glob('*.png')))}")
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with mnist.npz; by default the digits are used")
    main(parser.parse_args().data)
