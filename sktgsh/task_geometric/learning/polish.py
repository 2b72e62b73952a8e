"""Gradient steps of one task, on from a modulation."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...networks import CodewordLoss, FrozenEncoder
from ...solver import SolverSettings
from ...training import ShuffledBatches, to_numpy, train
from ..encoding.modulation import Modulation, normalised
from .learner import TaskLearner
from .rows import Rows


def polish(
    learner: TaskLearner, rows: Rows, start: Modulation, solver: SolverSettings, verbose: int
) -> tuple[Modulation, list[dict]]:
    """Take gradient steps from `start`; returns the modulation and the history of epochs.

    Parameters
    ----------
    learner : TaskLearner
    rows : Rows
    start : Modulation
    solver : SolverSettings
    verbose : int
        As in :func:`~sktgsh.training.train`.
    """
    rows = learner.extract(rows, always=True)
    head = learner.network.modulated_head(start)
    head.encoder = HiddenActivity(learner.encoder)
    given = rows.codes is not None
    target_bits = learner.layout.target_bits(given)
    structure = np.arange(0) if given else target_bits
    criterion = CodewordLoss(
        solver.loss,
        head.codewords,
        torch.from_numpy(target_bits) if given else head.codebook_bits,
        torch.from_numpy(structure),
        target="codes" if given else "shares" if rows.multilabel else "class",
    )
    history = train(
        head,
        criterion,
        torch.from_numpy(rows.X),
        _training_targets(learner, rows, start.classes),
        solver,
        partial(ShuffledBatches, seed=learner.seed),
        verbose,
    )
    context, scale = normalised(to_numpy(head.context))
    strength = scale * float(head.strength.detach())
    return replace(start, context=context, strength=strength, bias=to_numpy(head.bias)), history


def _training_targets(learner: TaskLearner, rows: Rows, classes: Sequence[Hashable]) -> Tensor:
    """Columns of the loss: weight, real-valued targets, and class index or shares."""
    n_rows = len(rows.positions)
    weight = np.ones(n_rows) if rows.sample_weight is None else rows.sample_weight
    parts = [weight[:, None]]
    if len(learner.layout.target_bits(rows.codes is not None)):
        found = learner.network.map_features(
            lambda batch, features: learner.real_targets(rows, batch, features),
            rows.X,
            rows.positions,
            rows.extracted,
        )
        parts.append(np.concatenate(found))
    if rows.codes is None:
        shares = rows.shares(classes)
        parts.append(shares.toarray() if rows.multilabel else shares.indices[:, None])
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


class HiddenActivity(torch.nn.Module):
    """The frozen encoder from features to hidden activity, in front of a head that is trained."""

    def __init__(self, encoder: FrozenEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, features: Tensor) -> Tensor:
        """Standardised features (batch, n_features) to hidden activity (n_hidden, batch)."""
        with torch.no_grad():
            return self.encoder.hidden(features)
