"""Modulation in closed form: each bit solves a ridge problem on the hidden units that it sees.

For a bit with units h, target k and penalty a:

    minimise  sum_i w_i (c' h_i + c0 - k_i)^2  +  a * mean(diag(G)) * |c|^2

where G is the centred Gram matrix. Units come in blocks: one that all bits share, or one for each
bit. One eigendecomposition of a block's G serves all its bits, all penalties and the choice of
codewords. Where G is wide, Cholesky factors at a few penalties cost less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, eigh

from .factors import Factors, GramFactors, RowFactors, search
from .statistics import RidgeStatistics

_EPSILON = np.finfo(np.float64).eps
# Directions with less than this share of the largest variance are rounding noise of the sums.
_LEAST_VARIANCE = 1e-10
_LEAST_PIVOT = 1e-9
# Cross-validation skips penalties that leave fewer degrees of freedom than this share of the rows:
# where units outnumber rows, a few repeated rows would make no penalty at all look best.
_LEAST_FREEDOM = 0.3
# Cholesky factors at a few penalties take less time than the eigenvectors of wider Gram matrices,
# and of the products of more rows.
_WIDE, _MANY_ROWS = 1024, 256
# The search for the best penalty starts here.
_FIRST_ALPHA = 0.1
_STRIP = 64


def _mirror(matrix: np.ndarray) -> None:
    """Copy the lower triangle to the upper one in strips that fit the cache."""
    for start in range(0, len(matrix), _STRIP):
        stop = start + _STRIP
        corner = np.tril(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.tril(corner, -1).T
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T


class Spectrum(NamedTuple):
    """Eigenvalues (at least 0) and eigenvectors of a Gram matrix."""

    values: np.ndarray
    vectors: np.ndarray

    def damped(self, penalties: np.ndarray) -> np.ndarray:
        """Eigenvalues plus penalties, (units, n_penalties); infinite where both vanish."""
        damped = self.values[:, None] + penalties
        empty = self.largest * len(self.values) * _LEAST_VARIANCE
        return np.where(damped > empty, damped, np.inf)

    def solve(self, right: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Weights (n_bits, units) of right-hand sides (n_bits, units), from a penalty a bit."""
        along = (self.vectors.T @ right.T) / self.damped(penalties)
        return (self.vectors @ along).T

    def judge(
        self, right: np.ndarray, squares: np.ndarray
    ) -> Callable[[float], tuple[np.ndarray, float]]:
        """A function from a penalty to the residual of each bit and the degrees of freedom."""
        kept, values = self.is_kept, self.values[self.is_kept]
        reachable = (self.vectors[:, kept].T @ right.T) ** 2 / values[:, None]
        # The residual is the sum of a part that no penalty explains and of a share of the rest. As
        # a difference of two large sums it would be noise where units outnumber rows.
        beyond = np.maximum(squares - reachable.sum(axis=0), 0)

        def judged(penalty: float) -> tuple[np.ndarray, float]:
            share = values / self.damped(np.array([penalty]))[kept, 0]
            return beyond + ((1 - share) ** 2) @ reachable, float(share.sum())

        return judged

    @property
    def largest(self) -> float:
        """The largest eigenvalue; of a matrix without a direction, hardly more than 0."""
        return max(self.values[-1] if len(self.values) else 0.0, _EPSILON)

    @property
    def is_kept(self) -> np.ndarray:
        """Whether an eigenvalue is more than noise, (units,)."""
        return self.values > _LEAST_PIVOT * self.largest


