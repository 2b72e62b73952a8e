"""Tasks that help one another: tenants of one kind, rotations, domains and alphabets.

Each line compares tasks that share a prior with tasks that do not, and with one task for all rows
where that is possible. Queries are held-out rows of a task, against those of the same task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import fetch_cifar10, fetch_clinc150, fetch_mnist, fetch_omniglot
from sktgsh.metrics import mean_average_precision

from ._common import OPTIONS, halved, report
from .domains import Part, amazon, office

SEEDS = (0, 1, 2)
LEAST_QUERIES = 15


def seeds() -> tuple[int, ...]:
    """Three seeds, or one where it is to be quick."""
    return SEEDS[:1] if OPTIONS.quick else SEEDS


def embedded(name: str, data: str | None, seed: int) -> tuple[Part, Part]:
    """A data set without tasks, in two parts."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        parts = train_test_split(X.astype(np.float32), y, test_size=0.3, random_state=seed)
        X, Q, y, q = parts
    else:
        fetch = {"clinc150": fetch_clinc150, "cifar10_features": fetch_cifar10}[name]
        (X, y), (Q, q) = (fetch(data, subset=part, return_X_y=True) for part in ("train", "test"))
    return Part(X, y, np.zeros(len(y), int)), Part(Q, q, np.zeros(len(q), int))


def dealt(
    name: str, data: str | None, n_tenants: int, power_law: bool, seed: int
) -> tuple[Part, Part]:
    """Rows dealt to tenants at random; by a power law, the first has most."""
    rng = np.random.default_rng(seed + 77)
    share = 1 / np.arange(1, n_tenants + 1) if power_law else np.ones(n_tenants)
    parts = embedded(name, data, seed)
    for part in parts:
        part.task = rng.choice(n_tenants, size=len(part.y), p=share / share.sum())
    return parts


def turned_digits(n_rows: int, seed: int) -> tuple[Part, Part]:
    """Digits turned by 0, 30, ... degrees, each task with rows of its own draw."""
    train, test = embedded("digits", None, seed)
    rng = np.random.default_rng(seed)
    found: tuple[list[Part], list[Part]] = ([], [])
    for task in range(12):
        drawn = train.of(rng.permutation(len(train.y))[:n_rows])
        for part, parts in zip((drawn, test), found):
            X = rotate(part.X.reshape(-1, 8, 8), 30 * task, axes=(1, 2), reshape=False, order=1)
            parts.append(Part(X.reshape(len(X), -1), part.y, np.full(len(X), task)))
    return joined(found[0]), joined(found[1])


def joined(parts: list[Part]) -> Part:
    fields = zip(*((part.X, part.y, part.task) for part in parts))
    return Part(*(np.concatenate(field) for field in fields))


def turned_mnist(data: str, n_rows: int, seed: int) -> tuple[Part, Part]:
    """36 rotations of other images each; three of them are judged on the same 3,400 images."""
    X, y = fetch_mnist(data, return_X_y=True)
    Q, q = fetch_mnist(data, subset="test", return_X_y=True)
    rng = np.random.default_rng(seed)
    drawn, judged = rng.permutation(len(y))[: 36 * n_rows], rng.permutation(len(q))[:3400]

    def turned(X: np.ndarray, y: np.ndarray, task: int) -> Part:
        images = X.reshape(-1, 28, 28).astype(np.float32)
        images = rotate(images, 10 * task, axes=(1, 2), reshape=False, order=0)
        return Part(images.reshape(len(X), -1), y, np.full(len(X), task))

    train = [turned(X[rows], y[rows], t) for t, rows in enumerate(np.split(drawn, 36))]
    return joined(train), joined([turned(Q[judged], q[judged], task) for task in (0, 9, 20)])


def alphabets(data: str, seed: int) -> tuple[Part, Part]:
    """Characters of 20 alphabets as tasks; 5 drawers of each to train with."""
    bunch = fetch_omniglot(data, subset="background")
    X, keep = halved(bunch.data), bunch.task < 20
    drawers = np.random.default_rng(seed).permutation(20)[:5]
    train = np.isin(bunch.drawer - bunch.drawer.min(), drawers)
    whole = Part(X, bunch.target, bunch.task)
    return whole.of(np.flatnonzero(keep & train)), whole.of(np.flatnonzero(keep & ~train))


