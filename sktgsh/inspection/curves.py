"""Precision against recall, and precision against the number of rows retrieved."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import retrieval_curve
from ._axes import new_axes, task_arguments


class RetrievalCurveDisplay:
    """Precision-recall curve and precision at k of retrieval by Hamming distance.

    Parameters
    ----------
    ranks : ndarray of shape (n_ranks,)
        Numbers of rows retrieved.
    precision, recall : ndarray of shape (n_ranks,)
        Means over the queries, expected over random order of ties.
    name : str, optional
        For the legend.

    See Also
    --------
    sktgsh.metrics.retrieval_curve : The numbers alone.

    Examples
    --------
    >>> from sktgsh.inspection import RetrievalCurveDisplay
    >>> codes, y = [[0, 0], [0, 0], [1, 1], [1, 1]], [0, 0, 1, 1]
    >>> display = RetrievalCurveDisplay.from_predictions(codes, y)
    >>> display.ranks, display.precision.round(2)
    (array([1, 2, 3]), array([1.  , 0.5 , 0.33]))
    """

    def __init__(
        self, ranks: np.ndarray, precision: np.ndarray, recall: np.ndarray, name: str | None = None
    ):
        self.ranks, self.precision, self.recall = ranks, precision, recall
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        name: str | None = None,
        ax: Any = None,
    ) -> RetrievalCurveDisplay:
        """Draw for the codes of X, each row against the others (rows of one task).

        Parameters
        ----------
        estimator : estimator
            A fitted hasher.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels.
        task : int, str or array-like of shape (n_samples,), optional
            Passed on to `transform`.
        name : str, optional
            For the legend; by default the estimator's class.
        ax : sequence of 2 matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : RetrievalCurveDisplay
            Drawn: with attributes ``figure_`` and ``axes_``.
        """
        codes = np.asarray(estimator.transform(X, **task_arguments(task)))
        return cls.from_predictions(
            codes,
            y,
            packed=getattr(estimator, "packed", False),
            name=name or type(estimator).__name__,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        codes: ArrayLike,
        y: ArrayLike,
        database_codes: ArrayLike | None = None,
        database_y: ArrayLike | None = None,
        *,
        packed: bool = False,
        name: str | None = None,
        ax: Any = None,
    ) -> RetrievalCurveDisplay:
        """Draw for codes.

        Parameters
        ----------
        codes, y, database_codes, database_y, packed
            As in :func:`sktgsh.metrics.mean_average_precision`.
        name : str, optional
            For the legend.
        ax : sequence of 2 matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : RetrievalCurveDisplay
            Drawn: with attributes ``figure_`` and ``axes_``.
        """
        curve = retrieval_curve(codes, y, database_codes, database_y, packed=packed)
        return cls(*curve, name=name).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> RetrievalCurveDisplay:
        """Draw both curves.

        Parameters
        ----------
        ax : sequence of 2 matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : RetrievalCurveDisplay
            Drawn: with attributes ``figure_`` and ``axes_``.
        """
        self.figure_, self.axes_ = new_axes(ax, 2)
        curve, at_rank = self.axes_
        curve.plot(self.recall, self.precision, label=self.name)
        curve.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        at_rank.semilogx(self.ranks, self.precision, label=self.name)
        at_rank.set(xlabel="rows retrieved (k)", ylabel="precision at k", ylim=(0, 1.02))
        if self.name:
            at_rank.legend()
        return self
