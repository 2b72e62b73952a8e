"""The rows of many tasks together, and what tasks that are learned in one call know beforehand."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular

from .factors import Factors, GramFactors, random_probes
from .prior import FIRM_ALPHA, MIXING_BITS, MIXING_CLASSES, POOL_ALPHAS, FirmSolution
from .ridge import CentredProblem
from .statistics import RidgeStatistics
from .unlabelled import CompletedRows, PreparedRows

# Features, sums and problems are kept up to this size; those of further tasks are made twice.
KEPT_BYTES = 2 * 2**30
# A task with fewer rows than this share of the units is left out of a factor that all tasks use.
_FEW_ROWS = 0.125
_STRIP = 256


class PooledProblem(CentredProblem):
    """Problem of the rows of several tasks; nothing needs its spectrum."""

    @cached_property
    def factors(self) -> list[Factors] | None:
        """Cholesky factors of each block, however few the rows."""
        return [GramFactors(gram) for gram in self.gram]

    def best_alpha(self, alphas: Sequence[float]) -> float:
        """The penalty of least error for all classes and real-valued targets together.

        Parameters
        ----------
        alphas : sequence of float
            The first one is taken where rows cannot tell, or each bit has units of its own.
        """
        if self.n_blocks > 1:
            return alphas[0]
        frequent = np.argsort(-self.counts, kind="stable")[:MIXING_CLASSES]
        right = [self.class_sums[frequent], self.target_sums]
        totals = [self.counts[frequent], self.target_totals]
        squares = [self.counts[frequent], self.target_squares]
        if self.code_sums is not None:
            right.append(self.code_sums[:MIXING_BITS])
            totals.append(self.code_totals[:MIXING_BITS])
            squares.append(np.full(len(totals[-1]), self.code_weight))
        centred = np.concatenate(squares) - np.concatenate(totals) ** 2 / self.total
        right = np.concatenate(right)[:, 0]
        errors = self.generalised_cross_validation(right, centred, np.array(alphas)).sum(axis=0)
        return alphas[int(errors.argmin())]

    def explained(self, bits: np.ndarray, alpha: float, classes: np.ndarray) -> np.ndarray:
        """As in :class:`.CentredProblem`, from Cholesky factors."""
        sums = self.class_sums[classes]
        solved = self.solve_all(sums, alpha)
        blocks = [0] if self.n_blocks == 1 else bits
        return np.stack([solved[:, block] @ sums[:, block].T for block in blocks])


class Pool:
    """Ridge problem of the rows of many tasks, from which those of one can be left out.

    Parameters
    ----------
    statistics : RidgeStatistics
        Sums of all rows.
    """

    def __init__(self, statistics: RidgeStatistics):
        self.statistics = statistics

    @cached_property
    def problem(self) -> PooledProblem:
        """The ridge problem of all rows, of which the matrix is needed however few they are."""
        self.statistics.gram.sum_up()
        return PooledProblem(self.statistics)

    @cached_property
    def penalties(self) -> np.ndarray:
        """Ridge penalty of each block."""
        return self.problem.best_alpha(POOL_ALPHAS) * self.problem.penalty_unit

    @cached_property
    def factors(self) -> list:
        """Cholesky factor of each block with the constant, which has no penalty."""
        factors = []
        for gram, penalty in zip(self.statistics.gram.matrix, self.penalties):
            damped = gram.copy()
            damped[np.diag_indices(len(damped) - 1)] += penalty
            factors.append(cho_factor(damped.T, overwrite_a=True, check_finite=False))
        return factors

    @cached_property
    def single_factors(self) -> list:
        """The factors in float32."""
        return [(factor.astype(np.float32), is_lower) for factor, is_lower in self.factors]

    @cached_property
    def sums(self) -> tuple[list, np.ndarray]:
        """Classes, and sums of the units over each of them, the real-valued targets and codes."""
        statistics = self.statistics
        by_class = np.array(list(statistics.class_sums.values()))
        by_class = by_class.reshape(-1, *statistics.target_sums.shape[1:])
        codes = [] if statistics.code_sums is None else [statistics.code_sums]
        return statistics.classes, np.concatenate([by_class, statistics.target_sums, *codes])

    @property
    def n_codes(self) -> int:
        """Number of bits that unlabelled rows have a code in."""
        return 0 if self.statistics.code_sums is None else len(self.statistics.code_sums)

    @cached_property
    def solved(self) -> list[np.ndarray]:
        """Weights of all rows, with the intercept as the last, for each block."""
        sums = self.sums[1]
        return [
            cho_solve(factor, sums[:, block].T, check_finite=False).T
            for block, factor in enumerate(self.factors)
        ]

    @cached_property
    def everything(self) -> FirmSolution:
        """Solution of all rows."""
        solved = np.stack(self.solved, axis=1)
        weights, intercepts = solved[..., :-1].astype(np.float32), solved[..., -1]
        return FirmSolution(self.sums[0], weights, intercepts, self.n_codes)

    @cached_property
    def _solved_probes(self) -> list[np.ndarray]:
        """Random probes divided by the damped matrix of each block, (n_probes, units)."""
        probes = random_probes(self.sums[1].shape[2] - 1)
        sides = np.column_stack([probes, np.zeros(len(probes))]).T
        return [cho_solve(factor, sides, check_finite=False)[:-1].T for factor in self.factors]

    def used_by(self, problem: CentredProblem) -> np.ndarray:
        """Degrees of freedom (n_blocks,) that the solution of all rows uses for those of a task."""
        solved = self._solved_probes
        probes = random_probes(solved[0].shape[1])
        return np.array(
            [
                (problem.along_gram(block, part) * probes).sum() / len(probes)
                for block, part in enumerate(solved)
            ]
        )

    def solution(self, own: RidgeStatistics | None = None) -> FirmSolution | None:
        """Solution of all rows but those of one task; None if no row is left.

        Parameters
        ----------
        own : RidgeStatistics, optional
            Sums of the rows to leave out.
        """
        if own is None:
            return self.everything
        everything = self.statistics.total
        total = everything - own.total
        if total <= 1e-9 * everything:
            return None
        classes, sums = self.sums
        own_sums = np.zeros_like(sums)
        for place, label in enumerate(classes):
            own_sums[place] = own.class_sums.get(label, 0.0)
        own_sums[len(classes) : len(sums) - self.n_codes] = own.target_sums
        if own.code_sums is not None:
            own_sums[len(sums) - self.n_codes :] = own.code_sums
        left = np.ones(len(sums), dtype=bool)
        left[: len(classes)] = (sums - own_sums)[: len(classes), 0, -1] > 1e-9 * total
        most = _FEW_ROWS * sums.shape[2]
        few = own.gram.is_thin and own.gram.rows.shape[1] < most
        solve = self._solve_few if few else self._solve
        solved = [solve(block, left, own_sums[left, block], own) for block in range(sums.shape[1])]
        weights, intercepts = zip(*solved)
        kept = [label for label, is_left in zip(classes, left) if is_left]
        stacked = np.stack(weights, axis=1), np.stack(intercepts, axis=1)
        return FirmSolution(kept, *stacked, self.n_codes)

    def _solve_few(
        self, block: int, left: np.ndarray, own_sums: np.ndarray, own: RidgeStatistics
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights and intercepts by Woodbury's identity, from the factor of all rows.

        The factor is in float32: what is left out is a correction of the solution of all rows.
        """
        rows, solved = own.gram.rows[block].astype(np.float64), self.solved[block][left]
        factor, is_lower = self.single_factors[block]
        # Most tasks have rows of some classes only.
        own_classes = np.flatnonzero(own_sums.any(axis=1))
        both = np.concatenate([rows, own_sums[own_classes]]).T.astype(np.float32)
        half = solve_triangular(
            factor, both, trans=not is_lower, lower=is_lower, check_finite=False
        )
        half = half.astype(np.float64)
        half_rows, half_sums = half[:, : len(rows)], half[:, len(rows) :]
        lever = np.eye(len(rows)) - half_rows.T @ half_rows
        missed = rows @ solved.T
        missed[:, own_classes] -= half_rows.T @ half_sums
        half = half_rows @ np.linalg.solve(lever, missed)
        half[:, own_classes] -= half_sums
        half = half.astype(np.float32)
        moved = solve_triangular(factor, half, trans=is_lower, lower=is_lower, check_finite=False)
        solved = solved + moved.T
        return solved[:, :-1].astype(np.float32), solved[:, -1]

    def _solve(
        self, block: int, left: np.ndarray, own_sums: np.ndarray, own: RidgeStatistics
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights and intercepts from a factor of the rows that are left, in float32."""
        gram, right = self.statistics.gram.matrix[block], self.sums[1][left, block] - own_sums
        less = own.gram.product(block)
        last = gram[-1] - less[-1]
        means, n_units = last[:-1] / last[-1], len(last) - 1
        centred = np.zeros((n_units, n_units), np.float32)
        for start in range(0, n_units, _STRIP):
            stop = min(start + _STRIP, n_units)
            strip = slice(start, stop), slice(0, stop)
            part = gram[strip] - less[strip]
            centred[strip] = part - last[-1] * np.outer(means[strip[0]], means[strip[1]])
        totals = right[:, -1]
        sums = (right[:, :-1] - totals[:, None] * means).astype(np.float32)
        diagonal, penalty = centred.diagonal().copy(), self.penalties[block]
        # In float32 a factor may need more of a penalty.
        for stronger in (1, 10, 100, 1000):
            np.fill_diagonal(centred, diagonal + np.float32(stronger * penalty))
            try:
                factor = cho_factor(centred.T, check_finite=False)
            except LinAlgError:
                continue
            weights = cho_solve(factor, sums.T, check_finite=False).T
            return weights, totals / last[-1] - weights @ means
        raise LinAlgError("the sums of the tasks' rows are not finite")


class Gathered:
    """Tasks that are learned in one call, before any of them is learned.

    Parameters
    ----------
    before : mapping of RidgeStatistics
        Sums of the rows of all tasks learned before, by kind.

    Attributes
    ----------
    prepared : dict of PreparedRows
        Kept rows of tasks whose unlabelled rows wait for codewords.
    completed : dict of CompletedRows
        Kept rows that wait for nothing.
    statistics : dict of RidgeStatistics
        Sums of the tasks that are kept.
    solutions : dict of dict of FirmSolution
        Solution of each new task, by kind and label.
    problems : dict of CentredProblem
        Problems of the new tasks that are kept.
    """

    def __init__(self, before: Mapping[str, RidgeStatistics]):
        self._before = before
        self._sums: dict[str, RidgeStatistics] = {}
        self._pools: dict[str, Pool] = {}
        self._labels: set[Hashable] = set()
        self._size = 0
        self._row_bytes: dict[Hashable, int] = {}
        self.prepared: dict[Hashable, PreparedRows] = {}
        self.completed: dict[Hashable, CompletedRows] = {}
        self.statistics: dict[Hashable, RidgeStatistics] = {}
        self.solutions: dict[str, dict[Hashable, FirmSolution]] = {}
        self.problems: dict[Hashable, CentredProblem] = {}

    def __contains__(self, label: Hashable) -> bool:
        return label in self._labels

    def keep_prepared(self, label: Hashable, part: PreparedRows) -> None:
        """Keep the rows of a task until they are completed, unless they are large."""
        if self._has_room(label, part):
            self.prepared[label] = part

    def keep_completed(self, label: Hashable, part: CompletedRows) -> None:
        """Keep the rows of a task until it is learned, unless they are large."""
        if self._has_room(label, part):
            self.completed[label] = part

    def _has_room(self, label: Hashable, part: PreparedRows | CompletedRows) -> bool:
        """Count the rows of a task in place of those that were kept before."""
        size = part.rows.X.nbytes if part.rows.extracted else 0
        size += 0 if part.found is None else part.found.nbytes
        self._size += size - self._row_bytes.pop(label, 0)
        self._row_bytes[label] = size
        return self._size <= KEPT_BYTES

    def add(
        self,
        label: Hashable,
        statistics: RidgeStatistics,
        known: RidgeStatistics | None = None,
    ) -> None:
        """Add the rows of a task; a new one is solved by itself.

        Parameters
        ----------
        label : task label
        statistics : RidgeStatistics
            Sums of all of its rows.
        known : RidgeStatistics, optional
            Sums of those that were learned before. They stay in the pool of another kind.
        """
        kind = statistics.kind
        before = self._before.get(kind)
        if kind not in self._sums:
            self._sums[kind] = statistics.for_pool().copy()
            if before is not None:
                self._sums[kind].increase(before)
        else:
            self._sums[kind].increase(statistics)
        self._labels.add(label)
        problem, size = None, statistics.nbytes
        if known is None:
            problem, size = CentredProblem(statistics), 3 * size
            solutions = self.solutions.setdefault(kind, {})
            solutions[label] = FirmSolution.of(problem, FIRM_ALPHA)
        elif before is not None and known.kind == kind:
            self._sums[kind].increase(known, -1.0)
        self._size += size
        if self._size <= KEPT_BYTES:
            self.statistics[label] = statistics
            if problem is not None:
                self.problems[label] = problem

    def pool(self, kind: str) -> Pool | None:
        """All rows of a kind, of these tasks and of those before, once all tasks are here."""
        if kind not in self._pools and kind in self._sums:
            self._pools[kind] = Pool(self._sums[kind])
        return self._pools.get(kind)
