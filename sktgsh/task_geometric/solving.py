"""The closed form of one task among the others: codewords, prior, solution and sums."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from .encoding.modulation import Modulation
from .encoding.structure import Structure
from .learned import LearnedTasks, less, replaced, takes_part
from .learning.codebook import Codebook
from .learning.learner import TaskLearner
from .learning.prior import MOST_MIXED, Others, TaskPrior
from .learning.ridge import CentredProblem
from .learning.rows import sorted_classes
from .learning.settings import LearningSettings
from .learning.statistics import RidgeStatistics
from .learning.together import Gathered, Pool

# A new task is asked whether it is one where the solution of all rows uses at most this share of
# its rows' degrees of freedom: errors of a solution that has seen a few rows say little of others.
_MOST_JUDGED = 0.3


@dataclass(frozen=True)
class SolvedTasks(LearnedTasks):
    """The steps by which sums of a task become its modulation, given what other tasks know."""

    @property
    def learner(self) -> TaskLearner:
        """The steps that learn a task of this network."""
        return TaskLearner(self.network)

    def _solve(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        classes: list,
        previous: Modulation | None,
        settings: LearningSettings,
        gathered: Gathered | None = None,
        may_join: bool = True,
    ) -> tuple[Modulation, Codebook, TaskPrior | None]:
        """The closed form from sums alone. Given codes have no classes.

        With `may_join`, a known task may take the solution of the rows of all tasks.
        """
        problem = None if gathered is None else gathered.problems.pop(label, None)
        problem = CentredProblem(statistics) if problem is None else problem
        codewords, codebook, structure = self._codewords(
            label, classes, problem, previous, settings
        )
        codes_given = not classes and statistics.code_sums is None
        bits = self.network.layout.target_bits(codes_given)
        words = dict(zip(classes, codewords))
        book = codebook.words | words if settings.share_codebook else words
        if previous is not None:
            prior, others = self.priors.get(label), Others(None, {})
            asks = may_join and prior is not None and takes_part(statistics)
            asks = asks and self._asked_kind(label, statistics, gathered) == statistics.kind
            pool = self._pool_with(label, statistics, gathered) if asks else None
            if pool is not None:
                others = Others(None, {}, pool.everything, pool.used_by(problem))
        else:
            others = self._others(label, statistics, problem, settings, gathered)
            right = self.learner.targets(problem, words, bits)[0]
            prior = others.prior(problem, right, book, self.network.layout, bits)
        common = others.common(book, self.network.layout, bits)
        learned = self.learner.solve(
            problem, classes, codewords, settings.alpha, bits, prior, structure, common
        )
        if statistics.unlabelled.total:
            learned = replace(learned, unlabelled=statistics.unlabelled)
        return learned, codebook, prior

    def _others(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        problem: CentredProblem,
        settings: LearningSettings,
        gathered: Gathered | None,
    ) -> Others:
        """Solutions of the other tasks, learned before or in the same call, for a new task."""
        # Rows of classes without a name tell others nothing, but labelled rows beside them may ask.
        asks = takes_part(statistics) or bool(statistics.class_sums)
        if not settings.share_prior or not asks:
            return Others(None, {})
        kind = self._asked_kind(label, statistics, gathered)
        solutions: dict[Hashable, Any] = {
            task: self.learner.solution(modulation)
            for task, modulation in list(self.modulations.items())[-MOST_MIXED:]
            # Codes of tasks with codebooks of their own cannot be compared.
            if task != label
            and (settings.share_codebook or kind == "codes")
            and self._can_answer(task, kind)
            and not (gathered is not None and task in gathered)
        }
        if gathered is not None:
            # The last ones are mixed.
            for asked in dict.fromkeys((statistics.kind, kind)):
                solutions |= less(gathered.solutions.get(asked, {}), label)
        if kind != statistics.kind or not takes_part(statistics):
            others = None if gathered is None else gathered.pool(kind)
            if others is None:
                sums = replaced(self.pools, self.statistics.get(label), None).get(kind)
                others = None if sums is None else Pool(sums)
            return Others(None if others is None else others.solution(), solutions)
        pool = self._pool_with(label, statistics, gathered)
        rest = None if pool is None else pool.solution(statistics)
        if pool is None or rest is None:
            return Others(None, solutions)
        used = pool.used_by(problem)
        if used.max() > _MOST_JUDGED * problem.n_effective:
            return Others(rest, solutions)
        return Others(rest, solutions, pool.everything, used)

    def _asked_kind(
        self, label: Hashable, statistics: RidgeStatistics, gathered: Gathered | None
    ) -> str:
        """The kind of tasks that a task asks.

        One with classes of no name asks those whose rows all have classes, if they have a name for
        other classes than its own, or more labelled rows than its like; and else its like.
        """
        pools = dict(self.pools)
        for kind in ("classes", "partial"):
            pool = None if gathered is None else gathered.pool(kind)
            if pool is not None:
                pools[kind] = pool.statistics
        if statistics.kind != "partial" or "classes" not in pools:
            return statistics.kind
        named, alike = pools["classes"], pools.get("partial")
        if alike is None or not set(named.classes) <= set(statistics.classes):
            return "classes"
        is_there = gathered is not None and label in gathered
        own = statistics if is_there else self.statistics.get(label)
        n_own = own.n_labelled if own is not None and takes_part(own) else 0
        return "classes" if named.n_labelled > alike.n_labelled - n_own else "partial"

    def _can_answer(self, task: Hashable, kind: str) -> bool:
        """Whether the solution of a task says something to tasks that ask this kind."""
        own = self.kind_of(task)
        if kind == "unlabelled":
            return own == kind and takes_part(self.statistics.get(task))
        return own == kind or {own, kind} == {"classes", "partial"}

    def _pool_with(
        self, label: Hashable, statistics: RidgeStatistics, gathered: Gathered | None
    ) -> Pool | None:
        """The rows of all tasks with those of one task as they are now; None if there are none."""
        pools = self.pools
        pool = None if gathered is None else gathered.pool(statistics.kind)
        if gathered is not None and pool is not None:
            if label in gathered:
                return pool
            pools = pools | {statistics.kind: pool.statistics}
        sums = replaced(pools, self.statistics.get(label), statistics).get(statistics.kind)
        return None if sums is None else Pool(sums)

    def _with_codebook(self, gathered: Gathered, settings: LearningSettings, n_partly: int) -> Self:
        """Choose the codewords that tasks share from the rows of those whose rows have classes.

        One such task beside more rows of tasks with classes of no name leaves the choice to these.
        """
        pool = gathered.pool("classes")
        n_new = len(gathered.solutions.get("classes", {}))
        if not settings.share_codebook or pool is None or not n_new:
            return self
        if n_new == 1 and pool.statistics.total <= n_partly:
            return self
        problem = pool.problem
        classes = sorted_classes(problem.classes)
        return replace(self, codebook=self._codewords(None, classes, problem, None, settings)[1])

    def _with_sums(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        prior: TaskPrior | None,
        settings: LearningSettings,
    ) -> dict[str, Any]:
        """Sums and priors of the open tasks, with those of a task as the last; the oldest drop."""
        closed = self.close(label)
        opened = replace(
            closed,
            statistics=closed.statistics | {label: statistics},
            priors=closed.priors | ({} if prior is None else {label: prior}),
        ).with_open(settings.max_open_tasks, settings.kept_open)
        pools = dict[str, RidgeStatistics]()
        if settings.share_prior:
            pools = replaced(self.pools, self.statistics.get(label), statistics)
        return {
            "statistics": opened.statistics,
            "priors": opened.priors,
            "pools": pools,
        }

    def _codewords(
        self,
        label: Hashable,
        classes: list,
        problem: Any,
        previous: Modulation | None,
        settings: LearningSettings,
    ) -> tuple[np.ndarray, Codebook, Structure | None]:
        """Codewords (n_classes, n_codebook_bits) of the task, shared codebook, and structure."""
        known = self._fixed_codewords(label, previous, settings.share_codebook)
        found = None if problem is None else problem.neighbourhoods
        found = found if found is not None and found.has_others else None
        if found is not None and self.network.encoder.passthrough:
            if classes and not known.words and known.projections is None:
                known = replace(known, projections=found.projections)
            if not found.classes and found.shares_codes and known.unnamed is None:
                known = replace(known, unnamed=found.projections)
        new = [c for c in classes if c not in known.words]
        own_to = None if settings.share_codebook else label
        book = self.learner.chooser.choose(problem, known, new, settings.codebook, own_to)
        fills = settings.fill and not known.words and settings.gradient is None
        if fills and problem is not None and problem.classes and found is None:
            table = np.array(list(book.words.values()))
            structure = self.learner.learn_structure(problem, table)
            if structure is not None:
                book = book.with_structure(structure, self.learner.chooser.bits)
        n_bits = len(self.network.layout.codebook_bits)
        words = np.array([book.words[c] for c in classes], np.int8).reshape(len(classes), n_bits)
        shared = book if settings.share_codebook else self.codebook
        if previous is not None:  # stored codes follow what they followed
            return words, shared, previous.structure
        return words, shared, book.structure if classes else None

    def _fixed_codewords(
        self, label: Hashable, previous: Modulation | None, share_codebook: bool
    ) -> Codebook:
        """The codewords that stored codes depend on: a codebook is only ever extended."""
        if not share_codebook:
            known = {} if previous is None else dict(zip(previous.classes, previous.codewords))
            return Codebook(known, structure=None if previous is None else previous.structure)
        alone = previous is None and list(self.modulations) == [label]
        return Codebook({}) if alone else self.codebook
