"""The density of a task's samples, which task inference compares across tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf

from ...persistence import saved
from ...threads import one_thread

# With more classes than this, one covariance a class would be larger than the modulation itself.
_MOST_CLASS_COVARIANCES = 32
_RIDGE = 1e-3
# Folds of a task's rows for their held-out log density.
N_FOLDS = 5
TEMPERATURES = 2.0 ** np.arange(-2, 8, 0.25)
# Most numbers of a table of rows times classes.
_BLOCK = 2**22


class _Normals:
    """Normal distributions around several means.

    Parameters
    ----------
    means : ndarray of shape (n_means, width)
    factors : ndarray of shape (n_means or 1, width, width)
        Cholesky factors of the covariances, inverted once for all rows that are to come.
    """

    def __init__(self, means: np.ndarray, factors: np.ndarray):
        factors, self.origin = factors.astype(np.float64), means[:1].astype(np.float64)
        self.whitening = np.linalg.inv(factors).transpose(0, 2, 1)
        self.centres = (means - self.origin)[:, None] @ self.whitening
        diagonals = np.diagonal(factors, axis1=1, axis2=2)
        self.volumes = np.log(diagonals).sum(axis=1)

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Log density of each row up to a constant, (n_rows, n_means)."""
        rows = (values - self.origin) @ self.whitening
        if len(rows) == 1:  # a table of rows times means times width would be large
            rows, centres = rows[0], self.centres[:, 0]
            squares = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
            squares = np.maximum(squares - 2 * rows @ centres.T, 0)
        else:
            squares = ((rows - self.centres) ** 2).sum(axis=2).T
        return -0.5 * squares - self.volumes


def _factor(covariance: np.ndarray) -> np.ndarray:
    width = len(covariance)
    ridge = _RIDGE * max(np.trace(covariance) / max(width, 1), _RIDGE)
    return np.linalg.cholesky(covariance + ridge * np.eye(width))


