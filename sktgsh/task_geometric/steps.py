"""The steps by which one task is learned, from its rows to what is kept of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

from ..networks.device import resolve_device
from ..solver import GradientSolver, SolverSettings
from .checks import TrainingChecksMixin
from .codewords import Codebook
from .encoder import build_encoder
from .learner import TaskLearner
from .modulation import Modulation
from .ridge import RidgeStatistics
from .rows import BitLayout, Rows, in_order

# Units that all bits share, and units of each bit of another head.
N_UNITS, UNITS_PER_BIT = 2048, 256


class LearningStepsMixin(TrainingChecksMixin):
    """Makes `learner_`, and learns the `modulations_` task by task."""

    def _build(self, rows: Rows, first: np.ndarray) -> None:
        """Draw the frozen network; its statistics come from the first task's rows."""
        shape = None if self.image_shape is None else tuple(self.image_shape)
        if shape is not None and int(np.prod(shape)) != rows.X.shape[1]:
            raise ValueError(
                f"image_shape={shape} has {int(np.prod(shape))} values, but X has "
                f"{rows.X.shape[1]} features"
            )
        self.frozen_parameters_ = self._frozen_parameters()
        self.n_bits_ = int(self.n_bits)
        n_blocks = 1 if self.head == "shared" else self.n_bits_
        units = self._units_per_block(rows.X.shape[1], n_blocks)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        device = resolve_device(self.device)
        inputs, encoder = build_encoder(
            self.encoder,
            rows.X,
            rows.positions[first],
            n_blocks=n_blocks,
            units_per_block=units,
            n_inputs=self.n_inputs,
            image_shape=shape,
            skip=self.skip and self.head == "shared",
            published=self.head == "readout",
            seed=seed,
            device=device,
        )
        self.n_hidden_ = encoder.n_hidden
        layout = BitLayout(
            self.n_bits_, n_blocks, encoder.n_hidden // n_blocks, self.structure_bits
        )
        self.learner_ = TaskLearner(inputs, encoder, layout, self.head, seed, device)
        self.modulations_: dict[Any, Modulation] = {}
        self.history_: dict[Any, list] = {}
        self.statistics_: dict[Any, Any] = {}
        self.shared_codebook_ = Codebook({})

    def _units_per_block(self, n_columns: int, n_blocks: int) -> int:
        """Rectified units of a block."""
        if self.n_hidden is not None:
            return int(self.n_hidden) // n_blocks
        if self.head != "shared":
            return UNITS_PER_BIT
        # Many columns stand beside the units and say most by themselves; time grows with the
        # square of both together.
        raw = isinstance(self.encoder, str) and self.encoder != "conv"
        return N_UNITS // 2 if raw and n_columns > N_UNITS else N_UNITS

    def _learn_task(self, label: Any, rows: Rows, renew: bool) -> None:
        learner = self.learner_
        rows = learner.extract(rows)
        previous = None if renew else self.modulations_.get(label)
        before = previous.classes if previous else ()
        classes = in_order([*before, *rows.classes])
        statistics = None
        if "ridge" in self.solver:
            known = self.statistics_.get(label) if previous else None
            statistics = learner.add_statistics(rows, known)
            start = self._solve(label, statistics, classes, previous)
        else:
            codewords = self._choose_codewords(label, classes, None, previous)
            start = learner.start(previous, classes, codewords, label)
        history: list[dict] = []
        if "sgd" in self.solver:
            start, history = learner.polish(
                rows, start, self._solver_settings(), max(0, int(self.verbose) - 1)
            )
        self.modulations_[label] = learner.with_density(rows, start, previous, self._rivals(label))
        earlier = self.history_.get(label, []) if previous else []
        self.history_[label] = earlier + history
        self._keep_open(label, statistics)

    def _solve(
        self,
        label: Any,
        statistics: RidgeStatistics,
        classes: list,
        previous: Modulation | None,
    ) -> Modulation:
        """The closed form from sums alone; without classes, of given codes."""
        problem = statistics.centred()
        codewords = self._choose_codewords(label, classes, problem, previous)
        bits = self.learner_.layout.target_bits(given=not classes)
        return self.learner_.solve(problem, classes, codewords, self.alpha, bits)

    def _keep_open(self, label: Any, statistics: Any) -> None:
        """Keep the sums of a task as the last ones, and drop the oldest."""
        self.statistics_.pop(label, None)
        if statistics is not None:
            self.statistics_[label] = statistics
        for old in list(self.statistics_)[: max(0, len(self.statistics_) - self.open_tasks)]:
            del self.statistics_[old]

    def _choose_codewords(
        self, label: Any, classes: list, problem: Any, previous: Modulation | None
    ) -> np.ndarray:
        """Codewords of the task's classes, (n_classes, n_codebook_bits)."""
        shared = self.codebook == "shared"
        # A codebook that other tasks' codes depend on is only ever extended.
        settled = shared and any(
            modulation.classes for other, modulation in self.modulations_.items() if other != label
        )
        known = self.shared_codebook_ if settled else Codebook({})
        if not settled and previous is not None and problem is None:
            known = Codebook(dict(zip(previous.classes, previous.codewords)))
        new = [c for c in classes if c not in known.words]
        book = self.learner_.chooser.choose(
            problem, known, new, self.codewords, None if shared else label
        )
        if shared and classes:
            self.shared_codebook_ = book
        n_bits = len(self.learner_.layout.codebook_bits)
        return np.array([book.words[c] for c in classes], np.int8).reshape(len(classes), n_bits)

    def _bar(self, items: Iterable, unit: str) -> Iterable:
        """The items, under a bar that counts them if `verbose` is set."""
        return tqdm(items, desc=f"{unit}s", unit=unit, disable=not self.verbose)

    def _rivals(self, label: Any) -> list[Modulation]:
        """The tasks that inference is calibrated against: the last few, whatever their number."""
        others = [task for task in self.modulations_ if task != label]
        return [self.modulations_[task] for task in others[-8:]]

    def _solver_settings(self) -> SolverSettings:
        """The settings of the gradient steps."""
        names = ("loss", "max_epochs", "lr", "lr_schedule", "batch_size", "optimizer", "callbacks")
        flat = {name: getattr(self, name) for name in names}
        return GradientSolver(**flat).resolved(start="random")
