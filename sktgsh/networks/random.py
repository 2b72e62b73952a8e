"""Random draws that are the same on every machine, and nested in the number of bits.

Each bit draws from a generator of its own, seeded by (seed, what is drawn, bit). The first 16 bits
of a network of 64 bits are therefore the network of 16 bits, as long as a bit owns as many units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# What fills the layers of torch; nn.init passes a generator on, if it is given one.
_DRAWS = frozenset([Tensor.uniform_, Tensor.normal_, torch.rand, torch.randn])


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A PCG64 generator that depends on its arguments alone."""
    sequence = np.random.SeedSequence([seed, crc32(purpose.encode()), index])
    return np.random.Generator(np.random.PCG64(sequence))


def sample_without_replacement(
    n_population: int, n_samples: int, n_rows: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw a set of `n_samples` different integers below `n_population` for each row.

    Floyd's algorithm, over all rows at once: its cost does not depend on `n_population`.
    """
    chosen = np.empty((n_rows, n_samples), dtype=np.int64)
    for taken, top in enumerate(range(n_population - n_samples, n_population)):
        draw = rng.integers(0, top + 1, size=n_rows)
        repeated = (chosen[:, :taken] == draw[:, None]).any(axis=1)
        chosen[:, taken] = np.where(repeated, top, draw)
    return chosen


def random_signs(label: object, n_bits: int, seed: int) -> np.ndarray:
    """A codeword of -1 and +1 that depends on the class label and the seed alone.

    Machines that exchange nothing give a class the same codeword.
    """
    rng = generator(seed, "codeword", crc32(repr(label).encode()))
    return rng.choice(np.array([-1, 1], np.int8), size=n_bits)


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
