"""Modulation in closed form: each bit solves a ridge problem on the hidden units that it sees.

For a bit with units h, target k and penalty a:

    minimise  sum_i w_i (c' h_i + c0 - k_i)^2  +  a * mean(diag(G)) * |c|^2

where G is the centred Gram matrix. Everything that the solution needs is a sum over rows, so
statistics of chunks add up to the statistics of all rows, in any order. Units come in blocks: one
that all bits share, or one for each bit. One eigendecomposition of a block's G serves all its bits,
all penalties and the choice of codewords.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from copy import deepcopy
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from scipy.linalg.blas import dsyrk, ssyrk
from scipy.linalg.lapack import dpstrf

_EPSILON = np.finfo(np.float64).eps
# Directions of less than this share of the largest variance are noise of the sums themselves.
_LEAST_VARIANCE = 1e-10
_LEAST_PIVOT = 1e-9
_CHEAP_PRODUCT = 2e8
# Penalties that leave fewer degrees of freedom than this share of the rows are not judged: where
# units outnumber rows, a few repeated rows would make no penalty at all look best.
_LEAST_FREEDOM = 0.3
# With fewer rows than this share of the units, the Gram matrix is decomposed by its rank.
_FEW_ROWS = 0.6
# Wider Gram matrices are decomposed in float32, in less than half the time: enough to judge
# penalties by. What is solved is solved in float64.
_WIDE = 1024
_LEAST_SINGLE = 1e-6
_STRIP = 64


class RidgeStatistics:
    """Additive sufficient statistics of one task.

    Parameters
    ----------
    n_blocks, units_per_block : int
        Sizes. Memory is about ``8 * n_blocks * units_per_block ** 2`` bytes, whatever the number
        of rows.
    n_targets : int, default=0
        Real-valued targets, beside those that classes give: structure bits, or given codes.

    Attributes
    ----------
    gram : ndarray of shape (n_blocks, units_per_block + 1, units_per_block + 1)
        Weighted sums of products of a block's units, and of the constant 1 that comes last. Lower
        triangles: the others are 0.
    class_sums : dict of ndarray of shape (n_blocks, units_per_block + 1)
        Weighted sums of a block's units over the rows of each class. A row of several classes
        counts for each of them by its share.
    overlap : ndarray of shape (n_classes, n_classes), or None
        Weighted sums of products of shares, where rows have several classes.
    target_sums : ndarray of shape (n_targets, n_blocks, units_per_block + 1)
        Weighted sums of products of the real-valued targets with the units.
    target_squares : ndarray of shape (n_targets,)
        Weighted sums of squares of the real-valued targets.
    """

    def __init__(self, n_blocks: int, units_per_block: int, n_targets: int = 0):
        width = units_per_block + 1
        self.units_per_block = units_per_block
        self.gram = np.zeros((n_blocks, width, width))
        self.class_sums: dict[Hashable, np.ndarray] = {}
        self.overlap: np.ndarray | None = None
        self.target_sums = np.zeros((n_targets, n_blocks, width))
        self.target_squares = np.zeros(n_targets)

    def __add__(self, other: RidgeStatistics) -> RidgeStatistics:
        """Sums of the rows of both."""
        total = self.copy()
        total.gram += other.gram
        for label, sums in other.class_sums.items():
            total.class_sums[label] = total.class_sums.get(label, 0.0) + sums
        if other.overlap is not None:
            total.overlap = other.overlap + (0.0 if total.overlap is None else total.overlap)
        total.target_sums += other.target_sums
        total.target_squares += other.target_squares
        return total

    def copy(self) -> RidgeStatistics:
        """A copy that can be added to without changing this one."""
        return deepcopy(self)

    @property
    def nbytes(self) -> int:
        """Memory of the statistics, in bytes."""
        sums = sum(sums.nbytes for sums in self.class_sums.values())
        return self.gram.nbytes + self.target_sums.nbytes + sums

    @property
    def classes(self) -> list:
        """Labels of the classes that have rows."""
        return list(self.class_sums)

    def weight_of(self, label: Hashable) -> float:
        """Sum of the weights of a class's rows; 0 where it has none."""
        return float(self.class_sums[label][0, -1]) if label in self.class_sums else 0.0

    def add(
        self,
        units: np.ndarray,
        shares: sparse.csr_array,
        classes: Sequence[Hashable],
        sample_weight: np.ndarray | None = None,
        targets: np.ndarray | None = None,
        several: bool = False,
    ) -> None:
        """Add a batch of rows.

        Parameters
        ----------
        units : ndarray of shape (n_blocks, batch, units_per_block + 1), dtype float32
            Hidden activity by block; the last unit of each block is the constant 1.
        shares : csr_array of shape (batch, n_classes)
            How much of a row belongs to each class; rows sum to 1.
        classes : sequence
            Class labels.
        sample_weight : ndarray of shape (batch,), optional
            By default 1 for every row.
        targets : ndarray of shape (batch, n_targets), optional
            Real-valued targets.
        several : bool, default=False
            Rows may have several classes; `classes` is then the same in every call.
        """
        n_blocks, batch, width = units.shape
        # float32 products of a batch, float64 sums over batches; where that costs next to nothing,
        # all in float64.
        exact = n_blocks * width**2 * batch < _CHEAP_PRODUCT
        values = units.astype(np.float64 if exact else np.float32, copy=False)
        weight = np.ones(batch) if sample_weight is None else np.asarray(sample_weight, float)
        root = values
        if sample_weight is not None:
            root = values * np.sqrt(weight).astype(values.dtype)[:, None]
        weighted = sparse.csr_array(sparse.diags_array(weight) @ shares)
        present = np.unique(weighted.indices) if not several else np.arange(len(classes))
        members = sparse.csr_array(weighted[:, present].T.astype(values.dtype))
        half_product = dsyrk if root.dtype == np.float64 else ssyrk
        for gram, block in zip(self.gram, root):
            # Fortran's upper triangle is the lower one here.
            gram += half_product(1.0, block.T).T
        sums = np.stack([members @ block for block in values], axis=1)
        for index, rows in zip(present, sums):
            known = self.class_sums.get(classes[index], 0.0)
            self.class_sums[classes[index]] = known + rows.astype(np.float64)
        if several:
            overlap = (weighted.T @ shares).toarray()
            self.overlap = overlap if self.overlap is None else self.overlap + overlap
        if targets is not None and targets.shape[1]:
            scaled = (weight[:, None] * targets).astype(values.dtype)
            self.target_sums += np.stack([scaled.T @ block for block in values], axis=1)
            self.target_squares += (weight[:, None] * targets.astype(float) ** 2).sum(axis=0)

    def centred(self) -> CentredProblem:
        """The ridge problem of every bit, with the intercept eliminated."""
        return CentredProblem(self)


