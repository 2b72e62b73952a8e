"""Code length chosen by cross-validation, at the price of the longest code alone."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Bunch, indexable
from sklearn.utils.validation import check_is_fitted

from .._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
    num_samples,
    safe_indexing,
)
from ..base import HasherMixin, score_codes
from ..callbacks import CallbackSupportMixin, whole_fit
from ..folds import LabelledFolds
from ..persistence import saved
from ..targets import check_targets, split_missing
from ..tasks import check_task, iter_tasks
from .hasher import TaskGeometricHasher

# Name of the default tolerance.
STANDARD_ERROR = "standard error"


@saved("TaskGeometricHasherCV")
class TaskGeometricHasherCV(CallbackSupportMixin, MetaEstimatorMixin, HasherMixin, BaseEstimator):
    """A :class:`TaskGeometricHasher` that chooses its code length by cross-validation.

    In closed form a bit does not depend on the other bits, so a short code is the prefix of a long
    one: each fold is fitted once, at the longest length, and all lengths are scored on prefixes.
    The ridge penalty is chosen within each fit, by generalised cross-validation for each bit.

    Parameters
    ----------
    n_bits : sequence of int, default=(8, 16, 32, 64)
        Code lengths to choose from.
    estimator : TaskGeometricHasher, optional
        Its other parameters; where each bit has units of its own (``head="block"``), `n_hidden`
        must be None, so that units follow bits. By default a
        ``TaskGeometricHasher()``.
    cv : int, cross-validator or iterable, default=None
        As everywhere in scikit-learn; None is 5 folds, stratified by class. Rows without a label
        are in every training part and in no test part
        (:class:`~sktgsh.evaluation.LabelledFolds`).
    tolerance : float or "standard error", default="standard error"
        The shortest code is taken whose score is at most so much below the best; by default, the
        standard error of the best mean score over the folds. With 0 the best score decides.
    random_state : int, RandomState instance or None, default=None
        Given to the estimator, if not None.
    packed : bool, default=False
        Give eight bits in a byte.

    Attributes
    ----------
    best_estimator_ : TaskGeometricHasher
        Fitted on all rows, with the chosen length.
    n_bits_ : int
        The chosen length.
    best_score_ : float
        Its mean score over the folds.
    cv_results_ : dict
        ``n_bits``, ``mean_test_score``, ``std_test_score`` and ``split_test_scores`` of shape
        (n_lengths, n_folds): mean average precision within each fold's test rows, as
        :meth:`TaskGeometricHasher.score`.

    See Also
    --------
    sktgsh.TaskGeometricHasher : Learns codes, for one task or many.
    sktgsh.metrics.make_retrieval_scorer : For searches over other parameters.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import TaskGeometricHasherCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = TaskGeometricHasherCV([4, 16], cv=2, random_state=0).fit(X[:400], y[:400])
    >>> search.n_bits_, search.transform(X[:2]).shape
    (16, (2, 16))
    """

    _parameter_constraints: dict = {
        "n_bits": ["array-like"],
        "estimator": [None, HasMethods(["fit", "transform"])],
        "cv": ["cv_object"],
        "tolerance": [Interval(Real, 0, None, closed="left"), StrOptions({STANDARD_ERROR})],
        "packed": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_bits: Sequence[int] = (8, 16, 32, 64),
        *,
        estimator: TaskGeometricHasher | None = None,
        cv: Any = None,
        tolerance: float | str = STANDARD_ERROR,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.estimator = estimator
        self.cv = cv
        self.tolerance = tolerance
        self.packed = packed
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> TaskGeometricHasherCV:
        """Choose the code length, then learn it from all rows.

        Parameters
        ----------
        X, y, task, sample_weight
            As in :meth:`TaskGeometricHasher.fit`.
        groups : array-like of shape (n_samples,), optional
            Given to the splitter, for those that keep the rows of a group together, such as
            :class:`~sklearn.model_selection.GroupKFold`.

        Returns
        -------
        self : TaskGeometricHasherCV

        Raises
        ------
        ValueError
            As in :meth:`TaskGeometricHasher.fit`; if `n_bits` holds anything but positive integers,
            the estimator has a fixed `n_hidden`, or no fold has rows that can be scored. This is
            found before anything is fitted.

        Warns
        -----
        UserWarning
            If labels are missing and fewer than 50 rows have one, which is too few to choose by.
        """
        lengths = self._check_lengths()
        X, y, sample_weight, groups = indexable(X, y, sample_weight, groups)
        longest = self._hasher(lengths[-1])
        folding = LabelledFolds(self.cv, missing_label=longest.missing_label)
        # check_targets says what it means that there is no y.
        filled, missing = (y, None) if y is None else split_missing(y, longest.missing_label)
        filled = check_targets(filled, num_samples(X))
        y = filled if missing is None else y
        if task is not None:
            task = check_task(task, num_samples(X))
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X, ensure_non_negative=True)
        # Checks of the data are the hasher's own; it leaves no trace where they fail.
        folds = list(folding.split(X, y, groups))
        self._check_folds(folds, filled, longest._task_labels(X, task), sample_weight)
        with whole_fit(self, self, len(folds) + 1, X, y) as whole:
            scores = []
            for fold in folds:
                with whole.subfit("fold", clone(longest)) as hasher:
                    scores.append(
                        self._score_fold(hasher, lengths, X, y, task, sample_weight, *fold)
                    )
            scores = np.array(scores).T
            means = np.nanmean(scores, axis=1)
            chosen = int(np.flatnonzero(means >= means.max() - self._margin(scores))[0])
            with whole.subfit("chosen length", self._hasher(lengths[chosen])) as best:
                best.fit(X, y, task=task, sample_weight=sample_weight)
        self.best_estimator_ = best
        self.n_bits_ = lengths[chosen]
        self.best_score_ = float(means[chosen])
        self.cv_results_ = Bunch(
            n_bits=np.array(lengths),
            mean_test_score=means,
            std_test_score=np.nanstd(scores, axis=1),
            split_test_scores=scores,
        )
        return self

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Codes of the chosen length.

        Parameters
        ----------
        X, task
            As in :meth:`TaskGeometricHasher.transform`.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_bits) or (n_samples, ceil(n_bits / 8)), dtype uint8
            Bits; packed if `packed` is set.
        """
        check_is_fitted(self)
        return self.best_estimator_.transform(X, task=task)

    def predict_task(self, X: ArrayLike, **params: Any) -> Any:
        """Task of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        **params
            Of :meth:`TaskGeometricHasher.predict_task`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), or what `params` ask for
            As there.
        """
        check_is_fitted(self)
        return self.best_estimator_.predict_task(X, **params)

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        check_is_fitted(self)
        return self.best_estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features, where X had names."""
        return self.best_estimator_.feature_names_in_

    @property
    def task_column(self) -> int | str | None:
        """The estimator's."""
        return None if self.estimator is None else self.estimator.task_column

    def _margin(self, scores: np.ndarray) -> float:
        """By how much a score may be below the best, from scores (n_lengths, n_folds)."""
        if not isinstance(self.tolerance, str):
            return float(self.tolerance)
        best = scores[np.nanmean(scores, axis=1).argmax()]
        best = best[~np.isnan(best)]
        return float(best.std(ddof=1) / np.sqrt(len(best))) if len(best) > 1 else 0.0

    def _check_lengths(self) -> list[int]:
        lengths = np.unique(np.asarray(self.n_bits)).tolist()
        if not lengths or any(not isinstance(n, Integral) or n < 1 for n in lengths):
            raise ValueError(f"n_bits={self.n_bits!r}; expected a sequence of positive integers")
        own = self.estimator
        if own is not None and own.n_hidden is not None and own.head != "shared":
            raise ValueError(
                f"the estimator has n_hidden={own.n_hidden}; leave it None, so that "
                "each bit has as many hidden units at every length"
            )
        return lengths

    def _hasher(self, n_bits: int) -> TaskGeometricHasher:
        hasher = TaskGeometricHasher() if self.estimator is None else clone(self.estimator)
        if self.random_state is not None:
            hasher.set_params(random_state=self.random_state)
        return hasher.set_params(n_bits=n_bits, packed=self.packed)

    def _check_folds(
        self, folds: list, y: np.ndarray, labels: np.ndarray, sample_weight: np.ndarray | None
    ) -> None:
        """Raise ValueError if in no fold a row has another of its class and task to be found."""
        weight = np.ones(len(labels)) if sample_weight is None else sample_weight
        for _, test in folds:
            for _, rows in iter_tasks(labels[test]):
                if (_has_partner(y[test[rows]]) & (weight[test[rows]] > 0)).any():
                    return
        raise ValueError(
            f"y has no two rows of one class and one task in the test rows of any of the "
            f"{len(folds)} folds, so that no code length can be scored; use fewer folds "
            f"(cv={self.cv!r}), or more rows of each class"
        )

    def _score_fold(
        self,
        hasher: TaskGeometricHasher,
        lengths: list[int],
        X: Any,
        y: Any,
        task: Any,
        sample_weight: Any,
        train: np.ndarray,
        test: np.ndarray,
    ) -> list[float]:
        def rows(values: Any, chosen: np.ndarray) -> Any:
            return None if values is None else safe_indexing(values, chosen)

        hasher.set_params(packed=False, max_open_tasks=0).fit(
            safe_indexing(X, train),
            rows(y, train),
            task=rows(task, train),
            sample_weight=rows(sample_weight, train),
        )
        X_test, task_test = safe_indexing(X, test), rows(task, test)
        codes = np.asarray(hasher.transform(X_test, task=task_test))
        labels = hasher._task_labels(X_test, task_test)
        # Rows of test parts have a label.
        y_test = split_missing(rows(y, test), hasher.missing_label)[0]
        weight_test = rows(sample_weight, test)
        return [score_codes(codes[:, :n], y_test, labels, weight_test) for n in lengths]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _has_partner(y: np.ndarray) -> np.ndarray:
    """Whether another row shares a label with each row."""
    if y.ndim == 2:
        return np.asarray(y[:, y.sum(axis=0) > 1].any(axis=1))
    _, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    return counts[index] > 1