def settings(data: str | None) -> Iterator[tuple[str, Any, int, tuple[int, ...]]]:
    """Name, loader by seed, number of bits, and seeds."""
    names = ["digits"] if data is None else ["digits", "clinc150", "cifar10_features"]
    for name in names:
        n_bits = 64 if name == "clinc150" else 32
        for n, power_law in ((10, False), (30, False), (60, True)):
            kind = f"{name}, {n} tenants" + (" by a power law" if power_law else "")
            yield kind, partial(dealt, name, data, n, power_law), n_bits, seeds()
    for n in (40, 150, 1000):
        yield f"digits, 12 rotations, {n} rows each", partial(turned_digits, n), 32, seeds()
    if data is not None:
        yield "office_caltech_surf, domains", partial(office, data), 32, seeds()
        yield "omniglot, alphabets", partial(alphabets, data), 64, seeds()
        yield "MNIST, 36 rotations, 100 rows each", partial(turned_mnist, data, 100), 32, seeds()
        if not OPTIONS.quick:  # these take most of the time
            yield "amazon_reviews, domains", partial(amazon, data), 32, SEEDS
            yield (
                "MNIST, 36 rotations, 1000 rows each",
                partial(turned_mnist, data, 1000),
                32,
                SEEDS,
            )


def within_tasks(codes: np.ndarray, test: Part, fitted: Any) -> float:
    """mAP of each query among the held-out rows of its task, averaged over the tasks."""
    found = []
    for task in fitted:
        rows = np.flatnonzero(test.task == task)
        if len(rows) >= LEAST_QUERIES:
            queries = rows[-400:] if len(rows) > 3000 else rows
            database = rows[:3000] if len(rows) > 3000 else rows
            other = (codes[database], test.y[database]) if len(rows) > 3000 else ()
            found.append(mean_average_precision(codes[queries], test.y[queries], *other))
    return float(np.nanmean(found))


def measure(train: Part, test: Part, n_bits: int, seed: int) -> dict[str, float]:
    # Tasks of one class could not be learned alone.
    learnable = [t for t in np.unique(train.task) if len(set(train.y[train.task == t])) > 1]
    train = train.of(np.flatnonzero(np.isin(train.task, learnable)))
    test = test.of(np.flatnonzero(np.isin(test.task, learnable)))
    found, shares = {}, []
    for name, params in (("alone", dict(share_prior=False)), ("prior", {})):
        hasher = TaskGeometricHasher(n_bits, random_state=seed, **params)
        # Processor time: other work on the machine would count otherwise.
        start = time.process_time()
        hasher.fit(train.X, train.y, task=train.task)
        fit_seconds = time.process_time() - start
        codes = hasher.transform(test.X, task=test.task)
        found[name] = within_tasks(codes, test, learnable)
        found[f"{name} s a task"] = fit_seconds / len(learnable)
        shares.append(hasher)
    one = TaskGeometricHasher(n_bits, random_state=seed).fit(train.X, train.y)
    found["one task for all"] = within_tasks(one.transform(test.X), test, learnable)
    found["task gain"] = float(np.mean(shares[1].task_gain_))
    return found


def run(data: str | None) -> None:
    rows = []
    for name, load, n_bits, tried in settings(data):
        tries = [measure(*load(seed), n_bits, seed) for seed in tried]
        row: dict[str, Any] = {"tasks": name}
        for key in ("one task for all", "alone", "prior"):
            values = [found[key] for found in tries]
            row[key], row[f"{key} +-"] = float(np.mean(values)), float(np.std(values))
        row["task gain"] = float(np.mean([found["task gain"] for found in tries]))
        row["cost"] = float(np.median([f["prior s a task"] / f["alone s a task"] for f in tries]))
        rows.append(row)
        report("tenants", rows)
