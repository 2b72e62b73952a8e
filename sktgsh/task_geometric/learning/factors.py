"""Cholesky factors of one wide Gram matrix at a few penalties, instead of its eigenvectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs

from ...threads import one_thread

_EPSILON32 = float(np.finfo(np.float32).eps)
# A factor is in float32 if the penalty exceeds rounding errors of the matrix by this factor.
_SAFETY = 30.0
# Steps of refinement, which bring a solution from float32 to float64.
REFINEMENTS = 3


class Factor(NamedTuple):
    """Lower Cholesky factor (units, units), float32 or float64, and the degrees of freedom."""

    lower: np.ndarray
    freedom: float


class Factors:
    """Ridge solutions of one Gram matrix; a penalty's factor is made once, when it is asked for.

    Wide matrices are factored in a tenth of the time of an eigendecomposition. All of it runs on
    the calling thread: two threads are hardly faster on an idle machine, and take up to five times
    as long beside a busy process.

    Parameters
    ----------
    gram : ndarray of shape (units, units)
        Symmetric, in float64.
    """

    def __init__(self, gram: np.ndarray):
        self.gram = gram
        self._norm = float(np.linalg.norm(gram))
        self._made: dict[float, Factor] = {}

    def at(self, penalty: float) -> Factor:
        """The factor of the Gram matrix plus a penalty; raises LinAlgError if there is none."""
        if penalty not in self._made:
            with one_thread():
                self._made[penalty] = self._make(penalty)
        return self._made[penalty]

    def _make(self, penalty: float) -> Factor:
        single = penalty > _SAFETY * _EPSILON32 * self._norm
        # The transpose of a symmetric matrix is the same matrix in Fortran's order.
        damped = np.array(self.gram, np.float32 if single else np.float64).T
        np.fill_diagonal(damped, np.diagonal(self.gram) + penalty)
        factor, invert = get_lapack_funcs(("potrf", "trtri"), (damped,))
        lower, failed = factor(damped, lower=1, overwrite_a=1, clean=1)
        if failed:
            raise LinAlgError(f"no Cholesky factor at the penalty {penalty:g}")
        inverse, failed = invert(lower, lower=1)
        if failed:
            raise LinAlgError(f"a singular Cholesky factor at the penalty {penalty:g}")
        squares = np.einsum("uv,uv->", inverse, inverse, dtype=np.float64)
        return Factor(lower, len(damped) - penalty * float(squares))

    def solve(
        self, right: np.ndarray, penalty: float, refinements: int = REFINEMENTS
    ) -> np.ndarray:
        """Weights (n, units) of right-hand sides (n, units), in float64."""
        lower = self.at(penalty).lower
        with one_thread():
            weights = _solve(lower, right)
            if lower.dtype == np.float32:
                for _ in range(refinements):
                    weights += _solve(lower, right - weights @ self.gram - penalty * weights)
        return weights

    def judge(
        self, right: np.ndarray, squares: np.ndarray
    ) -> Callable[[float], tuple[np.ndarray, float]]:
        """A function from a penalty to the residual of each bit and the degrees of freedom."""

        def judged(penalty: float) -> tuple[np.ndarray, float]:
            weights = self.solve(right, penalty, 1)
            explained = (weights * (right + penalty * weights)).sum(axis=1)
            return np.maximum(squares - explained, 0), self.at(penalty).freedom

        return judged


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


def _solve(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve in the precision of the factor."""
    sides = right.T.astype(lower.dtype)
    solved = cho_solve((lower, True), sides, overwrite_b=True, check_finite=False)
    return solved.T.astype(np.float64)
