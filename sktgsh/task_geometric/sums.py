"""Learning from sums: chunks that stream by, partitions on many machines, parties that meet.

Everything that the closed form needs is a sum over rows. Chunks are added up where they are, and a
task is learned once, from the total.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ..base import draft_of
from ..tasks import check_same_kind, iter_tasks
from .checks import check_class_number
from .learner import DENSITY_ROWS
from .recognition import TaskDensity
from .ridge import RidgeStatistics
from .rows import Rows, in_order
from .steps import LearningStepsMixin


@dataclass(frozen=True)
class TaskSums:
    """What rows of a task add up to, and a few of the rows, for the density of task inference.

    Attributes
    ----------
    statistics : RidgeStatistics
    drawn : Rows
        At most DENSITY_ROWS of the rows.
    n_rows : int
        Number of rows that were added up.
    """

    statistics: RidgeStatistics
    drawn: Rows
    n_rows: int

    def __add__(self, other: TaskSums) -> TaskSums:
        n_rows = self.n_rows + other.n_rows
        statistics = self.statistics + other.statistics
        # Each side gives its share; what was drawn at random before stays random.
        shares = [part.n_rows / n_rows for part in (self, other)]
        kept = [
            part.drawn.sample(max(1, round(share * DENSITY_ROWS)), seed=n_rows)
            if n_rows > DENSITY_ROWS
            else part.drawn
            for part, share in zip((self, other), shares)
        ]
        return TaskSums(statistics, _joined(*kept), n_rows)


def _joined(first: Rows, second: Rows) -> Rows:
    """Rows of two tables as rows of one."""
    tables = [part.X[part.positions] for part in (first, second)]
    stack = sparse.vstack if sparse.issparse(tables[0]) else np.concatenate
    joined: dict[str, Any] = {
        name: None
        if getattr(first, name) is None
        else np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("y", "sample_weight", "codes")
    }
    X = stack(tables)
    return Rows(X, np.arange(X.shape[0]), **joined)


class SumsMixin(LearningStepsMixin):
    """Learning from sums, for an estimator that :class:`LearningMixin` makes learn from rows."""

    def fit_batches(self, batches: Iterable) -> Any:
        """Learn from chunks of rows that come one after another, each looked at once.

        Sums of the chunks are added up, and every task is learned once, at the end: a data set
        larger than memory needs one chunk of it at a time. The frozen network is built from the
        first chunk. ``partial_fit`` on the same chunks learns the same, and anew after every chunk.

        Parameters
        ----------
        batches : iterable of tuple (X, y) or (X, y, task)
            Arrays, tensors or DataFrames: batches of a Parquet file, or a torch DataLoader. A task
            may miss classes in a chunk.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If a chunk is malformed, a task has a single class in all, or `solver` is not
            ``"ridge"``. The estimator then stays as it was.
        """
        draft, sums = None, dict[Hashable, TaskSums]()
        for chunk in self._bar(batches, "chunk"):
            if draft is None:
                draft = self._started(*chunk)
            add_sums(sums, draft._sums_of(*chunk))
        if draft is None:
            raise ValueError("batches is empty; give at least one chunk (X, y)")
        with draft.learner_.threads():
            draft._learn_from_sums(sums)
        self.__dict__ = draft.__dict__
        return self

    def merge(self, *others: Any) -> Any:
        """Learn from the rows of other parties without seeing them: add their sums to one's own.

        All parties start from copies of one saved hasher, and learn on rows of their own. A task
        that several of them know is learned again from the sum of their sums, as if its rows had
        come to one place; the others are taken over. The density that task inference looks at is
        put together from the moments of the parties' densities.

        Parameters
        ----------
        *others : TaskGeometricHasher
            With the same frozen network; the sums of the tasks in common must be open in all (see
            `open_tasks`), which they are not after saving.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If networks differ, sums were dropped, or tasks that are taken over give a class another
            codeword. The estimator then stays as it was.
        """
        check_is_fitted(self)
        self._check_sums()
        draft = draft_of(self, fresh=False)
        for other in others:
            draft.check_same_network(other.fingerprint(), "the other hasher's")
            for label, modulation in other.modulations_.items():
                if label in draft.modulations_:
                    # A task that all have from the common start has nothing to be added.
                    if not modulation.is_equal(draft.modulations_[label]):
                        draft._merge_task(label, other)
                    continue
                draft.adopt_task(label, modulation)
                if label in other.statistics_:
                    draft.statistics_[label] = other.statistics_[label].copy()
        self.__dict__ = draft.__dict__
        return self

    def _merge_task(self, label: Hashable, other: Any) -> None:
        self._check_open(label, self, other)
        modulations = self.modulations_[label], other.modulations_[label]
        parts = self.statistics_[label], other.statistics_[label]
        statistics = parts[0] + parts[1]
        classes = in_order(c for m in modulations for c in m.classes)
        with self.learner_.threads():
            learned = self._solve(label, statistics, classes, None)
        density = TaskDensity.merged(
            [m.known_density() for m in modulations],
            [[classes.index(c) for c in m.classes] or [0] for m in modulations],
            [
                [part.weight_of(c) for c in m.classes] or [float(part.gram[0, -1, -1])]
                for part, m in zip(parts, modulations)
            ],
        )
        self.modulations_[label] = replace(learned, density=density)
        self.statistics_[label] = statistics

    # -- chunks ----------------------------------------------------------------------------------

    def _check_sums(self) -> None:
        if self.solver != "ridge":
            raise ValueError(
                f"solver={self.solver!r} takes gradient steps, which need all rows at once; only "
                "solver='ridge' learns from sums"
            )

    def _started(self, X: Any, y: Any, task: Any = None) -> Any:
        """A draft whose frozen network is built from a first chunk, and that knows no task."""
        self._validate_params()
        self._check_sums()
        draft = draft_of(self)
        rows, labels = draft._check_training_rows(
            *_arrays(X, y, task), None, fresh=True, given=False
        )
        draft._build(rows, np.flatnonzero(labels == labels[0]))
        return draft

    def _sums_of(self, X: Any, y: Any, task: Any = None) -> dict[Hashable, TaskSums]:
        """Sums of a chunk, by task."""
        rows, labels = self._check_training_rows(
            *_arrays(X, y, task), None, fresh=False, given=False
        )
        sums = {}
        for label, positions in iter_tasks(labels):
            part = rows.take(positions)
            statistics = self.learner_.add_statistics(self.learner_.extract(part), None)
            drawn = part.sample(DENSITY_ROWS, self.learner_.seed)
            drawn = replace(drawn, X=drawn.X[drawn.positions], positions=np.arange(len(drawn.y)))
            sums[label] = TaskSums(statistics, drawn, len(positions))
        return sums

    def _learn_from_sums(self, sums: dict[Hashable, TaskSums]) -> None:
        for label, new in self._bar(sums.items(), "task"):
            previous = self.modulations_.get(label)
            statistics = new.statistics
            if previous is not None:
                self._check_open(label, self)
                statistics = self.statistics_[label] + new.statistics
            classes = in_order(statistics.classes)
            check_class_number(label, classes, new.n_rows)
            learned = self._solve(label, statistics, classes, None)
            drawn = self.learner_.extract(new.drawn)
            self.modulations_[label] = self.learner_.with_density(
                drawn, learned, previous, self._rivals(label)
            )
            self.history_[label] = []
            self._keep_open(label, statistics)

    def _check_open(self, label: Hashable, *hashers: Any) -> None:
        """Raise ValueError if one of some hashers has dropped a task's sums."""
        for hasher in hashers:
            if label not in hasher.statistics_:
                raise ValueError(
                    f"task {label!r} is closed: its sums were dropped by "
                    f"{'this' if hasher is self else 'the other'} hasher. Keep more tasks open "
                    f"(open_tasks={hasher.open_tasks}), and add rows or merge before saving"
                )


def add_sums(total: dict[Hashable, TaskSums], more: dict[Hashable, TaskSums]) -> None:
    """Add sums by task, in place."""
    check_same_kind(list(more), list(total))
    for label, part in more.items():
        total[label] = total[label] + part if label in total else part


def _arrays(X: Any, y: Any, task: Any) -> tuple[Any, Any, Any]:
    """Tensors as arrays; all else as it is."""
    X, y, task = (v.numpy(force=True) if isinstance(v, torch.Tensor) else v for v in (X, y, task))
    return X, y, task
