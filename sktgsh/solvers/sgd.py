"""Modulation by gradient steps: skorch trains the head, the encoder stays frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler
from torch import Tensor

from ..networks import CodewordLoss, ModulatedHead

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


class ShuffledBatches:
    """Batches of whole rows, cut by index: a loader that never collates sample by sample.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Holds X and y.
    batch_size : int
        Rows of a batch.
    seed : int
        Of the shuffling; each epoch draws anew.
    """

    def __init__(self, dataset: Any, batch_size: int, seed: int):
        self.X, self.y = torch.as_tensor(dataset.X), torch.as_tensor(dataset.y)
        self.batch_size = batch_size
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.X) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.X), generator=self.generator)
        for rows in order.split(self.batch_size):
            yield self.X[rows], self.y[rows]


class ModulationNet(NeuralNet):
    """A skorch net around :class:`~sktgsh.networks.ModulatedHead` that lets Ctrl-C through."""

    def fit_uninterrupted(self, X: Tensor, y: Tensor) -> ModulationNet:
        """Train like ``fit``; but a KeyboardInterrupt is the caller's to handle, not swallowed."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self


def train_head(
    head: ModulatedHead,
    loss: CodewordLoss,
    samples: Tensor,
    targets: Tensor,
    *,
    max_epochs: int,
    lr: float,
    lr_schedule: str | None,
    batch_size: int,
    optimizer: str | type[torch.optim.Optimizer],
    callbacks: list | None,
    device: str,
    seed: int,
    verbose: int,
) -> list[dict]:
    """Train a head in place and return skorch's history as a list of epochs.

    Parameters
    ----------
    head : ModulatedHead
        Its encoder maps samples to hidden activity.
    loss : CodewordLoss
        The criterion.
    samples : Tensor of shape (n_samples, n_inputs)
    targets : Tensor of shape (n_samples, 2 + n_structure_bits)
        As :class:`~sktgsh.networks.CodewordLoss` takes them.
    max_epochs, lr, lr_schedule, batch_size, optimizer, callbacks, verbose
        As in ``TaskGeometricHasher``.
    device : str
        A torch device.
    seed : int
        Of the order of rows.

    Returns
    -------
    history : list of dict
        One entry an epoch: losses, durations, and whatever callbacks record.
    """
    all_callbacks = list(callbacks or [])
    if lr_schedule == "one_cycle":
        steps = max_epochs * -(-len(samples) // batch_size)
        # A cycle is warm-up and decay; under a handful of steps there is no room for either.
        if steps > 4:
            all_callbacks.append(
                LRScheduler(
                    policy=torch.optim.lr_scheduler.OneCycleLR,
                    max_lr=lr,
                    total_steps=steps,
                    step_every="batch",
                )
            )
    net = ModulationNet(
        head,
        criterion=loss,
        optimizer=OPTIMIZERS.get(optimizer, optimizer),
        lr=lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train=ShuffledBatches,
        iterator_train__seed=seed,
        train_split=None,
        callbacks=all_callbacks,
        device=device,
        verbose=verbose,
    )
    net.fit_uninterrupted(samples, targets)
    return [
        {key: value for key, value in epoch.items() if key != "batches"} for epoch in net.history
    ]


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A detached copy on the CPU."""
    return tensor.detach().cpu().numpy().copy()