def _eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decompose by the fastest driver; that of SciPy 1.13 fails on a matrix of one number."""
    driver = "evd" if len(matrix) > 1 else "ev"
    return eigh(matrix, driver=driver, check_finite=False)


def _spectrum(gram: np.ndarray) -> Spectrum:
    """Decompose a Gram matrix."""
    values, vectors = _eigh(gram)
    return Spectrum(np.maximum(values, 0), vectors)


def _spectrum_of_rows(rows: np.ndarray) -> Spectrum:
    """Decompose the Gram matrix of a few rows, of which the range alone counts."""
    values, small = _eigh(rows @ rows.T)
    kept = values > _LEAST_PIVOT * max(values[-1], _EPSILON)
    return Spectrum(values[kept], rows.T @ (small[:, kept] / np.sqrt(values[kept])))


class CentredProblem:
    """Ridge problems of all bits of one task; see :class:`RidgeStatistics`."""

    def __init__(self, statistics: RidgeStatistics):
        units = statistics.units_per_block
        self.n_blocks, sums = len(statistics.gram.rows), statistics.gram.sums
        self.total = sums[0, units]
        # Kish's effective number of rows: a row of weight 50 is not 50 rows.
        self.n_effective = self.total**2 / statistics.weight_squares
        self.means = sums[:, :units] / self.total
        # Few rows, centred, take the place of the matrix of their products.
        self.rows = None
        if statistics.gram.is_thin:
            rows = statistics.gram.rows.astype(np.float64)
            self.rows = rows[:, :, :units] - rows[:, :, units:] * self.means[:, None, :]
        else:
            self.gram = self._centred(statistics.gram.matrix[:, :units, :units])
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
        self.neighbourhoods = statistics.neighbourhoods
        self.code_weight = statistics.code_weight
        self.code_totals, self.code_sums = np.zeros(0), None
        if statistics.code_sums is not None:
            self.code_totals = statistics.code_sums[:, 0, units]
            self.code_sums = statistics.code_sums[:, :, :units]
            self.code_sums = self.code_sums - self.code_totals[:, None, None] * self.means
        diagonal = (
            np.einsum("buu->b", self.gram)
            if self.rows is None
            else np.einsum("bru,bru->b", self.rows, self.rows)
        )
        self.penalty_unit = np.maximum(diagonal / units, _EPSILON)

    def _centred(self, sums: np.ndarray) -> np.ndarray:
        """Centred Gram matrices, from lower triangles of sums, (n_blocks, units, units)."""
        centred = self.means[:, :, None] * (-self.total * self.means[:, None, :])
        for gram, part in zip(centred, sums):
            gram += part
            _mirror(gram)
        return centred

    @cached_property
    def spectra(self) -> list[Spectrum]:
        """Spectrum of each block's Gram matrix."""
        if self.rows is not None:
            return [_spectrum_of_rows(rows) for rows in self.rows]
        return [_spectrum(gram) for gram in self.gram]

    @cached_property
    def factors(self) -> list[Factors] | None:
        """Cholesky factors of each block; None where eigenvectors are cheaper or needed."""
        if self.rows is not None:
            many = self.rows.shape[1] > _MANY_ROWS
            return [RowFactors(rows) for rows in self.rows] if many else None
        wide = self.means.shape[1] > _WIDE
        return [GramFactors(gram) for gram in self.gram] if wide else None

    def class_means(self, units: slice) -> np.ndarray:
        """Mean of some units of the first block over each class, (n_classes, n_units)."""
        counts = np.maximum(self.counts, _EPSILON)[:, None]
        return self.class_sums[:, 0, units] / counts + self.means[0, units]

    def covariance(self, units: slice, basis: np.ndarray) -> np.ndarray:
        """Covariance of some units of the first block along the columns of a basis."""
        if self.rows is not None:
            along = self.rows[0][:, units] @ basis
            return along.T @ along / self.total
        return basis.T @ self.gram[0][units, units] @ basis / self.total

    def _iter_blocks(self, bits: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (block, positions within `bits` of the bits that see it)."""
        if self.n_blocks == 1:
            yield 0, np.arange(len(bits))
            return
        for position, bit in enumerate(bits):
            yield bit, np.array([position])

    def explained(self, bits: np.ndarray, alpha: float, classes: np.ndarray) -> np.ndarray:
        """Explained sums of squares for :func:`.choose_splits`.

        The shape is (1, n_classes, n_classes) if all bits share their units, otherwise
        (n_bits, n_classes, n_classes).
        """
        found = []
        for block in [0] if self.n_blocks == 1 else bits:
            if self.factors is not None:
                sums = self.class_sums[classes, block]
                penalty = alpha * float(self.penalty_unit[block])
                found.append(sums @ self.factors[block].solve(sums, penalty, 0).T)
                continue
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
        if self.code_sums is not None:
            for block, positions in self._iter_blocks(codebook_bits):
                right[codebook_bits[positions]] += self.code_sums[positions, block]
            sums[codebook_bits] += self.code_totals
            squares[codebook_bits] += self.code_weight
        for block, positions in self._iter_blocks(target_bits):
            right[target_bits[positions]] = self.target_sums[positions, block]
        sums[target_bits] = self.target_totals[: len(target_bits)]
        squares[target_bits] = self.target_squares[: len(target_bits)]
        return right, sums, squares - sums**2 / self.total

    def solve(
        self, right: np.ndarray, sums: np.ndarray, alphas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights (n_bits, units) and intercepts (n_bits,) for one penalty a bit.

        If the Gram matrix is singular and the penalty is 0, the weights have least norm.
        """
        weights = np.empty_like(right)
        for block, bits in self._iter_blocks(np.arange(len(right))):
            penalties = alphas[bits] * self.penalty_unit[block]
            weights[bits] = self._solve_block(block, right[bits], penalties)
        return weights, self.intercepts(weights, sums)

    def intercepts(self, weights: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """Intercepts (n_bits,) that bring the mean score to the mean target."""
        intercepts = sums / self.total
        for block, bits in self._iter_blocks(np.arange(len(weights))):
            intercepts[bits] -= weights[bits] @ self.means[block]
        return intercepts

    def solve_all(self, right: np.ndarray, alpha: float) -> np.ndarray:
        """Weights of right-hand sides (n, n_blocks, units) that every block has, from one penalty.

        Few rows are solved by their spectrum and others by a Cholesky factor, which serve again
        later. The solution is not refined: the penalty must not be small.
        """
        weights = np.empty(right.shape, np.float32)
        for block, unit in enumerate(self.penalty_unit):
            penalty, sides = alpha * float(unit), right[:, block]
            if self.factors is None and self.rows is not None:
                solved = self.spectra[block].solve(sides, np.full(len(sides), penalty))
            else:
                solved = self._factors_of(block).solve(sides, penalty, 0)
            weights[:, block] = solved
        return weights

    def _factors_of(self, block: int) -> Factors:
        """Factors of a block, for once if there are none to keep."""
        return GramFactors(self.gram[block]) if self.factors is None else self.factors[block]

    def inner(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Inner products (n, n) of the centred scores that n weights (n_bits, units) give."""
        found, n_parts = np.zeros((len(parts), len(parts))), len(parts)
        for block, bits in self._iter_blocks(np.arange(len(parts[0]))):
            weights = np.concatenate([part[bits] for part in parts]).astype(np.float32)
            if self.rows is not None:
                scores = weights @ self.rows[block].T.astype(np.float32)
            elif self.factors is not None:
                products = weights @ self.gram[block].astype(np.float32)
                found += products.reshape(n_parts, -1) @ weights.reshape(n_parts, -1).T
                continue
            else:
                spectrum = self.spectra[block]
                scores = weights @ spectrum.vectors.astype(np.float32)
                scores *= np.sqrt(spectrum.values).astype(np.float32)
            table = scores.reshape(n_parts, -1)
            found += table @ table.T
        return found

    def residual(
        self, right: np.ndarray, squares: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Right-hand sides and centred squares of what weights leave unexplained."""
        product = np.empty_like(right)
        for block, bits in self._iter_blocks(np.arange(len(right))):
            product[bits] = self.along_gram(block, weights[bits])
        explained = 2 * (weights * right).sum(axis=1) - (weights * product).sum(axis=1)
        return right - product, np.maximum(squares - explained, 0)

    def along_gram(self, block: int, weights: np.ndarray) -> np.ndarray:
        """Products (n, units) of weights with the Gram matrix of a block."""
        if self.rows is None:
            return weights @ self.gram[block]
        return (weights @ self.rows[block].T) @ self.rows[block]

    def _solve_block(self, block: int, right: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Weights of the bits of a block, (n_bits, units)."""
        if self.factors is None:
            return self.spectra[block].solve(right, penalties)
        factors = self.factors[block]
        weights = np.empty_like(right)
        for penalty in np.unique(penalties):
            bits = np.flatnonzero(penalties == penalty)
            try:
                weights[bits] = factors.solve(right[bits], float(penalty))
            except LinAlgError:
                weights[bits] = self.spectra[block].solve(right[bits], penalties[bits])
        return weights

    def generalised_cross_validation(
        self, right: np.ndarray, squares: np.ndarray, alphas: np.ndarray
    ) -> np.ndarray:
        """Generalised cross-validation error of each bit and alpha, (n_bits, n_alphas).

        One eigendecomposition a block serves all alphas (Golub, Heath & Wahba 1979). Cholesky
        factors are made only for alphas around the best of each bit; the error is infinite for the
        others, and where a penalty leaves hardly any degrees of freedom.
        """
        errors = np.empty((len(right), len(alphas)))
        for block, bits in self._iter_blocks(np.arange(len(right))):
            penalties = np.asarray(alphas, dtype=float) * self.penalty_unit[block]
            errors[bits] = self._errors(block, right[bits], squares[bits], penalties)
        return errors

    def error_of(self, residual: np.ndarray, used: float | np.ndarray) -> np.ndarray:
        """Generalised cross-validation error of residuals, for the degrees of freedom used.

        Parameters
        ----------
        residual : ndarray of shape (n_bits,)
        used : float or ndarray of shape (n_bits,)
            A degree more is used by the mean.
        """
        freedom = self.n_effective - 1 - np.broadcast_to(used, residual.shape)
        # The error is unbounded, not small, if there are as many parameters as rows.
        bounded = freedom > _LEAST_FREEDOM * self.n_effective
        scale = self.n_effective * (self.n_effective / self.total)
        return np.where(bounded, scale * residual / np.where(bounded, freedom, 1.0) ** 2, np.inf)

    def _errors(
        self, block: int, right: np.ndarray, squares: np.ndarray, penalties: np.ndarray
    ) -> np.ndarray:
        """Errors of the bits of a block, (n_bits, n_penalties)."""
        way = self.spectra[block] if self.factors is None else self.factors[block]
        judge = way.judge(right, squares)

        def error(penalty: float) -> np.ndarray:
            try:
                residual, used = judge(penalty)
            except LinAlgError:  # a singular matrix without a penalty
                return np.full(len(right), np.inf)
            return self.error_of(residual, used)

        if self.factors is not None:
            return search(error, penalties, _FIRST_ALPHA * self.penalty_unit[block])
        return np.stack([error(penalty) for penalty in penalties], axis=1)
