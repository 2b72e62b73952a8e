"""Initial weights of torch's layers from a generator of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# The functions that fill torch's layers; nn.init passes a generator on, if it is given one.
_DRAWS = frozenset([Tensor.uniform_, Tensor.normal_, torch.rand, torch.randn])


class OwnDraws(TorchFunctionMode):
    """Let what torch draws inside the ``with`` come from a generator of its own.

    torch's layers draw their initial weights from a generator that the whole process shares:
    networks made in two threads would mix up their draws.

    Parameters
    ----------
    seed : int
        The draws are those that follow ``torch.manual_seed(seed)``.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __enter__(self) -> OwnDraws:
        self._with_gradients = torch.is_grad_enabled()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        # Ctrl-C may come while torch itself, after an initial draw, turns gradients on again.
        torch.set_grad_enabled(self._with_gradients)

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call the function, with the generator where it draws."""
        given = dict(kwargs or {})
        if (function in _DRAWS or "generator" in given) and given.get("generator") is None:
            given["generator"] = self.generator
        return function(*args, **given)
