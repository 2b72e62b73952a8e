"""What indexes of neighbours are asked beside samples, and a task column beside a transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone

from .harness import N_ROWS, Case, Subject, X, Y, quietly
from .labels import BAD_TASKS, HALVES, TASKS

# Calls of an index with samples beside it, and what the error says.
BAD_QUESTIONS: dict[str, tuple[Callable[[Any, np.ndarray], Any], str]] = {
    "no neighbour": (lambda m, X: m.kneighbors(X, 0), "n_neighbors > 0"),
    "fewer neighbours than none": (lambda m, X: m.kneighbors(X, -2), "n_neighbors > 0"),
    "half a neighbour": (lambda m, X: m.kneighbors(X, 2.5), "n_neighbors"),
    "neighbours in words": (lambda m, X: m.kneighbors(X, "two"), "n_neighbors"),
    "True neighbours": (lambda m, X: m.kneighbors(X, True), "n_neighbors"),
    "more neighbours than rows": (lambda m, X: m.kneighbors(X, N_ROWS + 1), "n_neighbors = 31"),
    "more neighbours than other rows": (lambda m, X: m.kneighbors(None, N_ROWS), "n_neighbors"),
    "no neighbour in a graph": (lambda m, X: m.kneighbors_graph(X, 0), "n_neighbors"),
    "another kind of graph": (lambda m, X: m.kneighbors_graph(X, mode="text"), "mode='text'"),
    "another kind of graph within a radius": (
        lambda m, X: m.radius_neighbors_graph(X, mode=3),
        "mode=3",
    ),
    "a radius of nan": (lambda m, X: m.radius_neighbors(X, np.nan), "radius=nan"),
    "a radius below 0": (lambda m, X: m.radius_neighbors(X, -0.5), "radius=-0.5"),
    "a radius in words": (lambda m, X: m.radius_neighbors(X, "near"), "radius='near'"),
    "a radius that is true": (lambda m, X: m.radius_neighbors(X, True), "radius=True"),
    "several radii": (lambda m, X: m.radius_neighbors(X, [1, 2]), "radius="),
    "a task where there are none": (lambda m, X: m.kneighbors(X, task=0), "without tasks"),
    "rows of another width": (lambda m, X: m.add(X[:, 1:]), "15 features"),
    "rows with NaN": (lambda m, X: m.add(np.where(X == X[3, 5], np.nan, X)), "X "),
    "rows that are text": (lambda m, X: m.add(np.full(X.shape, "a")), "X |convert"),
    "one row in one dimension": (lambda m, X: m.add(X[0]), "X |2D"),
    "rows with a task where there are none": (lambda m, X: m.add(X, task=0), "task"),
}
FILTERED: dict[str, tuple[Callable[[Any, np.ndarray], Any], str]] = {
    "a mask of another length": (
        lambda m, X: m.kneighbors(X, 1, filter=np.ones(3, bool)),
        "filter has shape",
    ),
    "unknown rows": (lambda m, X: m.kneighbors(X, 1, filter=[0, N_ROWS]), "filter are unknown"),
    "rows in words": (lambda m, X: m.kneighbors(X, 1, filter=["a"]), "filter are strings"),
    "fractions of rows": (lambda m, X: m.kneighbors(X, 1, filter=[0.5]), "filter has"),
}
RADII = {"infinite": np.inf, "beyond all": 1e10, "an integer": np.int64(10**6)}


def index_cases() -> Iterator[Case]:
    for name, (ask, error) in BAD_QUESTIONS.items():
        yield _refused(name, ask, error, lambda s: s.is_index)
    for name, (ask, error) in FILTERED.items():
        yield _refused(name, ask, error, lambda s: s.is_index and s.name != "LSHNeighbors")
    for name, (make, error) in BAD_TASKS.items():
        yield Case(
            "indexes",
            f"task: {name}, in fit",
            lambda m, s, make=make: m.fit(s.samples, Y, task=make()),
            error,
            where=lambda s: s.is_index,
        )
        yield Case(
            "indexes",
            f"task: {name}, in a search",
            lambda m, s, make=make: _by_halves(s).kneighbors(s.samples, 3, task=make()),
            error,
            where=lambda s: s.is_index,
        )
    yield from _right_cases()
    yield from _column_cases()


def _refused(name: str, ask: Callable, error: str, where: Callable) -> Case:
    return Case("indexes", name, lambda m, s: ask(m, s.samples), error, where=where)


def _by_halves(subject: Subject, task: Any = HALVES) -> Any:
    return quietly(lambda: clone(subject.estimator).fit(subject.samples, Y, task=task))


def _right_cases() -> Iterator[Case]:
    """Answers that must be those of all rows at once, or of a task's rows alone."""
    for name, make in TASKS.items():
        yield Case(
            "indexes",
            f"task: {name}",
            lambda m, s, make=make: _by_halves(s, make()).kneighbors(s.samples, 3, task=make())[0],
            expected=lambda s, make=make: _within_tasks(s, make()),
            where=lambda s: s.is_index,
        )
    for name, radius in RADII.items():
        yield Case(
            "indexes",
            f"a radius: {name}",
            lambda m, s, radius=radius: _first_three(m.radius_neighbors(s.samples, radius)[0]),
            expected=lambda s: s.codes,
            where=lambda s: s.is_index,
        )
    yield Case(
        "indexes",
        "rows added in two calls",
        lambda m, s: s.ask(
            clone(s.estimator).fit(s.samples[:7], Y[:7]).add(s.samples[7:]), s.samples
        ),
        expected=lambda s: s.codes,
        where=lambda s: s.name == "HammingNeighbors",
    )
    yield Case(
        "indexes",
        "a graph",
        lambda m, s: np.sort(m.kneighbors_graph(s.samples, 3, mode="distance").data.reshape(-1, 3)),
        expected=lambda s: s.codes,
        where=lambda s: s.is_index,
    )


