"""A prior that tasks share: each task shrinks towards what the others have learned.

The ridge problem of a task, ``|H c - k|^2 + a |c|^2``, becomes ``|H c - k|^2 + a |c - c_0|^2``.
Its solution is c_0 plus the solution of the ridge problem of the residual ``k - H c_0``, which
needs the same sums and the same eigendecomposition. The prior c_0 is a mixture, with weights that
are not negative, of the solution of all other tasks' rows together and of the other tasks' own
solutions, chosen to fit the task's rows. No part of it has seen these rows, so the fit is an honest
one. Generalised cross-validation decides for each bit whether the prior is used, and how much it
counts. It also decides for all bits of a task together whether the solution of all rows, its own
among them, does as well: then the task is no task of its own, and takes that one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from ...persistence import saved
from ..encoding.layout import BitLayout
from .ridge import CentredProblem

# Penalties of the others' solutions: few rows of one task need a firm one; for the rows of all
# tasks the best of several is taken.
FIRM_ALPHA, POOL_ALPHAS = 0.1, (0.01, 0.1, 1.0)
# A mixture looks at this many tasks at most, the last ones learned. Short codes are prefixes of
# long ones, so it fits the most frequent classes, or the first bits where there is no more to see.
MOST_MIXED, MIXING_CLASSES, MIXING_BITS = 64, 16, 8
_RIDGE = 1e-6


class Solution(NamedTuple):
    """Weights (n_bits, units_per_block) and intercepts (n_bits,) of all bits."""

    weights: np.ndarray
    intercepts: np.ndarray


@dataclass(frozen=True)
class FirmSolution:
    """Solutions for the indicator of each class: those for any codewords are sums of them.

    Attributes
    ----------
    classes : list
        Class labels.
    weights : ndarray of shape (n_solved, n_blocks, units_per_block), dtype float32
        Of the indicators, of the real-valued targets, and of the codes of unlabelled rows.
    intercepts : ndarray of shape (n_solved, n_blocks)
    n_codes : int
        Number of bits that unlabelled rows have a code in: all codebook bits or none.
    """

    classes: list
    weights: np.ndarray
    intercepts: np.ndarray
    n_codes: int = 0

    @classmethod
    def of(cls, problem: CentredProblem, alpha: float) -> FirmSolution:
        """Solve for all classes and real-valued targets with one penalty.

        Parameters
        ----------
        problem : CentredProblem
        alpha : float
            In units of the mean variance of the hidden units.
        """
        sums = [problem.class_sums, problem.target_sums]
        totals, n_codes = [problem.counts, problem.target_totals], 0
        if problem.code_sums is not None:
            n_codes = len(problem.code_sums)
            sums.append(problem.code_sums)
            totals.append(problem.code_totals)
        weights = problem.solve_all(np.concatenate(sums), alpha)
        centre = np.concatenate(totals) / problem.total
        intercepts = centre[:, None] - np.einsum("kbu,bu->kb", weights, problem.means)
        return cls(problem.classes, weights, intercepts, n_codes)

    def of_classes(self, labels: Sequence[Hashable]) -> np.ndarray:
        """Weights of the first block for classes, (n_labels, units_per_block); 0 without rows."""
        weights = np.zeros((len(labels), self.weights.shape[2]), np.float32)
        place = {label: index for index, label in enumerate(self.classes)}
        for index, label in enumerate(labels):
            if label in place:
                weights[index] = self.weights[place[label], 0]
        return weights

    def for_codewords(
        self, words: Mapping[Hashable, np.ndarray], layout: BitLayout, target_bits: np.ndarray
    ) -> Solution:
        """The solution for codewords; classes without one count as 0.

        Parameters
        ----------
        words : mapping of ndarray of shape (n_codebook_bits,)
        layout : BitLayout
        target_bits : ndarray of int
            Bits with real-valued targets.
        """
        n_classes = len(self.classes)
        mixing = np.zeros((layout.n_bits, len(self.weights)))
        codebook_bits = np.setdiff1d(np.arange(layout.n_bits), target_bits)
        for place, label in enumerate(self.classes):
            mixing[codebook_bits, place] = words.get(label, 0)
        mixing[target_bits, n_classes + np.arange(len(target_bits))] = 1
        if self.n_codes:
            mixing[codebook_bits, np.arange(-self.n_codes, 0)] = 1
        if layout.n_blocks == 1:
            return Solution(mixing @ self.weights[:, 0], mixing @ self.intercepts[:, 0])
        return Solution(
            np.einsum("bk,kbu->bu", mixing, self.weights),
            np.einsum("bk,kb->b", mixing, self.intercepts),
        )


@saved("TaskPrior")
@dataclass(frozen=True)
class TaskPrior:
    """The solution that a task shrinks towards.

    Attributes
    ----------
    weights : ndarray of shape (n_bits, units_per_block)
    intercepts : ndarray of shape (n_bits,)
    pool_weight : float
        Weight of the solution of all other tasks' rows.
    task_weights : dict of float
        Weights of the other tasks' own solutions that count at all.
    n_used : float
        Degrees of freedom of a bit that the weights use.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    pool_weight: float
    task_weights: dict[Hashable, float] = field(default_factory=dict)
    n_used: float = 0.0


