"""The learned part of one task."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...networks.fingerprint import fingerprint
from ...persistence import saved
from .density import TaskDensity
from .groups import Groups, UnlabelledRows
from .structure import Structure

# Number of the convention by which a modulation's arrays are named in its code version.
LAYOUT = 1


@saved("TaskGain")
@dataclass(frozen=True)
class TaskGain:
    """The errors of a task with its prior, without it, and by the prior alone.

    Errors are generalised cross-validation errors, mean squares over bits and rows.

    Attributes
    ----------
    n_prior_bits : int
        Number of bits that use the prior.
    n_bits : int
    variance : float
        Error of a constant.
    prior_error : float
        Error of the prior alone.
    own_error : float
        Error of the task's own rows alone.
    error : float
        Error of what was learned.
    pool_weight : float
        Weight of all other tasks' rows together in the prior.
    task_weights : dict of float
        Weights of the other tasks' own solutions in the prior, if not 0.
    is_common : bool
        Whether the task has the solution of the rows of all tasks, its own among them.
    """

    n_prior_bits: int
    n_bits: int
    variance: float
    prior_error: float
    own_error: float
    error: float
    pool_weight: float
    task_weights: dict[Hashable, float] = field(default_factory=dict)
    is_common: bool = False

    @property
    def share(self) -> float:
        """Share of what was learned that the prior alone does not know, from 0 to 1."""
        learned = self.variance - self.error
        if not np.isfinite(learned) or learned <= 0:
            return 0.0
        return float(np.clip((self.prior_error - self.error) / learned, 0, 1))


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
        Density of the task's samples, for task inference.
    task_gain : TaskGain or None
        How much the task's own rows say beyond what other tasks have learned; None where the
        task had no prior.
    groups : Groups or None
        Groups of the rows without a label; None if there are none.
    structure : Structure or None
        Directions that bits follow; the context and the bias hold them.
    unlabelled : UnlabelledRows or None
        What became of the rows without a label; None if there were none.
    """

    context: np.ndarray
    strength: float
    bias: np.ndarray
    classes: tuple
    codewords: np.ndarray
    alpha: np.ndarray | None = None
    density: TaskDensity | None = None
    task_gain: TaskGain | None = None
    groups: Groups | None = None
    structure: Structure | None = None
    unlabelled: UnlabelledRows | None = None

    @property
    def vector(self) -> np.ndarray:
        """Strength times context."""
        return np.float32(self.strength) * self.context

    def gain(self, other: Modulation) -> np.ndarray:
        """Weight of each hidden unit in the inner product of two tasks' representations.

        The inner product of modulated activities, ``sum_b (c_b h) . (c'_b h')`` over the bits, is
        ``sum_j gain_j h_j h'_j``, which needs no array of bits times units for a row.

        Returns
        -------
        gain : ndarray of shape (n_hidden,), dtype float32
        """
        product = self.vector * other.vector
        return product.sum(axis=0) if product.ndim == 2 else product

    def known_density(self) -> TaskDensity:
        """The density; raises ValueError if the task is not learned yet."""
        if self.density is None:
            raise ValueError("the modulation has no density: it is not learned yet")
        return self.density

    def is_equal(self, other: Modulation) -> bool:
        """Whether both modulations give bit-identical codes."""
        same = self.strength == other.strength and self.classes == other.classes
        return same and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("context", "bias")
        )

    def code_version(self, network: str, reads_classes: bool) -> str:
        """Digest of everything that decides a code of the task, 64 hexadecimal digits.

        Parameters
        ----------
        network : str
            Fingerprint of the network.
        reads_classes : bool
            Whether bits are read through the scores of the classes.
        """
        arrays: dict[str, Any] = {
            "network": network,
            "context": self.context,
            "strength": float(self.strength),
            "bias": self.bias,
        }
        if reads_classes:
            arrays |= {"classes": repr(self.classes), "codewords": self.codewords}
        return fingerprint(arrays, LAYOUT)

    def with_groups(self) -> Modulation:
        """The task with its groups as further classes, labelled by their numbers."""
        if self.groups is None:
            return self
        classes = (*self.classes, *self.groups.numbers)
        codewords = np.concatenate([self.codewords, self.groups.codewords])
        return replace(self, classes=classes, codewords=codewords, groups=None)

    def naming(self, number: int, label: Hashable) -> Modulation:
        """The task with one of its groups as a class; no code changes."""
        if self.groups is None:
            raise ValueError("the task has no groups: all its rows belonged to a class")
        groups = self.groups.naming(number, label)
        codewords = np.concatenate([self.codewords, groups.named[label][None]])
        return replace(self, classes=(*self.classes, label), codewords=codewords, groups=groups)

    @property
    def nbytes(self) -> int:
        """Memory of everything that codes depend on, in bytes."""
        return self.context.nbytes + self.bias.nbytes + self.codewords.nbytes + 4


def normalised(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Split weights of any shape into a context of root mean square 1, and a strength."""
    strength = float(np.sqrt(np.mean(np.square(weights, dtype=np.float64))))
    if strength == 0:
        return np.zeros(weights.shape, np.float32), 0.0
    return (weights / strength).astype(np.float32), strength
