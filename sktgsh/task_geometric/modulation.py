"""What is learned for one task, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .recognition import TaskDensity


@dataclass(frozen=True)
class Modulation:
    """The learned part of one task.

    Attributes
    ----------
    context : ndarray of shape (n_hidden,), dtype float32
        One value a hidden unit, of root mean square 1 (local modulation).
    strength : float
        One value for all units (global modulation).
    bias : ndarray of shape (n_bits,), dtype float32
        Added to each bit before the threshold at 0.
    classes : tuple
        Labels of the classes that the task was trained on.
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

    @property
    def nbytes(self) -> int:
        """Memory of what codes depend on, in bytes."""
        return self.context.nbytes + self.bias.nbytes + self.codewords.nbytes + 4


def normalised(vector: np.ndarray) -> tuple[np.ndarray, float]:
    """Split a vector into a context of root mean square 1, and a strength."""
    strength = float(np.sqrt(np.mean(np.square(vector, dtype=np.float64))))
    if strength == 0:
        return np.zeros(len(vector), np.float32), 0.0
    return (vector / strength).astype(np.float32), strength
