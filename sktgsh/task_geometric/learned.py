"""The learned state of a hasher, task by task, and the methods that read it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..tasks import check_same_kind, iter_tasks
from .encoding.inference import TaskInference
from .encoding.modulation import Modulation
from .encoding.network import TaskNetwork
from .learning.codebook import Codebook
from .learning.neighbourhoods import Neighbourhoods
from .learning.prior import TaskPrior
from .learning.statistics import NO_ROW, RidgeStatistics


@dataclass(frozen=True)
class LearnedTasks:
    """The learned state of a model, and the methods that read it.

    Attributes
    ----------
    network : TaskNetwork
        The frozen part, which all tasks share.
    modulations : dict of Modulation
        The learned part of each task, by label, in the order in which tasks were learned.
    codebook : Codebook
        Codewords that tasks share.
    statistics : dict of RidgeStatistics
        Sufficient statistics of the open tasks, by label.
    history : dict of list
        Epochs of the gradient steps of each task.
    priors : dict of TaskPrior
        What the open tasks shrink towards, by label; it stays while a task goes on learning.
    pools : dict of RidgeStatistics
        Sums of the rows of all tasks, by kind.
    general : Modulation or None
        What all tasks with classes have learned together, for rows of unknown tasks.
    neighbourhoods : dict of Neighbourhoods
        What gives unlabelled rows of a task their targets, for tasks that were started and not
        learned. A task that was learned has it beside its sufficient statistics.
    """

    network: TaskNetwork
    modulations: dict[Hashable, Modulation] = field(default_factory=dict)
    codebook: Codebook = field(default_factory=lambda: Codebook({}))
    statistics: dict[Hashable, RidgeStatistics] = field(default_factory=dict)
    history: dict[Hashable, list[dict]] = field(default_factory=dict)
    priors: dict[Hashable, TaskPrior] = field(default_factory=dict)
    pools: dict[str, RidgeStatistics] = field(default_factory=dict)
    general: Modulation | None = None
    neighbourhoods: dict[Hashable, Neighbourhoods] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        # The versions are computed again when they are asked for.
        return {name: part for name, part in vars(self).items() if name != "code_versions"}

    # -- tasks -----------------------------------------------------------------------------------

    def adopt(
        self,
        label: Hashable,
        modulation: Modulation,
        share_codebook: bool,
        statistics: RidgeStatistics | None = None,
        prior: TaskPrior | None = None,
    ) -> Self:
        """Add a task that a copy of the network has learned.

        Parameters
        ----------
        label : task label
            Label that the task gets here.
        modulation : Modulation
            The learned part of the task.
        share_codebook : bool
            Whether a class must have the same codeword in all tasks.
        statistics : RidgeStatistics, optional
            Sufficient statistics of the task, where they are at hand.
        prior : TaskPrior, optional
            What the task goes on to shrink towards, beside its statistics.

        Returns
        -------
        model : LearnedTasks

        Raises
        ------
        ValueError
            If the task is known here, gives a class of the shared codebook another codeword, or has
            strings for labels where the tasks here have numbers, or the reverse.
        """
        check_same_kind([label], list(self.modulations))
        check_same_kind(modulation.classes, self.all_classes(), "the other task", "classes")
        if label in self.modulations:
            raise ValueError(f"task {label!r} is known here already; give it another label")
        codebook = self.codebook
        if share_codebook:
            if not codebook.words and codebook.structure is None:
                codebook = replace(codebook, structure=modulation.structure)
            codebook = codebook.joined(dict(zip(modulation.classes, modulation.codewords)), label)
        added = {} if statistics is None else {label: statistics.copy()}
        pools = self.pools
        if statistics is not None:
            # Those from elsewhere do not follow the projections of this codebook.
            found = statistics.neighbourhoods
            found = None if found is None else replace(found, shares_codes=False)
            added[label].neighbourhoods = found
            pools = replaced(pools, None, added[label])
        return replace(
            self,
            modulations=self.modulations | {label: modulation},
            codebook=codebook,
            history=self.history | {label: []},
            statistics=self.statistics | added,
            priors=self.priors | ({} if statistics is None or prior is None else {label: prior}),
            pools=pools,
        )

    def with_open(self, most: int, kept: Collection[Hashable] = ()) -> Self:
        """Drop the sufficient statistics of all but the last open tasks, and of some others."""
        last = list(self.statistics)[max(0, len(self.statistics) - most) :]
        opened = [task for task in self.statistics if task in last or task in kept]
        return replace(
            self,
            statistics={task: self.statistics[task] for task in opened},
            priors={task: part for task, part in self.priors.items() if task in opened},
        )

    def with_pools(self) -> Self:
        """The same with the sums of all open tasks, where tasks were learned without them."""
        if self.pools:
            return self
        pools = dict[str, RidgeStatistics]()
        for sums in self.statistics.values():
            pools = replaced(pools, None, sums)
        return replace(self, pools=pools)

    def close(self, label: Hashable | None = None) -> Self:
        """Drop the sufficient statistics of a task, or of all tasks; their codes stay."""
        if label is None:
            return replace(self, statistics={}, priors={}, pools={})
        kept = {task: sums for task, sums in self.statistics.items() if task != label}
        priors = {task: prior for task, prior in self.priors.items() if task != label}
        return replace(self, statistics=kept, priors=priors)

    def with_sums_alone(self) -> Self:
        """The same model with sums that hold no row, to be written to a file."""

        def alone(table: dict[Any, RidgeStatistics]) -> dict[Any, RidgeStatistics]:
            return {label: sums.without_rows() for label, sums in table.items()}

        return replace(self, statistics=alone(self.statistics), pools=alone(self.pools))

    def renamed(self, label: Hashable, new: Hashable) -> Self:
        """Give a task another label."""

        def rename(table: dict[Hashable, Any]) -> dict[Hashable, Any]:
            return {new if key == label else key: value for key, value in table.items()}

        return replace(
            self,
            modulations=rename(self.modulations),
            statistics=rename(self.statistics),
            history=rename(self.history),
            priors=rename(self.priors),
        )

    def without(self, labels: Collection[Hashable]) -> Self:
        """Forget tasks; the sums of all tasks' rows lose theirs.

        If the sums of such a task are closed, they cannot be taken out of those of all tasks. These
        are then made of the tasks that are open and stay.
        """
        kept, pools = self, dict(self.pools)
        for label in labels:
            if label not in self.modulations:
                continue
            kept = replace(
                kept.close(label),
                modulations=less(kept.modulations, label),
                history=less(kept.history, label),
            )
            if label in self.statistics:
                pools = replaced(pools, self.statistics[label], None)
                continue
            # Names of groups make classes of a task without a label.
            kind = self.kind_of(label)
            gone = {"partial", "unlabelled"} if kind in ("partial", "unlabelled") else {kind}
            pools = {kind: pool for kind, pool in pools.items() if kind not in gone}
            for sums in kept.statistics.values():
                if sums.kind in gone:
                    pools = replaced(pools, None, sums)
        return replace(kept, pools=pools)

    def kind_of(self, label: Hashable) -> str:
        """What the rows of a task have, as of :attr:`.RidgeStatistics.kind`."""
        if label in self.statistics:
            return self.statistics[label].kind
        modulation = self.modulations[label]
        fate = modulation.unlabelled
        if fate is not None and fate.n_grouped:
            return "partial" if modulation.classes else "unlabelled"
        return "classes" if modulation.classes else "codes"

    # -- reading ---------------------------------------------------------------------------------

    @property
    def tasks(self) -> list:
        """Labels of the tasks, in the order in which they were learned."""
        return list(self.modulations)

    def modulation_of(self, label: Hashable) -> Modulation:
        """The modulation of a task; that of all tasks together, if it was not learned."""
        found = self.modulations.get(label, self.general)
        if found is None:
            raise ValueError(f"task {label!r} was not learned")
        return found

    @cached_property
    def code_versions(self) -> dict[Hashable, str]:
        """Digest of everything that decides a code, for each task."""
        network, readout = self.network.fingerprint(), self.network.head == "readout"
        return {label: m.code_version(network, readout) for label, m in self.modulations.items()}

    def map_scores(
        self,
        function: Callable[[slice | np.ndarray, np.ndarray], Any],
        X: Any,
        labels: np.ndarray,
        n_bits: int,
        progress: str = "",
    ) -> None:
        """Call ``function(rows, scores)`` task by task and batch by batch.

        Parameters
        ----------
        function : callable
            Takes rows of X, and the scores of their first bits, (n_rows, n_bits).
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        labels : ndarray of shape (n_samples,)
            Task of each row.
        n_bits : int
            Number of bits.
        progress : str, default=""
            Title of a progress bar; by default there is none.
        """
        for label, positions in iter_tasks(labels):
            own = None if len(positions) == X.shape[0] else positions

            def place(batch: np.ndarray, scores: np.ndarray, own: Any = own) -> None:
                rows = slice(batch[0], batch[-1] + 1) if own is None else own[batch]
                function(rows, scores)

            modulation = self.modulation_of(label)
            self.network.map_scores(place, X, own, modulation, n_bits, progress=progress)

    def short_codes(self, X: Any, labels: np.ndarray) -> np.ndarray | None:
        """Codes of a few rows, (n_samples, n_bits), the same as from any batch.

        Rows with an uncertain bit are read again in a batch of full size. None if the network has
        no short path.
        """
        codes = np.empty((X.shape[0], self.network.layout.n_bits), bool)
        certain = np.empty(X.shape[0], bool)
        for label, rows in iter_tasks(labels):
            found = self.network.short_bits(X, rows, self.modulation_of(label))
            if found is None:
                return None
            codes[rows], certain[rows] = found
        (left,) = (~certain).nonzero()

        def store(rows: slice | np.ndarray, scores: np.ndarray) -> None:
            codes[left[rows]] = scores > 0

        if len(left):
            self.map_scores(store, X[left], labels[left], self.network.layout.n_bits)
        return codes

    def infer(
        self, X: Any, groups: ArrayLike | None = None, progress: str = ""
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Infer the task of each row; see :meth:`.TaskInference.infer`."""
        modulations = list(self.modulations.values())
        inference = TaskInference([modulation.known_density() for modulation in modulations])
        densities = self.network.log_densities(X, modulations, progress=progress)
        return inference.infer(densities, groups)

    def all_classes(self) -> list:
        """Class labels of the tasks, task by task."""
        return [label for modulation in self.modulations.values() for label in modulation.classes]

    def class_labels(self) -> np.ndarray:
        """Class labels of all tasks, sorted."""
        return np.unique(self.all_classes())

    def codeword_tables(self) -> np.ndarray:
        """Codewords of all classes, (n_tasks, n_classes, n_bits); 0 where a task has none."""
        layout, classes = self.network.layout, self.class_labels().tolist()
        tables = np.zeros((len(self.modulations), len(classes), layout.n_bits), np.int8)
        for table, modulation in zip(tables, self.modulations.values()):
            for label, codeword in zip(modulation.classes, modulation.codewords):
                table[classes.index(label), layout.codebook_bits] = codeword
        return tables

    def similarity(self) -> np.ndarray:
        """Cosine similarity of all pairs of tasks, (n_tasks, n_tasks), dtype float64."""
        modulations: Sequence[Modulation] = list(self.modulations.values())
        if self.network.head == "shared":
            vectors = self.network.reference_scores(modulations)
        else:
            vectors = np.stack([modulation.vector for modulation in modulations])
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
        return ((vectors / norms) @ (vectors / norms).T).astype(np.float64)


