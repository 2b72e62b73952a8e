"""Solve a task's ridge problem towards its prior, bit by bit, or take the solution of all rows."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..encoding.modulation import TaskGain
from .prior import Common, Solution, TaskPrior
from .ridge import CentredProblem

# A mixture uses at most this share of the rows' degrees of freedom.
_MOST_USED = 0.5
_EPSILON = 1e-9


class Learned(NamedTuple):
    """What :func:`solve_towards` finds.

    Attributes
    ----------
    solution : Solution
    alpha : ndarray of shape (n_bits,)
        Penalty of each bit; infinite where the prior is taken as it is.
    gain : TaskGain
    """

    solution: Solution
    alpha: np.ndarray
    gain: TaskGain


def solve_towards(
    problem: CentredProblem,
    targets: tuple[np.ndarray, np.ndarray, np.ndarray],
    alphas: np.ndarray,
    prior: TaskPrior,
    common: Common | None = None,
) -> Learned:
    """Solve with a prior, or without it, whichever is better for a bit; or not at all.

    The common solution is taken for all bits if its mean error is not larger by more than a
    standard error over the bits.

    Parameters
    ----------
    problem : CentredProblem
    targets : tuple of ndarray
        Right-hand sides, sums and centred squares, from :meth:`.CentredProblem.targets`.
    alphas : ndarray of shape (n_alphas,)
    prior : TaskPrior
    common : Common, optional

    Returns
    -------
    learned : Learned
    """
    right, sums, squares = targets
    rest, rest_squares = problem.residual(right, squares, prior.weights)
    own, own_alpha = _best(problem.generalised_cross_validation(right, squares, alphas), alphas)
    # Beyond the largest penalty lies the prior as it is.
    beyond = [10.0, 100.0, np.inf] if len(alphas) > 1 else [np.inf]
    near = np.concatenate([alphas, max(alphas.max(), 1e-4) * np.array(beyond)])
    errors = problem.generalised_cross_validation(rest, rest_squares, near[:-1])
    # A mean is fitted first: it takes one degree of freedom, and a single row tells nothing.
    n_rows = problem.n_effective
    left = max(n_rows - 1, _EPSILON)
    alone = rest_squares / problem.total * (n_rows / left) ** 2
    shrunk, shrunk_alpha = _best(np.column_stack([errors, alone]), near)
    several = len(problem.classes) > 1 or len(problem.target_totals) or problem.code_weight
    knows = bool(n_rows > 1 + _EPSILON and several)
    used = (shrunk < own) if knows else np.ones(len(own), dtype=bool)
    best = np.where(used, shrunk, own)
    gain = TaskGain(
        n_prior_bits=int(used.sum()),
        n_bits=len(used),
        variance=float(squares.mean() / problem.total),
        prior_error=float(alone.mean()),
        own_error=float(own.mean()),
        error=float(best.mean()),
        pool_weight=prior.pool_weight,
        task_weights=prior.task_weights,
    )
    if knows and common is not None:
        found = common.errors(problem, right, squares)
        # The weights of the mixture were fitted to these rows, too.
        mixed = left / (left - min(prior.n_used, _MOST_USED * left))
        if _is_as_good(found, np.where(used, mixed**2 * shrunk, own)):
            return _learned_together(problem, sums, common, found, gain)
    chosen = np.where(used, shrunk_alpha, own_alpha) if knows else np.full(len(own), np.inf)
    base = np.where(used[:, None], prior.weights, 0)
    moved = np.isfinite(chosen)
    weights, _ = problem.solve(
        np.where(used[:, None], rest, right), sums, np.where(moved, chosen, 1.0)
    )
    weights = base + np.where(moved[:, None], weights, 0)
    intercepts = problem.intercepts(weights, sums) if knows else prior.intercepts
    return Learned(Solution(weights, intercepts), chosen, gain)


def _is_as_good(errors: np.ndarray, others: np.ndarray) -> bool:
    """Whether errors of bits exceed others by no more than the standard error of their mean."""
    if not np.isfinite(errors).all() or not np.isfinite(others).all():
        return bool(np.isfinite(errors).all())
    excess = errors - others
    return bool(excess.mean() <= excess.std() / np.sqrt(len(excess)))


def _learned_together(
    problem: CentredProblem, sums: np.ndarray, common: Common, errors: np.ndarray, gain: TaskGain
) -> Learned:
    """The solution of all rows as that of a task, around the mean of its own rows."""
    weights = common.solution.weights
    error = float(errors.mean())
    gain = replace(
        gain,
        n_prior_bits=gain.n_bits,
        prior_error=error,
        error=error,
        pool_weight=1.0,
        task_weights={},
        is_common=True,
    )
    solution = Solution(weights, problem.intercepts(weights, sums))
    return Learned(solution, np.full(len(weights), np.inf), gain)


def _best(errors: np.ndarray, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least error of each bit, and its penalty; ties go to the largest penalty."""
    order = np.argsort(-alphas, kind="stable")
    place = errors[:, order].argmin(axis=1)
    return np.take_along_axis(errors[:, order], place[:, None], 1)[:, 0], alphas[order][place]
