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
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from .base import HasherMixin
from .codes import hamming_distances
from .datasets import fetch_mnist, load_digits_tasks, make_image_tasks
from .inspection import RepresentationSimilarityDisplay, TaskSimilarityDisplay
from .linear import ITQHasher
from .lsh import SignedRandomProjectionHasher
from .metrics import mean_average_precision
from .task_geometric import TaskGeometricHasher

BITS = (16, 32, 64)
OUTPUT = Path("demo_output")
# Classes that some hashers see without a label, or never.
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


def print_table(
    hasher: TaskGeometricHasher, plain: HasherMixin, train: Samples, test: Samples
) -> None:
    """Per task and mean: mAP by code length for both methods."""
    head = [f"sktgsh {n}" for n in BITS] + [f"random {n}" for n in BITS]
    rows = [
        [retrieval(one, train, test, label, n) for one in (hasher, plain) for n in BITS]
        for label in hasher.tasks_
    ]
    print("\nmean average precision (held-out rows against training rows), by number of bits")
    print("task  " + "  ".join(head))
    for label, row in [*zip(hasher.tasks_, rows), ("mean", np.mean(rows, axis=0))]:
        cells = [f"{value:.3f}".rjust(len(name)) for value, name in zip(row, head)]
        print(f"{label!s:>4}  " + "  ".join(cells))


