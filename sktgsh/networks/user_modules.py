"""Modules that users bring: what they must do, and draws of theirs that can be repeated."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ..batches import BATCH_ROWS

# torch's own generators belong to the whole process: one training with draws at a time.
_DRAWING = threading.RLock()


@contextmanager
def seeded_draws(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's own generators, and give them back their state at the end.

    Layers such as ``nn.Dropout`` take no generator. Threads that enter wait for one another.

    Parameters
    ----------
    seed : int
    device : torch.device
        A GPU's generator is seeded beside that of the CPU.
    """
    on_gpu = device.type == "cuda"
    with _DRAWING, torch.random.fork_rng([device] if on_gpu else []):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@torch.no_grad()
def check_module(module: nn.Module, samples: Tensor, name: str) -> Tensor:
    """Outputs of a few samples, after a check of what the module does in evaluation mode.

    Lazy layers get their shapes here. The mode of each submodule stays as it is.

    Parameters
    ----------
    module : torch.nn.Module
    samples : Tensor of shape (n_samples, ...)
        At least one row.
    name : str
        Parameter that the module was given as.

    Returns
    -------
    outputs : Tensor of shape (BATCH_ROWS, ...)

    Raises
    ------
    ValueError
        If the module fails, or gives something other than one finite tensor with a row for each
        sample; if a row's output differs between two calls, or depends on the other rows.
    """
    batch = samples[torch.arange(BATCH_ROWS) % len(samples)].to(_device_of(module))
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        first = _checked_outputs(module, batch, name)
        again = _checked_outputs(module, batch, name)
        alone = all(_stands_alone(module, batch, row, first) for row in (0, BATCH_ROWS // 2))
    finally:
        for part, mode in modes.items():
            part.training = mode
    if not torch.equal(first, again):
        raise ValueError(
            f"{name} gives different outputs for the same samples in evaluation mode; random "
            "steps, such as dropout, must be off after eval()"
        )
    if not alone:
        raise ValueError(
            f"{name} gives a sample another output when other samples are beside it in the batch"
            f"{_batch_statistics(module)}; in evaluation mode a row must not depend on other rows"
        )
    return first


def _stands_alone(module: nn.Module, batch: Tensor, row: int, outputs: Tensor) -> bool:
    """Whether a row has the same output when all rows beside it are zeros."""
    alone = torch.zeros_like(batch)
    alone[row] = batch[row]
    return torch.equal(module(alone)[row], outputs[row])


def _device_of(module: nn.Module) -> torch.device:
    for tensor in chain(module.parameters(), module.buffers()):
        return tensor.device
    return torch.device("cpu")


def _checked_outputs(module: nn.Module, batch: Tensor, name: str) -> Tensor:
    try:
        outputs: Any = module(batch)
    except Exception as error:
        raise ValueError(
            f"{name} ({type(module).__name__}) fails on a batch of shape {tuple(batch.shape)} and "
            f"type {batch.dtype}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(outputs, Tensor):
        raise ValueError(
            f"{name} gives a {type(outputs).__name__}; expected one tensor of shape (n_samples, "
            "n_outputs). Wrap it in a module whose forward picks that tensor"
        )
    if outputs.ndim < 2 or len(outputs) != len(batch):
        raise ValueError(
            f"{name} gives shape {tuple(outputs.shape)} for {len(batch)} samples; expected a row "
            "for each sample, (n_samples, n_outputs)"
        )
    if outputs.is_complex():
        raise ValueError(f"{name} gives values of type {outputs.dtype}; expected real numbers")
    if not torch.isfinite(outputs).all():
        raise ValueError(
            f"{name} gives outputs that are nan or infinite; check its weights, and the scale of X"
        )
    return outputs


def _batch_statistics(module: nn.Module) -> str:
    """Names of layers that normalise by the statistics of the batch, for a message."""
    kind = nn.modules.batchnorm._NormBase
    layers = [
        part
        for part in module.modules()
        if isinstance(part, kind)
        and not isinstance(part, nn.modules.instancenorm._InstanceNorm)
        and not part.track_running_stats
    ]
    if not layers:
        return ""
    return f" ({type(layers[0]).__name__} with track_running_stats=False)"


def prepare_for_training(module: nn.Module, name: str) -> None:
    """Set each submodule to training or evaluation mode; those in evaluation mode stay in it.

    If the module itself is in training mode, its submodules keep the modes they have. If it is in
    evaluation mode as a whole, all is trained but submodules without a parameter that has a
    gradient.

    Parameters
    ----------
    module : torch.nn.Module
    name : str
        Parameter that the module was given as.

    Raises
    ------
    ValueError
        If nothing in the module can be trained.
    """
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ValueError(
            f"{name} ({type(module).__name__}) has no parameter with requires_grad=True; there is "
            "nothing to train"
        )
    if module.training:
        return
    module.train()
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            part.eval()
