"""Pickles that name their version, and that are equal for equal estimators."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._torch import is_torch
from .._version import __version__

if TYPE_CHECKING:
    from torch import Tensor, nn

# The key of a pickle's state that tells which version of the package made it.
VERSION = "_sktgsh_version"
_NUMPY_TYPES = ("float32", "float64", "float16", "bool", "uint8", "int8", "int16", "int32", "int64")


class SteadyPickleMixin:
    """Equal objects have equal pickles, modules of torch among their attributes or not.

    torch writes the address of a tensor's memory into its pickle. joblib, which compares what it
    has seen by pickles, would never know an encoder again, and a pipeline's `memory` never hit.
    """

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        reduced: Any = super().__reduce_ex__(protocol)
        make, arguments, state, *rest = reduced
        steady = {
            name: PickledModule.of(value) if is_torch(value, "Module") else value
            for name, value in (state or {}).items()
        }
        return make, arguments, steady, *rest

    def __setstate__(self, state: dict) -> None:
        opened = {
            name: value.module() if isinstance(value, PickledModule) else value
            for name, value in state.items()
        }
        above = getattr(super(), "__setstate__", self.__dict__.update)
        above(opened)


class VersionedMixin(SteadyPickleMixin):
    """Pickles say which version of the package made them; another one warns when it opens them."""

    def __getstate__(self) -> dict:
        state: Any = super().__getstate__()
        return {**state, VERSION: __version__}

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        version = state.pop(VERSION, "unknown")
        if version != __version__:
            warnings.warn(
                f"{type(self).__name__} was saved by sktgsh {version} and is opened by "
                f"{__version__}, under which it may fail or give other codes; fit it again, or "
                "install that version",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)


@dataclass(frozen=True)
class _Place:
    """A placeholder for a tensor."""

    number: int


@dataclass
class PickledModule:
    """A module whose tensors are NumPy arrays.

    Attributes
    ----------
    skeleton : nn.Module
        The module, with a placeholder for each tensor that an array can hold.
    tensors : list of (ndarray, bool, bool)
        Values, whether it is a parameter, and whether it has a gradient.
    """

    skeleton: nn.Module
    tensors: list[tuple[np.ndarray, bool, bool]]

    @classmethod
    def of(cls, module: nn.Module) -> PickledModule:
        """Without a change to the module."""
        from torch import nn

        tensors: list[tuple[np.ndarray, bool, bool]] = []
        memo: dict[int, Any] = {}
        for tensor in [*module.parameters(), *module.buffers()]:
            if _is_plain(tensor):
                memo[id(tensor)] = _Place(len(tensors))
                kind = isinstance(tensor, nn.Parameter), tensor.requires_grad
                tensors.append((tensor.detach().numpy(), *kind))
        return cls(deepcopy(module, memo), tensors)

    def module(self) -> nn.Module:
        """The module, with tensors of its own."""
        import torch
        from torch import nn

        made: list[Tensor] = []
        for array, is_parameter, has_gradient in self.tensors:
            tensor = torch.from_numpy(array.copy())
            made.append(nn.Parameter(tensor, has_gradient) if is_parameter else tensor)
        memo: dict[int, Any] = {}
        for part in self.skeleton.modules():
            for place in [*part._parameters.values(), *part._buffers.values()]:
                if isinstance(place, _Place):
                    memo[id(place)] = made[place.number]
        return deepcopy(self.skeleton, memo)


def _is_plain(tensor: Tensor) -> bool:
    """Whether an array holds all that there is to the tensor."""
    import torch

    return (
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and str(tensor.dtype).removeprefix("torch.") in _NUMPY_TYPES
        and tensor.is_contiguous()
    )
