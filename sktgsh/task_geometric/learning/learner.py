"""Learn one task: from its rows and the frozen network to a modulation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...random import generator
from ...threads import one_thread, threads_for
from ..encoding.density import TaskDensity
from ..encoding.layout import BitLayout
from ..encoding.modulation import Modulation, normalised
from ..encoding.network import TaskNetwork
from ..encoding.structure import Structure
from .codewords import CodewordChooser
from .prior import Common, Solution, TaskPrior
from .ridge import CentredProblem
from .rows import Rows
from .statistics import RidgeStatistics
from .structure import learn_structure
from .towards import solve_towards

if TYPE_CHECKING:
    from torch import Tensor

    from ...networks import FrozenEncoder

# Rows of one product for the Gram matrices; sums over more rows are in float64. More rows make
# fewer sums and give threads more batches to share, as long as their hidden activity is small.
FEWEST_GRAM_ROWS, MOST_GRAM_ROWS, GRAM_VALUES = 1024, 4096, 12_000_000
# Rows for the estimate of a task's density, and for its calibration against other tasks.
DENSITY_ROWS = 2_000
CALIBRATION_ROWS = 128
# Features of one task's rows are kept while it is learned, up to this many bytes.
FEATURE_BYTES = 2 * 2**30
# Several threads learn a task if products of its units take so many times the operations of a step
# that threads share elsewhere: most of the rest is computed on one thread. Below that, a second
# thread saves at most a tenth of the time, and beside busy processes it adds up to two fifths.
_SHARED_PRODUCTS = 50


@dataclass(frozen=True)
class TaskLearner:
    """The steps by which a modulation of the frozen network is learned.

    Attributes
    ----------
    network : TaskNetwork
        The frozen network.
    """

    network: TaskNetwork

    @property
    def layout(self) -> BitLayout:
        """Layout of the bits."""
        return self.network.layout

    @property
    def encoder(self) -> FrozenEncoder:
        """The frozen encoder."""
        return self.network.encoder

    @property
    def seed(self) -> int:
        """Seed of all draws."""
        return self.network.seed

    def threads(self, n_rows: int, has_steps: bool = False) -> AbstractContextManager:
        """Threads to learn a task on: one where more would gain little and may have to wait.

        Parameters
        ----------
        n_rows : int
            Number of rows, which products of the units are summed over.
        has_steps : bool, default=False
            Whether gradient steps follow.
        """
        units = float(self.layout.units_per_block)
        if has_steps or self.encoder.extractor is not None:
            return threads_for(10.0 * units**3)
        return threads_for(2.0 * n_rows * self.layout.n_blocks * units**2 / _SHARED_PRODUCTS)

    # -- rows ------------------------------------------------------------------------------------

    def extract(self, rows: Rows, always: bool = False) -> Rows:
        """Compute the features of the rows once, if they are costly and fit in memory.

        Parameters
        ----------
        rows : Rows
        always : bool, default=False
            Also compute cheap or large features: gradient steps need all of them in memory.
        """
        n_rows, n_features = len(rows.positions), self.encoder.n_features
        costly = self.encoder.extractor is not None and 4 * n_rows * n_features <= FEATURE_BYTES
        if rows.extracted or not (always or costly):
            return rows
        features = np.empty((n_rows, n_features), np.float32)

        def store(batch: np.ndarray, values: Tensor) -> None:
            features[batch[0] : batch[-1] + 1] = values[: len(batch)].cpu().numpy()

        self.network.map_features(store, rows.X, rows.positions)
        positions = np.arange(n_rows)
        return replace(
            rows, X=features, positions=positions, sources=rows.positions, extracted=True
        )

    def real_targets(self, rows: Rows, batch: np.ndarray, features: Tensor) -> np.ndarray:
        """Real-valued targets of some rows, (batch, n_targets), dtype float32."""
        if rows.codes is not None:
            return 2 * rows.codes[batch].astype(np.float32) - 1
        targets = np.zeros((len(batch), len(self.layout.structure_bits)), np.float32)
        if targets.shape[1]:
            axes = self.encoder.structure(features)[: len(batch), : targets.shape[1]]
            targets[:, : axes.shape[1]] = axes.cpu().numpy()
        return targets

    @property
    def chooser(self) -> CodewordChooser:
        """Chooser of codewords.

        Codewords follow the class means of the features if these stand among the units, otherwise
        the class means of the units.
        """
        units, encoder = self.layout.units_per_block, self.encoder
        width = encoder.n_features if encoder.passthrough else units
        return CodewordChooser(self.layout.codebook_bits, slice(units - width, None), self.seed)

    def learn_structure(self, problem: CentredProblem, words: np.ndarray) -> Structure | None:
        """What bits follow beside codewords, where all bits see the features; see `structure.py`.

        Parameters
        ----------
        problem : CentredProblem
        words : ndarray of shape (n_classes, n_codebook_bits)
        """
        if not self.encoder.passthrough or len(words) < 2 or problem.overlap is not None:
            return None
        axes = self.encoder.axes.cpu().numpy()
        geometry = self.chooser.geometry
        return learn_structure(problem, geometry, words, self.layout, axes, self.seed)

    # -- closed form -----------------------------------------------------------------------------

    def add_statistics(self, rows: Rows, known: RidgeStatistics | None) -> RidgeStatistics:
        """Add the sufficient statistics of the rows to a copy of the known ones."""
        n_blocks, units = self.layout.n_blocks, self.layout.units_per_block
        n_rows = len(rows.positions)
        n_targets = len(self.layout.target_bits(rows.codes is not None))
        statistics = known.copy() if known else RidgeStatistics(n_blocks, units, n_targets)
        if not n_rows:
            return statistics
        classes, weight = rows.classes, rows.weights
        shares = rows.shares(classes)
        most = int(np.clip(GRAM_VALUES // (n_blocks * units), FEWEST_GRAM_ROWS, MOST_GRAM_ROWS))
        at_once = min(most, n_rows)
        block = np.ones((n_blocks, at_once, units + 1), np.float32)
        targets = np.empty((at_once, n_targets), np.float32)
        for start in range(0, n_rows, at_once):
            span = slice(start, min(start + at_once, n_rows))
            filled = span.stop - start
            self._fill(block, targets, rows, span)
            statistics.add(
                block[:, :filled],
                shares[span],
                classes,
                None if weight is None else weight[span],
                targets[:filled],
                rows.multilabel,
                None if rows.found_codes is None else rows.found_codes[span],
            )
        return statistics

    def _fill(self, block: np.ndarray, targets: np.ndarray, rows: Rows, span: slice) -> None:
        """Write the hidden activity and the targets of some rows into larger arrays."""
        n_blocks, units = self.layout.n_blocks, self.layout.units_per_block

        def store(batch: np.ndarray, features: Tensor, hidden: Tensor) -> None:
            values = hidden.view(n_blocks, units, -1).cpu().numpy()
            place = slice(batch[0], batch[-1] + 1)
            block[:, place, :units] = values[:, :, : len(batch)].transpose(0, 2, 1)
            targets[place] = self.real_targets(rows, span.start + batch, features)

        self.network.map_hidden(store, rows.X, rows.positions[span], rows.extracted)

    def solve(
        self,
        problem: CentredProblem,
        classes: Sequence[Hashable],
        codewords: np.ndarray,
        alpha: float | Sequence[float],
        target_bits: np.ndarray,
        prior: TaskPrior | None = None,
        structure: Structure | None = None,
        common: Common | None = None,
    ) -> Modulation:
        """The closed form.

        Parameters
        ----------
        problem : CentredProblem
        classes : sequence of class labels
        codewords : ndarray of shape (n_classes, n_codebook_bits)
        alpha : float or sequence of float
            From a sequence each bit takes the best by generalised cross-validation.
        target_bits : ndarray of int
            Bits with real-valued targets.
        prior : TaskPrior, optional
            Where to shrink to, if that is better for a bit.
        structure : Structure, optional
            Directions that bits follow beside codewords, or in place of them.
        common : Common, optional
            The solution of the rows of all tasks, which is taken if it is as good.
        """
        right, sums, squares = self.targets(problem, dict(zip(classes, codewords)), target_bits)
        alphas = np.atleast_1d(np.asarray(alpha, dtype=float))
        if prior is not None:
            found = solve_towards(problem, (right, sums, squares), alphas, prior, common)
            learned = self.modulation_of(found.solution, classes, codewords, found.alpha, structure)
            return replace(learned, task_gain=found.gain)
        chosen = np.full(self.layout.n_bits, alphas[0])
        if len(alphas) > 1:
            errors = problem.generalised_cross_validation(right, squares, alphas)
            # Ties go to the largest penalty.
            order = np.argsort(-alphas, kind="stable")
            chosen = alphas[order][errors[:, order].argmin(axis=1)]
        solution = Solution(*problem.solve(right, sums, chosen))
        return self.modulation_of(solution, classes, codewords, chosen, structure)

    def targets(
        self,
        problem: CentredProblem,
        words: Mapping[Hashable, np.ndarray],
        target_bits: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right-hand sides, sums and centred squares of the targets of a problem."""
        codebook_bits = np.setdiff1d(np.arange(self.layout.n_bits), target_bits)
        table = np.zeros((len(problem.classes), len(codebook_bits)), np.int8)
        for position, label in enumerate(problem.classes):
            table[position] = words[label]
        return problem.targets(table, codebook_bits, target_bits)

    def solution(self, modulation: Modulation) -> Solution:
        """The weights and intercepts of a modulation of the closed form, without its structure."""
        shape = (self.layout.n_bits, self.layout.units_per_block)
        weights = modulation.vector.reshape(shape) * self.network.projection
        if modulation.structure is None:
            return Solution(weights, modulation.bias)
        return Solution(*modulation.structure.added(weights, modulation.bias, -1.0))

    def modulation_of(
        self,
        solution: Solution,
        classes: Sequence[Hashable],
        codewords: np.ndarray,
        alpha: np.ndarray | None = None,
        structure: Structure | None = None,
    ) -> Modulation:
        """The modulation that gives the scores of a solution, and a structure beside it."""
        if structure is not None:
            solution = Solution(*structure.added(*solution))
        weights, bias = solution.weights / self.network.projection, solution.intercepts
        context, strength = normalised(
            weights if self.network.head == "shared" else weights.ravel()
        )
        return Modulation(
            context,
            strength,
            bias.astype(np.float32),
            tuple(classes),
            codewords,
            alpha,
            structure=structure,
        )

    # -- gradient steps --------------------------------------------------------------------------

    def start(
        self,
        previous: Modulation | None,
        classes: Sequence[Hashable],
        codewords: np.ndarray,
        task: Hashable,
    ) -> Modulation:
        """Start of the gradient steps: the previous modulation, or a small random context.

        Small random contexts let gradients choose the signs soon, and related tasks start apart.
        Contexts of ones end at a mean average precision of 0.92 after 20 epochs on digits, small
        random ones at 0.97.
        """
        if previous is not None:
            return replace(previous, classes=tuple(classes), codewords=codewords)
        layout = self.layout
        shape = (
            (layout.n_bits, layout.n_hidden)
            if self.network.head == "shared"
            else (layout.n_hidden,)
        )
        bound = 1 / np.sqrt(layout.n_hidden)
        drawn = generator(self.seed, f"context {task!r}").uniform(-bound, bound, shape)
        bias = np.zeros(layout.n_bits, np.float32)
        return Modulation(drawn.astype(np.float32), 1.0, bias, tuple(classes), codewords)

    # -- task inference --------------------------------------------------------------------------

    def with_density(
        self,
        rows: Rows,
        learned: Modulation,
        previous: Modulation | None,
        others: Sequence[Modulation],
    ) -> Modulation:
        """Add the density for task inference, calibrated against other tasks.

        The density of an earlier chunk stays if a later chunk has fewer classes.
        """
        drawn = rows.sample(DENSITY_ROWS, self.seed)
        known = previous.density if previous is not None else None
        if known is not None and len(np.unique(drawn.density_groups)) < len(known.log_priors):
            return replace(learned, density=known)

        def read(batch: np.ndarray, features: Tensor) -> tuple[np.ndarray, ...]:
            return tuple(found[: len(batch)] for found in self.network.coordinates(features))

        found = self.network.map_features(read, drawn.X, drawn.positions, drawn.extracted)
        probes, axes = (np.concatenate(part) for part in zip(*found))
        with one_thread():  # the matrices are small
            density = TaskDensity.fit(probes, axes, drawn.density_groups)
        learned = replace(learned, density=density)
        if others:
            few = drawn.sample(CALIBRATION_ROWS, self.seed + 1)
            against = self.network.log_densities(
                few.X[few.positions], [learned, *others], few.extracted
            )
            learned = replace(learned, density=density.calibrated(against))
        return learned
