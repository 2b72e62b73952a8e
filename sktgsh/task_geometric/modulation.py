"""What is learned for one task, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..persistence import saved
from .recognition import TaskDensity


@saved("Modulation")
@dataclass(frozen=True)
class Modulation:
    """The learned part of one task.

    Attributes
    ----------
    context : ndarray of shape (n_bits, n_hidden) or (n_hidden,), dtype float32
        Local modulation, of root mean square 1: one value a hidden unit, for each bit where bits
        share the units, once where each bit has units of its own.
    strength : float
        One value for all units (global modulation).
    bias : ndarray of shape (n_bits,), dtype float32
        Added to each bit before the threshold at 0.
    classes : tuple
        Labels of the classes that the task was trained on; empty where it was trained on codes.
    codewords : ndarray of shape (n_classes, n_codebook_bits), dtype int8
        Target code of each class, -1 and +1.
    alpha : ndarray of shape (n_bits,), or None
        Ridge penalty of each bit; None where there was no closed form.
    density : TaskDensity or None
        What task inference knows of the task.
    """

    context: np.ndarray
    strength: float
    bias: np.ndarray
    classes: tuple
    codewords: np.ndarray
    alpha: np.ndarray | None = None
    density: TaskDensity | None = None

    @property
    def vector(self) -> np.ndarray:
        """Strength times context: what tasks are compared by."""
        return np.float32(self.strength) * self.context

    def gain(self, other: Modulation) -> np.ndarray:
        """How much each hidden unit counts where two tasks' representations are compared.

        The inner product of modulated activities, ``sum_b (c_b h) . (c'_b h')`` over the bits, is
        ``sum_j gain_j h_j h'_j``: it needs no array of bits times units for a row.

        Returns
        -------
        gain : ndarray of shape (n_hidden,), dtype float32
        """
        product = self.vector * other.vector
        return product.sum(axis=0) if product.ndim == 2 else product

    def known_density(self) -> TaskDensity:
        """The density, which each task has once it is learned."""
        if self.density is None:
            raise ValueError("the modulation has no density: it is not learned yet")
        return self.density

    def is_equal(self, other: Modulation) -> bool:
        """Whether codes are the same, to the bit."""
        same = self.strength == other.strength and self.classes == other.classes
        return same and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("context", "bias")
        )

    @property
    def nbytes(self) -> int:
        """Memory of what codes depend on, in bytes."""
        return self.context.nbytes + self.bias.nbytes + self.codewords.nbytes + 4


def normalised(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Split weights of any shape into a context of root mean square 1, and a strength."""
    strength = float(np.sqrt(np.mean(np.square(weights, dtype=np.float64))))
    if strength == 0:
        return np.zeros(weights.shape, np.float32), 0.0
    return (weights / strength).astype(np.float32), strength
