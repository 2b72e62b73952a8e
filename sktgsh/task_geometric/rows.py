"""Training rows with their targets, and the layout of a code's bits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from ..networks.random import generator
from ..persistence import saved
from ..tasks import name_some


def in_order(classes: Iterable[Hashable]) -> list:
    """Different class labels, sorted, whatever their types."""
    return sorted(set(classes), key=lambda label: (str(type(label)), label))


@saved("BitLayout")
@dataclass(frozen=True)
class BitLayout:
    """Which hidden units a bit sees, and which bits spell the class's codeword.

    Units come in blocks: one for all bits, or one for each. The other bits follow the data's
    structure; they are spread evenly, so that every prefix of a code has its share of them.
    """

    n_bits: int
    n_blocks: int
    units_per_block: int
    structure_share: float

    @property
    def is_structure(self) -> np.ndarray:
        """Mask of shape (n_bits,)."""
        reached = np.floor(np.arange(self.n_bits + 1) * self.structure_share + 1e-9)
        return np.diff(reached) > 0

    @property
    def codebook_bits(self) -> np.ndarray:
        """Positions of the codebook bits."""
        return np.flatnonzero(~self.is_structure)

    @property
    def structure_bits(self) -> np.ndarray:
        """Positions of the structure bits."""
        return np.flatnonzero(self.is_structure)

    def target_bits(self, given: bool) -> np.ndarray:
        """Bits with real-valued targets: those of the structure, or all where codes are given."""
        return np.arange(self.n_bits) if given else self.structure_bits

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.n_blocks * self.units_per_block


@dataclass(frozen=True)
class Rows:
    """Training rows: positions in X, and the target and weight of each.

    Attributes
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    positions : ndarray of int
        Rows of X.
    y : ndarray of shape (n_rows,) or (n_rows, n_labels)
        Class labels, or label indicators.
    sample_weight : ndarray of shape (n_rows,), or None
    codes : ndarray of shape (n_rows, n_bits), values 0 and 1, or None
        Given codes, in place of classes.
    extracted : bool
        X holds the encoder's features in place of samples.
    to_come : tuple
        Classes that may have no row yet.
    """

    X: Any
    positions: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None = None
    codes: np.ndarray | None = None
    extracted: bool = False
    to_come: tuple = ()

    def with_classes(self, classes: Sequence[Hashable]) -> Rows:
        """The same rows, of a task that has these classes; ValueError where they have others."""
        if not len(classes):
            return self
        if self.several:
            raise ValueError(
                "classes was given, but y is an indicator: its columns are the classes"
            )
        lacking = [label for label in self.classes if label not in classes]
        if lacking:
            raise ValueError(
                f"y has labels that classes lacks, {name_some(lacking)}; name all of them"
            )
        return replace(self, to_come=tuple(classes))

    def take(self, chosen: np.ndarray) -> Rows:
        """Some of the rows."""
        picked: dict[str, Any] = {
            name: None if value is None else value[chosen]
            for name in ("positions", "y", "sample_weight", "codes")
            for value in [getattr(self, name)]
        }
        return replace(self, **picked)

    def sample(self, n_rows: int, seed: int) -> Rows:
        """At most `n_rows` of the rows, drawn without replacement, in their order."""
        if len(self.positions) <= n_rows:
            return self
        drawn = generator(seed, "sample").choice(len(self.positions), n_rows, replace=False)
        return self.take(np.sort(drawn))

    @property
    def several(self) -> bool:
        """Whether rows may have several classes."""
        return self.y.ndim == 2

    @property
    def classes(self) -> list:
        """Labels of the classes that the rows may have."""
        if self.codes is not None:
            return []
        if self.several:
            return list(range(self.y.shape[1]))
        return in_order([*np.unique(self.y).tolist(), *self.to_come])

    def shares(self, classes: Sequence[Hashable]) -> sparse.csr_array:
        """How much of each row belongs to each class, (n_rows, n_classes); rows sum to 1."""
        n_rows = len(self.positions)
        if self.several:
            counts = self.y.sum(axis=1, dtype=np.float64)
            return sparse.csr_array(self.y / np.maximum(counts, 1)[:, None])
        if self.codes is not None:
            return sparse.csr_array((n_rows, len(classes)))
        index = {label: position for position, label in enumerate(classes)}
        columns = np.array([index[label] for label in self.y.tolist()], dtype=int)
        return sparse.csr_array(
            (np.ones(n_rows), columns, np.arange(n_rows + 1)), shape=(n_rows, len(classes))
        )

    @property
    def groups(self) -> np.ndarray:
        """One group for each row, to model its outputs by: its class, or the first of them."""
        if self.codes is not None:
            return np.zeros(len(self.positions), dtype=int)
        return self.y.argmax(axis=1) if self.several else self.y
