"""The contract that every hasher shares: bits, feature names, score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from ._sklearn import check_sample_weight
from .arrays import TEXTS, has_texts
from .batches import SAMPLE_DTYPES
from .codes import as_bytes, unpack_codes
from .metrics.retrieval import average_precisions
from .persistence import SaveMixin, VersionedMixin
from .targets import check_targets, split_missing
from .tasks import check_task, iter_tasks, plain_labels, split_task_column

# The largest number that float32 holds.
_LARGEST = float(np.finfo(np.float32).max)


class HasherMixin(VersionedMixin, SaveMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Contract of a hasher.

    A subclass has a parameter `packed`, sets `n_bits_` in `fit`, and writes
    ``fit(X, y, *, task)`` and ``transform(X, *, task)``.
    """

    @property
    def _n_features_out(self) -> int:
        return -(-self.n_bits_ // 8) if self.packed else self.n_bits_

    def fit_transform(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> np.ndarray:
        """Fit, then transform the same rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels), optional
            Class labels, or an indicator of labels, where the hasher learns from them.
        task : int, str or array-like of shape (n_samples,), optional
            One task label for all rows, or one per row.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, where the hasher takes them.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_bits), dtype uint8
            Values 0 and 1; packed if `packed` is set.
        """
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.fit(X, y, task=task, **weights).transform(X, task=task)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Mean average precision of each row's code against the others' of its task.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator of labels: rows of one task that share a label are
            relevant to each other. Rows without a label (None, nan or `missing_label`) are left
            out, as queries and as answers: the score is an estimate from the labelled rows.
        task : int, str or array-like of shape (n_samples,), optional
            One task label for all rows, or one per row.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows as queries.

        Returns
        -------
        score : float
            Between 0 and 1. Rows that no other row of their task shares a label with do not count;
            nan if there are no others.

        Raises
        ------
        ValueError
            If `y` has another number of rows than `X`, or is neither labels nor an indicator.
        """
        labels = self._task_labels(X, task)
        y, missing = split_missing(y, getattr(self, "missing_label", None))
        codes = np.asarray(self.transform(X, task=task))
        judged = np.ones(len(codes), bool) if missing is None else ~missing
        if not judged.any():
            return float("nan")
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, codes)[judged]
        y = check_targets(y, len(codes))[judged]
        return score_codes(codes[judged], y, labels[judged], sample_weight, packed=self.packed)

    def _task_labels(self, X: Any, task: Any) -> np.ndarray:
        """The task of each row, from the argument or from the column of X that holds it."""
        column = getattr(self, "task_column", None)
        if task is None and column is not None:
            task = split_task_column(X, column)[1]
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        return check_task(task, n_samples)


def check_samples(estimator: Any, X: Any, *y: Any, **params: Any) -> Any:
    """Check samples by scikit-learn's ``validate_data``, and that float32 can hold them.

    Parameters
    ----------
    estimator : estimator
    X : array-like or sparse matrix of shape (n_samples, n_features)
    *y : array-like, optional
    **params
        Further arguments of ``validate_data``.

    Returns
    -------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Of a type among SAMPLE_DTYPES, in the machine's byte order.
    y : ndarray
        Only if it was given.

    Raises
    ------
    ValueError
        If X is malformed.
    """
    if not y and _is_sound(estimator, X, params):
        return X
    if np.ma.is_masked(X):
        raise ValueError("X has masked values; fill them, or leave their rows out")
    types = [X.dtype] if hasattr(X, "dtype") else getattr(X, "dtypes", [])
    moments = [str(kind) for kind in types if re.match("date|time|duration", str(kind).lower())]
    if moments:
        # NumPy would convert moments to counts of a unit that depends on the type.
        raise ValueError(f"X has values of type {moments[0]}; make numbers of them first")
    # Values of other types are converted to the first one.
    dtypes, targets = [np.float64, *SAMPLE_DTYPES], map(plain_labels, y)
    try:
        checked = validate_data(estimator, X, *targets, dtype=dtypes, **params)
    except ValueError as error:
        if has_texts(X) or "could not convert string" in str(error):
            raise ValueError(f"{error}\n{TEXTS}") from error
        raise
    samples = checked[0] if y else checked
    values = samples.data if sparse.issparse(samples) else samples
    if values.dtype == np.float64 and values.size:
        least, most = values.min(), values.max()
        if max(-least, most) > _LARGEST:
            raise ValueError(
                f"X contains a value too large for float32 ({least if -least > most else most:g}); "
                "scale X"
            )
    return checked


def _is_sound(estimator: Any, X: Any, params: dict[str, Any]) -> bool:
    """Whether X is a plain array of new samples that needs no conversion and has no fault.

    The full check takes longer than the code of a single row.
    """
    return bool(
        type(X) is np.ndarray
        and not params.get("reset", True)
        and X.ndim == 2
        and X.dtype in SAMPLE_DTYPES
        and X.dtype.isnative
        and X.shape[0] > 0
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
        and X.size
        and -_LARGEST <= X.min()
        and X.max() <= _LARGEST
    )


def working_copy(estimator: Any, *, fresh: bool = True) -> Any:
    """A shallow copy to learn on; its state replaces the estimator's when nothing failed.

    An error or Ctrl-C then leaves the estimator as it was, without a line of clean-up.

    Parameters
    ----------
    estimator : estimator
    fresh : bool, default=True
        Leave fitted attributes out. Otherwise dicts among them are copied, to be added to.
    """
    draft = object.__new__(type(estimator))
    draft.__dict__ = {
        name: copy(value) if isinstance(value, dict) else value
        for name, value in vars(estimator).items()
        if not (fresh and name.endswith("_"))
    }
    return draft


@contextmanager
def replaced(estimator: Any, *, fresh: bool = True) -> Iterator[Any]:
    """A draft, whose state becomes the estimator's at the end of the ``with``.

    Where the block raises, the estimator stays as it was.

    Parameters
    ----------
    estimator : estimator
    fresh : bool, default=True
        As in :func:`working_copy`.
    """
    draft = working_copy(estimator, fresh=fresh)
    yield draft
    estimator.__dict__ = draft.__dict__


def codes_of(hasher: Any, X: Any, task: Any = None) -> np.ndarray:
    """Codes that a fitted hasher gives, as 0 and 1 whether it packs them or not."""
    codes = np.asarray(hasher.transform(X) if task is None else hasher.transform(X, task=task))
    return unpack_codes(codes, hasher.n_bits_) if getattr(hasher, "packed", False) else codes


def score_codes(
    codes: np.ndarray,
    y: ArrayLike,
    labels: np.ndarray,
    sample_weight: ArrayLike | None = None,
    *,
    packed: bool = False,
) -> float:
    """Mean average precision of codes, as :meth:`HasherMixin.score` gives it."""
    codes, y = as_bytes(codes), check_targets(y, len(codes))
    weight = check_sample_weight(sample_weight, codes, dtype=np.float64)
    precision = np.full(len(codes), np.nan)
    for _, rows in iter_tasks(labels):
        precision[rows] = average_precisions(codes[rows], y[rows], packed=packed)
    counted = ~np.isnan(precision) & (weight > 0)
    if not counted.any():
        return float("nan")
    return float(np.average(precision[counted], weights=weight[counted]))
