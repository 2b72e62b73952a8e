"""Gradient steps: skorch trains a module; frozen parts of it stay frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.exceptions import SkorchException
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm.auto import tqdm

from .callbacks import FitTask
from .solver import SolverSettings
from .threads import threads_for


class StopEpochs(Exception):
    """Raised to end the training of a network in good order."""


class EpochTasks(Callback):
    """A skorch callback that reports each epoch as a subtask.

    Parameters
    ----------
    task : FitTask, optional
        The task whose subtasks are the epochs; it may be set later.
    fitted : callable, optional
        Gives the attributes of the estimator as if training ended with the epoch.
    """

    def __init__(
        self, task: FitTask | None = None, fitted: Callable[[], dict[str, Any]] | None = None
    ):
        self.task, self.fitted = task, fitted

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a subtask."""
        task = self.task or FitTask(None, None, {})
        self.epoch_ = task.subtask("epoch", fitted=self.fitted).__enter__()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End it; raise StopEpochs if a callback asks for it."""
        self.epoch_.__exit__(None)
        if self.epoch_.stopped:
            raise StopEpochs


def cut(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut into batches; a last one of a single row joins the one before.

    Nothing can be normalised over one row, and no pair can be made of it.
    """
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


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
        return len(cut(torch.arange(len(self.X)), self.batch_size))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in cut(self._order(), self.batch_size):
            yield self.X[rows], self.y[rows]

    def _order(self) -> Tensor:
        return torch.randperm(len(self.X), generator=self.generator)


class WeightedBatches(ShuffledBatches):
    """Batches of rows that are drawn with replacement, in proportion to a weight.

    Parameters
    ----------
    dataset, batch_size, seed
        As in :class:`ShuffledBatches`.
    weight : Tensor of shape (n_samples,)
        Not negative.
    """

    def __init__(self, dataset: Any, batch_size: int, seed: int, weight: Tensor):
        super().__init__(dataset, batch_size, seed)
        self.weight = weight

    def _order(self) -> Tensor:
        n_rows = len(self.X)
        return torch.multinomial(self.weight, n_rows, replacement=True, generator=self.generator)


class InterruptibleNet(NeuralNet):
    """A skorch net that raises KeyboardInterrupt, so that its caller decides what is kept.

    Attributes
    ----------
    frozen : sequence of torch.nn.Module
        Parts of the module that stay in evaluation mode, so that their statistics stay as they are.
    """

    frozen: Sequence[nn.Module] = ()

    def infer(self, x: Tensor, **params: Any) -> Any:
        """Outputs for a batch; skorch has set the mode of the whole module just before."""
        for part in self.frozen:
            part.eval()
        return super().infer(x, **params)

    def partial_fit(self, X: Tensor, y: Tensor, *args: Any, **params: Any) -> InterruptibleNet:
        """Train like skorch's ``partial_fit``, which stops without an error on Ctrl-C."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y)
        except KeyboardInterrupt:
            # skorch's early stopping raises the same exception.
            stops = [c for _, c in self.callbacks_ if isinstance(c, EarlyStopping)]
            if not any(stop.misses_ == stop.patience for stop in stops):
                raise
        except StopEpochs:
            pass
        except (KeyError, SkorchException) as error:
            self._explain_monitors(error)
            raise
        self.notify("on_train_end", X=X, y=y)
        return self

    def _explain_monitors(self, error: Exception) -> None:
        """Raise ValueError if a callback waits for a value that nothing records."""
        recorded = set(self.history[-1]) if self.history else set()
        for _, callback in self.callbacks_:
            monitor = getattr(callback, "monitor", None)
            if isinstance(monitor, str) and monitor not in recorded:
                kind = type(callback).__name__
                raise ValueError(
                    f"callbacks has {kind}(monitor={monitor!r}), which is not recorded here: no "
                    "rows are held out by skorch. Use monitor='train_loss', or early_stopping=True "
                    "where the hasher has it and monitor='valid_map' (lower_is_better=False)"
                ) from error


class EpochBar(Callback):
    """A progress bar over the epochs, with the loss."""

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Draw it."""
        self.bar_ = tqdm(total=net.max_epochs, desc="epochs", unit="epoch")

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """One epoch further."""
        self.bar_.set_postfix(loss=f"{net.history[-1, 'train_loss']:.4g}", refresh=False)
        self.bar_.update()

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Leave it as it is."""
        self.bar_.close()


def train(
    module: nn.Module,
    loss: nn.Module,
    samples: Tensor,
    targets: Tensor,
    settings: SolverSettings,
    batches: Callable[..., ShuffledBatches],
    verbose: int = 0,
) -> list[dict]:
    """Train a module in place, on the device it is on, and return one history entry an epoch.

    Parts of the module that are in evaluation mode stay in it.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    loss : torch.nn.Module
        The criterion, of the module's output and the targets.
    samples : Tensor of shape (n_samples, n_inputs)
    targets : Tensor of shape (n_samples, ...)
    settings : SolverSettings
        Of the gradient steps.
    batches : callable
        Makes the loader of batches from a dataset and ``batch_size``, as
        ``partial(ShuffledBatches, seed=0)`` does.
    verbose : int, default=0
        1 shows a progress bar over the epochs, 2 skorch's table of them.

    Returns
    -------
    history : list of dict
        One entry an epoch: losses, durations, and whatever callbacks record.

    Raises
    ------
    ValueError
        If a callback waits for a value that is not recorded, or training ends with parameters that
        are not finite.
    """
    net = InterruptibleNet(
        module,
        criterion=loss,
        optimizer=settings.optimizer,
        lr=settings.lr,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train=batches,
        train_split=None,
        callbacks=_callbacks(settings, len(samples), verbose),
        device=str(next(module.parameters()).device),
        verbose=max(0, verbose - 1),
    )
    net.frozen = [part for part in module.modules() if not part.training]
    with threads_for(_operations(net, samples[: settings.batch_size])):
        net.partial_fit(samples, targets)
    if not all(torch.isfinite(values).all() for values in module.state_dict().values()):
        raise ValueError(
            f"training diverged: not all of the network's values are finite after "
            f"{len(net.history)} epochs with lr={settings.lr}; lower the solver's lr, or scale X"
        )
    return [
        {key: value for key, value in epoch.items() if key != "batches"} for epoch in net.history
    ]


def _callbacks(settings: SolverSettings, n_samples: int, verbose: int) -> list[Callback]:
    """The user's callbacks, a progress bar if `verbose` is 1, and the schedule of step sizes."""
    callbacks = [*settings.callbacks, *([EpochBar()] if verbose == 1 else [])]
    if settings.lr_schedule == "one_cycle":
        n_batches = len(cut(torch.arange(n_samples), settings.batch_size))
        n_steps = settings.max_epochs * n_batches
        # A cycle is warm-up and decay, and a handful of steps has no room for either.
        if n_steps > 4:
            callbacks.append(
                LRScheduler(
                    policy=torch.optim.lr_scheduler.OneCycleLR,
                    max_lr=settings.lr,
                    total_steps=n_steps,
                    step_every="batch",
                )
            )
    return callbacks


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
