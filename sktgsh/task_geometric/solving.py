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
from .learning.together import Gathered, Pool, kind_of

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
        learner, kind = self.learner, kind_of(statistics)
        solutions: dict[Hashable, Any] = {
            task: learner.solution(modulation)
            for task, modulation in list(self.modulations.items())[-MOST_MIXED:]
            # Codes of tasks with codebooks of their own cannot be compared.
            if task != label
            and (settings.share_codebook or kind == "codes")
            and bool(modulation.classes) == (kind == "classes")
            and not (gathered is not None and task in gathered.solutions)
        }
        old = self.statistics.get(label)
        own = old if takes_part(old) else None
        if gathered is not None and gathered.kind == kind:
            solutions |= less(gathered.solutions, label)
            if label not in gathered:
                return Others(gathered.pool.solution(own), solutions)
        elif kind not in self.pools:
            return Others(None, solutions)
        elif not takes_part(statistics):
            return Others(Pool(self.pools[kind]).solution(own), solutions)
        pool = self._pool_with(label, statistics, gathered)
        rest = None if pool is None else pool.solution(statistics)
        if pool is None or rest is None:
            return Others(None, solutions)
        used = pool.used_by(problem)
        if used.max() > _MOST_JUDGED * problem.n_effective:
            return Others(rest, solutions)
        return Others(rest, solutions, pool.everything, used)

    def _pool_with(
        self, label: Hashable, statistics: RidgeStatistics, gathered: Gathered | None
    ) -> Pool | None:
        """The rows of all tasks with those of one task as they are now; None if there are none."""
        sums = self.pools.get(kind_of(statistics))
        if gathered is not None and gathered.kind == kind_of(statistics):
            if label in gathered:
                return gathered.pool
            sums = gathered.pool.statistics
        sums = replaced(sums, self.statistics.get(label), statistics)
        return None if sums is None else Pool(sums)

    def _with_codebook(self, gathered: Gathered, settings: LearningSettings) -> Self:
        """Choose the codewords that tasks share from the rows of all of them."""
        if not settings.share_codebook or len(gathered.solutions) < 2:
            return self
        if not gathered.pool.statistics.class_sums:
            return self
        problem = gathered.pool.problem
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
        pools = {}
        if settings.share_prior:
            before = self.statistics.get(label)
            pools = self._pooled(kind_of(statistics), before, statistics)
        return {
            "statistics": opened.statistics,
            "priors": opened.priors,
            "pools": self.pools | pools,
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
        if found is not None and self.network.encoder.passthrough and not known.words:
            groups = self.modulations[label].groups if label in self.modulations else None
            named = {} if groups is None else dict(groups.named)
            known = Codebook(named, found.projections)
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
        shared = book if settings.share_codebook and classes else self.codebook
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
