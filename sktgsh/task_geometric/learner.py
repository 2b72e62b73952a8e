"""Learn one task: from rows and frozen weights to a modulation."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..batches import dense_rows, iter_batches
from ..networks import (
    CodewordLoss,
    FrozenEncoder,
    ModulatedHead,
    apply_weights,
    class_readout,
    head_projection,
)
from ..networks.random import generator
from ..training import to_numpy, train
from .codebook import extend_codebook, learn_codebook
from .modulation import Modulation, normalised
from .recognition import TaskDensity
from .ridge import CentredProblem, RidgeStatistics

# Columns of one product for the Gram matrices; sums over more rows are in float64.
GRAM_ROWS = 1024
# Rows that a task's density is estimated from, and rows that its confidence is calibrated on.
DENSITY_ROWS = 10_000
CALIBRATION_ROWS = 128
# Features of one task's rows are kept while it is learned, up to this size.
FEATURE_BYTES = 2 * 2**30


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
    """Training rows: positions in X, and the class label and weight of each.

    `extracted` says that X holds the encoder's features in place of samples.
    """

    X: Any
    positions: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None = None
    extracted: bool = False

    def take(self, chosen: np.ndarray) -> Rows:
        """Some of the rows."""
        weight = None if self.sample_weight is None else self.sample_weight[chosen]
        return Rows(self.X, self.positions[chosen], self.y[chosen], weight, self.extracted)

    def sample(self, n_rows: int, seed: int) -> Rows:
        """At most `n_rows` of the rows, drawn without replacement, in their order."""
        if len(self.positions) <= n_rows:
            return self
        drawn = generator(seed, "sample").choice(len(self.positions), n_rows, replace=False)
        return self.take(np.sort(drawn))


class TaskLearner:
    """Everything that learning and reading a task needs and that no task changes.

    Parameters
    ----------
    encoder : FrozenEncoder
    layout : BitLayout
    head : {"block", "dense", "readout"}
    seed : int
    device : torch.device
    """

    def __init__(
        self, encoder: FrozenEncoder, layout: BitLayout, head: str, seed: int, device: torch.device
    ):
        self.encoder = encoder.to(device)
        self.layout, self.seed, self.device = layout, seed, device
        self.projection = None
        if head != "readout":
            self.projection = head_projection(head, layout.n_bits, layout.units_per_bit, seed=seed)

    def to(self, device: torch.device) -> TaskLearner:
        """Move to another device, in place."""
        self.encoder.to(device)
        self.device = device
        return self

    def __getstate__(self) -> dict:
        # What was learned on a GPU must open where there is none.
        encoder = self.encoder
        if self.device.type != "cpu":
            encoder = deepcopy(encoder).cpu()
        return vars(self) | {"encoder": encoder, "device": torch.device("cpu")}

    # -- reading ---------------------------------------------------------------------------------

    @torch.no_grad()
    def iter_features(
        self, X: Any, positions: np.ndarray | None = None, extracted: bool = False
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield (rows, features) of full batches; see :func:`~sktgsh.batches.iter_batches`."""
        for rows, samples in iter_batches(X, positions):
            samples = samples.to(self.device)
            yield rows, samples if extracted else self.encoder.features(samples)

    def extract(self, rows: Rows) -> Rows:
        """Rows of features, computed once, where an extractor makes them costly and they fit."""
        n_rows, n_features = len(rows.y), self.encoder.axes.shape[1]
        if self.encoder.extractor is None or 4 * n_rows * n_features > FEATURE_BYTES:
            return rows
        features = np.empty((n_rows, n_features), np.float32)
        for batch, values in self.iter_features(rows.X, rows.positions):
            features[batch[0] : batch[-1] + 1] = values[: len(batch)].cpu().numpy()
        return Rows(features, np.arange(n_rows), rows.y, rows.sample_weight, extracted=True)

    @torch.no_grad()
    def iter_bits(
        self,
        X: Any,
        positions: np.ndarray | None,
        modulation: Modulation,
        n_bits: int,
        extracted: bool = False,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows, values of the first bits before the threshold), batch by batch."""
        weights, bias = self._weights(modulation)
        weights, bias = weights[:n_bits], bias[:n_bits, None]
        # A block head reads a prefix of the code from a prefix of the hidden units.
        n_hidden = n_bits * weights.shape[1] if self._is_block(weights) else None
        for rows, features in self.iter_features(X, positions, extracted):
            hidden = self.encoder.expansion(features, n_hidden)
            values = apply_weights(weights, hidden) + bias
            yield rows, values.T[: len(rows)].cpu().numpy()

    def class_scores(
        self, X: Any, positions: np.ndarray, modulation: Modulation, extracted: bool = False
    ) -> np.ndarray:
        """How well each class fits, (n_rows, n_classes)."""
        head = self._head(modulation)
        scores = np.empty((len(positions), len(modulation.classes)), np.float32)
        with torch.no_grad():
            for rows, features in self.iter_features(X, positions, extracted):
                batch_scores = head.read(self.encoder.expansion(features))[1]
                scores[rows] = batch_scores[: len(rows)].cpu().numpy()
        return scores

    @torch.no_grad()
    def log_densities(
        self, X: Any, modulations: Sequence[Modulation], extracted: bool = False
    ) -> np.ndarray:
        """Log density of each row under each task, (n_rows, n_tasks).

        Rows are encoded once, whatever the number of tasks.
        """
        readouts = [self._weights(modulation) for modulation in modulations]
        found = np.empty((X.shape[0], len(modulations)))
        for rows, features in self.iter_features(X, None, extracted):
            hidden = self.encoder.expansion(features)
            axes = self.encoder.structure(features)[: len(rows)].cpu().numpy()
            for task, (modulation, (weights, bias)) in enumerate(zip(modulations, readouts)):
                values = (apply_weights(weights, hidden) + bias[:, None]).T
                found[rows, task] = modulation.density.log_density(
                    values[: len(rows)].cpu().numpy(), axes
                )
        return found

    def _is_block(self, weights: Tensor) -> bool:
        return weights.shape[1] == self.layout.units_per_bit < self.layout.n_hidden

    def _weights(self, modulation: Modulation) -> tuple[Tensor, Tensor]:
        """Readout with the modulation folded in, and the bias, as tensors on the device."""
        projection, mixing = self._readout(modulation.classes, modulation.codewords)
        weights = projection * modulation.vector.reshape(-1, projection.shape[1])
        if mixing is not None:
            weights = mixing @ weights
        return (
            torch.from_numpy(weights).to(self.device),
            torch.from_numpy(modulation.bias).to(self.device),
        )

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

    def _head(self, modulation: Modulation) -> ModulatedHead:
        projection, mixing = self._readout(modulation.classes, modulation.codewords)
        head = ModulatedHead(
            torch.from_numpy(projection),
            torch.from_numpy(modulation.context),
            modulation.strength,
            torch.from_numpy(modulation.bias),
            torch.from_numpy(modulation.codewords.astype(np.float32)),
            torch.from_numpy(self.layout.codebook_bits),
            encoder=self.encoder,
            mixing=None if mixing is None else torch.from_numpy(mixing),
        )
        return head.to(self.device)

    # -- learning --------------------------------------------------------------------------------

    @torch.no_grad()
    def add_statistics(self, rows: Rows, known: RidgeStatistics | None) -> RidgeStatistics:
        """Sufficient statistics of the rows, added to a copy of those known before."""
        n_bits, units = self.layout.n_bits, self.layout.units_per_bit
        n_structure = len(self.layout.structure_bits)
        statistics = known.copy() if known else RidgeStatistics(n_bits, units, n_structure)
        classes, labels = np.unique(rows.y, return_inverse=True)
        block = torch.ones(n_bits, units + 1, GRAM_ROWS)
        targets = torch.zeros(GRAM_ROWS, n_structure)
        filled = done = 0
        for batch, features in self.iter_features(rows.X, rows.positions, rows.extracted):
            n_rows = len(batch)
            span = slice(filled, filled + n_rows)
            hidden = self.encoder.expansion(features).view(n_bits, units, -1)
            block[:, :units, span] = hidden[:, :, :n_rows].cpu()
            if n_structure:
                axes = self.encoder.structure(features)[:n_rows, :n_structure].cpu()
                targets[span, : axes.shape[1]] = axes
            filled += n_rows
            if filled == GRAM_ROWS or batch[-1] + 1 == len(rows.y):
                span = slice(done, done + filled)
                weight = None if rows.sample_weight is None else rows.sample_weight[span]
                used = block if filled == GRAM_ROWS else block[:, :, :filled].contiguous()
                statistics.add(used, labels[span], classes.tolist(), weight, targets[:filled])
                done, filled = done + filled, 0
        return statistics

    def choose_codewords(
        self,
        problem: CentredProblem | None,
        known: Mapping[Hashable, np.ndarray],
        new: Sequence[Hashable],
        kind: str,
        alpha: float,
        own_to: Hashable = None,
    ) -> dict[Hashable, np.ndarray]:
        """Codewords of the known classes, as they are, and of the new ones.

        Parameters
        ----------
        problem : CentredProblem or None
            Of the task's rows; a codebook is learned from it where there is none yet.
        known : mapping from class label to codeword
        new : sequence of class labels
        kind : {"learned", "hadamard", "random"}
        alpha : float
            Ridge penalty under which a dichotomy of the classes is judged easy or hard.
        own_to : task label, optional
            Task that does not share its codewords: their bits are flipped at random, which keeps
            all distances within the task and none to other tasks.
        """
        bits = self.layout.codebook_bits
        flips = np.ones(len(bits), np.int8)
        if own_to is not None:
            rng = generator(self.seed, f"flips {own_to!r}")
            flips = rng.choice(np.int8([-1, 1]), size=len(bits))
        chosen = {label: codeword * flips for label, codeword in known.items()}
        if kind == "learned" and problem is not None and not known and len(bits):
            # Where units outnumber rows anything can be fitted: judge with a firm penalty.
            explained = problem.explained(bits, max(1e-3, alpha))
            learned = learn_codebook(explained, problem.counts, self.seed)
            chosen = dict(zip(problem.classes, learned))
        later = [label for label in new if label not in chosen]
        table = np.array(list(chosen.values()), np.int8).reshape(len(chosen), len(bits))
        extended = extend_codebook(table, list(chosen), later, kind, self.seed) * flips
        return dict(zip([*chosen, *later], extended))

    def start(
        self,
        problem: CentredProblem | None,
        classes: Sequence[Hashable],
        codewords: np.ndarray,
        alpha: float | Sequence[float],
        previous: Modulation | None,
        task: Hashable,
    ) -> Modulation:
        """The closed form where there is a problem; else what was known; else a random context."""
        if problem is not None:
            return self._solve(problem, classes, codewords, alpha)
        if previous is not None:
            return replace(previous, classes=tuple(classes), codewords=codewords)
        # Small and random: related tasks do not start alike, and gradients soon choose the signs.
        # From ones, 20 epochs on digits end at a mAP of 0.92 in place of 0.97.
        bound = 1 / np.sqrt(self.layout.n_hidden)
        rng = generator(self.seed, f"context {task!r}")
        context = rng.uniform(-bound, bound, self.layout.n_hidden).astype(np.float32)
        bias = np.zeros(self.layout.n_bits, np.float32)
        return Modulation(context, 1.0, bias, tuple(classes), codewords)

    def _solve(
        self,
        problem: CentredProblem,
        classes: Sequence[Hashable],
        codewords: np.ndarray,
        alpha: float | Sequence[float],
    ) -> Modulation:
        by_class = dict(zip(classes, codewords))
        right, sums, squares = problem.targets(
            np.stack([by_class[label] for label in problem.classes]),
            self.layout.codebook_bits,
            self.layout.structure_bits,
        )
        alphas = np.atleast_1d(np.asarray(alpha, dtype=float))
        chosen = np.full(self.layout.n_bits, alphas[0])
        if len(alphas) > 1:
            errors = problem.generalised_cross_validation(right, squares, alphas)
            # From the largest: where all are equally bad, the firmest is the safest.
            order = np.argsort(-alphas, kind="stable")
            chosen = alphas[order][errors[:, order].argmin(axis=1)]
        weights, bias = problem.solve(right, sums, chosen)
        context, strength = normalised((weights / self.projection).ravel())
        return Modulation(
            context, strength, bias.astype(np.float32), tuple(classes), codewords, chosen
        )

    def polish(
        self, rows: Rows, start: Modulation, loss: str, training: Mapping[str, Any]
    ) -> tuple[Modulation, list[dict]]:
        """Gradient steps from `start`; also one entry of history an epoch.

        Parameters
        ----------
        rows : Rows
        start : Modulation
        loss : str
            See :class:`~sktgsh.networks.CodewordLoss`.
        training : mapping
            Further arguments of :func:`~sktgsh.training.train`.
        """
        layout, head = self.layout, self._head(start)
        if rows.extracted:
            head.encoder = self.encoder.expansion
        criterion = CodewordLoss(
            loss, head.codewords, head.codebook_bits, torch.from_numpy(layout.structure_bits)
        )
        history = train(
            head,
            criterion,
            torch.from_numpy(dense_rows(rows.X, rows.positions)),
            self._targets(rows, start.classes),
            device=str(self.device),
            seed=self.seed,
            **training,
        )
        context, scale = normalised(to_numpy(head.context))
        strength = scale * float(head.strength.detach())
        return replace(start, context=context, strength=strength, bias=to_numpy(head.bias)), history

    def _targets(self, rows: Rows, classes: Sequence) -> Tensor:
        """Class index, weight and structure targets of each row, as the loss takes them."""
        index = {label: position for position, label in enumerate(classes)}
        n_structure = len(self.layout.structure_bits)
        targets = torch.zeros(len(rows.y), 2 + n_structure)
        targets[:, 0] = torch.tensor([index[label] for label in rows.y.tolist()])
        weight = rows.sample_weight
        targets[:, 1] = 1.0 if weight is None else torch.from_numpy(weight.astype(np.float32))
        if n_structure:
            for batch, features in self.iter_features(rows.X, rows.positions, rows.extracted):
                axes = self.encoder.structure(features)[: len(batch), :n_structure].cpu()
                targets[batch[0] : batch[-1] + 1, 2 : 2 + axes.shape[1]] = axes
        return targets

    def with_density(
        self,
        rows: Rows,
        learned: Modulation,
        previous: Modulation | None,
        rivals: Sequence[Modulation],
    ) -> Modulation:
        """Add the density that task inference needs, calibrated against `rivals`.

        A later chunk that lacks a class does not replace what was known.
        """
        drawn = rows.sample(DENSITY_ROWS, self.seed)
        known = previous.density if previous is not None else None
        if known is not None and set(drawn.y.tolist()) < set(learned.classes):
            return replace(learned, density=known)
        outputs = np.empty((len(drawn.positions), self.layout.n_bits), np.float32)
        source = (drawn.X, drawn.positions)
        for batch, values in self.iter_bits(*source, learned, self.layout.n_bits, drawn.extracted):
            outputs[batch] = values
        axes = np.concatenate(
            [
                self.encoder.structure(features)[: len(batch)].cpu().numpy()
                for batch, features in self.iter_features(*source, drawn.extracted)
            ]
        )
        density = TaskDensity.fit(outputs, axes, drawn.y)
        learned = replace(learned, density=density)
        if rivals:
            few = drawn.sample(CALIBRATION_ROWS, self.seed + 1)
            against = self.log_densities(few.X[few.positions], [learned, *rivals], few.extracted)
            learned = replace(learned, density=density.calibrated(against))
        return learned
