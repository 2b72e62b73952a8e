"""Geometric sensitivity: how tight manifolds are, and how far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from ..targets import check_targets
from ..tasks import check_task


@dataclass(frozen=True)
class GeometricSensitivity:
    """Result of :func:`~sktgsh.metrics.geometric_sensitivity`.

    Representations are scaled to mean squared norm 1, so all figures are free of units.

    Attributes
    ----------
    variance : ndarray of shape (n_manifolds,)
        Intra-manifold variance ``E |r - E r|^2``, by manifold.
    separation : ndarray of shape (n_manifolds, n_manifolds)
        Distance between the mean representations of any two manifolds.
    labels : list of tuple
        ``(task, class)`` of each manifold.
    epsilon : float
        The largest intra-manifold variance.
    rho : float
        The smallest separation between two manifolds.
    rho_within_task : float
        The smallest separation between two classes of one task; nan without such a pair.
    rho_across_tasks : float
        The smallest separation between manifolds of different tasks; nan with a single task.

    See Also
    --------
    sktgsh.metrics.geometric_sensitivity : Measures it.

    Examples
    --------
    >>> from sktgsh.metrics import geometric_sensitivity
    >>> representations = [[1.0, 0.1], [1.0, -0.1], [0.1, 1.0], [-0.1, 1.0]]
    >>> found = geometric_sensitivity(representations, ["a", "a", "b", "b"])
    >>> found.labels, round(found.epsilon, 3), round(found.rho, 3)
    ([(0, 'a'), (0, 'b')], 0.01, 1.407)
    """

    variance: np.ndarray
    separation: np.ndarray
    labels: list
    epsilon: float
    rho: float
    rho_within_task: float
    rho_across_tasks: float


def _smallest(separation: np.ndarray, pairs: np.ndarray) -> float:
    return float(separation[pairs].min()) if pairs.any() else float("nan")


def geometric_sensitivity(
    representation: ArrayLike, y: ArrayLike, *, task: Any = None
) -> GeometricSensitivity:
    """Measure intra-manifold variance and the separation between manifolds.

    A manifold is a class in a task. A representation is an (epsilon, rho) geometric sensitive hash
    if no manifold varies by more than epsilon and no two are closer than rho.

    Parameters
    ----------
    representation : array-like of shape (n_samples, n_dimensions)
        Real-valued representations, or codes.
    y : array-like of shape (n_samples,)
        Class labels.
    task : int, str or array-like of shape (n_samples,), optional
        Task labels.

    Returns
    -------
    sensitivity : GeometricSensitivity

    See Also
    --------
    sktgsh.evaluation.identifier_recovery : Whether manifolds can be told apart.

    References
    ----------
    N. Dikkala, G. Kaplun and R. Panigrahy, "For manifold learning, deep neural networks can be
    locality sensitive hash functions", arXiv 2103.06875, definition 1.

    Examples
    --------
    >>> from sktgsh.metrics import geometric_sensitivity
    >>> found = geometric_sensitivity([[0., 1.], [0., 1.], [1., 0.], [1., 0.]], [0, 0, 1, 1])
    >>> found.epsilon, round(found.rho, 3)
    (0.0, 1.414)
    """
    r = check_array(representation, dtype=np.float64)
    y = check_targets(y, len(r), multilabel=False)
    tasks = check_task(task, len(r))
    scale = np.sqrt((r**2).sum(axis=1).mean())
    r = r / (scale if scale > 0 else 1.0)
    labels = sorted(set(zip(tasks.tolist(), y.tolist())))
    means, variance = [], []
    for task_label, class_label in labels:
        rows = r[(tasks == task_label) & (y == class_label)]
        means.append(rows.mean(axis=0))
        variance.append(((rows - means[-1]) ** 2).sum(axis=1).mean())
    means = np.array(means)
    squares = (means**2).sum(axis=1)
    separation = np.sqrt(np.maximum(squares[:, None] + squares - 2 * means @ means.T, 0))
    of_task = np.array([task_label for task_label, _ in labels])
    same_task = of_task[:, None] == of_task[None, :]
    pairs = ~np.eye(len(labels), dtype=bool)
    return GeometricSensitivity(
        variance=np.array(variance),
        separation=separation,
        labels=labels,
        epsilon=float(max(variance)),
        rho=_smallest(separation, pairs),
        rho_within_task=_smallest(separation, pairs & same_task),
        rho_across_tasks=_smallest(separation, ~same_task),
    )
