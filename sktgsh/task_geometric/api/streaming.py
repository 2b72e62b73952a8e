"""Learning from sums: chunks of a stream, partitions on many machines, federated parties.

Everything that the closed form needs is a sum over rows. Chunks are added up where they are, and a
task is learned once, from the total.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sized
from dataclasses import replace
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from ..._sklearn import fit_context, num_samples
from ..._torch import is_torch
from ...base import working_copy
from ...callbacks import FitTask, learned_state, whole_fit
from ...tasks import check_same_kind, iter_tasks
from ...threads import one_thread
from ..checks import (
    check_class_number,
    check_not_frozen,
    check_open,
    classes_of_others,
    warn_of_few_codes,
    with_class_weight,
)
from ..learning.settings import LearningSettings
from ..learning.sums import TaskSums, add_sums, classes_of
from .exchange import ExchangeMixin
from .fitting import FittingMixin


class StreamingMixin(FittingMixin, ExchangeMixin):
    """Chapter on sums: `fit_batches`, `merge`, and the steps that a cluster distributes."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit_batches(self, batches: Iterable) -> Any:
        """Learn from chunks of rows in one pass.

        Sums of the chunks are added up, and every task is learned once at the end, so a data set
        larger than memory needs one chunk at a time. The frozen network is built from the first
        chunk.

        Parameters
        ----------
        batches : iterable of tuple (X, y) or (X, y, task)
            Arrays, tensors or DataFrames: batches of a Parquet file, or a torch DataLoader. A task
            may miss classes in a chunk. `y` may lack labels, or be None. Chunks without rows are
            skipped.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If a chunk is malformed, labels of two chunks are of different kinds, a task has a
            single class in all, or `solver` is not ``"ridge"``. The estimator then stays as it was.

        Notes
        -----
        The sums are those of :meth:`partial_fit` on the same chunks. What is chosen from them
        differs: here codewords and priors follow the rows of all chunks, there those that a task
        and a class come with. With ``codebook="random"`` or ``"hadamard"`` and
        ``share_prior=False`` nothing is chosen from rows, and codes are the same, but for scores
        within the last digits of 0.
        """
        with whole_fit(self, self, 2, None) as fit:
            draft, sums = self._add_chunks(batches, fit)
            if draft is None:
                raise ValueError("batches has no rows; give at least one chunk (X, y) with some")
            with fit.subtask("tasks", len(sums)) as tasks:
                draft._learn_sums(sums, tasks)
            self.__dict__ = draft.__dict__
        return self

    def _add_chunks(
        self, batches: Iterable, fit: FitTask
    ) -> tuple[Self | None, dict[Hashable, TaskSums]]:
        """A copy that is started from the first chunk with rows, and the sums of all chunks."""
        draft, sums = None, dict[Hashable, TaskSums]()
        n_chunks = len(batches) if isinstance(batches, Sized) else None
        with fit.subtask("chunks", n_chunks) as chunks:
            for number, chunk in enumerate(self._bar(batches, "chunk", n_chunks)):
                part = chunks.subtask(f"chunk {number}")
                with part:
                    if num_samples(chunk[0]):
                        draft = self.started(*chunk) if draft is None else draft
                        more = draft._sums_after(sums, *chunk)
                        draft.model_ = draft.model_.remembering(more)
                        add_sums(sums, more)
                if part.stopped:
                    break
        return draft, sums

    def merge(self, *others: Any) -> Any:
        """Learn from the rows of other parties without seeing them (federated learning).

        All parties start from copies of one saved hasher and learn from rows of their own. A task
        that several of them know is learned again from the sum of their sums, as if its rows had
        come to one place; it shrinks towards the prior that this party has for it. Other tasks are
        added as they are. The density for task inference is merged from the moments of the parties'
        densities.

        Parameters
        ----------
        *others : TaskGeometricHasher
            Hashers with the same frozen network. The sums of common tasks must be open in all of
            them (see `max_open_tasks`), which they are not after saving.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If networks differ, sums were dropped, or an added task gives a class another
            codeword. The estimator then stays as it was.
        """
        check_is_fitted(self)
        settings, model = self._sums_settings(), self.model_
        for other in others:
            self.check_same_network(other.fingerprint(), "the other hasher's")
            # What both know stays open until it is merged.
            settings = replace(settings, kept_open=list(other.modulations_))
            for label, modulation in other.modulations_.items():
                if label not in model.modulations:
                    known = other.model_.statistics.get(label), other.model_.priors.get(label)
                    model = model.adopt(label, modulation, self.share_codebook, *known)
                # A task that both sides learned before they were copied adds nothing.
                elif not modulation.is_equal(model.modulations[label]):
                    check_not_frozen([label], model, self.freeze_codes)
                    check_open(label, model, self.max_open_tasks, "this")
                    check_open(label, other.model_, other.max_open_tasks, "the other")
                    model = model.merge_task(label, other.model_, settings)
            model = model.with_open(self.max_open_tasks)
        self.model_ = model
        return self

    # -- sums ------------------------------------------------------------------------------------

    def started(self, X: Any, y: Any = None, task: Any = None) -> Self:
        """Copy the hasher with a frozen network that is built from a first chunk, and no task.

        Parameters
        ----------
        X, y, task
            A chunk, as in :meth:`fit`.

        Returns
        -------
        hasher : TaskGeometricHasher
        """
        self._validate_params()
        settings = self._sums_settings()
        self._check_kept_codes()
        draft = working_copy(self)
        rows, labels = draft._check_training_rows(*_arrays(X, y, task), None, reset=True)
        draft._start(rows, labels)
        for label, positions in iter_tasks(labels):
            draft.model_ = draft.model_.started(label, rows.take(positions), settings)
        return draft

    def going_on(self, X: Any, y: Any = None, task: Any = None) -> Self:
        """Copy the fitted hasher, to add chunks of known and new tasks in other processes.

        What decides on unlabelled rows goes with the copy; for new tasks it is learned from the
        first chunk.

        Parameters
        ----------
        X, y, task
            The first chunk, as in :meth:`partial_fit`.

        Returns
        -------
        hasher : TaskGeometricHasher
        """
        draft, settings = working_copy(self, fresh=False), self._sums_settings()
        rows, labels = draft._check_training_rows(*_arrays(X, y, task), None, reset=False)
        for label, positions in iter_tasks(labels):
            if label not in draft.model_.modulations:
                draft.model_ = draft.model_.started(label, rows.take(positions), settings)
        return draft

    def sums_of(self, X: Any, y: Any = None, task: Any = None) -> dict[Hashable, TaskSums]:
        """Sufficient statistics of a chunk, by task.

        Parameters
        ----------
        X, y, task
            A chunk, as in :meth:`fit`.

        Returns
        -------
        sums : dict of TaskSums
        """
        return self._sums_after({}, X, y, task)

    def _sums_after(
        self, sums: Mapping[Hashable, TaskSums], X: Any, y: Any = None, task: Any = None
    ) -> dict[Hashable, TaskSums]:
        """Sufficient statistics of a chunk that comes after others, of which these are the sums."""
        rows, labels = self._check_training_rows(*_arrays(X, y, task), None, reset=False)
        settings = self._sums_settings()
        rows = with_class_weight(rows, labels, self.class_weight, in_chunks=True)
        n_seen = {label: part.statistics.unlabelled.total for label, part in sums.items()}
        return {
            label: self.model_.sums_of(label, rows.take(part), settings, n_seen.get(label, 0))
            for label, part in iter_tasks(labels)
        }

    def learn_sums(self, sums: Mapping[Hashable, TaskSums]) -> Self:
        """Learn tasks from the sums of their rows, or add them to those of open tasks.

        Parameters
        ----------
        sums : mapping of TaskSums
            By task, as :meth:`sums_of` gives them.

        Returns
        -------
        self : TaskGeometricHasher
        """
        return self._learn_sums(sums, FitTask(self, None, {}))

    def _learn_sums(self, sums: Mapping[Hashable, TaskSums], tasks: FitTask) -> Self:
        """Learn from sums; each task is a part of a task of the fit."""
        settings, model = self._sums_settings(), self.model_
        settings = replace(settings, fill=not model.tasks)
        check_not_frozen(sums, model, self.freeze_codes)
        check_same_kind(classes_of(sums), model.all_classes(), "y", "classes")
        with one_thread():  # sums have no products left to share
            for label, new in sums.items():
                if label in model.modulations:
                    check_open(label, model, self.max_open_tasks, "this")
                statistics = new.statistics
                known = model.statistics[label].classes if label in model.modulations else []
                parts = model.modulations | {task: part.statistics for task, part in sums.items()}
                tell = classes_of_others(label, parts, settings)
                if statistics.neighbourhoods is None:
                    check_class_number(label, {*known, *statistics.classes}, new.n_rows, tell)
            learned, reached = model.learn_together(sums, settings), [model]
            for label in self._bar(sums, "task"):
                part = tasks.subtask(
                    f"task {label}", fitted=lambda: learned_state(self) | {"model_": reached[-1]}
                )
                with part:
                    reached.append(next(learned))
                if part.stopped:
                    break
            model = reached[-1]
        self.model_ = model.with_general() if self.unknown_task == "pool" else model
        warn_of_few_codes(self.model_, sums)
        return self

    def _sums_settings(self) -> LearningSettings:
        """The settings; raises ValueError if they need more than sums."""
        settings = self._settings()
        if not settings.closed_form or settings.gradient is not None:
            raise ValueError(
                f"solver={self.solver!r} takes gradient steps, which need all rows at once; only "
                "solver='ridge' learns from sums"
            )
        return settings


def _arrays(X: Any, y: Any, task: Any) -> tuple[Any, Any, Any]:
    """Turn tensors into arrays; leave everything else as it is."""
    X, y, task = (v.numpy(force=True) if is_torch(v, "Tensor") else v for v in (X, y, task))
    return X, y, task
