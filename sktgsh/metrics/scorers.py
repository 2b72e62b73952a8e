"""Scorers: retrieval figures for GridSearchCV and its relatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from ..codes import as_bytes
from ..targets import check_targets, split_missing
from ..tasks import check_task, iter_tasks
from .retrieval import (
    mean_average_precision,
    ndcg_at_k,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
)

METRICS: dict[str, Callable[..., float]] = {
    "mean_average_precision": mean_average_precision,
    "ndcg_at_k": ndcg_at_k,
    "precision_at_k": precision_at_k,
    "precision_within_radius": precision_within_radius,
    "recall_at_k": recall_at_k,
}


class RetrievalScorer(BaseEstimator):
    """A scorer made by :func:`~sktgsh.metrics.make_retrieval_scorer`.

    Parameters
    ----------
    metric : str
        Name of the metric.
    packed : bool
        Whether the estimator's `transform` gives packed codes.
    metric_params : dict or None
        Further arguments of the metric.

    See Also
    --------
    sktgsh.metrics.make_retrieval_scorer : Makes one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import SignedRandomProjectionHasher
    >>> from sktgsh.metrics import RetrievalScorer
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = SignedRandomProjectionHasher(n_bits=64, random_state=0).fit(X)
    >>> 0 < RetrievalScorer()(hasher, X[:200], y[:200]) < 1
    True
    """

    # scikit-learn reads this signature: of the arguments, `task` alone is metadata to be routed.
    __metadata_request__score = {"estimator": UNUSED}

    def __init__(
        self,
        metric: str = "mean_average_precision",
        *,
        packed: bool = False,
        metric_params: dict | None = None,
    ):
        self.metric = metric
        self.packed = packed
        self.metric_params = metric_params

    def score(self, estimator: Any, X: ArrayLike, y: ArrayLike, task: Any = None) -> float:
        """Mean over tasks (by number of rows) of the metric on the codes of X.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `transform` that gives codes.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator of labels. Rows without a label (None, nan, or the
            `missing_label` of the estimator, if it has one) are left out, as queries and as
            answers.
        task : int, str or array-like of shape (n_samples,), optional
            Passed on to `transform`; rows of different tasks are not compared.

        Returns
        -------
        score : float
            Tasks in which nothing is relevant to any row do not count; nan if none counts. Where
            labels are missing, it is an estimate from the labelled rows.
        """
        codes = estimator.transform(X) if task is None else estimator.transform(X, task=task)
        codes, labels = as_bytes(codes), check_task(task, len(codes))
        y, missing = split_missing(y, getattr(estimator, "missing_label", None))
        y = check_targets(y, len(codes))
        if missing is not None:
            codes, y, labels = codes[~missing], y[~missing], labels[~missing]
        if not len(codes):
            return float("nan")
        function, params = METRICS[self.metric], self.metric_params or {}
        scores, sizes = [], []
        for _, rows in iter_tasks(labels):
            scores.append(function(codes[rows], y[rows], packed=self.packed, **params))
            sizes.append(len(rows))
        counted = ~np.isnan(scores)
        if not counted.any():
            return float("nan")
        return float(np.average(np.array(scores)[counted], weights=np.array(sizes)[counted]))

    def __call__(self, estimator: Any, X: ArrayLike, y: ArrayLike, **params: Any) -> float:
        """Same as :meth:`score`."""
        return self.score(estimator, X, y, **params)


def make_retrieval_scorer(
    metric: str = "mean_average_precision", *, packed: bool = False, **metric_params: Any
) -> RetrievalScorer:
    """Make a scorer for ``scoring=`` of GridSearchCV, cross_val_score and the like.

    Each row is a query against the other rows of the same task.

    Parameters
    ----------
    metric : {"mean_average_precision", "ndcg_at_k", "precision_at_k", "recall_at_k", \
            "precision_within_radius"}, default="mean_average_precision"
        The figure of merit.
    packed : bool, default=False
        Whether the estimator gives packed codes.
    **metric_params
        Further arguments of the metric: ``k``, ``top_k``, ``gain`` or ``radius``.

    Returns
    -------
    scorer : RetrievalScorer
        Callable as ``scorer(estimator, X, y)``. With metadata routing,
        ``.set_score_request(task=True)`` lets `task` through.

    Raises
    ------
    ValueError
        If `metric` is none of the names.

    See Also
    --------
    sktgsh.metrics.mean_average_precision : The default metric.
    sktgsh.evaluation.ClassHoldOut : Folds for classes never seen.

    Examples
    --------
    >>> from sktgsh.metrics import make_retrieval_scorer
    >>> make_retrieval_scorer("precision_at_k", k=5)
    RetrievalScorer(metric='precision_at_k', metric_params={'k': 5})
    """
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r}; expected one of {sorted(METRICS)}")
    return RetrievalScorer(metric, packed=packed, metric_params=metric_params or None)
