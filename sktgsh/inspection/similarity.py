"""Displays of the similarity of tasks, and of representations within and across tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.utils import check_array, check_random_state

from ..targets import check_targets
from ..tasks import check_task
from ._axes import new_axes


class TaskSimilarityDisplay:
    """Cosine similarity of tasks' modulations, as a matrix.

    Parameters
    ----------
    similarity : ndarray of shape (n_tasks, n_tasks)
        Cosine similarities.
    tasks : sequence
        Task labels.

    See Also
    --------
    sktgsh.inspection.RepresentationSimilarityDisplay : Pairs of rows, by task and class.

    Examples
    --------
    >>> from sktgsh.inspection import TaskSimilarityDisplay
    >>> display = TaskSimilarityDisplay.from_predictions([[1., 0.], [1., 1.]], ["a", "b"])
    >>> display.similarity.round(2)
    array([[1.  , 0.71],
           [0.71, 1.  ]])
    """

    def __init__(self, similarity: np.ndarray, tasks: Sequence):
        self.similarity = similarity
        self.tasks = tasks

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TaskSimilarityDisplay:
        """Draw the tasks of a fitted :class:`~sktgsh.TaskGeometricHasher`.

        Parameters
        ----------
        estimator : TaskGeometricHasher
            Fitted.
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : TaskSimilarityDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        return cls(estimator.task_similarity(), estimator.tasks_.tolist()).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls, vectors: ArrayLike, tasks: Sequence, *, ax: Any = None
    ) -> TaskSimilarityDisplay:
        """Draw from one vector a task.

        Parameters
        ----------
        vectors : array-like of shape (n_tasks, n_dimensions)
            What tasks are compared by.
        tasks : sequence of length n_tasks
            Task labels.
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : TaskSimilarityDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        return cls(cosine_similarity(check_array(vectors)), list(tasks)).plot(ax=ax)

    def plot(self, *, ax: Any = None, title: str | None = None) -> TaskSimilarityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default a new figure.
        title : str, optional
            Title of the axes.

        Returns
        -------
        display : TaskSimilarityDisplay
            With attributes ``figure_`` and ``ax_``.
        """
        self.figure_, (self.ax_,) = new_axes(ax)
        # The diagonal is 1 for every task; it takes no part in the colour scale.
        others = self.similarity[~np.eye(len(self.similarity), dtype=bool)]
        limit = max(0.05, float(np.abs(others).max(initial=0)))
        image = self.ax_.imshow(self.similarity, vmin=-limit, vmax=limit, cmap="RdBu_r")
        step = -(-len(self.tasks) // 12)
        ticks = range(0, len(self.tasks), step)
        labels = [str(self.tasks[tick]) for tick in ticks]
        self.ax_.set_xticks(ticks, labels, rotation=90)
        self.ax_.set_yticks(ticks, labels)
        self.ax_.set(xlabel="task", ylabel="task", title=title or "Similarity of tasks")
        self.figure_.colorbar(
            image, ax=self.ax_, label="cosine similarity", shrink=0.8, extend="max"
        )
        return self


class RepresentationSimilarityDisplay:
    """Histograms: same task and different class, against same class and different task.

    Parameters
    ----------
    other_class, other_task : ndarray of shape (n_pairs,)
        Cosine similarities of pairs of rows: of one task and different classes; of one class and
        different tasks.

    See Also
    --------
    sktgsh.inspection.TaskSimilarityDisplay : How alike tasks are.

    References
    ----------
    arXiv 2401.02437, section 4. Pairs are grouped by label.

    Examples
    --------
    >>> from sktgsh.inspection import RepresentationSimilarityDisplay
    >>> display = RepresentationSimilarityDisplay.from_predictions(
    ...     [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 0], task=["a", "a", "b"]
    ... )
    >>> display.other_class, display.other_task
    (array([0.]), array([1.]))
    """

    def __init__(self, other_class: np.ndarray, other_task: np.ndarray):
        self.other_class = other_class
        self.other_task = other_task

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: ArrayLike,
        max_rows: int = 2000,
        random_state: int | np.random.RandomState | None = 0,
        ax: Any = None,
    ) -> RepresentationSimilarityDisplay:
        """Draw from a fitted hasher's `representation`.

        Parameters
        ----------
        estimator : estimator
            A fitted hasher with `representation_similarity`.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels.
        task : int, str or array-like of shape (n_samples,)
            Task of each row.
        max_rows : int, default=2000
            Compare at most so many rows, chosen at random.
        random_state : int, RandomState instance or None, default=0
            Of the choice.
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : RepresentationSimilarityDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        y = check_targets(y, multilabel=False)
        labels = check_task(task, len(y))
        rows = np.arange(len(y))
        if len(rows) > max_rows:
            rows = check_random_state(random_state).choice(len(rows), max_rows, replace=False)
        X, y, labels = np.asarray(X)[rows], y[rows], labels[rows]
        similarity = estimator.representation_similarity(X, task=labels)
        return cls._from_similarity(similarity, y, labels, ax)

    @classmethod
    def from_predictions(
        cls, representation: ArrayLike, y: ArrayLike, *, task: ArrayLike, ax: Any = None
    ) -> RepresentationSimilarityDisplay:
        """Draw from representations.

        Parameters
        ----------
        representation : array-like of shape (n_samples, n_dimensions)
            One vector a row.
        y : array-like of shape (n_samples,)
            Class labels.
        task : int, str or array-like of shape (n_samples,)
            Task of each row.
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : RepresentationSimilarityDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        representation = check_array(representation)
        y = check_targets(y, len(representation), multilabel=False)
        labels = check_task(task, len(y))
        return cls._from_similarity(cosine_similarity(representation), y, labels, ax)

    @classmethod
    def _from_similarity(
        cls, similarity: np.ndarray, y: np.ndarray, labels: np.ndarray, ax: Any
    ) -> RepresentationSimilarityDisplay:
        same_class, same_task = y[:, None] == y, labels[:, None] == labels
        pairs = np.triu(np.ones(similarity.shape, bool), k=1)
        return cls(
            similarity[pairs & same_task & ~same_class],
            similarity[pairs & same_class & ~same_task],
        ).plot(ax=ax)

    def plot(self, *, ax: Any = None, bins: int = 50) -> RepresentationSimilarityDisplay:
        """Draw both histograms.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default a new figure.
        bins : int, default=50
            Number of bins from -1 to 1.

        Returns
        -------
        display : RepresentationSimilarityDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        self.figure_, (self.ax_,) = new_axes(ax)
        edges = np.linspace(-1, 1, bins + 1)
        for values, label in (
            (self.other_class, "same task, other class"),
            (self.other_task, "same class, other task"),
        ):
            self.ax_.hist(values, edges, density=True, alpha=0.6, label=label)
        self.ax_.set(xlabel="cosine similarity", ylabel="density", title="Representations of pairs")
        self.ax_.set_xticks(np.linspace(-1, 1, 5))
        self.ax_.margins(y=0.3)  # room for the legend above the bars
        self.ax_.legend(loc="upper right")
        return self