def _merged_moments(
    parts: Sequence[tuple[np.ndarray, np.ndarray, Sequence[int], Sequence[float]]],
    counts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the classes over several parties, and their covariances times their counts.

    A part is a party's means and Cholesky factors (one, or one a class), which class of the whole
    each of its classes is, and their weights.
    """
    width = parts[0][0].shape[1]
    means, spread = np.zeros((len(counts), width)), np.zeros((len(counts), width, width))
    for own, _, member, weight in parts:
        means[member] += np.array(weight)[:, None] * own.astype(np.float64)
    means /= counts[:, None]
    for own, factors, member, weight in parts:
        offset, factors = own - means[member], factors.astype(np.float64)
        within = factors @ factors.transpose(0, 2, 1) + offset[:, :, None] * offset[:, None, :]
        spread[member] += np.array(weight)[:, None, None] * within
    return means, spread


@saved("TaskDensity")
@dataclass(frozen=True)
class TaskDensity:
    """Density of a task's samples in the frozen feature space, before any modulation.

    A sample of class c has coordinates along the encoder's probes from a normal distribution around
    the class's mean, with a covariance shared by the classes, and along its principal axes from
    another, with a covariance of its own. The task's density is the mixture over its classes.

    Attributes
    ----------
    probe_means : ndarray of shape (n_classes, n_probes)
    probe_factor : ndarray of shape (n_probes, n_probes)
        Cholesky factor of the covariance.
    axis_means : ndarray of shape (n_classes, n_axes)
    axis_factors : ndarray of shape (n_classes or 1, n_axes, n_axes)
        Cholesky factors.
    log_priors : ndarray of shape (n_classes,)
    mean, deviation : float
        Mean and standard deviation of the log density of held-out rows of the task.
    threshold : float
        Log density that 1 % of the held-out rows fall below.
    likelihood : ndarray of shape (n_temperatures,)
        Mean log probability of the task for its own rows among other tasks, by temperature.
    """

    probe_means: np.ndarray
    probe_factor: np.ndarray
    axis_means: np.ndarray
    axis_factors: np.ndarray
    log_priors: np.ndarray
    mean: float = 0.0
    deviation: float = 0.0
    threshold: float = -np.inf
    likelihood: np.ndarray = field(default_factory=lambda: np.zeros(len(TEMPERATURES)))

    @property
    def nbytes(self) -> int:
        """Memory, in bytes."""
        arrays = (self.probe_means, self.probe_factor, self.axis_means, self.axis_factors)
        return sum(array.nbytes for array in arrays) + self.log_priors.nbytes

    @classmethod
    def fit(cls, probes: np.ndarray, axes: np.ndarray, labels: np.ndarray) -> TaskDensity:
        """Estimate from rows of one task.

        Parameters
        ----------
        probes : ndarray of shape (n_rows, n_probes)
            Coordinates along the encoder's probes.
        axes : ndarray of shape (n_rows, n_axes)
            Coordinates along the encoder's principal axes.
        labels : ndarray of shape (n_rows,)
            Class labels.
        """
        density = cls._of(probes, axes, labels)
        held_out = cls._held_out(probes, axes, labels)
        if held_out is None:
            held_out = density.log_density(probes, axes)
        return replace(
            density,
            mean=float(held_out.mean()),
            deviation=float(held_out.std()),
            threshold=float(np.quantile(held_out, 0.01)),
        )

    @classmethod
    def _held_out(
        cls, probes: np.ndarray, axes: np.ndarray, labels: np.ndarray
    ) -> np.ndarray | None:
        """Log density of each fold under the other folds' density; None for too few rows."""
        n_rows = len(labels)
        if n_rows < 2 * N_FOLDS:
            return None
        # Rows are dealt to the folds class by class, so that each fold has rows of each class.
        fold, found = np.empty(n_rows, int), np.empty(n_rows)
        fold[np.argsort(labels, kind="stable")] = np.arange(n_rows) % N_FOLDS
        for part in range(N_FOLDS):
            others, own = fold != part, fold == part
            density = cls._of(probes[others], axes[others], labels[others])
            found[own] = density.log_density(probes[own], axes[own])
        return found

    @classmethod
    def _of(cls, probes: np.ndarray, axes: np.ndarray, labels: np.ndarray) -> TaskDensity:
        """The density alone."""
        classes, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
        share = sparse.csr_array(
            (1 / counts[index], (index, np.arange(len(index)))), shape=(len(classes), len(index))
        )
        probe_means, axis_means = share @ probes, share @ axes
        residual, offset = probes - probe_means[index], axes - axis_means[index]
        pooled = offset.T @ offset / len(offset)
        n_axes = axes.shape[1]
        factors = [_factor(pooled)]
        if len(classes) <= _MOST_CLASS_COVARIANCES:
            # A class of few rows cannot estimate n_axes ** 2 numbers, so the pooled covariance
            # is added as a prior.
            own = [offset[index == position] for position in range(len(classes))]
            factors = [
                _factor((rows.T @ rows + 2 * n_axes * pooled) / (len(rows) + 2 * n_axes))
                for rows in own
            ]
        # A single row varies in no direction.
        covariance = np.zeros((probes.shape[1],) * 2)
        if len(residual) > 1:
            covariance, _ = ledoit_wolf(residual, assume_centered=True)
        return cls(
            probe_means.astype(np.float32),
            _factor(covariance).astype(np.float32),
            axis_means.astype(np.float32),
            np.stack(factors).astype(np.float32),
            np.log(counts / counts.sum()).astype(np.float32),
        )

    @classmethod
    def merged(
        cls,
        densities: Sequence[TaskDensity],
        members: Sequence[Sequence[int]],
        weights: Sequence[Sequence[float]],
    ) -> TaskDensity:
        """Merge densities that several parties estimated from their rows of one task.

        Parameters
        ----------
        densities : sequence of TaskDensity
        members : sequence of sequence of int
            For each density, which class of the whole each of its classes is.
        weights : sequence of sequence of float
            For each density, the weight of each of its classes.
        """
        totals = np.array([np.sum(weight) for weight in weights])
        if any(len(d.log_priors) != len(m) for d, m in zip(densities, members)):
            # The classes of a density are unknown, so moments cannot be added class by class.
            return densities[int(np.argmax(totals))]
        n_classes = 1 + max(max(member) for member in members)
        counts = np.zeros(n_classes)
        for member, weight in zip(members, weights):
            np.add.at(counts, member, weight)
        sides = list(zip(members, weights))
        probe_means, spread = _merged_moments(
            [(d.probe_means, d.probe_factor[None], *side) for d, side in zip(densities, sides)],
            counts,
        )
        axis_means, axis_spread = _merged_moments(
            [(d.axis_means, d.axis_factors, *side) for d, side in zip(densities, sides)], counts
        )
        own = axis_spread / counts[:, None, None]
        if n_classes > _MOST_CLASS_COVARIANCES:
            own = axis_spread.sum(axis=0, keepdims=True) / counts.sum()
        share = totals / totals.sum()
        return cls(
            probe_means.astype(np.float32),
            np.linalg.cholesky(spread.sum(axis=0) / counts.sum()).astype(np.float32),
            axis_means.astype(np.float32),
            np.linalg.cholesky(own).astype(np.float32),
            np.log(counts / counts.sum()).astype(np.float32),
            mean=float(share @ [density.mean for density in densities]),
            deviation=float(share @ [density.deviation for density in densities]),
            threshold=float(share @ [density.threshold for density in densities]),
            likelihood=share @ [density.likelihood for density in densities],
        )

    def calibrated(self, log_densities: np.ndarray) -> TaskDensity:
        """Record how likely the task's rows are assigned to it at each temperature.

        Parameters
        ----------
        log_densities : ndarray of shape (n_rows, n_tasks)
            Log densities of rows of this task; the first column is the task's own density.
        """
        # Relative to the largest, so that no exponential overflows.
        relative = log_densities - log_densities.max(axis=1, keepdims=True)
        weights = np.exp(relative / TEMPERATURES[:, None, None])
        own = weights[:, :, 0] / weights.sum(axis=2)
        return replace(self, likelihood=np.log(own + 1e-12).mean(axis=1))

    def log_density(self, probes: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """Log density of each row, up to a constant that all tasks share."""
        step, read = max(1, _BLOCK // len(self.log_priors)), self.reader()
        parts = [
            read(probes[start : start + step], axes[start : start + step])
            for start in range(0, len(probes), step)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def reader(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Prepare :meth:`log_density` for many small batches."""
        # One thread inverts these small matrices as fast as several, and always to the same digits.
        with one_thread():
            by_probe = _Normals(self.probe_means, self.probe_factor[None])
            by_axis = _Normals(self.axis_means, self.axis_factors)

        def read(probes: np.ndarray, axes: np.ndarray) -> np.ndarray:
            joint = by_probe.log_density(probes) + by_axis.log_density(axes)
            return np.logaddexp.reduce(self.log_priors + joint, axis=1)

        return read

    def axis_factor(self, position: int) -> np.ndarray:
        """Cholesky factor of a class's coordinates."""
        return self.axis_factors[position if len(self.axis_factors) > 1 else 0]

    def sample(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw coordinates along the axes, (n_samples, n_axes)."""
        share = np.exp(self.log_priors.astype(np.float64))
        drawn = rng.standard_normal((n_samples, self.axis_means.shape[1]))
        classes = rng.choice(len(share), n_samples, p=share / share.sum())
        for position in np.unique(classes):
            rows = classes == position
            drawn[rows] = self.axis_means[position] + drawn[rows] @ self.axis_factor(position).T
        return drawn

    def is_unknown(self, log_density: np.ndarray, n_rows: np.ndarray) -> np.ndarray:
        """Whether a mean log density of `n_rows` rows is too low for rows of this task."""
        of_groups = self.mean - 2.33 * self.deviation / np.sqrt(n_rows)
        return log_density < np.where(n_rows == 1, self.threshold, of_groups)


def posterior(log_densities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of the tasks, (n_rows, n_tasks), all equally likely beforehand."""
    scaled = log_densities / temperature
    return np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True))
