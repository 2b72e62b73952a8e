"""Sufficient statistics of a chunk of a task's rows, with a sample of the rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ...tasks import check_same_kind
from .learner import DENSITY_ROWS
from .rows import ROW_ARRAYS, Rows
from .statistics import RidgeStatistics


@dataclass(frozen=True)
class TaskSums:
    """Sums over rows of a task, and a sample of the rows for the task's density.

    Attributes
    ----------
    statistics : RidgeStatistics
    drawn : Rows
        At most DENSITY_ROWS of the rows.
    n_rows : int
        Number of rows in the sums.
    """

    statistics: RidgeStatistics
    drawn: Rows
    n_rows: int

    def __add__(self, other: TaskSums) -> TaskSums:
        n_rows = self.n_rows + other.n_rows
        statistics = self.statistics + other.statistics
        # Each side is subsampled in proportion to its rows, so the sample stays random.
        shares = [part.n_rows / n_rows for part in (self, other)]
        kept = [
            part.drawn.sample(max(1, round(share * DENSITY_ROWS)), seed=n_rows)
            if n_rows > DENSITY_ROWS
            else part.drawn
            for part, share in zip((self, other), shares)
        ]
        return TaskSums(statistics, _joined(*kept), n_rows)


def add_sums(total: dict[Hashable, TaskSums], more: dict[Hashable, TaskSums]) -> None:
    """Add sums by task, in place; raises ValueError if labels of the two are of different kinds."""
    check_same_kind(list(more), list(total))
    check_same_kind(classes_of(more), classes_of(total), "y", "classes")
    for label, part in more.items():
        total[label] = total[label] + part if label in total else part


def classes_of(sums: Mapping[Hashable, TaskSums]) -> list:
    """Classes that have rows, task by task."""
    return [label for part in sums.values() for label in part.statistics.classes]


def _joined(first: Rows, second: Rows) -> Rows:
    """Stack the rows of two tables in one table."""
    tables = [part.X[part.positions] for part in (first, second)]
    stack = sparse.vstack if sparse.issparse(tables[0]) else np.concatenate
    joined: dict[str, Any] = {name: _stacked(first, second, name) for name in ROW_ARRAYS}
    X = stack(tables)
    return Rows(X, np.arange(X.shape[0]), extracted=first.extracted, **joined)


def _stacked(first: Rows, second: Rows, name: str) -> np.ndarray | None:
    """Stack an array of two tables; an array that one of them lacks is 0 there."""
    parts = [getattr(part, name) for part in (first, second)]
    known = next((part for part in parts if part is not None), None)
    if known is None:
        return None
    return np.concatenate(
        [
            np.zeros((len(part.positions), *known.shape[1:]), known.dtype) if own is None else own
            for part, own in zip((first, second), parts)
        ]
    )
