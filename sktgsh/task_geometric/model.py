"""Everything that a hasher has learned, in one place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..persistence import saved
from ..tasks import check_same_kind, iter_tasks
from .encoding.density import TaskDensity
from .encoding.inference import TaskInference
from .encoding.modulation import Modulation
from .encoding.network import TaskNetwork
from .learning.codebook import Codebook
from .learning.learner import DENSITY_ROWS, LearningSettings, TaskLearner
from .learning.prior import MOST_MIXED, Others, TaskPrior
from .learning.ridge import CentredProblem
from .learning.rows import Rows, sorted_classes
from .learning.statistics import RidgeStatistics
from .learning.sums import TaskSums
from .learning.together import Gathered, Pool, PooledProblem, gather, kind_of

# Task inference is calibrated against this many tasks, the last ones learned.
N_CALIBRATION_TASKS = 8


@saved("TaskModel")
@dataclass(frozen=True)
class TaskModel:
    """The frozen network, and what each task has learned.

    A model never changes. Methods that learn return a new model, which shares everything with the
    old one but the task that was learned: an error or Ctrl-C leaves the old model as it was.

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
        Sums of the rows of all tasks: of those with classes under "classes", of those with given
        codes under "codes".
    """

    network: TaskNetwork
    modulations: dict[Hashable, Modulation] = field(default_factory=dict)
    codebook: Codebook = field(default_factory=lambda: Codebook({}))
    statistics: dict[Hashable, RidgeStatistics] = field(default_factory=dict)
    history: dict[Hashable, list[dict]] = field(default_factory=dict)
    priors: dict[Hashable, TaskPrior] = field(default_factory=dict)
    pools: dict[str, RidgeStatistics] = field(default_factory=dict)

    # -- learning --------------------------------------------------------------------------------

    @property
    def learner(self) -> TaskLearner:
        """The steps that learn a task of this network."""
        return TaskLearner(self.network)

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
        model, gathered = self, None
        new = {label: part for label, part in parts.items() if reset or label not in self.tasks}
        if settings.closed_form and settings.share_prior and len(new) > 1:
            forgotten = self.without(new)
            gathered = gather(self.learner, new, forgotten.pools)
            model = forgotten._with_codebook(gathered, settings)
        for label, part in parts.items():
            others = gathered if label in new else None
            if isinstance(part, TaskSums):
                model = model.learn_sums(label, part, settings, others)
            else:
                model = model.learn(label, part, settings, reset, others)
            if gathered is not None and label == list(parts)[-1]:
                statistics = gathered.pool.statistics
                model = replace(model, pools=model.pools | {kind_of(statistics): statistics})
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
        rows = learner.extract(rows)
        before = previous.classes if previous else ()
        classes = sorted_classes([*before, *rows.classes])
        sums, history = dict[str, Any](), list[dict]()
        if settings.closed_form:
            known = self.statistics.get(label) if previous else None
            kept = None if gathered is None else gathered.statistics.get(label)
            statistics = kept or learner.add_statistics(rows, known)
            start, codebook, prior = self._solve(
                label, statistics, classes, previous, settings, gathered
            )
            sums = self._with_sums(label, statistics, prior, settings, gathered)
        else:
            codewords, codebook = self._codewords(label, classes, None, previous, settings)
            start = learner.start(previous, classes, codewords, label)
        if settings.gradient is not None:
            start, history = learner.polish(rows, start, settings.gradient, settings.verbose)
        learned = learner.with_density(rows, start, previous, self._calibration_tasks(label))
        earlier = self.history.get(label, []) if previous else []
        return replace(
            self,
            modulations=self.modulations | {label: learned},
            codebook=codebook,
            history=self.history | {label: earlier + history},
            **sums,
        )

    def sums_of(self, rows: Rows) -> TaskSums:
        """Sufficient statistics of rows of one task, with a sample of the rows."""
        statistics = self.learner.add_statistics(self.learner.extract(rows), None)
        drawn = rows.sample(DENSITY_ROWS, self.network.seed)
        drawn = replace(drawn, X=drawn.X[drawn.positions], positions=np.arange(len(drawn.y)))
        return TaskSums(statistics, drawn, len(rows.positions))

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
        learned = learner.with_density(
            learner.extract(sums.drawn), start, previous, self._calibration_tasks(label)
        )
        return replace(
            self,
            modulations=self.modulations | {label: learned},
            codebook=codebook,
            history=self.history | {label: []},
            **self._with_sums(label, statistics, prior, settings, gathered),
        )

    def merge_task(
        self, label: Hashable, other: TaskModel, settings: LearningSettings
    ) -> TaskModel:
        """Learn a task again from the sums of two models that both have it open.

        Parameters
        ----------
        label : task label
        other : TaskModel
            A model of the same network.
        settings : LearningSettings

        Returns
        -------
        model : TaskModel
        """
        modulations = self.modulations[label], other.modulations[label]
        parts = self.statistics[label], other.statistics[label]
        statistics = parts[0] + parts[1]
        classes = sorted_classes(c for m in modulations for c in m.classes)
        with self.threads():
            learned, codebook, prior = self._solve(
                label, statistics, classes, modulations[0], settings
            )
        density = TaskDensity.merged(
            [m.known_density() for m in modulations],
            [[classes.index(c) for c in m.classes] or [0] for m in modulations],
            [
                [part.weight_of(c) for c in m.classes] or [float(part.gram[0, -1, -1])]
                for part, m in zip(parts, modulations)
            ],
        )
        return replace(
            self,
            modulations=self.modulations | {label: replace(learned, density=density)},
            codebook=codebook,
            **self._with_sums(label, statistics, prior, settings),
        )

    def adopt(
        self,
        label: Hashable,
        modulation: Modulation,
        share_codebook: bool,
        statistics: RidgeStatistics | None = None,
    ) -> TaskModel:
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

        Returns
        -------
        model : TaskModel

        Raises
        ------
        ValueError
            If the task is known here, or gives a class of the shared codebook another codeword.
        """
        check_same_kind([label], list(self.modulations))
        if label in self.modulations:
            raise ValueError(f"task {label!r} is known here already; give it another label")
        codebook = self.codebook
        if share_codebook:
            codebook = codebook.joined(dict(zip(modulation.classes, modulation.codewords)), label)
        added = {} if statistics is None else {label: statistics.copy()}
        kind = "classes" if modulation.classes else "codes"
        return replace(
            self,
            modulations=self.modulations | {label: modulation},
            codebook=codebook,
            history=self.history | {label: []},
            statistics=self.statistics | added,
            pools=self.pools | self._pooled(kind, None, statistics),
        )

    def close(self, label: Hashable | None = None) -> TaskModel:
        """Drop the sufficient statistics of a task, or of all tasks; their codes stay."""
        if label is None:
            return replace(self, statistics={}, priors={}, pools={})
        kept = {task: sums for task, sums in self.statistics.items() if task != label}
        priors = {task: prior for task, prior in self.priors.items() if task != label}
        return replace(self, statistics=kept, priors=priors)

    def without(self, labels: Collection[Hashable]) -> TaskModel:
        """Forget tasks; the sums of all tasks' rows lose theirs.

        If the sums of such a task are closed, they cannot be taken out of those of all tasks. These
        are then made of the tasks that are open and stay.
        """
        labels = [label for label in labels if label in self.modulations]
        pools, kept = dict(self.pools), self
        for label in labels:
            kind = "classes" if self.modulations[label].classes else "codes"
            kept = replace(kept.close(label), modulations=_less(kept.modulations, label))
            if kind in pools and label in self.statistics:
                pools[kind] = pools[kind] - self.statistics[label]
            elif kind in pools:
                rest = [kept.statistics[task] for task in kept._open_tasks(kind)]
                pools.pop(kind)
                if rest:
                    pools[kind] = reduce(RidgeStatistics.__add__, rest)
            kept = replace(kept, history=_less(kept.history, label), pools=pools)
        return kept

    def _solve(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        classes: list,
        previous: Modulation | None,
        settings: LearningSettings,
        gathered: Gathered | None = None,
    ) -> tuple[Modulation, Codebook, TaskPrior | None]:
        """The closed form from sums alone. Given codes have no classes."""
        problem = None if gathered is None else gathered.problems.pop(label, None)
        problem = CentredProblem(statistics) if problem is None else problem
        codewords, codebook = self._codewords(label, classes, problem, previous, settings)
        bits = self.network.layout.target_bits(codes_given=not classes)
        words = dict(zip(classes, codewords))
        if previous is not None:
            prior = self.priors.get(label)
        else:
            book = codebook.words | words if settings.share_codebook else words
            others = self._others(label, statistics, problem, book, bits, settings, gathered)
            right = self.learner.targets(problem, words, bits)[0]
            prior = others.prior(problem, right, book, self.network.layout, bits)
        learned = self.learner.solve(problem, classes, codewords, settings.alpha, bits, prior)
        return learned, codebook, prior

    def _others(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        problem: CentredProblem,
        words: Mapping[Hashable, np.ndarray],
        target_bits: np.ndarray,
        settings: LearningSettings,
        gathered: Gathered | None,
    ) -> Others:
        """What other tasks say of a new task: those learned before, and those in the same call."""
        if not settings.share_prior:
            return Others(None, {})
        layout, learner = self.network.layout, self.learner
        kind = kind_of(statistics)
        solutions = {
            task: learner.solution(modulation)
            for task, modulation in list(self.modulations.items())[-MOST_MIXED:]
            # Codes of tasks with codebooks of their own cannot be compared.
            if (settings.share_codebook or kind == "codes")
            and bool(modulation.classes) == (kind == "classes")
            and not (gathered is not None and task in gathered.solutions)
        }
        pool = self.pools.get(kind)
        if gathered is not None:
            for task, solution in gathered.solutions.items():
                if task != label:
                    solutions[task] = solution.for_codewords(words, layout, target_bits)
            return Others(gathered.pool.solution(statistics, problem), solutions)
        return Others(None if pool is None else Pool(pool).solution(), solutions)

    def _with_codebook(self, gathered: Gathered, settings: LearningSettings) -> TaskModel:
        """Choose the codewords that tasks share from the rows of all of them."""
        statistics = gathered.pool.statistics
        # The sums of all tasks come back once all are learned: Ctrl-C leaves those that were.
        model = replace(self, pools=_less(self.pools, kind_of(statistics)))
        if not settings.share_codebook or not statistics.class_sums:
            return model
        problem = PooledProblem(statistics)
        classes = sorted_classes(problem.classes)
        return replace(model, codebook=self._codewords(None, classes, problem, None, settings)[1])

    def _with_sums(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        prior: TaskPrior | None,
        settings: LearningSettings,
        gathered: Gathered | None = None,
    ) -> dict[str, Any]:
        """Sums and priors of the open tasks, with those of a task as the last; the oldest drop."""
        closed = self.close(label)
        kept = list((closed.statistics | {label: statistics}).items())
        opened = dict(kept[max(0, len(kept) - settings.max_open_tasks) :])
        priors = closed.priors | ({} if prior is None else {label: prior})
        pools = {}
        if settings.share_prior and gathered is None:
            before = self.statistics.get(label)
            pools = self._pooled(kind_of(statistics), before, statistics)
        return {
            "statistics": opened,
            "priors": {task: part for task, part in priors.items() if task in opened},
            "pools": self.pools | pools,
        }

    def _pooled(
        self, kind: str, before: RidgeStatistics | None, after: RidgeStatistics | None
    ) -> dict[str, RidgeStatistics]:
        """The sums of all tasks' rows, with those of one task replaced."""
        pool = self.pools.get(kind)
        if after is None:
            return {}
        if pool is None:
            return {kind: after}
        return {kind: (pool if before is None else pool - before) + after}

    def _open_tasks(self, kind: str) -> list:
        """Open tasks with classes, or with given codes."""
        return [
            t for t in self.statistics if bool(self.modulations[t].classes) == (kind == "classes")
        ]

    def _codewords(
        self,
        label: Hashable,
        classes: list,
        problem: Any,
        previous: Modulation | None,
        settings: LearningSettings,
    ) -> tuple[np.ndarray, Codebook]:
        """Codewords (n_classes, n_codebook_bits) of the task, and the shared codebook."""
        known = self._fixed_codewords(label, previous, settings.share_codebook)
        new = [c for c in classes if c not in known.words]
        own_to = None if settings.share_codebook else label
        book = self.learner.chooser.choose(problem, known, new, settings.codebook, own_to)
        n_bits = len(self.network.layout.codebook_bits)
        words = np.array([book.words[c] for c in classes], np.int8).reshape(len(classes), n_bits)
        return words, book if settings.share_codebook and classes else self.codebook

    def _fixed_codewords(
        self, label: Hashable, previous: Modulation | None, share_codebook: bool
    ) -> Codebook:
        """The codewords that stored codes depend on: a codebook is only ever extended."""
        if not share_codebook:
            known = {} if previous is None else dict(zip(previous.classes, previous.codewords))
            return Codebook(known)
        alone = previous is None and list(self.modulations) == [label]
        return Codebook({}) if alone else self.codebook

    def _calibration_tasks(self, label: Hashable) -> list[Modulation]:
        """The last few other tasks, against which task inference is calibrated."""
        others = [task for task in self.modulations if task != label]
        return [self.modulations[task] for task in others[-N_CALIBRATION_TASKS:]]

    # -- reading ---------------------------------------------------------------------------------

    @property
    def tasks(self) -> list:
        """Labels of the tasks, in the order in which they were learned."""
        return list(self.modulations)

    def code_versions(self) -> dict[Hashable, str]:
        """Digest of everything that decides a code, for each task."""
        network = self.network.fingerprint()
        return {label: m.code_version(network) for label, m in self.modulations.items()}

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

            modulation = self.modulations[label]
            self.network.map_scores(place, X, own, modulation, n_bits, progress=progress)

    def short_codes(self, X: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
        """Codes of a few dense rows, (n_samples, n_bits), the same as from any batch.

        Rows with an uncertain bit are read again in a batch of full size. None if the network has
        no short path.
        """
        codes = np.empty((len(X), self.network.layout.n_bits), bool)
        uncertain = list[np.ndarray]()
        for label, positions in iter_tasks(labels):
            found = self.network.short_bits(X, positions, self.modulations[label])
            if found is None:
                return None
            codes[positions], certain = found
            uncertain.append(positions[~certain])

        def store(rows: slice | np.ndarray, scores: np.ndarray) -> None:
            codes[left[rows]] = scores > 0

        left = np.concatenate(uncertain)
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

    def class_labels(self) -> np.ndarray:
        """Class labels of all tasks, sorted."""
        return np.unique([c for m in self.modulations.values() for c in m.classes])

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


def _less(table: dict[Any, Any], label: Hashable) -> dict[Any, Any]:
    """A table without one of its entries."""
    return {key: value for key, value in table.items() if key != label}
