"""Modules of torch as files hold them, which are made when they are first needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .registry import class_of, saved_name


@dataclass
class StoredModule:
    """A module whose parameters and buffers are arrays; it needs no torch until it is made.

    Its parts are attributes, under their names in the module.

    Attributes
    ----------
    name : str
        Class in files.
    state : dict
        "plain" attributes, "parameters" (pairs of an array and whether it has a gradient),
        "buffers", "modules" (stored ones among them) and "training".
    """

    name: str
    state: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        for kind in ("plain", "buffers", "modules"):
            if name in vars(self).get("state", {}).get(kind, ()):
                return self.state[kind][name]
        raise AttributeError(f"the stored module has no part {name!r}")

    def made(self) -> Any:
        """The module; it shares the memory of the arrays."""
        import torch
        from torch import nn

        def tensor(array: Any) -> Any:
            return None if array is None else torch.from_numpy(array)

        state, module = self.state, object.__new__(class_of(self.name))
        nn.Module.__init__(module)
        for name, part in state["plain"].items():
            object.__setattr__(module, name, part)
        for name, part in state["parameters"].items():
            made = part and nn.Parameter(tensor(part[0]), requires_grad=part[1])
            module.register_parameter(name, made)
        for name, part in state["buffers"].items():
            module.register_buffer(name, tensor(part))
        for name, part in state["modules"].items():
            module.add_module(name, part.made() if isinstance(part, StoredModule) else part)
        module.training = state["training"]
        return module


def module_name(module: Any) -> str | None:
    """The class of a module in files, stored or made; None where files may not hold it."""
    return module.name if isinstance(module, StoredModule) else saved_name(type(module))
