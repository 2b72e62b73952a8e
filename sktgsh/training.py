"""Gradient steps: skorch trains a module; frozen parts of it stay frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .threads import threads_for

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


class BalancedBatches(ShuffledBatches):
    """Batches that hold about as many rows of each class; rare classes are drawn again."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        _, index, counts = torch.unique(self.y, return_inverse=True, return_counts=True)
        weight = (1.0 / counts)[index]
        order = torch.multinomial(weight, len(self.X), replacement=True, generator=self.generator)
        for rows in order.split(self.batch_size):
            yield self.X[rows], self.y[rows]


class UninterruptedNet(NeuralNet):
    """A skorch net that lets Ctrl-C through: what to keep is the caller's to decide."""

    def fit_uninterrupted(self, X: Tensor, y: Tensor) -> UninterruptedNet:
        """Train like ``fit``; but a KeyboardInterrupt is not swallowed."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y)
        except KeyboardInterrupt:
            # skorch's early stopping speaks by the same exception.
            stops = [c for _, c in self.callbacks_ if isinstance(c, EarlyStopping)]
            if not any(stop.misses_ == stop.patience for stop in stops):
                raise
        self.notify("on_train_end", X=X, y=y)
        return self


def train(
    module: nn.Module,
    loss: nn.Module,
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
    iterator: type[ShuffledBatches] = ShuffledBatches,
) -> list[dict]:
    """Train a module in place and return skorch's history as a list of epochs.

    Parameters
    ----------
    module : torch.nn.Module
        What is trained.
    loss : torch.nn.Module
        The criterion, of the module's output and the targets.
    samples : Tensor of shape (n_samples, n_inputs)
    targets : Tensor of shape (n_samples, ...)
    max_epochs, lr, lr_schedule, batch_size, optimizer, callbacks, verbose
        As in ``TaskGeometricHasher``.
    device : str
        A torch device.
    seed : int
        Of the order of rows.
    iterator : type
        Cuts the rows into batches.

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
    net = UninterruptedNet(
        module,
        criterion=loss,
        optimizer=OPTIMIZERS.get(optimizer, optimizer),
        lr=lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train=iterator,
        iterator_train__seed=seed,
        train_split=None,
        callbacks=all_callbacks,
        device=device,
        verbose=verbose,
    )
    with threads_for(_operations(net, samples[:batch_size])):
        net.fit_uninterrupted(samples, targets)
    return [
        {key: value for key, value in epoch.items() if key != "batches"} for epoch in net.history
    ]


def _operations(net: NeuralNet, batch: Tensor) -> int:
    """Floating-point operations of one forward pass of a batch."""
    module = net.initialize().module_
    was_training = module.training
    # In evaluation mode: statistics of batches, and draws of dropout, stay as they are.
    module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(batch.to(net.device))
    module.train(was_training)
    return counter.get_total_flops()


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A detached copy on the CPU."""
    return tensor.detach().cpu().numpy().copy()
