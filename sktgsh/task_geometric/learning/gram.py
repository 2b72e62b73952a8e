"""Gram matrices of the units, which are kept as rows while these are few."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk, ssyrk

from ...persistence import saved

# Products of fewer operations run in float64: there it costs next to nothing.
CHEAP_PRODUCT = 2e8
# Rows are kept up to this share of the units; more of them are summed up.
_FEW_ROWS = 0.7


@saved("GramSums")
class GramSums:
    """Sums of products of the units of each block, and of the constant 1 that comes last.

    A matrix of few rows is larger than the rows, and everything that is computed from it is cheaper
    from the rows. Further rows are collected, and added to the matrix many at a time.

    Parameters
    ----------
    n_blocks, width : int
        Number of blocks, and of the units of a block with the constant.

    Attributes
    ----------
    rows : ndarray of shape (n_blocks, n_rows, width)
        Rows that are not in the matrix, each times the square root of its weight.
    """

    def __init__(self, n_blocks: int, width: int):
        self.rows = np.empty((n_blocks, 0, width), np.float32)
        self._summed: np.ndarray | None = None

    @property
    def is_thin(self) -> bool:
        """Whether `rows` are all that there is."""
        return self._summed is None

    @property
    def matrix(self) -> np.ndarray:
        """Lower triangles of the sums, (n_blocks, width, width); the others are 0."""
        self.sum_up()
        assert self._summed is not None
        return self._summed

    @property
    def sums(self) -> np.ndarray:
        """Weighted sums of the units, and the sum of the weights, (n_blocks, width)."""
        found = np.einsum("br,brw->bw", self.rows[:, :, -1], self.rows, dtype=np.float64)
        return found if self._summed is None else found + self._summed[:, -1]

    @property
    def total(self) -> float:
        """Sum of the weights."""
        rows = self.rows[0, :, -1].astype(np.float64)
        return float(rows @ rows + (0.0 if self._summed is None else self._summed[0, -1, -1]))

    @property
    def nbytes(self) -> int:
        """Memory, in bytes."""
        return self.rows.nbytes + (0 if self._summed is None else self._summed.nbytes)

    def product(self, block: int) -> np.ndarray:
        """Lower triangle of the sums of one block, (width, width); few rows stay as they are."""
        if self._summed is not None:
            return self.matrix[block]
        return _half_product(1.0, self.rows[block], self.rows.size)

    def add(self, rows: np.ndarray) -> None:
        """Add rows (n_blocks, n_rows, width), each times the square root of its weight."""
        most = int(_FEW_ROWS * rows.shape[2])
        if self.rows.shape[1] + rows.shape[1] > most:
            self.sum_up()
        if rows.shape[1] > most:
            self._add_products(rows, 1.0)
        else:
            self.rows = np.concatenate([self.rows, rows], axis=1)

    def increase(self, other: GramSums, sign: float = 1.0) -> None:
        """Add the sums of other rows, or take them away."""
        if other._summed is not None:
            summed = self.matrix
            (np.add if sign > 0 else np.subtract)(summed, other._summed, out=summed)
        if sign > 0:
            self.add(other.rows)
        else:
            self.sum_up()
            self._add_products(other.rows, sign)

    def without_rows(self) -> GramSums:
        """The same sums, without any row that was added: triangular factors take their place."""
        found = GramSums(self.rows.shape[0], self.rows.shape[2])
        found._summed = self._summed
        found.rows = np.stack([np.linalg.qr(block, mode="r") for block in self.rows])
        return found

    def sum_up(self) -> None:
        """Add all rows to the matrix."""
        rows, self.rows = self.rows, self.rows[:, :0]
        self._add_products(rows, 1.0)

    def _add_products(self, rows: np.ndarray, sign: float) -> None:
        if self._summed is None:
            self._summed = np.zeros((len(rows), rows.shape[2], rows.shape[2]))
        if not rows.shape[1]:
            return
        for summed, block in zip(self._summed, rows):
            summed += _half_product(sign, block, rows.size)


def _half_product(sign: float, rows: np.ndarray, size: int) -> np.ndarray:
    """Lower triangle of the products of the columns; `size` is that of the rows of all blocks."""
    # Large products run in float32 and are summed in float64; small ones run in float64.
    product = dsyrk if size * rows.shape[1] < CHEAP_PRODUCT else ssyrk
    # The upper triangle in Fortran's order is the lower one here.
    return product(sign, rows.T).T
