"""The layout of a code's bits over the hidden units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...persistence import saved


@saved("BitLayout")
@dataclass(frozen=True)
class BitLayout:
    """The hidden units that each bit sees, and the bits that spell the class's codeword.

    Units come in blocks: one block for all bits, or one for each bit. Structure bits are spread
    evenly over the code, so that every prefix of a code has its share of them.

    Attributes
    ----------
    n_bits : int
        Length of a code.
    n_blocks : int
        1 if all bits share their units, otherwise `n_bits`.
    units_per_block : int
        Hidden units of a block.
    structure_share : float
        Share of the bits that follow the structure of the data.
    """

    n_bits: int
    n_blocks: int
    units_per_block: int
    structure_share: float

    @property
    def is_structure(self) -> np.ndarray:
        """Mask of the structure bits, (n_bits,)."""
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

    def target_bits(self, codes_given: bool) -> np.ndarray:
        """Positions of the bits with real-valued targets: all of them if codes are given."""
        return np.arange(self.n_bits) if codes_given else self.structure_bits

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.n_blocks * self.units_per_block
