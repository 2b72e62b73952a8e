"""Everything that a hasher has learned, in one place."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..persistence import saved
from ..tasks import check_same_kind
from ..threads import one_thread
from .encoding.density import TaskDensity
from .encoding.modulation import Modulation
from .gathering import GatheredTasks
from .learned import less
from .learning.learner import DENSITY_ROWS
from .learning.prior import Solution, merged_prior
from .learning.rows import Rows, sorted_classes
from .learning.settings import LearningSettings
from .learning.sums import TaskSums
from .learning.together import Gathered, Pool
from .learning.unlabelled import with_groups

# Task inference is calibrated against this many tasks, the last ones learned.
N_CALIBRATION_TASKS = 8


@saved("TaskModel")
@dataclass(frozen=True)
class TaskModel(GatheredTasks):
    """The frozen network, and what each task has learned.

    A model never changes. Methods that learn return a new model, which shares everything with the
    old one but the task that was learned: an error or Ctrl-C leaves the old model as it was. See
    :class:`LearnedTasks` for the attributes.
    """

    # -- learning --------------------------------------------------------------------------------

    def threads(self, n_rows: int, settings: LearningSettings) -> AbstractContextManager:
        """Threads to learn a task of so many rows on."""
        return self.learner.threads(n_rows, settings.gradient is not None)

    def learn_together(
        self,
        parts: Mapping[Hashable, Rows | TaskSums],
        settings: LearningSettings,
        reset: bool = False,
    ) -> Iterator[TaskModel]:
        """Learn several tasks, each with all others as its prior, whatever their order.

        A task whose rows have classes of no name has those as its prior that have a name for them,
        or else its like.

        Parameters
        ----------
        parts : mapping of Rows or TaskSums
            By task.
        settings : LearningSettings
        reset : bool, default=False
            Forget what the tasks have learned before.

        Yields
        ------
        model : TaskModel
            After each task.
        """
        model, gathered = self.with_pools() if settings.share_prior else self, None
        if settings.closed_form and settings.share_prior and len(parts) > 1:
            new = [label for label in parts if reset or label not in self.tasks]
            model, gathered = model.without(new)._gather(parts, settings)
        elif reset:
            # The sums of closed tasks cannot be replaced.
            closed = [label for label in parts if label in self.tasks]
            model = model.without([label for label in closed if label not in self.statistics])
        # Tasks that get more rows later in this call stay open until then.
        waiting = [] if reset else [label for label in parts if label in self.statistics]
        for label, part in parts.items():
            waiting = [later for later in waiting if later != label]
            now = replace(settings, kept_open=waiting)
            if isinstance(part, TaskSums):
                model = model.learn_sums(label, part, now, gathered)
            else:
                model = model.learn(label, part, now, reset, gathered)
            yield model

    def learn(
        self,
        label: Hashable,
        rows: Rows,
        settings: LearningSettings,
        reset: bool = False,
        gathered: Gathered | None = None,
    ) -> TaskModel:
        """Learn a task from rows, or go on with it.

        Parameters
        ----------
        label : task label
        rows : Rows
        settings : LearningSettings
        reset : bool, default=False
            Forget what the task has learned before.
        gathered : Gathered, optional
            What tasks that are learned in the same call say of each other.

        Returns
        -------
        model : TaskModel
        """
        learner, previous = self.learner, None if reset else self.modulations.get(label)
        known = self.statistics.get(label) if previous else None
        completed = self._completed_once(label, rows, known, settings, gathered)
        rows = completed.rows
        classes = sorted_classes([*(previous.classes if previous else ()), *rows.classes])
        sums, history = dict[str, Any](), list[dict]()
        if settings.closed_form:
            kept = None if gathered is None else gathered.statistics.pop(label, None)
            statistics = kept or self._summed(completed, known)
            start, codebook, prior = self._solve(
                label, statistics, classes, previous, settings, gathered
            )
            sums = self._with_sums(label, statistics, prior, settings)
        else:
            codewords, codebook, _ = self._codewords(label, classes, None, previous, settings)
            start = learner.start(previous, classes, codewords, label)
        if settings.gradient is not None:
            from .learning.polish import polish

            start, history = polish(learner, rows, start, settings.gradient, settings.verbose)
        start = with_groups(self.network, start, rows, previous, settings.n_groups)
        learned = learner.with_density(rows, start, previous, self._calibration_tasks(label))
        earlier = self.history.get(label, []) if previous else []
        return replace(
            self,
            modulations=self.modulations | {label: learned},
            codebook=codebook,
            history=self.history | {label: earlier + history},
            **sums,
        )

    def started(self, label: Hashable, rows: Rows, settings: LearningSettings) -> TaskModel:
        """Learn from some rows of a task what decides on the unlabelled rows of all its chunks."""
        prepared = self._prepared(label, rows, None, settings)
        # Codewords of classes wait for the rows of all tasks.
        founds = prepared.found is not None and not prepared.found.classes
        found = self._completed(label, prepared, settings, founds).found
        added, book = {} if found is None else {label: found}, self.codebook
        if founds and found is not None and found.shares_codes and book.unnamed is None:
            book = replace(book, unnamed=found.projections)
        return replace(self, neighbourhoods=added | self.neighbourhoods, codebook=book)

    def travelling(self) -> TaskModel:
        """Keep what decides on unlabelled rows of the open tasks beside their sums."""
        found = {label: sums.neighbourhoods for label, sums in self.statistics.items()}
        added = {label: part for label, part in found.items() if part is not None}
        return replace(self, neighbourhoods=self.neighbourhoods | added)

    def remembering(self, sums: Mapping[Hashable, TaskSums]) -> TaskModel:
        """Decide on later chunks as on the first chunk with unlabelled rows."""
        found = {label: part.statistics.neighbourhoods for label, part in sums.items()}
        added = {label: part for label, part in found.items() if part is not None}
        return replace(self, neighbourhoods=added | self.neighbourhoods)

    def sums_of(
        self, label: Hashable, rows: Rows, settings: LearningSettings, n_seen: int = 0
    ) -> TaskSums:
        """Sufficient statistics of rows of one task, with a sample of the rows.

        Parameters
        ----------
        label : task label
        rows : Rows
        settings : LearningSettings
        n_seen : int, default=0
            Number of unlabelled rows of the task that other sums have seen.
        """
        n_rows, known = len(rows.positions), self.statistics.get(label)
        prepared = self._prepared(label, rows, known, settings, n_seen)
        completed = self._completed(label, prepared, settings)
        rows, statistics = completed.rows, self._summed(completed, None)
        drawn = rows.sample(DENSITY_ROWS, self.network.seed)
        X = drawn.X[drawn.positions]
        drawn = replace(drawn, X=X, positions=np.arange(len(drawn.y)), sources=None)
        return TaskSums(statistics, drawn, n_rows)

    def learn_sums(
        self,
        label: Hashable,
        sums: TaskSums,
        settings: LearningSettings,
        gathered: Gathered | None = None,
    ) -> TaskModel:
        """Learn a task from sums of its rows, or add them to the sums of an open task.

        Parameters
        ----------
        label : task label
        sums : TaskSums
        settings : LearningSettings
        gathered : Gathered, optional
            As in :meth:`learn`.

        Returns
        -------
        model : TaskModel
        """
        learner, previous = self.learner, self.modulations.get(label)
        statistics = sums.statistics
        if previous is not None:
            statistics = self.statistics[label] + statistics
        classes = sorted_classes(statistics.classes)
        start, codebook, prior = self._solve(
            label, statistics, classes, previous, settings, gathered
        )
        drawn = learner.extract(sums.drawn)
        # Rows of other chunks have no position in one X.
        unplaced = replace(drawn, positions=np.full(len(drawn.y), -1), sources=None)
        start = with_groups(self.network, start, unplaced, previous, settings.n_groups)
        learned = learner.with_density(drawn, start, previous, self._calibration_tasks(label))
        return replace(
            self,
            modulations=self.modulations | {label: learned},
            codebook=codebook,
            history=self.history | {label: []},
            **self._with_sums(label, statistics, prior, settings),
            neighbourhoods=less(self.neighbourhoods, label),
        )

    def merge_task(
        self, label: Hashable, other: TaskModel, settings: LearningSettings
    ) -> TaskModel:
        """Learn a task again from the sums of two models that both have it open.

        Parameters
        ----------
        label : task label
        other : TaskModel
        settings : LearningSettings
        """
        modulations = self.modulations[label], other.modulations[label]
        check_same_kind(modulations[1].classes, self.all_classes(), "the other task", "classes")
        parts = self.statistics[label], other.statistics[label]
        statistics = parts[0] + parts[1]
        classes = sorted_classes(c for m in modulations for c in m.classes)
        priors = [m.priors.get(label) for m in (self, other)]
        prior = merged_prior(priors, [part.total for part in parts])
        merged = {} if prior is None else {label: prior}
        merging = replace(self, priors=less(self.priors, label) | merged)
        gains = [m.task_gain for m in modulations]
        common = any(gain is not None and gain.is_common for gain in gains)
        with one_thread():  # sums have no products left to share
            learned, codebook, prior = merging._solve(
                label, statistics, classes, modulations[0], settings, may_join=common
            )
        density = TaskDensity.merged(
            [m.known_density() for m in modulations],
            [[classes.index(c) for c in m.classes] or [0] for m in modulations],
            [
                [part.weight_of(c) for c in m.classes] or [part.total]
                for part, m in zip(parts, modulations)
            ],
        )
        learned = replace(learned, density=density, groups=modulations[0].groups)
        return replace(
            self,
            modulations=self.modulations | {label: learned},
            codebook=codebook,
            **self._with_sums(label, statistics, prior, settings),
        )

    def with_general(self) -> TaskModel:
        """Learn a modulation for unknown tasks from the rows of all tasks with classes."""
        layout, learner, pool = self.network.layout, self.learner, self.pools.get("classes")
        bits, words = layout.target_bits(codes_given=False), self.codebook.words
        if pool is not None:
            firm = Pool(pool).solution()
            solution = None if firm is None else firm.for_codewords(words, layout, bits)
        else:
            known = [learner.solution(m) for m in self.modulations.values() if m.classes]
            solution = None
            if known:
                solution = Solution(*(np.mean(part, axis=0) for part in zip(*known)))
        if solution is None or not words:
            return replace(self, general=None)
        classes = sorted_classes(words)
        table = np.array([words[label] for label in classes], np.int8)
        general = learner.modulation_of(solution, classes, table, structure=self.codebook.structure)
        return replace(self, general=general)

    def name_group(self, label: Hashable, number: int, name: Hashable, share: bool) -> TaskModel:
        """Make a group of a task a class; with `share`, the class joins the shared codebook."""
        named, codebook = self.modulations[label].naming(number, name), self.codebook
        if share:
            if codebook.structure is not None:
                # Bits that follow a structure elsewhere spell no class.
                spells = ~codebook.structure.alone[self.learner.chooser.bits]
                named = replace(named, codewords=named.codewords * spells)
            codebook = codebook.joined({name: named.codewords[-1]}, label)
        modulations = self.modulations | {label: named}
        return replace(self, modulations=modulations, codebook=codebook)

    def _calibration_tasks(self, label: Hashable) -> list[Modulation]:
        """The last few other tasks, against which task inference is calibrated."""
        others = [task for task in self.modulations if task != label]
        return [self.modulations[task] for task in others[-N_CALIBRATION_TASKS:]]