def _mirror(matrix: np.ndarray) -> None:
    """Copy the lower triangle to the upper one, strip by strip: strips stay in the cache."""
    for start in range(0, len(matrix), _STRIP):
        stop = start + _STRIP
        corner = np.tril(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.tril(corner, -1).T
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T


class Spectrum(NamedTuple):
    """Eigenvalues, not negative, and eigenvectors of a Gram matrix.

    Eigenvalues of less than the share `least` of the largest one are noise.
    """

    values: np.ndarray
    vectors: np.ndarray
    least: float = _LEAST_PIVOT

    def damped(self, penalties: np.ndarray) -> np.ndarray:
        """Eigenvalues plus penalties, (units, n_penalties); infinite where there is nothing."""
        damped = self.values[:, None] + penalties
        empty = max(self.values[-1], _EPSILON) * len(self.values) * _LEAST_VARIANCE
        return np.where(damped > empty, damped, np.inf)

    def solve(self, right: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Weights (n_bits, units) of right-hand sides (n_bits, units), from a penalty a bit."""
        along = (self.vectors.T @ right.T) / self.damped(penalties)
        return (self.vectors @ along).T

    @property
    def is_exact(self) -> bool:
        """Whether vectors are in float64."""
        return self.vectors.dtype == np.float64

    @property
    def is_kept(self) -> np.ndarray:
        """Whether an eigenvalue is more than noise, (units,)."""
        return self.values > self.least * max(self.values[-1], _EPSILON)


def _spectrum(gram: np.ndarray, total: float, roughly: bool = False) -> Spectrum:
    """Spectrum of a Gram matrix; where rows are few, of its range only.

    With `roughly`, that of a wide one is in float32.
    """
    width = len(gram)
    if total < _FEW_ROWS * width:
        # A pivoted Cholesky factor stops at the rank: few rows cost few operations.
        factor, pivots, rank, _ = dpstrf(gram, lower=1, tol=_LEAST_PIVOT * gram.diagonal().max())
        if 0 < rank < _FEW_ROWS * width:
            thin = np.empty((width, rank))
            thin[pivots - 1] = np.tril(factor)[:, :rank]
            values, small = eigh(thin.T @ thin, check_finite=False)
            kept = values > _LEAST_PIVOT * values[-1]
            return Spectrum(values[kept], thin @ (small[:, kept] / np.sqrt(values[kept])))
    single = roughly and width > _WIDE
    matrix = gram.astype(np.float32) if single else gram
    values, vectors = eigh(matrix, driver="evd", check_finite=False, overwrite_a=single)
    values = np.maximum(values.astype(np.float64), 0)
    return Spectrum(values, vectors, _LEAST_SINGLE if single else _LEAST_PIVOT)


class CentredProblem:
    """Ridge problems of all bits of one task; see :class:`RidgeStatistics`."""

    def __init__(self, statistics: RidgeStatistics):
        gram, units = statistics.gram, statistics.units_per_block
        self.n_blocks = len(gram)
        self.total = gram[0, units, units]
        self.means = gram[:, units, :units] / self.total
        self.gram = self.means[:, :, None] * (-self.total * self.means[:, None, :])
        for centred, sums in zip(self.gram, gram[:, :units, :units]):
            centred += sums
            _mirror(centred)
        self.classes = statistics.classes
        sums = np.array(list(statistics.class_sums.values()), dtype=np.float64)
        sums = sums.reshape(len(self.classes), self.n_blocks, units + 1)
        self.counts = sums[:, 0, units].copy()
        self.class_sums = sums[:, :, :units] - self.counts[:, None, None] * self.means
        self.overlap = statistics.overlap
        targets = statistics.target_sums
        self.target_totals = targets[:, 0, units]
        self.target_sums = targets[:, :, :units] - self.target_totals[:, None, None] * self.means
        self.target_squares = statistics.target_squares
        diagonal = np.einsum("buu->bu", self.gram).mean(axis=1)
        self.penalty_unit = np.maximum(diagonal, _EPSILON)

    @cached_property
    def spectra(self) -> list[Spectrum]:
        """Spectrum of each block's Gram matrix, good enough to judge penalties by."""
        return [_spectrum(gram, self.total, roughly=True) for gram in self.gram]

    def class_means(self, units: slice) -> np.ndarray:
        """Mean of some units of the first block over each class, (n_classes, n_units)."""
        counts = np.maximum(self.counts, _EPSILON)[:, None]
        return self.class_sums[:, 0, units] / counts + self.means[0, units]

    def _iter_blocks(self, bits: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (block, positions within `bits` of the bits that see it)."""
        if self.n_blocks == 1:
            yield 0, np.arange(len(bits))
            return
        for position, bit in enumerate(bits):
            yield bit, np.array([position])

    def explained(self, bits: np.ndarray, alpha: float, classes: np.ndarray) -> np.ndarray:
        """What :func:`.learn_codebook` takes, (n_bits or 1, n_classes, n_classes).

        1 in place of n_bits where all bits share their units.
        """
        found = []
        for block in [0] if self.n_blocks == 1 else bits:
            spectrum = self.spectra[block]
            along = self.class_sums[classes, block] @ spectrum.vectors
            damped = spectrum.damped(np.array([alpha * self.penalty_unit[block]]))
            found.append((along / damped.T) @ along.T)
        return np.stack(found)

    def targets(
        self, codewords: np.ndarray, codebook_bits: np.ndarray, target_bits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right-hand sides (n_bits, units), and sums and centred squares of targets (n_bits,)."""
        n_bits, units = len(codebook_bits) + len(target_bits), self.means.shape[1]
        right, sums, squares = np.zeros((n_bits, units)), np.zeros(n_bits), np.zeros(n_bits)
        words = codewords.astype(float)
        for block, positions in self._iter_blocks(codebook_bits):
            right[codebook_bits[positions]] = words[:, positions].T @ self.class_sums[:, block]
        sums[codebook_bits] = words.T @ self.counts
        squares[codebook_bits] = (
            self.counts @ words**2
            if self.overlap is None
            else ((self.overlap @ words) * words).sum(axis=0)
        )
        for block, positions in self._iter_blocks(target_bits):
            right[target_bits[positions]] = self.target_sums[positions, block]
        sums[target_bits] = self.target_totals[: len(target_bits)]
        squares[target_bits] = self.target_squares[: len(target_bits)]
        return right, sums, squares - sums**2 / self.total

    def solve(
        self, right: np.ndarray, sums: np.ndarray, alphas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (n_bits, units) and intercepts (n_bits,), from a penalty a bit.

        Of least norm where the Gram matrix is singular and the penalty is 0.
        """
        weights, intercepts = np.empty_like(right), sums / self.total
        for block, bits in self._iter_blocks(np.arange(len(right))):
            penalties = alphas[bits] * self.penalty_unit[block]
            weights[bits] = self._solve_block(block, right[bits], penalties)
            intercepts[bits] -= weights[bits] @ self.means[block]
        return weights, intercepts

    def _solve_block(self, block: int, right: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Weights of the bits of a block, (n_bits, units)."""
        spectrum = self.spectra[block]
        if spectrum.is_exact:
            return spectrum.solve(right, penalties)
        weights = np.empty_like(right)
        for penalty in np.unique(penalties):
            bits = np.flatnonzero(penalties == penalty)
            damped = self.gram[block].copy()
            damped[np.diag_indices(len(damped))] += penalty
            try:
                # Fortran's order, as LAPACK wants it, of what is symmetric.
                factor = cho_factor(damped.T, overwrite_a=True, check_finite=False)
                weights[bits] = cho_solve(factor, right[bits].T, check_finite=False).T
            except LinAlgError:
                exact = _spectrum(self.gram[block], self.total)
                weights[bits] = exact.solve(right[bits], penalties[bits])
        return weights

    def generalised_cross_validation(
        self, right: np.ndarray, squares: np.ndarray, alphas: np.ndarray
    ) -> np.ndarray:
        """Generalised cross-validation error of each bit and alpha, (n_bits, n_alphas).

        One eigendecomposition a block serves all alphas (Golub, Heath & Wahba 1979). Infinite where
        a penalty leaves hardly any degrees of freedom.
        """
        errors = np.full((len(right), len(alphas)), np.inf)
        for block, bits in self._iter_blocks(np.arange(len(right))):
            spectrum = self.spectra[block]
            kept, values = spectrum.is_kept, spectrum.values[spectrum.is_kept]
            damped = spectrum.damped(np.asarray(alphas, dtype=float) * self.penalty_unit[block])
            reachable = (spectrum.vectors[:, kept].T @ right[bits].T) ** 2 / values[:, None]
            # What no penalty explains, and what each penalty leaves of the rest: the difference of
            # two large sums would be nothing but their noise where units outnumber rows.
            beyond = np.maximum(squares[bits] - reachable.sum(axis=0), 0)
            for position in range(len(alphas)):
                share = values / damped[kept, position]
                residual = beyond + ((1 - share) ** 2) @ reachable
                freedom = self.total - 1 - share.sum()
                # With as many parameters as rows the error is unbounded, not small.
                if freedom > _LEAST_FREEDOM * self.total:
                    errors[bits, position] = self.total * residual / freedom**2
        return errors
