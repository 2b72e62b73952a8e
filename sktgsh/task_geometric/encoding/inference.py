"""Task inference: the task under whose density a row is most likely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .density import TEMPERATURES, TaskDensity, posterior


class TaskInference:
    """Infers the task of each row from the tasks' densities.

    Samples are not normally distributed, so plain probabilities are overconfident. A temperature
    (Guo et al., ICML 2017) corrects them: the one under which the tasks' own training rows were
    assigned to their tasks with the highest likelihood.

    Parameters
    ----------
    densities : sequence of TaskDensity
        One a task.
    """

    def __init__(self, densities: Sequence[TaskDensity]):
        self.densities = list(densities)
        likelihood = np.sum([density.likelihood for density in densities], axis=0)
        self.temperature = float(TEMPERATURES[int(np.argmax(likelihood))])

    def infer(
        self, log_densities: np.ndarray, groups: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Index of the most likely task, its probability, and whether the row is an outlier.

        Parameters
        ----------
        log_densities : ndarray of shape (n_rows, n_tasks)
        groups : array-like of shape (n_rows,), optional
            Rows of one group share their task.
        """
        n_rows = np.ones(len(log_densities))
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != n_rows.shape:
                raise ValueError(
                    f"groups has shape {groups.shape} for {len(n_rows)} rows of X; "
                    "give one label per row"
                )
            _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
            sums = np.zeros((len(sizes), log_densities.shape[1]))
            np.add.at(sums, member, log_densities)
            log_densities, n_rows = sums[member], sizes[member]
        best = log_densities.argmax(axis=1)
        rows = np.arange(len(best))
        scores = posterior(log_densities, self.temperature)[rows, best]
        unlikely = np.zeros(len(best), bool)
        for task in np.unique(best):
            own = best == task
            mean = log_densities[own, task] / n_rows[own]
            unlikely[own] = self.densities[task].is_unknown(mean, n_rows[own])
        return best, scores, unlikely
