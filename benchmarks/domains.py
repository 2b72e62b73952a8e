"""The same classes in several domains, each a task: retrieval within a domain, and across."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_amazon_reviews, fetch_office_caltech
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision

from ._common import medians, report, seconds, skip_without
from ._peers import RidgeHasher, dense
from .unseen import N_BITS

SEEDS = (0, 1, 2)


@dataclass
class Part:
    """Rows of all domains."""

    X: Any
    y: np.ndarray
    task: np.ndarray

    def of(self, rows: np.ndarray) -> Part:
        return Part(self.X[rows], self.y[rows], self.task[rows])


def office(data: str, seed: int) -> tuple[Part, Part]:
    """70 % of each class of each domain to train with, the others as queries."""
    bunch = fetch_office_caltech(data)
    everything = Part(bunch.data, bunch.target, bunch.task)
    train, test = train_test_split(
        np.arange(len(bunch.data)),
        test_size=0.3,
        stratify=100 * bunch.task + bunch.target,
        random_state=seed,
    )
    return everything.of(train), everything.of(test)


def amazon(data: str, seed: int) -> tuple[Part, Part]:
    """The split that comes with the reviews; 1,000 queries of each domain."""
    train, test = (fetch_amazon_reviews(data, subset=part) for part in ("train", "test"))
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(test.task == t))[:1000] for t in np.unique(test.task)]
    queries = Part(test.data, test.target, test.task)
    return Part(train.data, train.target, train.task), queries.of(np.concatenate(rows))


def pairs(queries: Part, database: Part) -> Iterator[tuple[str, np.ndarray, np.ndarray, Any, Any]]:
    """Every domain's queries and every domain's rows."""
    for asked in np.unique(queries.task):
        for stored in np.unique(database.task):
            kind = "within" if asked == stored else "across"
            rows = np.flatnonzero(queries.task == asked), np.flatnonzero(database.task == stored)
            yield kind, *rows, asked, stored


def figures(encode: Any, queries: Part, database: Part) -> dict[str, float]:
    """Mean mAP of the pairs; ``encode(X, own, stored)`` knows the domains of rows and database."""
    found: dict[str, list] = {"within": [], "across": []}
    for kind, asked_rows, stored_rows, asked, stored in pairs(queries, database):
        found[kind].append(
            mean_average_precision(
                encode(queries.X[asked_rows], asked, stored),
                queries.y[asked_rows],
                encode(database.X[stored_rows], stored, stored),
                database.y[stored_rows],
            )
        )
    return {kind: float(np.mean(values)) for kind, values in found.items()}


def tasks_figures(hasher: Any, train: Part, queries: Part) -> Iterator[tuple[str, dict]]:
    """A hasher of tasks: queries by their own domain's task, and by the database's."""
    fit_seconds, fitted = seconds(lambda: hasher.fit(train.X, train.y, task=train.task))
    for name, choose in (
        ("queries by their own domain", lambda own, stored: own),
        ("queries by the database's domain", lambda own, stored: stored),
    ):
        found = figures(
            lambda X, own, stored, choose=choose: fitted.transform(X, task=choose(own, stored)),
            queries,
            train,
        )
        yield name, {**found, "fit s": fit_seconds}


def one_figures(hasher: Any, train: Part, queries: Part) -> dict[str, float]:
    """One hasher for all domains."""
    fit_seconds, fitted = seconds(lambda: hasher.fit(train.X, train.y))
    found = figures(lambda X, own, stored: np.asarray(fitted.transform(X)), queries, train)
    return {**found, "fit s": fit_seconds}


def measure(train: Part, queries: Part, seed: int) -> dict[str, dict[str, float]]:
    found = {}
    for name, shared in (("shared codebook", True), ("one for each domain", False)):
        hasher = TaskGeometricHasher(N_BITS, share_codebook=shared, random_state=seed)
        for how, values in tasks_figures(hasher, train, queries):
            found[f"TaskGeometricHasher, {name}, {how}"] = values
    ours = TaskGeometricHasher(N_BITS, random_state=seed)
    arrays = (
        Part(dense(train.X), train.y, train.task),
        Part(dense(queries.X), queries.y, queries.task),
    )
    for name, hasher, (database, asked) in (
        (
            "TaskGeometricHasher, one for all",
            ours,
            (train, queries),
        ),
        ("plain ridge onto codewords, one for all", RidgeHasher(N_BITS, random_state=seed), arrays),
        (
            "plain ridge onto our codewords, one for all",
            RidgeHasher(N_BITS, codewords_of=ours, random_state=seed),
            arrays,
        ),
        (
            "trivial: a classifier's answer, one for all",
            ClassifierHasher(n_bits=N_BITS, random_state=seed),
            arrays,
        ),
        (
            "signed projections",
            SignedRandomProjectionHasher(N_BITS, random_state=seed),
            (train, queries),
        ),
    ):
        found[name] = one_figures(hasher, database, asked)
    return found


@skip_without("office_caltech_surf.npz and amazon_reviews.npz")
def run(data: str) -> None:
    for name, load, seeds in (
        ("office_caltech", office, SEEDS),
        ("amazon_reviews", amazon, SEEDS[:1]),
    ):
        tries = [measure(*load(data, seed), seed) for seed in seeds]
        report(
            f"domains_{name}",
            [
                dict(method=method, **medians([found[method] for found in tries]))
                for method in tries[0]
            ],
        )
