"""Cholesky factors of one Gram matrix at a few penalties, instead of its eigenvectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs

from ...random import generator
from ...threads import one_thread

_EPSILON32 = float(np.finfo(np.float32).eps)
# A factor is in float32 if the penalty exceeds rounding errors of the matrix by this factor.
_SAFETY = 30.0
# Steps of refinement, which bring a solution from float32 to float64.
REFINEMENTS = 3
# Random signs that estimate the trace of an inverse, which itself takes as long as the factor.
N_PROBES = 64
# Factors of rows need a penalty that is more than this share of the norm of their products.
_LEAST_SHARE = 1e-10


class Factors(ABC):
    """Ridge solutions of one Gram matrix; a penalty's factor is made once, when it is asked for.

    A wide matrix is factored in a tenth of the time of an eigendecomposition. All of it runs on
    the calling thread: two threads are hardly faster on an idle machine, and take up to five times
    as long beside a busy process.
    """

    def __init__(self) -> None:
        self._made: dict[float, np.ndarray] = {}
        self._freedom: dict[float, float] = {}

    def at(self, penalty: float) -> np.ndarray:
        """Lower factor, float32 or float64, at a penalty; raises LinAlgError if there is none."""
        if penalty not in self._made:
            with one_thread():
                self._made[penalty] = self._make(penalty)
        return self._made[penalty]

    def freedom(self, penalty: float) -> float:
        """Degrees of freedom that a penalty leaves to the weights."""
        if penalty not in self._freedom:
            with one_thread():
                self._freedom[penalty] = self._count(penalty)
        return self._freedom[penalty]

    @abstractmethod
    def _make(self, penalty: float) -> np.ndarray:
        """Make the factor at a penalty."""

    @abstractmethod
    def _count(self, penalty: float) -> float:
        """Count the degrees of freedom."""

    @abstractmethod
    def solve(
        self, right: np.ndarray, penalty: float, refinements: int = REFINEMENTS
    ) -> np.ndarray:
        """Weights (n, units) of right-hand sides (n, units), in float64."""

    @abstractmethod
    def judge(
        self, right: np.ndarray, squares: np.ndarray
    ) -> Callable[[float], tuple[np.ndarray, float]]:
        """A function from a penalty to the residual of each bit and the degrees of freedom."""


class GramFactors(Factors):
    """Factors of the Gram matrix itself.

    Parameters
    ----------
    gram : ndarray of shape (units, units)
        Symmetric, in float64.
    """

    def __init__(self, gram: np.ndarray):
        super().__init__()
        self.gram = gram
        self._norm = float(np.linalg.norm(gram))

    @cached_property
    def _single(self) -> np.ndarray:
        """The Gram matrix in float32."""
        return self.gram.astype(np.float32)

    @cached_property
    def probes(self) -> np.ndarray:
        """Random signs, (N_PROBES, units)."""
        return random_probes(len(self.gram))

    def _make(self, penalty: float) -> np.ndarray:
        single = penalty > _SAFETY * _EPSILON32 * self._norm
        # The transpose of a symmetric matrix is the same matrix in Fortran's order.
        damped = (self._single if single else self.gram).copy().T
        np.fill_diagonal(damped, np.diagonal(self.gram) + penalty)
        return _cholesky(damped, penalty)

    def _count(self, penalty: float) -> float:
        """Random signs estimate the trace (Hutchinson 1990).

        The same signs serve all penalties, so differences between these are more precise.
        """
        traces = self.solve(self.probes, penalty, 0) * self.probes
        return len(self.gram) - penalty * float(traces.sum()) / len(self.probes)

    def solve(
        self, right: np.ndarray, penalty: float, refinements: int = REFINEMENTS
    ) -> np.ndarray:
        """As in :class:`Factors`; a factor in float32 needs refinements."""
        lower = self.at(penalty)
        with one_thread():
            weights = _solve(lower, right)
            if lower.dtype == np.float32:
                for _ in range(refinements):
                    weights += _solve(lower, right - weights @ self.gram - penalty * weights)
        return weights

    def judge(
        self, right: np.ndarray, squares: np.ndarray
    ) -> Callable[[float], tuple[np.ndarray, float]]:
        """As in :class:`Factors`.

        The residual is computed from the weights and not from their equation, so an error of the
        weights hardly changes it: they need no refinement.
        """

        def judged(penalty: float) -> tuple[np.ndarray, float]:
            dtype = self.at(penalty).dtype
            weights = self.solve(right, penalty, 0).astype(dtype, copy=False)
            with one_thread():
                product = weights @ (self._single if dtype == np.float32 else self.gram)
            explained = (weights * (2 * right - product)).sum(axis=1)
            return np.maximum(squares - explained, 0), self.freedom(penalty)

        return judged


class RowFactors(Factors):
    """Factors of the products of fewer rows than there are units.

    The weights are sums of rows, ``H' (HH' + a)^-1 k``, where ``H' k`` is the right-hand side.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, units)
        Centred, in float64.
    """

    def __init__(self, rows: np.ndarray):
        super().__init__()
        self.rows = rows
        with one_thread():
            self._products = rows @ rows.T
        self._least = _LEAST_SHARE * float(np.linalg.norm(self._products))

    def _make(self, penalty: float) -> np.ndarray:
        if penalty < self._least:
            raise LinAlgError(f"the penalty {penalty:g} is as small as rounding errors")
        damped = self._products.copy().T
        np.fill_diagonal(damped, np.diagonal(self._products) + penalty)
        return _cholesky(damped, penalty)

    def _count(self, penalty: float) -> float:
        """Of few rows the inverse costs little."""
        lower = self.at(penalty)
        (invert,) = get_lapack_funcs(("trtri",), (lower,))
        inverse, _ = invert(lower, lower=1)
        return len(lower) - penalty * float(np.einsum("uv,uv->", inverse, inverse))

    def _targets(self, right: np.ndarray) -> np.ndarray:
        """Targets (n, n_rows) that give right-hand sides, without what no row can give."""
        return _solve(self.at(self._least), right @ self.rows.T)

    def solve(
        self, right: np.ndarray, penalty: float, refinements: int = REFINEMENTS
    ) -> np.ndarray:
        """As in :class:`Factors`; nothing needs refinements."""
        lower = self.at(penalty)
        with one_thread():
            return _solve(lower, self._targets(right)) @ self.rows

    def judge(
        self, right: np.ndarray, squares: np.ndarray
    ) -> Callable[[float], tuple[np.ndarray, float]]:
        """As in :class:`Factors`, without the weights themselves."""
        with one_thread():
            targets = self._targets(right)
            along = targets @ self._products

        def judged(penalty: float) -> tuple[np.ndarray, float]:
            lower = self.at(penalty)
            with one_thread():
                found = _solve(lower, targets)
                shrunk = along + penalty * (found @ self._products)
            return np.maximum(squares - (found * shrunk).sum(axis=1), 0), self.freedom(penalty)

        return judged


def random_probes(n_units: int) -> np.ndarray:
    """Random signs that estimate traces, (N_PROBES, n_units)."""
    return 2.0 * generator(0, "trace").integers(0, 2, (N_PROBES, n_units), np.int8) - 1


def search(error: Callable[[float], np.ndarray], penalties: np.ndarray, first: float) -> np.ndarray:
    """Errors (n_bits, n_penalties) around the best penalty of each bit; infinite for all others.

    The search starts near the penalty `first`. It goes on while the error of a bit falls.

    Parameters
    ----------
    error : callable
        From a penalty to the errors (n_bits,).
    penalties : ndarray of shape (n_penalties,)
    first : float
    """
    order = np.argsort(penalties, kind="stable")
    place = min(int(np.searchsorted(penalties[order], first)), len(order) - 1)
    tried: dict[int, np.ndarray] = {}
    wanted = {place}
    while wanted:
        place = min(wanted)
        tried[place] = error(float(penalties[order[place]]))
        places, found = np.array(list(tried)), np.stack(list(tried.values()))
        # Where no penalty left degrees of freedom so far, a larger one may.
        known = np.isfinite(found).any(axis=0)
        best = np.unique(np.where(known, places[found.argmin(axis=0)], places.max()))
        wanted = {int(near) for near in [*(best - 1), *(best + 1)] if 0 <= near < len(order)}
        wanted -= tried.keys()
    errors = np.full((found.shape[1], len(order)), np.inf)
    errors[:, order[places]] = found.T
    return errors


def _cholesky(damped: np.ndarray, penalty: float) -> np.ndarray:
    """Lower factor of a matrix in Fortran's order, in its place; the upper triangle is 0."""
    (factor,) = get_lapack_funcs(("potrf",), (damped,))
    lower, failed = factor(damped, lower=1, overwrite_a=1, clean=1)
    if failed:
        raise LinAlgError(f"no Cholesky factor at the penalty {penalty:g}")
    return lower


def _solve(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve in the precision of the factor."""
    sides = right.T.astype(lower.dtype)
    solved = cho_solve((lower, True), sides, overwrite_b=True, check_finite=False)
    return solved.T.astype(np.float64)
