"""Rows of tasks become sums: unlabelled rows get targets, and tasks of one call are gathered."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from .learned import is_shared, takes_part
from .learning.neighbourhoods import Neighbourhoods
from .learning.ridge import CentredProblem
from .learning.rows import Rows, sorted_classes
from .learning.settings import LearningSettings
from .learning.statistics import RidgeStatistics
from .learning.sums import TaskSums
from .learning.together import Gathered
from .learning.unlabelled import (
    CompletedRows,
    PreparedRows,
    complete_rows,
    following,
    learn_neighbourhoods,
    thin_unlabelled,
)
from .solving import SolvedTasks


@dataclass(frozen=True)
class GatheredTasks(SolvedTasks):
    """The steps by which rows of a task become its sums, beside tasks of the same call."""

    # -- the rows of one task --------------------------------------------------------------------

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
        prepared: PreparedRows,
        settings: LearningSettings,
        founds: bool = False,
    ) -> CompletedRows:
        """Give each unlabelled row a class or a code.

        With `founds`, the projections of the task become those of an empty codebook.
        """
        if prepared.found is None or not prepared.rows.has_unlabelled:
            return CompletedRows(prepared.rows, prepared.found)
        found, learned_from = prepared.found, prepared.learned_from
        share, book = settings.share_codebook, self.codebook
        structure = book.structure if share and found.classes else None
        if share and learned_from is not None and self.network.encoder.passthrough:
            projections = book.projections
            if not found.classes:
                # Projections of few classes are mostly copies.
                projections = book.unnamed or (None if book.structure else projections)
            if projections is not None:
                found = following(self.network, found, projections, learned_from)
            if founds and self._lacks_projections(found):
                found = replace(found, shares_codes=True)
        flips = self.learner.chooser.flips(None if share else label)
        if structure is not None:
            flips = flips * ~structure.alone[self.learner.chooser.bits]
        return complete_rows(self.network, prepared.rows, found, flips, prepared.near)

    def _completed_once(
        self,
        label: Hashable,
        rows: Rows,
        known: RidgeStatistics | None,
        settings: LearningSettings,
        gathered: Gathered | None,
    ) -> CompletedRows:
        """Completed rows of a task; what was kept when tasks were gathered is not done again."""
        prepared = None
        if gathered is not None:
            completed = gathered.completed.pop(label, None)
            if completed is not None:
                return completed
            prepared = gathered.prepared.pop(label, None)
        prepared = prepared or self._prepared(label, rows, known, settings)
        return self._completed(label, prepared, settings, founds=True)

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

    # -- the tasks of one call -------------------------------------------------------------------

    def _gather(
        self, parts: Mapping[Hashable, Rows | TaskSums], settings: LearningSettings
    ) -> tuple[Self, Gathered]:
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
                    gathered.keep_prepared(label, rows)
                    later[label] = len(rows.rows.y)
                    n_partly += later[label] if rows.found.classes else 0
                    continue
                completed = self._completed(label, rows, settings)
                gathered.keep_completed(label, completed)
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
    ) -> Self:
        """Sum up the rows of a task with classes of no name, if their codes mean the same to all.

        If no task has said yet what bits mean, this one does.
        """
        known = self.statistics.get(label)
        completed = self._completed_once(label, rows, known, settings, gathered)
        gathered.keep_completed(label, completed)
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
