"""How tasks that were learned compare, and what they look like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..tasks import iter_tasks, name_some
from .reading import LearnedTasksMixin
from .reconstruction import reconstruct_class


# scikit-learn has no types; its classes take this argument.
class ExplainedTasksMixin(LearnedTasksMixin, auto_wrap_output_keys=()):  # type: ignore[call-arg]
    """Compares tasks, and rows under their tasks; draws what a class looks like."""

    def representation(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """The modulated hidden activity ``s * c * h(x)`` that bits are read from.

        Where every bit has a context of its own, a unit's activity is scaled by the norm of its
        contexts, ``s * h_j * sqrt(sum_b c_bj^2)``: inner products of rows of one task are then
        those of the whole modulated activity. To compare rows of different tasks, use
        :meth:`representation_similarity`.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        representation : ndarray of shape (n_samples, n_hidden), dtype float32
        """
        X, labels = self._check_new_rows(X, task)
        values = self.learner_.hidden_rows(X)
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
        hidden = self.learner_.hidden_rows(X)
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
        """What a class looks like in a task: an approximate data-generating process.

        The published process draws hidden activity around ``W_class * c_t`` and maps it through
        the pseudo-inverse of the expansion. That direction tells classes apart, but samples do not
        vary along it, and the picture is noise. Here candidates are drawn from the density of the
        task's samples, and count by the probability of the class that the network, modulated for
        the task, gives them.

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
            Of the draw.

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
                f"{name_some(modulation.classes)}"
            )
        return reconstruct_class(
            self.learner_, modulation, label, n_samples, noise, check_random_state(random_state)
        )

    def task_similarity(self) -> np.ndarray:
        """Cosine similarity of the tasks' modulations.

        Where each unit has one context, that of the vectors ``s c``. Where each bit has contexts
        of its own, there are so many that those of two tasks are hardly ever along each other, even
        if they do the same; modulations are then compared by what they do: by the values of the
        bits that tasks give the same samples, drawn from the densities of all of them. To be
        comparable, tasks share their codebook.

        Returns
        -------
        similarity : ndarray of shape (n_tasks, n_tasks), dtype float64
            In the order of `tasks_`.
        """
        check_is_fitted(self)
        modulations = list(self.modulations_.values())
        if self.learner_.head == "shared":
            vectors = self.learner_.reference_values(modulations)
        else:
            vectors = np.stack([modulation.vector for modulation in modulations])
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
        return ((vectors / norms) @ (vectors / norms).T).astype(np.float64)