def by_vectors(Q: np.ndarray, q: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """mAP of the rows themselves, by the cosine."""
    cosines = normalize(Q.astype(np.float32)) @ normalize(X.astype(np.float32)).T
    return float(np.mean([average_precision_score(y == c, row) for c, row in zip(q, cosines)]))


def one_task(train: Samples, test: Samples, label: int) -> list[tuple[str, list[float]]]:
    """What is found in one task: mAP of 32 bits, of ITQ and of float vectors, in three cases.

    All classes labelled; queries of classes whose rows have no label; queries of classes that the
    hashers never saw, searched for among all rows.
    """
    (X, y), (Q, q) = task_rows(train, label), task_rows(test, label)
    held_out, asked = np.isin(y, HELD_OUT), np.isin(q, HELD_OUT)
    labels = y.astype(int)
    cases = (
        ("every row has a label", np.full(len(y), True), labels, np.full(len(q), True)),
        (
            f"digits {HELD_OUT} have no label",
            np.full(len(y), True),
            labels * ~held_out - held_out,
            asked,
        ),
        (f"digits {HELD_OUT} were never seen", ~held_out, labels, asked),
    )
    found = []
    for case, taught, named, wanted in cases:
        figures = []
        for kind in (TaskGeometricHasher(32, missing_label=-1, random_state=0), ITQHasher(32)):
            fitted = kind.fit(X[taught], named[taught])
            codes = fitted.transform(Q[wanted]), fitted.transform(X)
            figures.append(mean_average_precision(codes[0], q[wanted], codes[1], y))
        found.append((case, [*figures, by_vectors(Q[wanted], q[wanted], X, y)]))
    return found


def print_summary(found: list[tuple[str, list[float]]], changed: int, told: str) -> None:
    """Five lines: three cases of one task, a new task, the task of a row."""
    print("\nHow well are rows of the query's class found? (mean average precision, 1 is perfect)")
    for number, (case, figures) in enumerate(found, 1):
        ours, itq, vectors = figures
        best = ("sktgsh", "ITQ", "float vectors")[int(np.argmax(figures))]
        print(
            f"{number}. Where {case}: sktgsh {ours:.2f}, ITQ {itq:.2f} (both 4 bytes a row), "
            f"float vectors {vectors:.2f}; best: {best}."
        )
    print(f"4. Bits of older tasks that changed when the last was added: {changed}.")
    print(f"5. Task recognised: {told}.")


def inference(hasher: TaskGeometricHasher, test: Samples, n_rows: int = 2000) -> str:
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
    return f"{single:.1%} of single rows, {tens:.1%} of rows in groups of 10 (chance {chance:.1%})"


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
    """Each class in tasks that vary as the first one does: its neighbours, and half a turn away."""
    labels = hasher.tasks_
    tasks = [labels[0], labels[1], labels[len(labels) // 2], labels[-1]]
    figure, axes = plt.subplots(len(tasks), 10, figsize=(9, len(tasks)), layout="constrained")
    for row, label in zip(axes, tasks):
        for ax, digit in zip(row, hasher.classes_):
            _show(ax, hasher.reconstruct(digit, label)[0], shape)
        row[0].set_ylabel(f"task {label}")
    for ax, digit in zip(axes[0], hasher.classes_):
        ax.set_title(f"a {digit}")
    figure.suptitle("Each class as the network knows it in four tasks")
    figure.savefig(OUTPUT / "reconstructions.png", dpi=120)


def draw_neighbours(
    hashers: dict[str, HasherMixin], train: Samples, test: Samples, shape: tuple[int, int]
) -> None:
    """A query of some tasks, and the training rows whose codes are nearest, by two hashers."""
    tasks = np.unique(train[2])[:: max(1, len(np.unique(train[2])) // 5)]
    n_found = 5
    figure, axes = plt.subplots(
        len(tasks), 1 + n_found * len(hashers), figsize=(11, 1.3 * len(tasks)), layout="constrained"
    )
    rng = np.random.RandomState(1)
    for row, label in zip(axes, tasks):
        (X, y), (Q, q) = task_rows(train, label), task_rows(test, label)
        query = rng.randint(len(Q))
        _show(row[0], Q[query], shape)
        row[0].set(ylabel=f"task {label}", xlabel=f"a {q[query]}")
        for place, hasher in enumerate(hashers.values()):
            codes = hasher.transform(X, task=label)
            asked = hasher.transform(Q[query : query + 1], task=label)
            distances = hamming_distances(asked, codes)[0]
            columns = row[1 + place * n_found :][:n_found]
            for ax, found in zip(columns, np.argsort(distances, kind="stable")):
                _show(ax, X[found], shape)
                colour = "tab:green" if y[found] == q[query] else "tab:red"
                ax.set_xlabel(f"a {y[found]}: {distances[found]} bits", color=colour, labelpad=1)
    axes[0, 0].set_title("query")
    for place, name in enumerate(hashers):
        axes[0, 1 + place * n_found].set_title(name, loc="left")
    figure.suptitle("Queries, and the nearest codes of the database")
    figure.savefig(OUTPUT / "neighbours.png", dpi=120)


def main(data: str | None = None, table: bool = False) -> None:
    """Learn the tasks, print what came out, save the pictures."""
    train, test, shape = load(data)
    X, y, task = train
    labels = list(dict.fromkeys(task.tolist()))
    name = "digits" if data is None else "MNIST (10,000 training images)"
    print(f"{name}: {len(labels)} tasks (rotations), {len(y):,} training rows")
    start = time.perf_counter()
    first = task != labels[-1]
    hasher = TaskGeometricHasher(max(BITS), random_state=0, max_open_tasks=1, verbose=1)
    hasher.fit(X[first], y[first], task=task[first])
    hasher.set_params(verbose=0)  # what follows is quick, and its bars would hide the lines
    old = test[2] != labels[-1]
    before = hasher.transform(test[0][old], task=test[2][old])
    hasher.partial_fit(X[~first], y[~first], task=task[~first])
    changed = int((before != hasher.transform(test[0][old], task=test[2][old])).sum())
    plain = SignedRandomProjectionHasher(max(BITS), random_state=0).fit(X)
    if table:
        print_table(hasher, plain, train, test)
    print_summary(one_task(train, test, labels[0]), changed, inference(hasher, test))
    OUTPUT.mkdir(exist_ok=True)
    draw_similarity(hasher)
    draw_histograms(hasher, test)
    draw_reconstructions(hasher, shape)
    draw_neighbours({"sktgsh": hasher, "signed projections": plain}, train, test, shape)
    print(f"pictures: {', '.join(sorted(str(path) for path in OUTPUT.glob('*.png')))}")
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with mnist.npz; by default the digits are used")
    parser.add_argument("--table", action="store_true", help="also print figures of every task")
    main(**vars(parser.parse_args()))
