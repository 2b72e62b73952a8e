"""Rows without a label where rows are images, drawers or domains: with them and without them.

Images through the frozen convolution: half of the rows of five classes have a label. Characters:
five of ten drawers have labels. Domains: each is a task, and one of four has labels. Queries are
test rows of all classes against all training rows, or those of their own task. Mean and standard
deviation over three draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from sktgsh import ITQHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_cifar10, fetch_mnist, fetch_omniglot
from sktgsh.metrics import mean_average_precision

from ._common import halved, plus_minus, report, skip_without
from .domains import Part, office
from .tenants import seeds

N_ROWS, N_QUERIES, N_BITS = 10_000, 1_000, 32

Case = tuple[Part, Part, np.ndarray]


def one_task(X: np.ndarray, y: np.ndarray) -> Part:
    """Rows without tasks."""
    return Part(X, y.astype(int), np.zeros(len(y), int))


def images(fetch: Any, data: str, seed: int) -> Case:
    """Half of the rows of five classes are labelled."""
    X, y = fetch(data, return_X_y=True)
    Q, q = fetch(data, subset="test", return_X_y=True)
    rng = np.random.default_rng(seed)
    drawn, asked = rng.permutation(len(y))[:N_ROWS], rng.permutation(len(q))[:N_QUERIES]
    parts = [
        one_task(np.asarray(part[rows], np.float32).reshape(len(rows), -1), labels[rows])
        for part, labels, rows in ((X, y, drawn), (Q, q, asked))
    ]
    known = rng.permutation(np.unique(y))[:5]
    labelled = np.isin(parts[0].y, known) & (rng.random(N_ROWS) < 0.5)
    return parts[0], parts[1], labelled


def drawers(data: str, seed: int) -> Case:
    """Characters of ten alphabets: ten drawers to learn from, of which five are labelled."""
    bunch = fetch_omniglot(data, subset="background")
    everything = one_task(halved(bunch.data), bunch.target)
    order = np.random.default_rng(seed).permutation(20)
    place, few = order[bunch.drawer - bunch.drawer.min()], bunch.task < 10
    train, test = np.flatnonzero(few & (place < 10)), np.flatnonzero(few & (place >= 10))
    return everything.of(train), everything.of(test), place[train] < 5


def domains(data: str, seed: int) -> Case:
    """One domain has labels, the others have none."""
    train, test = office(data, seed)
    return train, test, train.task == np.unique(train.task)[seed]


def found(case: Case, seed: int, **params: Any) -> Iterator[tuple[str, float]]:
    """mAP of each method."""
    train, test, labelled = case
    params |= dict(missing_label=-1, unknown_task="pool", random_state=seed)
    everything = np.full(len(train.y), True)
    for name, labels, rows in (
        ("all labels", train.y, everything),
        ("some labels", np.where(labelled, train.y, -1), everything),
        ("labelled rows only", train.y, labelled),
    ):
        hasher = TaskGeometricHasher(N_BITS, **params)
        hasher.fit(train.X[rows], labels[rows], task=train.task[rows])
        yield name, judged(lambda part, h=hasher: h.transform(part.X, task=part.task), train, test)
    itq = ITQHasher(N_BITS, random_state=seed).fit(train.X)
    yield "ITQ, no label", judged(lambda part: itq.transform(part.X), train, test)


def judged(encode: Callable[[Part], np.ndarray], train: Part, test: Part) -> float:
    """mAP of test rows within their task, averaged over the tasks."""
    queries, codes, values = encode(test), encode(train), []
    for label in np.unique(train.task):
        asked, rows = test.task == label, train.task == label
        values.append(
            mean_average_precision(queries[asked], test.y[asked], codes[rows], train.y[rows])
        )
    return float(np.mean(values))


@skip_without("mnist.npz, cifar10_images.npz, omniglot.npz and office_caltech_surf.npz")
def run(data: str) -> None:
    conv, rows = {"encoder": "conv"}, []
    photographs = partial(fetch_cifar10, kind="images")
    for name, load, params in (
        ("office_caltech_surf, one of four domains labelled", partial(domains, data), {}),
        ("omniglot, five of ten drawers labelled", partial(drawers, data), conv),
        ("MNIST, five classes half labelled", partial(images, fetch_mnist, data), conv),
        ("CIFAR-10, five classes half labelled", partial(images, photographs, data), conv),
    ):
        tries = [dict(found(load(seed), seed, **params)) for seed in seeds()]
        means = {method: plus_minus([one[method] for one in tries]) for method in tries[0]}
        rows.append(dict(data=name) | means)
        report("partial_more", rows)
