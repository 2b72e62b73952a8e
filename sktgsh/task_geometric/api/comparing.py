"""Comparison of tasks and of rows under their tasks; reconstruction of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ...tasks import format_labels, iter_tasks
from ..encoding.reconstruction import reconstruct_class
from .fitted import FittedTasks


class ComparingMixin(FittedTasks):
    """Chapter on comparison: representations, similarity of tasks, samples of a class."""

    def representation(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Modulated hidden activity ``s * c * h(x)``, which the bits are read from.

        If every bit has a context of its own, the activity of a unit is scaled by the norm of its
        contexts, ``s * h_j * sqrt(sum_b c_bj^2)``. Inner products of rows of one task are then
        those of the whole modulated activity. Use :meth:`representation_similarity` to compare
        rows of different tasks.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        representation : ndarray of shape (n_samples, n_hidden), dtype float32
        """
        X, labels = self._check_new_rows(X, task)
        values = self.model_.network.hidden_rows(X)
        for label, positions in iter_tasks(labels):
            modulation = self.modulations_[label]
            vector = modulation.vector
            values[positions] *= (
                vector if vector.ndim == 1 else np.sqrt(modulation.gain(modulation))
            )
        return values

    def representation_similarity(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Cosine similarity of the modulated hidden activity of all pairs of rows.

        Parameters
        ----------
        X, task
            As in :meth:`transform`; rows may be of different tasks.

        Returns
        -------
        similarity : ndarray of shape (n_samples, n_samples), dtype float32
        """
        X, labels = self._check_new_rows(X, task)
        hidden = self.model_.network.hidden_rows(X)
        similarity = np.zeros((len(hidden), len(hidden)), np.float32)
        tasks = [(self.modulations_[label], rows) for label, rows in iter_tasks(labels)]
        for modulation, rows in tasks:
            for other, columns in tasks:
                gained = hidden[rows] * modulation.gain(other)
                similarity[np.ix_(rows, columns)] = gained @ hidden[columns].T
        norms = np.sqrt(np.maximum(np.diag(similarity), 1e-30))
        return similarity / norms[:, None] / norms

    def reconstruct(
        self,
        label: Any,
        task: Any = None,
        *,
        n_samples: int = 1,
        noise: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Draw samples of a class in a task by an approximate data-generating process.

        The published process draws hidden activity around ``W_class * c_t`` and maps it through
        the pseudo-inverse of the expansion. That direction tells classes apart, but samples do not
        vary along it, and the picture is noise. This method draws candidates from the density of
        the task's samples, and weights each by the probability of the class that the network gives
        it under the task's modulation.

        Parameters
        ----------
        label : class label
            A class of the task.
        task : int or str, optional
            May be left out where a single task was fitted.
        n_samples : int, default=1
            Number of samples to draw.
        noise : float, default=0.0
            1 draws samples that vary as much as the class does in the task; 0 gives its centre.
        random_state : int, RandomState instance or None, default=None
            Seed of the draw.

        Returns
        -------
        samples : ndarray of shape (n_samples, n_features), dtype float32
            In the units of X; for an encoder that extracts features, such features.

        References
        ----------
        arXiv 2401.02437, section 4.
        """
        check_is_fitted(self)
        modulation = self.modulations_[self._check_labels(task, 1)[0].item()]
        if label not in modulation.classes:
            raise ValueError(
                f"label={label!r} is not a class of the task; its classes are "
                f"{format_labels(modulation.classes)}"
            )
        return reconstruct_class(
            self.model_.network,
            modulation,
            label,
            n_samples,
            noise,
            check_random_state(random_state),
        )

    def task_similarity(self) -> np.ndarray:
        """Cosine similarity of the tasks' modulations.

        With one context a unit, it is the similarity of the vectors ``s c``. With one context for
        each bit, there are so many contexts that two tasks hardly ever align, even if they do the
        same. Modulations are then compared by the scores that they give the same samples, drawn
        from the densities of all tasks. The scores are comparable if tasks share their codebook.

        Returns
        -------
        similarity : ndarray of shape (n_tasks, n_tasks), dtype float64
            In the order of `tasks_`.
        """
        check_is_fitted(self)
        return self.model_.similarity()
