"""Folds over the labelled rows; rows without a label stay in every training part."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import check_cv

from ._sklearn import safe_indexing
from .targets import check_targets, split_missing

# Fewer labelled rows than this in all test parts choose by chance.
_FEWEST_JUDGED = 50


class LabelledFolds:
    """Cross-validator for labels that are partly missing.

    Labelled rows are split as another cross-validator splits them. Rows without a label can judge
    nothing, and a hasher that learns from them has them in every case: they are in every training
    part and in no test part.

    Parameters
    ----------
    cv : int, cross-validator or iterable, default=None
        How labelled rows are split, as everywhere in scikit-learn; None is 5 folds, stratified by
        class. An iterable holds positions among the labelled rows.
    missing_label : object, optional
        Label that means "not labelled", such as -1, beside None, nan, pandas.NA and NaT.

    See Also
    --------
    sktgsh.TaskGeometricHasher : Learns from rows without a label.
    sktgsh.evaluation.ClassHoldOut : Folds that hold classes out.

    Examples
    --------
    >>> from sktgsh.evaluation import LabelledFolds
    >>> y = [0, 1, -1, 0, 1, -1]
    >>> for train, test in LabelledFolds(2, missing_label=-1).split(y, y):
    ...     print(train, test)
    [2 3 4 5] [0 1]
    [0 1 2 5] [3 4]
    """

    def __init__(self, cv: Any = None, *, missing_label: Any = None):
        self.cv = cv
        self.missing_label = missing_label

    def split(
        self, X: Any, y: ArrayLike, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, test) rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; only their number counts for most cross-validators.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels or an indicator, with missing labels.
        groups : array-like of shape (n_samples,), optional
            Given to the cross-validator, for the labelled rows.

        Yields
        ------
        train, test : ndarray of int
            Numbers of rows.

        Raises
        ------
        ValueError
            If no row has a label, or the cross-validator has too few rows.

        Warns
        -----
        UserWarning
            If labels are missing and fewer than 50 rows have one: differences between scores are
            then mostly chance.
        """
        filled, missing = split_missing(y, self.missing_label)
        filled = check_targets(filled)
        if missing is None:
            missing = np.zeros(len(filled), bool)
        labelled, unlabelled = np.flatnonzero(~missing), np.flatnonzero(missing)
        if not len(labelled):
            raise ValueError(
                f"y has no label in any of {len(missing)} rows, so that nothing can be judged; "
                "label some rows, or choose parameters yourself"
            )
        if len(unlabelled) and len(labelled) < _FEWEST_JUDGED:
            warnings.warn(
                f"y has a label in {len(labelled)} of {len(missing)} rows; scores of so few rows "
                "differ mostly by chance, so do not choose by them. Label more rows, or keep the "
                "default parameters",
                stacklevel=2,
            )
        own = None if groups is None else np.asarray(groups)[labelled]
        splitter = check_cv(self.cv, filled[labelled], classifier=True)
        for train, test in splitter.split(safe_indexing(X, labelled), filled[labelled], own):
            yield np.sort(np.concatenate([labelled[train], unlabelled])), labelled[test]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits.

        Parameters
        ----------
        X, y, groups : array-like, optional
            As in :meth:`split`, where the cross-validator needs them.

        Returns
        -------
        n_splits : int
        """
        return int(check_cv(self.cv, classifier=True).get_n_splits(X, y, groups))
