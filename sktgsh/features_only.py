"""Transformers that work on the features and leave the task column of X alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ._sklearn import HasMethods, fit_context
from .callbacks import CallbackSupportMixin, whole_fit
from .persistence import SaveMixin, VersionedMixin, saved
from .tasks import split_task_column


@saved("FeaturesOnly")
class FeaturesOnly(
    CallbackSupportMixin, VersionedMixin, SaveMixin, TransformerMixin, BaseEstimator
):
    """A transformer that sees the features alone: the task column passes as it is.

    For a pipeline whose last step takes the task from a column of X. A scaler, an imputer or a
    projection would otherwise fail at labels that are strings, and scale those that are numbers.

    Parameters
    ----------
    transformer : transformer
        Fitted as a clone, on all columns but the task's.
    task_column : int or str
        The column's name in a DataFrame, or its index.

    Attributes
    ----------
    columns_ : sklearn.compose.ColumnTransformer
        What was fitted.
    n_features_in_ : int
        Number of columns, the task's among them.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where X has names.

    See Also
    --------
    sktgsh.TaskGeometricHasher : Learns codes, for one task or many.
    sklearn.compose.ColumnTransformer : What it is made of.

    Notes
    -----
    A DataFrame of pandas or polars stays one, so that the next step finds the task by its name,
    whatever `set_output` asks for; with scikit-learn 1.8, its columns need names. The task is the
    last column of what comes out: in an array, the next step finds it by ``task_column=-1``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sktgsh import FeaturesOnly, TaskGeometricHasher
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X["shop"] = ["Rome", "Oslo"] * 75
    >>> model = make_pipeline(
    ...     FeaturesOnly(StandardScaler(), "shop"),
    ...     TaskGeometricHasher(n_bits=8, task_column="shop", random_state=0),
    ... )
    >>> model.fit(X, y).transform(X).shape
    (150, 8)
    >>> model[-1].tasks_
    array(['Rome', 'Oslo'], dtype='<U4')
    """

    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform"])],
        "task_column": [int, str, np.integer],
    }

    def __init__(self, transformer: Any, task_column: int | str):
        self.transformer = transformer
        self.task_column = task_column

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> FeaturesOnly:
        """Fit the transformer on the features.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix} of shape (n_samples, n_features + 1)
            Samples with their task.
        y : array-like of shape (n_samples,), optional
            Given to the transformer.

        Returns
        -------
        self : FeaturesOnly

        Raises
        ------
        ValueError
            If X has no such column.
        """
        self.fit_transform(X, y)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> Any:
        """Fit, then transform the same rows; the task column passes as it is.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix} of shape (n_samples, n_features + 1)
            Samples with their task.
        y : array-like of shape (n_samples,), optional
            Given to the transformer.

        Returns
        -------
        transformed : {DataFrame, ndarray, sparse matrix} of shape (n_samples, n_transformed + 1)
            As `transform` gives it.
        """
        X, transformer = _as_table(X, self.task_column), clone(self.transformer)
        columns = ColumnTransformer(
            [("features", transformer, self._feature_columns(X))],
            remainder="passthrough",
            verbose_feature_names_out=False,
        )
        if hasattr(X, "columns"):
            columns.set_output(transform=type(X).__module__.split(".")[0])
        with whole_fit(self, self, 1, X, y) as fit:
            with fit.subfit("features", transformer), _taken_as_it_is(transformer):
                found = columns.fit_transform(X, y)
            self.columns_ = columns
        return found

    def transform(self, X: ArrayLike) -> Any:
        """Transform the features.

        Parameters
        ----------
        X : {DataFrame, ndarray, sparse matrix} of shape (n_samples, n_features + 1)
            Samples with their task.

        Returns
        -------
        transformed : {DataFrame, ndarray, sparse matrix} of shape (n_samples, n_transformed + 1)
            The task is the last column. A DataFrame where `fit` saw one.
        """
        check_is_fitted(self)
        return self.columns_.transform(_as_table(X, self.task_column))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of what comes out, the task column last.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the columns, where X had none.

        Returns
        -------
        names : ndarray of str of shape (n_transformed + 1,)
            The task column's is the last.
        """
        check_is_fitted(self)
        return self.columns_.get_feature_names_out(input_features)

    def set_output(self, *, transform: str | None = None) -> FeaturesOnly:
        """Change nothing: a DataFrame stays a DataFrame, and an array an array.

        Parameters
        ----------
        transform : str, optional
            As everywhere in scikit-learn.

        Returns
        -------
        self : FeaturesOnly
        """
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of columns, the task's among them."""
        check_is_fitted(self)
        return self.columns_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns."""
        return self.columns_.feature_names_in_

    def _feature_columns(self, X: Any) -> list:
        """The columns of X without the task's, by name where the task's is a name."""
        if isinstance(self.task_column, str) and hasattr(X, "columns"):
            return list(split_task_column(X.head(0), self.task_column)[0].columns)
        positions = np.arange(X.shape[1])[None]
        return split_task_column(positions, self.task_column)[0].ravel().tolist()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "columns_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        taken = get_tags(self.transformer).input_tags
        tags.input_tags.sparse, tags.input_tags.allow_nan = taken.sparse, taken.allow_nan
        return tags


@contextmanager
def _taken_as_it_is(transformer: Any) -> Iterator[None]:
    """Let a ColumnTransformer fit this very object, which callbacks follow, and no clone of it."""
    transformer.__sklearn_clone__ = lambda: transformer
    try:
        yield
    finally:
        vars(transformer).pop("__sklearn_clone__", None)


def _as_table(X: Any, task_column: int | str) -> Any:
    """A DataFrame, a sparse matrix in rows, anything else as an array with columns.

    Where a column with the name of the tasks' was added to the numbered ones of an array, numbers
    become names: scikit-learn takes no names of several types.
    """
    if hasattr(X, "columns"):
        others = [name for name in X.columns if name != task_column]
        are_numbered = len(others) < len(X.columns) and not any(isinstance(n, str) for n in others)
        if isinstance(task_column, str) and others and are_numbered:
            return X.set_axis([str(name) for name in X.columns], axis=1)
        return X
    if hasattr(X, "tocsr"):
        return X.tocsr()
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array: X has shape {X.shape}, not (n_samples, n_columns), the "
            "task's column among them. Reshape your data"
        )
    return X
