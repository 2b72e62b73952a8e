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
        """Draw for the codes of X, each row against the others (rows of one task)."""
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
        """Draw for codes; arguments as in :func:`sktgsh.metrics.mean_average_precision`."""
        curve = retrieval_curve(codes, y, database_codes, database_y, packed=packed)
        return cls(*curve, name=name).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> RetrievalCurveDisplay:
        """Draw on two axes `ax`, or in a new figure; sets ``figure_`` and ``axes_``."""
        self.figure_, self.axes_ = new_axes(ax, 2)
        curve, at_rank = self.axes_
        curve.plot(self.recall, self.precision, label=self.name)
        curve.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        at_rank.semilogx(self.ranks, self.precision, label=self.name)
        at_rank.set(xlabel="rows retrieved (k)", ylabel="precision at k", ylim=(0, 1.02))
        if self.name:
            at_rank.legend()
        return self