def less(table: dict[Any, Any], label: Hashable) -> dict[Any, Any]:
    """A table without one of its entries."""
    return {key: value for key, value in table.items() if key != label}


def replaced(
    pools: Mapping[str, RidgeStatistics],
    before: RidgeStatistics | None,
    after: RidgeStatistics | None,
) -> dict[str, RidgeStatistics]:
    """The sums of many rows, by kind, with those of one task replaced where they take part."""
    found = dict(pools)
    if before is not None and takes_part(before) and before.kind in found:
        left = found[before.kind] - before
        # What rounding leaves of no rows is no sum.
        if left.total > NO_ROW * found.pop(before.kind).total:
            found[before.kind] = left
    if after is not None and takes_part(after):
        added, known = after.for_pool(), found.get(after.kind)
        found[after.kind] = added if known is None else known + added
    return found


def takes_part(statistics: RidgeStatistics | None) -> bool:
    """Whether the rows of a task tell other tasks of their kind something."""
    if statistics is None:
        return False
    found = statistics.neighbourhoods
    if found is None or not found.has_others:
        return True
    # A task that got its first labels later has codes of the other kind.
    return is_shared(found) and bool(found.classes) == bool(statistics.class_sums)


def is_shared(found: Neighbourhoods | None) -> bool:
    """Whether rows with these neighbourhoods tell other tasks something.

    Those of classes without a name do so if their codes follow projections that tasks share.
    """
    return found is None or not found.has_others or found.shares_codes
