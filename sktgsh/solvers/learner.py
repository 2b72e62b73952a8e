"""Learn one task: from rows and frozen weights to a modulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..codebooks import extend_codebook, learn_codebook
from ..encoding import dense_rows, iter_batches
from ..modulation import Modulation, normalised
from ..networks import (
    CodewordLoss,
    FrozenEncoder,
    ModulatedHead,
    apply_weights,
    class_readout,
    head_projection,
)
from ..networks.random import generator
from ..recognition import TaskDensity
from .ridge import CentredProblem, RidgeStatistics
from .sgd import to_numpy, train_head

# Columns of one product for the Gram matrices; sums over more rows are in float64.
GRAM_ROWS = 1024
# Rows that a task's density is estimated from.
DENSITY_ROWS = 10_000


@dataclass(frozen=True)
class BitLayout:
    """Which bits of a code spell the class's codeword, and which follow the data's structure.

    Structure bits are spread evenly, so that every prefix of a code has its share of them.
    """

    n_bits: int
    units_per_bit: int
    structure_share: float

    @property
    def is_structure(self) -> np.ndarray:
        """Mask of shape (n_bits,)."""
        reached = np.floor(np.arange(self.n_bits + 1) * self.structure_share + 1e-9)
        return np.diff(reached) > 0

    @property
    def codebook_bits(self) -> np.ndarray:
        """Positions of the codebook bits."""
        return np.flatnonzero(~self.is_structure)

    @property
    def structure_bits(self) -> np.ndarray:
        """Positions of the structure bits."""
        return np.flatnonzero(self.is_structure)

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.n_bits * self.units_per_bit


@dataclass
class Rows:
    """Rows of one task: positions in X, class labels, weights."""

    X: Any
    positions: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None

    def sample(self, n_rows: int, seed: int) -> Rows:
        """At most `n_rows` of the rows, drawn without replacement, in their order."""
        if len(self.positions) <= n_rows:
            return self
        drawn = np.sort(
            generator(seed, "sample").choice(len(self.positions), n_rows, replace=False)
        )
        return Rows(self.X, self.positions[drawn], self.y[drawn], None)


@dataclass
class TaskLearner:
    """Everything that learning a task needs and that no task changes.

    Attributes
    ----------
    encoder : FrozenEncoder
    layout : BitLayout
    head : {"block", "dense", "readout"}
    solver : {"ridge", "sgd", "ridge+sgd"}
    loss : str
        See :class:`~sktgsh.networks.CodewordLoss`.
    alpha : float or sequence of float
        Ridge penalty, or a grid to choose it from.
    codewords : {"learned", "hadamard", "random"}
    seed : int
    device : torch.device
    training : dict
        Further arguments of :func:`~sktgsh.solvers.sgd.train_head`.
    """

    encoder: FrozenEncoder
    layout: BitLayout
    head: str
    solver: str
    loss: str
    alpha: Any
    codewords: str
    seed: int
    device: torch.device
    training: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.encoder.to(self.device)
        self.projection = None
        if self.head != "readout":
            self.projection = head_projection(
                self.head, self.layout.n_bits, self.layout.units_per_bit, seed=self.seed
            )

    # -- streaming -------------------------------------------------------------------------------

    @torch.no_grad()
    def iter_hidden(
        self, X: Any, positions: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
        """Yield (rows, hidden activity, coordinates along the axes) of full batches."""
        for rows, samples in iter_batches(X, positions):
            features = self.encoder.features(samples.to(self.device))
            yield rows, self.encoder.expansion(features), self.encoder.structure(features)

    def weights(self, modulation: Modulation) -> tuple[Tensor, Tensor]:
        """Readout with the modulation folded in, and the bias, as tensors on the device."""
        projection, mixing = self._readout(modulation.classes, modulation.codewords)
        vector = modulation.vector.reshape(-1, projection.shape[1])
        weights = projection * vector
        if mixing is not None:
            weights = mixing @ weights
        return (
            torch.from_numpy(weights).to(self.device),
            torch.from_numpy(modulation.bias).to(self.device),
        )

    @torch.no_grad()
    def outputs(
        self, X: Any, positions: np.ndarray, modulation: Modulation
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values of the bits before the threshold, and coordinates along the axes, for some rows."""
        weights, bias = self.weights(modulation)
        values = np.empty((len(positions), self.layout.n_bits), np.float32)
        axes = np.empty((len(positions), len(self.encoder.axes)), np.float32)
        for rows, hidden, coordinates in self.iter_hidden(X, positions):
            bits = apply_weights(weights, hidden).T + bias
            values[rows] = bits[: len(rows)].cpu().numpy()
            axes[rows] = coordinates[: len(rows)].cpu().numpy()
        return values, axes

    def _readout(
        self, classes: Sequence, codewords: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Frozen projection of a task, and the mixing of its outputs into bits."""
        if self.projection is not None:
            return self.projection, None
        layout, n_classes = self.layout, len(classes)
        structure = layout.structure_bits
        rows = class_readout(classes, layout.n_hidden, seed=self.seed)
        mixing = np.zeros((layout.n_bits, n_classes + len(structure)), np.float32)
        mixing[layout.codebook_bits, :n_classes] = codewords.T
        if len(structure):
            drawn = head_projection("dense", layout.n_bits, layout.units_per_bit, seed=self.seed)
            rows = np.concatenate([rows, drawn[structure]])
            mixing[structure, n_classes + np.arange(len(structure))] = 1
        return rows, mixing

    # -- closed form -----------------------------------------------------------------------------

    def needs_statistics(self, has_codebook: bool) -> bool:
        """Whether closed-form sums are wanted: by the solver, or to learn a codebook."""
        return "ridge" in self.solver or (self.codewords == "learned" and not has_codebook)

    @torch.no_grad()
    def add_statistics(
        self, rows: Rows, classes: Sequence, known: RidgeStatistics | None
    ) -> RidgeStatistics:
        """Sufficient statistics of the rows, added to a copy of those known before."""
        n_bits, units = self.layout.n_bits, self.layout.units_per_bit
        n_structure = len(self.layout.structure_bits)
        statistics = known.copy() if known else RidgeStatistics(n_bits, units, n_structure)
        index = {label: position for position, label in enumerate(classes)}
        labels = np.array([index[label] for label in rows.y.tolist()])
        block = torch.ones(n_bits, units + 1, GRAM_ROWS)
        targets = torch.zeros(GRAM_ROWS, n_structure)
        filled = done = 0

        def flush() -> None:
            span = slice(done, done + filled)
            weight = None if rows.sample_weight is None else rows.sample_weight[span]
            used = block if filled == GRAM_ROWS else block[:, :, :filled].contiguous()
            statistics.add(used, labels[span], classes, weight, targets[:filled])

        for batch, hidden, axes in self.iter_hidden(rows.X, rows.positions):
            n_rows = len(batch)
            span = slice(filled, filled + n_rows)
            block[:, :units, span] = hidden.view(n_bits, units, -1)[:, :, :n_rows].cpu()
            targets[span, : axes.shape[1]] = axes[:n_rows, :n_structure].cpu()
            filled += n_rows
            if filled + n_rows > GRAM_ROWS:
                flush()
                done, filled = done + filled, 0
        if filled:
            flush()
        return statistics

    def _solve(
        self, problem: CentredProblem, codewords: np.ndarray
    ) -> tuple[np.ndarray, float, np.ndarray, float]:
        layout = self.layout
        right, sums, squares = problem.targets(
            codewords, layout.codebook_bits, layout.structure_bits
        )
        alphas = np.atleast_1d(np.asarray(self.alpha, dtype=float))
        alpha = float(alphas[0])
        if len(alphas) > 1:
            errors = problem.generalised_cross_validation(right, squares, alphas)
            alpha = float(alphas[int(np.argmin(errors))])
        weights, bias = problem.solve(right, sums, alpha)
        vector = weights / self.projection
        return *normalised(vector.ravel()), bias.astype(np.float32), alpha

    # -- a task ----------------------------------------------------------------------------------

    def learn_codewords(
        self,
        problem: CentredProblem | None,
        codebook: np.ndarray,
        known: Sequence,
        labels: Sequence,
        seed: int,
    ) -> np.ndarray:
        """Codebook with rows for the known labels, then for the new ones."""
        if problem is None or len(known) or self.codewords != "learned":
            return extend_codebook(codebook, known, labels, self.codewords, seed)
        # Where units outnumber rows, anything can be fitted: judge ease with a firm penalty.
        alpha = max(1e-3, float(np.max(self.alpha)))
        explained = problem.explained(self.layout.codebook_bits, alpha)
        order = [problem.classes.index(label) for label in labels if label in problem.classes]
        learned = learn_codebook(
            explained[:, order][:, :, order], problem.counts[order], seed
        )
        seen = [label for label in labels if label in problem.classes]
        later = [label for label in labels if label not in problem.classes]
        extended = extend_codebook(learned, seen, later, self.codewords, seed)
        position = {label: row for row, label in enumerate(seen + later)}
        return extended[[position[label] for label in labels]]

    def learn(
        self,
        rows: Rows,
        classes: Sequence,
        codewords: np.ndarray,
        statistics: RidgeStatistics | None,
        previous: Modulation | None,
    ) -> tuple[Modulation, list[dict]]:
        """Learn the modulation of a task.

        Parameters
        ----------
        rows : Rows
            New rows of the task.
        classes : sequence
            Labels of all the task's classes, and `codewords` their codes.
        codewords : ndarray of shape (n_classes, n_codebook_bits)
        statistics : RidgeStatistics or None
            Of all rows of the task, the new ones included.
        previous : Modulation or None
            What was learned of the task before; gradient steps go on from there.

        Returns
        -------
        modulation : Modulation
        history : list of dict
            One entry an epoch of gradient steps.
        """
        n_hidden, alpha = self.layout.n_hidden, float("nan")
        if "ridge" in self.solver:
            context, strength, bias, alpha = self._solve(statistics.centred(), codewords)
        elif previous is not None:
            context, strength, bias = previous.context, previous.strength, previous.bias
        else:
            context, strength = np.ones(n_hidden, np.float32), 1.0
            bias = np.zeros(self.layout.n_bits, np.float32)
        learned = Modulation(context, strength, bias, tuple(classes), codewords, alpha)
        history: list[dict] = []
        if "sgd" in self.solver:
            learned, history = self._polish(rows, learned)
        return self._with_density(rows, learned, previous), history

    def _polish(self, rows: Rows, start: Modulation) -> tuple[Modulation, list[dict]]:
        layout = self.layout
        codewords = torch.from_numpy(start.codewords.astype(np.float32))
        codebook_bits = torch.from_numpy(layout.codebook_bits)
        projection, mixing = self._readout(start.classes, start.codewords)
        head = ModulatedHead(
            torch.from_numpy(projection),
            torch.from_numpy(start.context),
            start.strength,
            torch.from_numpy(start.bias),
            codewords,
            codebook_bits,
            encoder=self.encoder,
            mixing=None if mixing is None else torch.from_numpy(mixing),
        )
        loss = CodewordLoss(
            self.loss, codewords, codebook_bits, torch.from_numpy(layout.structure_bits)
        )
        samples = torch.from_numpy(dense_rows(rows.X, rows.positions))
        history = train_head(
            head,
            loss,
            samples,
            self._targets(rows, start.classes),
            device=str(self.device),
            seed=self.seed,
            **self.training,
        )
        context, scale = normalised(to_numpy(head.context))
        strength = scale * float(head.strength.detach())
        learned = Modulation(
            context, strength, to_numpy(head.bias), start.classes, start.codewords, start.alpha
        )
        return learned, history

    def _targets(self, rows: Rows, classes: Sequence) -> Tensor:
        """Class index, weight and structure targets of each row, as the loss takes them."""
        index = {label: position for position, label in enumerate(classes)}
        n_structure = len(self.layout.structure_bits)
        targets = torch.zeros(len(rows.y), 2 + n_structure)
        targets[:, 0] = torch.tensor([index[label] for label in rows.y.tolist()])
        weight = rows.sample_weight
        targets[:, 1] = 1.0 if weight is None else torch.from_numpy(weight.astype(np.float32))
        if n_structure:
            with torch.no_grad():
                for batch, samples in iter_batches(rows.X, rows.positions):
                    axes = self.encoder.structure(self.encoder.features(samples.to(self.device)))
                    used = axes[: len(batch), :n_structure].cpu()
                    targets[batch[0] : batch[-1] + 1, 2 : 2 + used.shape[1]] = used
        return targets

    def _with_density(
        self, rows: Rows, learned: Modulation, previous: Modulation | None
    ) -> Modulation:
        """Add the density; a later chunk with fewer rows than the first does not replace it."""
        drawn = rows.sample(DENSITY_ROWS, self.seed)
        if previous is not None and set(drawn.y.tolist()) < set(learned.classes):
            density = previous.density
        else:
            outputs, axes = self.outputs(drawn.X, drawn.positions, learned)
            density = TaskDensity.fit(outputs, axes, drawn.y)
        return Modulation(
            learned.context,
            learned.strength,
            learned.bias,
            learned.classes,
            learned.codewords,
            learned.alpha,
            density,
        )