def merged_prior(priors: Sequence[TaskPrior | None], weights: Sequence[float]) -> TaskPrior | None:
    """The mean of what several parties shrink a task towards, by the weights of their rows.

    Parameters
    ----------
    priors : sequence of TaskPrior or None
        Parties without one do not count.
    weights : sequence of float

    Returns
    -------
    prior : TaskPrior or None
    """
    known = [(prior, weight) for prior, weight in zip(priors, weights) if prior is not None]
    if not known:
        return None
    total = sum(weight for _, weight in known)
    shares = [(prior, weight / total) for prior, weight in known]
    by_task: dict[Hashable, float] = {}
    for prior, share in shares:
        for label, weight in prior.task_weights.items():
            by_task[label] = by_task.get(label, 0.0) + share * weight
    return TaskPrior(
        np.sum([share * prior.weights for prior, share in shares], axis=0),
        np.sum([share * prior.intercepts for prior, share in shares], axis=0),
        sum(share * prior.pool_weight for prior, share in shares),
        by_task,
        sum(share * prior.n_used for prior, share in shares),
    )


@dataclass(frozen=True)
class Common:
    """The solution of the rows of all tasks, those of the task in question among them.

    Attributes
    ----------
    solution : Solution
    used : ndarray of shape (n_blocks,)
        Degrees of freedom that it uses for the rows of the task.
    """

    solution: Solution
    used: np.ndarray

    def errors(self, problem: CentredProblem, right: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Generalised cross-validation error of each bit of the task, (n_bits,)."""
        residual = problem.residual(right, squares, self.solution.weights)[1]
        return problem.error_of(residual, np.broadcast_to(self.used, residual.shape))


@dataclass(frozen=True)
class Others:
    """Solutions of the other tasks.

    Attributes
    ----------
    pool : FirmSolution or None
        Solution of all their rows together.
    solutions : mapping of FirmSolution or Solution
        Solution of each task, by label.
    everything : FirmSolution or None
        Solution of their rows and those of the task.
    used : ndarray of shape (n_blocks,), optional
        Degrees of freedom that it uses for the rows of the task.
    """

    pool: FirmSolution | None
    solutions: Mapping[Hashable, FirmSolution | Solution]
    everything: FirmSolution | None = None
    used: np.ndarray | None = None

    def common(
        self, words: Mapping[Hashable, np.ndarray], layout: BitLayout, target_bits: np.ndarray
    ) -> Common | None:
        """The solution of all rows for codewords; None if there are no other rows."""
        if self.everything is None or self.used is None:
            return None
        return Common(self.everything.for_codewords(words, layout, target_bits), self.used)

    def prior(
        self,
        problem: CentredProblem,
        right: np.ndarray,
        words: Mapping[Hashable, np.ndarray],
        layout: BitLayout,
        target_bits: np.ndarray,
    ) -> TaskPrior | None:
        """Mix the solutions so that they fit the rows of a problem; None if there are none.

        Parameters
        ----------
        problem : CentredProblem
        right : ndarray of shape (n_bits, units_per_block)
            Right-hand sides of the problem.
        words : mapping of ndarray of shape (n_codebook_bits,)
            Codewords of all classes.
        layout : BitLayout
        target_bits : ndarray of int
            Bits with real-valued targets.
        """
        labels = list(self.solutions)[-MOST_MIXED:]
        found = [self.solutions[label] for label in labels]
        if self.pool is not None:
            found.append(self.pool)
        if not found:
            return None
        by_class = [part for part in found if isinstance(part, FirmSolution)]
        if problem.n_blocks == 1 and problem.classes and len(by_class) == len(found):
            frequent = np.argsort(-problem.counts, kind="stable")[:MIXING_CLASSES]
            labels_of = [problem.classes[place] for place in frequent]
            weights = [part.of_classes(labels_of) for part in by_class]
            shares = mixture(problem, problem.class_sums[frequent, 0], weights)
            n_targets = max(len(frequent) - 1, 1)
        else:
            first, n_targets = slice(MIXING_BITS), MIXING_BITS
            parts = [_solution(part, words, layout, target_bits).weights[first] for part in found]
            shares = mixture(problem, right[first], parts)
        if not shares.any():
            # The rows cannot tell: the pool knows most, or else all tasks count alike.
            shares[-1 if self.pool is not None else slice(None)] = 1
            shares /= shares.sum()
        used = [
            (share, _solution(part, words, layout, target_bits))
            for share, part in zip(shares, found)
            if share > 0
        ]
        by_task = dict(zip(labels, shares.tolist()))
        return TaskPrior(
            np.sum([share * part.weights for share, part in used], axis=0),
            np.sum([share * part.intercepts for share, part in used], axis=0),
            0.0 if self.pool is None else float(shares[-1]),
            {label: share for label, share in by_task.items() if share > 0},
            np.count_nonzero(shares) / n_targets,
        )


def _solution(
    part: FirmSolution | Solution,
    words: Mapping[Hashable, np.ndarray],
    layout: BitLayout,
    target_bits: np.ndarray,
) -> Solution:
    """The solution of a task or of the pool for given codewords."""
    if isinstance(part, FirmSolution):
        return part.for_codewords(words, layout, target_bits)
    return part


def mixture(
    problem: CentredProblem, right: np.ndarray, weights: Sequence[np.ndarray]
) -> np.ndarray:
    """Weights, not negative, of the solutions whose sum fits a problem best.

    Parameters
    ----------
    problem : CentredProblem
    right : ndarray of shape (n_targets, units_per_block)
        Right-hand sides of some targets.
    weights : sequence of ndarray of shape (n_targets, units_per_block)
        Solutions for these targets.

    Returns
    -------
    shares : ndarray of shape (n_solutions,)
        The same for all targets; 0 throughout if no solution fits at all.
    """
    inner = problem.inner(weights)
    fit = np.array([(part * right).sum() for part in weights])
    shares, alive = np.zeros(len(weights)), np.flatnonzero(inner.diagonal() > 0)
    if len(alive) and (fit > 0).any():
        scale = 1 / np.sqrt(inner.diagonal()[alive])
        scaled = inner[np.ix_(alive, alive)] * scale[:, None] * scale
        factor = np.linalg.cholesky(scaled + _RIDGE * np.eye(len(alive)))
        side = np.linalg.solve(factor, fit[alive] * scale)
        shares[alive] = scale * nnls(factor.T, side, maxiter=100 * len(alive))[0]
    return shares
