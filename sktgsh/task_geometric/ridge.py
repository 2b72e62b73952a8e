"""Modulation in closed form: each bit solves a ridge problem on its own hidden units.

For bit b with units h (u values), target k and penalty a:

    minimise  sum_i w_i (c' h_i + c0 - k_i)^2  +  a * mean(diag(G)) * |c|^2

where G is the centred Gram matrix. Everything that the solution needs is a sum over rows, so
statistics of chunks add up to the statistics of all rows, in any order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from torch import Tensor

_EPSILON = np.finfo(np.float64).eps


class RidgeStatistics:
    """Additive sufficient statistics of one task.

    Parameters
    ----------
    n_bits, units_per_bit, n_structure_bits : int
        Sizes. Memory is about ``8 * n_bits * units_per_bit ** 2`` bytes, whatever the number of
        rows.

    Attributes
    ----------
    gram : ndarray of shape (n_bits, units_per_bit + 1, units_per_bit + 1)
        Weighted sums of products of a bit's units, and of the constant 1 that comes last.
    class_sums : dict of ndarray of shape (n_bits, units_per_bit + 1)
        Weighted sums of a bit's units over the rows of each class.
    structure_sums : ndarray of shape (n_structure_bits, n_bits, units_per_bit + 1)
        Products of the structure targets with the units.
    """

    def __init__(self, n_bits: int, units_per_bit: int, n_structure_bits: int = 0):
        width = units_per_bit + 1
        self.units_per_bit = units_per_bit
        self.gram = np.zeros((n_bits, width, width))
        self.class_sums: dict[Hashable, np.ndarray] = {}
        self.structure_sums = np.zeros((n_structure_bits, n_bits, width))
        self.structure_squares = np.zeros(n_structure_bits)

    def copy(self) -> RidgeStatistics:
        """A copy that can be added to without changing this one."""
        other = RidgeStatistics.__new__(RidgeStatistics)
        other.units_per_bit = self.units_per_bit
        other.gram = self.gram.copy()
        other.class_sums = {label: sums.copy() for label, sums in self.class_sums.items()}
        other.structure_sums = self.structure_sums.copy()
        other.structure_squares = self.structure_squares.copy()
        return other

    @property
    def nbytes(self) -> int:
        """Memory of the statistics, in bytes."""
        sums = sum(sums.nbytes for sums in self.class_sums.values())
        return self.gram.nbytes + self.structure_sums.nbytes + sums

    @property
    def classes(self) -> list:
        """Labels of the classes that have rows."""
        return list(self.class_sums)

    def add(
        self,
        units: Tensor,
        labels: np.ndarray,
        classes: Sequence[Hashable],
        sample_weight: np.ndarray | None = None,
        structure: Tensor | None = None,
    ) -> None:
        """Add a batch of rows.

        Parameters
        ----------
        units : Tensor of shape (n_bits, units_per_bit + 1, batch)
            Hidden activity by bit; the last unit of each bit is the constant 1.
        labels : ndarray of shape (batch,)
            Index of each row's class in `classes`.
        classes : sequence
            Class labels.
        sample_weight : ndarray of shape (batch,), optional
            By default 1 for every row.
        structure : Tensor of shape (batch, n_structure_bits), optional
            Targets of the structure bits.
        """
        n_bits, width, batch = units.shape
        weighted = units
        if sample_weight is not None:
            weighted = units * torch.from_numpy(sample_weight.astype(np.float32))
        # float32 products of a batch, float64 sums over batches.
        self.gram += torch.bmm(weighted, units.transpose(1, 2)).numpy()
        present = np.unique(labels)
        members = torch.from_numpy((labels[:, None] == present).astype(np.float32))
        sums = (weighted.reshape(-1, batch) @ members).T.reshape(-1, n_bits, width).numpy()
        for index, rows in zip(present, sums):
            label = classes[index]
            if label not in self.class_sums:
                self.class_sums[label] = np.zeros((n_bits, width))
            self.class_sums[label] += rows
        if structure is not None and structure.shape[1]:
            products = (weighted.reshape(-1, batch) @ structure).T
            self.structure_sums += products.reshape(-1, n_bits, width).numpy()
            weight = 1.0 if sample_weight is None else sample_weight[:, None]
            self.structure_squares += (weight * structure.numpy().astype(float) ** 2).sum(axis=0)

    def centred(self) -> CentredProblem:
        """The ridge problem of every bit, with the intercept eliminated."""
        return CentredProblem(self)


class CentredProblem:
    """Ridge problems of all bits of one task; see :class:`RidgeStatistics`."""

    def __init__(self, statistics: RidgeStatistics):
        gram, units = statistics.gram, statistics.units_per_bit
        self.total = gram[0, units, units]
        self.means = gram[:, :units, units] / self.total
        self.gram = gram[:, :units, :units] - self.total * (
            self.means[:, :, None] * self.means[:, None, :]
        )
        self.classes = statistics.classes
        sums = np.stack([statistics.class_sums[label] for label in self.classes])
        self.counts = sums[:, 0, units]
        self.class_sums = sums[:, :, :units] - self.counts[:, None, None] * self.means
        structure = statistics.structure_sums
        self.structure_totals = structure[:, 0, units]
        self.structure_sums = (
            structure[:, :, :units] - self.structure_totals[:, None, None] * self.means
        )
        self.structure_squares = statistics.structure_squares
        diagonal = np.einsum("buu->bu", self.gram).mean(axis=1)
        self.penalty_unit = np.maximum(diagonal, _EPSILON)

    def solve_bit(self, bit: int, right: np.ndarray, alpha: float) -> np.ndarray:
        """``(G + alpha * mean(diag(G)) I)^-1 right``, of least norm where G is singular."""
        system = self.gram[bit].copy()
        system[np.diag_indices_from(system)] += alpha * self.penalty_unit[bit]
        if alpha > 0:
            try:
                solution = cho_solve(cho_factor(system, check_finite=False), right)
                if np.isfinite(solution).all():
                    return solution
            except LinAlgError:
                pass
        values, vectors = eigh(system)
        kept = values > max(values[-1], _EPSILON) * len(values) * 1e-10
        inverse = np.divide(1.0, values, out=np.zeros_like(values), where=kept)
        return vectors @ (inverse[:, None] * (vectors.T @ right.reshape(len(values), -1))).reshape(
            right.shape
        )

    def explained(self, bits: Sequence[int], alpha: float) -> np.ndarray:
        """What :func:`.learn_codebook` takes, (n_bits, n_classes, n_classes)."""
        return np.stack(
            [
                self.class_sums[:, bit] @ self.solve_bit(bit, self.class_sums[:, bit].T, alpha)
                for bit in bits
            ]
        )

    def targets(
        self, codewords: np.ndarray, codebook_bits: np.ndarray, structure_bits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right-hand sides (n_bits, units), and sums and centred squares of targets (n_bits,)."""
        n_bits, units = self.means.shape
        right, sums, squares = np.zeros((n_bits, units)), np.zeros(n_bits), np.zeros(n_bits)
        right[codebook_bits] = np.einsum(
            "cb,cbu->bu", codewords.astype(float), self.class_sums[:, codebook_bits]
        )
        sums[codebook_bits] = codewords.T @ self.counts
        squares[codebook_bits] = self.total
        for axis, bit in enumerate(structure_bits):
            right[bit] = self.structure_sums[axis, bit]
            sums[bit] = self.structure_totals[axis]
            squares[bit] = self.structure_squares[axis]
        return right, sums, squares - sums**2 / self.total

    def solve(
        self, right: np.ndarray, sums: np.ndarray, alphas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (n_bits, units_per_bit) and intercepts (n_bits,), from a penalty a bit."""
        weights = np.stack(
            [self.solve_bit(bit, right[bit], alpha) for bit, alpha in enumerate(alphas)]
        )
        return weights, sums / self.total - np.einsum("bu,bu->b", weights, self.means)

    def generalised_cross_validation(
        self, right: np.ndarray, squares: np.ndarray, alphas: Sequence[float]
    ) -> np.ndarray:
        """Generalised cross-validation error of each bit and alpha, (n_bits, n_alphas).

        One eigendecomposition a bit serves all alphas (Golub, Heath & Wahba 1979).
        """
        errors = np.full((len(self.gram), len(alphas)), np.inf)
        for bit, gram in enumerate(self.gram):
            values, vectors = eigh(gram)
            values = np.maximum(values, 0)
            along = (vectors.T @ right[bit]) ** 2
            for position, alpha in enumerate(alphas):
                damped = values + alpha * self.penalty_unit[bit]
                damped = np.maximum(damped, _EPSILON * max(values[-1], _EPSILON))
                residual = squares[bit] - (along * (damped + damped - values) / damped**2).sum()
                freedom = self.total - 1 - (values / damped).sum()
                # With more parameters than rows the error is unbounded, not small.
                if freedom > 0:
                    errors[bit, position] = self.total * max(residual, 0) / freedom**2
        return errors
