"""Everything that a hasher has learned, in one place."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..persistence import saved
from ..tasks import check_same_kind
from .encoding.density import TaskDensity
from .encoding.modulation import Modulation
from .learned import is_shared, less, takes_part
from .learning.learner import DENSITY_ROWS
from .learning.neighbourhoods import Neighbourhoods
from .learning.prior import Solution, merged_prior
from .learning.ridge import CentredProblem
from .learning.rows import Rows, sorted_classes
from .learning.settings import LearningSettings
from .learning.statistics import RidgeStatistics
from .learning.sums import TaskSums
from .learning.together import Gathered, Pool
from .learning.unlabelled import (
    CompletedRows,
    PreparedRows,
    complete_rows,
    following,
    learn_neighbourhoods,
    thin_unlabelled,
    with_groups,
)
from .solving import SolvedTasks

# Task inference is calibrated against this many tasks, the last ones learned.
N_CALIBRATION_TASKS = 8


@saved("TaskModel")
@dataclass(frozen=True)
class TaskModel(SolvedTasks):
    """The frozen network, and what each task has learned.

    A model never changes. Methods that learn return a new model, which shares everything with the
    old one but the task that was learned: an error or Ctrl-C leaves the old model as it was. See
    :class:`LearnedTasks` for the attributes.
    """

    # -- learning --------------------------------------------------------------------------------

    def threads(self) -> AbstractContextManager:
        """Threads to learn a task on."""
        return self.learner.threads()

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

    def _gather(
        self, parts: Mapping[Hashable, Rows | TaskSums], settings: LearningSettings
    ) -> tuple[TaskModel, Gathered]:
        """Sum up the rows of tasks that tell each other something, and choose codewords for them.

        The sums of all tasks stay as they are: each task adds its rows once it is learned.
        """
        gathered = Gathered(self.pools)
        later, n_partly = dict[Hashable, int](), 0
        for label, part in parts.items():
            known = self.statistics.get(label)
            if isinstance(part, TaskSums):
                sums = part.statistics if known is None else known + part.statistics
            else:
                rows = self._prepared(label, part, known, settings)
                if rows.found is not None and rows.found.has_others:
                    gathered.keep(label, rows)
                    later[label] = len(rows.rows.y)
                    n_partly += later[label] if rows.found.classes else 0
                    continue
                completed = self._completed(label, rows, settings)
                gathered.keep(label, completed)
                sums = self._summed(completed, known)
            if takes_part(sums) and (known is None or takes_part(known)):
                gathered.add(label, sums, known)
        model = self._with_codebook(gathered, settings, n_partly)
        # Codes of unlabelled rows follow the codebook, or else the task with most rows.
        for label in sorted(later, key=lambda label: -later[label]):
            part = parts[label]
            assert isinstance(part, Rows)
            model = model._gather_codes(label, part, settings, gathered)
        return model, gathered

    def _gather_codes(
        self,
        label: Hashable,
        rows: Rows,
        settings: LearningSettings,
        gathered: Gathered,
    ) -> TaskModel:
        """Sum up the rows of a task with classes of no name, if their codes mean the same to all.

        If no task has said yet what bits mean, this one does.
        """
        known = self.statistics.get(label)
        prepared = gathered.rows.get(label) or self._prepared(label, rows, known, settings)
        completed = self._completed(label, prepared, settings, founds=True)
        gathered.keep(label, completed)
        if (
            completed.found is None
            or not is_shared(completed.found)
            or (known is not None and not takes_part(known))
        ):
            return self
        sums = self._summed(completed, known)
        gathered.add(label, sums, known)
        if known is not None or not self._lacks_projections(completed.found):
            return self
        problem = gathered.problems.get(label) or CentredProblem(sums)
        classes = sorted_classes(completed.rows.classes)
        codebook = self._codewords(label, classes, problem, None, settings)[1]
        return replace(self, codebook=codebook)

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
        prepared = None if gathered is None else gathered.rows.pop(label, None)
        prepared = prepared or self._prepared(label, rows, known, settings)
        completed = self._completed(label, prepared, settings, founds=True)
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
        with self.threads():
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

    def _prepared(
        self,
        label: Hashable,
        rows: Rows,
        known: RidgeStatistics | None,
        settings: LearningSettings,
        n_seen: int = 0,
    ) -> PreparedRows:
        """Compute costly features, and find what gives unlabelled rows their targets.

        Of many unlabelled rows some are drawn. `n_seen` of them were seen beside those that are
        known.
        """
        n_seen += known.unlabelled.total if known else 0
        some = thin_unlabelled(rows, n_seen, self.network.seed)
        extracted = self.learner.extract(some)
        found = known.neighbourhoods if known else self.neighbourhoods.get(label)
        if found is not None or not some.has_unlabelled:
            return PreparedRows(extracted, found)
        every = extracted if some is rows else rows
        found, near = learn_neighbourhoods(self.network, every, settings.n_neighbors)
        # Those of all rows say nothing of a part of them.
        return PreparedRows(extracted, found, near if some is rows else None, every)

    def _completed(
        self,
        label: Hashable,
        prepared: PreparedRows | CompletedRows,
        settings: LearningSettings,
        founds: bool = False,
    ) -> CompletedRows:
        """Give each unlabelled row a class or a code.

        With `founds`, the projections of the task become those of an empty codebook.
        """
        if isinstance(prepared, CompletedRows):
            return prepared
        if prepared.found is None or not prepared.rows.has_unlabelled:
            return CompletedRows(prepared.rows, prepared.found)
        found, learned_from = prepared.found, prepared.learned_from
        share, book = settings.share_codebook, self.codebook
        if share and learned_from is not None and self.network.encoder.passthrough:
            projections = book.projections if found.classes else book.unnamed or book.projections
            if projections is not None:
                found = following(self.network, found, projections, learned_from)
            if founds and self._lacks_projections(found):
                found = replace(found, shares_codes=True)
        flips = self.learner.chooser.flips(None if share else label)
        structure = self.codebook.structure if share else None
        if structure is not None:
            flips = flips * ~structure.alone[self.learner.chooser.bits]
        return complete_rows(self.network, prepared.rows, found, flips, prepared.near)

    def _lacks_projections(self, found: Neighbourhoods) -> bool:
        """Whether no task has said yet what bits of rows without a class mean."""
        if not found.classes:
            return self.codebook.unnamed is None and found.may_found
        return self.codebook.projections is None and not self.codebook.words

    def _summed(self, completed: CompletedRows, known: RidgeStatistics | None) -> RidgeStatistics:
        """Sums of completed rows, and of those that are known."""
        statistics = self.learner.add_statistics(completed.rows, known)
        statistics.neighbourhoods = completed.found
        statistics.unlabelled = completed.fate
        if known is not None:
            statistics.unlabelled += known.unlabelled
        return statistics

    def name_group(self, label: Hashable, number: int, name: Hashable, share: bool) -> TaskModel:
        """Make a group of a task a class; with `share`, the class joins the shared codebook."""
        named = self.modulations[label].naming(number, name)
        codebook = self.codebook
        if share:
            codebook = codebook.joined({name: named.codewords[-1]}, label)
        modulations = self.modulations | {label: named}
        return replace(self, modulations=modulations, codebook=codebook)

    def _calibration_tasks(self, label: Hashable) -> list[Modulation]:
        """The last few other tasks, against which task inference is calibrated."""
        others = [task for task in self.modulations if task != label]
        return [self.modulations[task] for task in others[-N_CALIBRATION_TASKS:]]