def _within_tasks(subject: Subject, task: Any) -> np.ndarray:
    """Distances of the nearest among the rows of a row's task, each searched by itself."""
    labels = np.broadcast_to(np.asarray(task), N_ROWS)
    found = np.empty((N_ROWS, 3))
    for label in np.unique(labels):
        rows = labels == label
        alone = quietly(lambda rows=rows: clone(subject.estimator).fit(subject.samples[rows]))
        found[rows] = alone.kneighbors(subject.samples[rows], 3)[0]
    return found


def _first_three(found: np.ndarray) -> np.ndarray:
    return np.array([np.sort(distances)[:3] for distances in found])


# -- a task column ---------------------------------------------------------------------------------


def _column_cases() -> Iterator[Case]:
    wrong = {
        "beyond the last": (16, "task_column=16 is not a column"),
        "before the first": (-17, "task_column=-17 is not a column"),
        "a name in an array": ("task", "task_column='task' is a name"),
        "a fraction": (1.5, "task_column"),
        "nothing": (None, "task_column"),
    }
    for name, (column, error) in wrong.items():
        yield Case(
            "task column",
            name,
            lambda m, s, column=column: m.set_params(task_column=column).fit(X),
            error,
            where=_is_column,
        )
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    yield Case(
        "task column",
        "an unknown name",
        lambda m, s: m.set_params(task_column="task").fit(frame),
        "task_column='task' is not a column of X; the columns are 'x0'",
        where=_is_column,
    )
    for name, column in {"by its number": 15, "from the end": -1, "NumPy's": np.int64(15)}.items():
        yield Case(
            "task column",
            name,
            lambda m, s, column=column: s.ask(
                m.set_params(task_column=column).fit(np.roll(X, -1, axis=1)), np.roll(X, -1, axis=1)
            ),
            expected=lambda s: s.codes,
            where=_is_column,
        )
    yield Case(
        "task column",
        "sparse",
        lambda m, s: s.ask(m.fit(sparse.csr_array(X)), sparse.csr_array(X)),
        expected=lambda s: s.codes,
        where=_is_column,
    )


def _is_column(subject: Subject) -> bool:
    return subject.name == "FeaturesOnly"
