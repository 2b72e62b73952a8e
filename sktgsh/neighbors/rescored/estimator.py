"""Candidates by code, then the metric on the vectors themselves."""

from __future__ import annotations

from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import HasMethods, Interval, StrOptions, check_feature_names, fit_context
from ...base import working_copy
from ...lsh import SignedRandomProjectionHasher, SimpleLSH
from ...persistence import SaveMixin, VersionedMixin, saved
from ...tasks import check_task
from ..checks import METRICS
from ..hamming import HammingNeighbors
from ..hamming.faiss_index import ALGORITHMS
from .search import RescoredSearchMixin
from .vectors import PRECISIONS, Vectors, as_rows, row_blocks


@saved("RescoredNeighbors")
class RescoredNeighbors(VersionedMixin, SaveMixin, RescoredSearchMixin, BaseEstimator):
    """Neighbours by a metric: candidates by their codes, ranked by their vectors.

    Codes find `oversampling` candidates for each neighbour that is asked for; the metric on the
    vectors says which of them are nearest. Codes are small and searched in memory; vectors are read
    for candidates only, and may lie in a file.

    Parameters
    ----------
    hasher : estimator, optional
        Any hasher of the package; by default of 128 bits: :class:`~sktgsh.SimpleLSH` for
        ``metric="inner_product"``, else :class:`~sktgsh.SignedRandomProjectionHasher`, for
        ``"euclidean"`` of the rows less their mean. Wrap one that is fitted in
        ``sklearn.frozen.FrozenEstimator``.
    metric : {"cosine", "euclidean", "inner_product"}, default="cosine"
        What candidates are ranked by: 1 - cosine, the distance, or the negative product.
    n_neighbors : int, default=5
        Neighbours of a query, where a call does not say.
    radius : float, default=1.0
        Radius of a query, where a call does not say.
    oversampling : float, default=10
        Candidates for each neighbour, where a call does not say; at least 1.
    candidates : {"codes", "values"}, default="codes"
        Find candidates by the query's code, or by its values before the threshold, which is better
        and slower: the hasher's `decision_function`.
    vectors : {"same", "float32", "float16", "int8"}, default="same"
        How vectors are kept. ``"same"`` keeps X itself: a ``numpy.memmap`` stays in its file.
        ``"int8"`` takes a byte a number, 255 steps between the extremes of each feature.
    algorithm, index_params
        Of :class:`HammingNeighbors`.

    Attributes
    ----------
    hasher_ : estimator
        The fitted hasher.
    centre_ : ndarray of shape (n_features,) or None
        What the default hasher subtracts from rows and queries, for ``metric="euclidean"``.
    index_ : HammingNeighbors
        The codes.
    n_samples_fit_ : int
        Number of rows.

    See Also
    --------
    sktgsh.neighbors.HammingNeighbors : Search by Hamming distance, in memory.
    sktgsh.neighbors.LSHNeighbors : Search in hash tables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh.neighbors import RescoredNeighbors
    >>> X = load_digits().data
    >>> index = RescoredNeighbors(metric="euclidean", vectors="float16").fit(X)
    >>> distances, rows = index.kneighbors(X[:2], n_neighbors=3)
    >>> rows[:, 0]
    array([0, 1])
    """

    vectors_: Vectors

    index_: HammingNeighbors
    _parameter_constraints: dict = {
        "hasher": [None, HasMethods(["fit", "transform"])],
        "metric": [StrOptions(set(METRICS))],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Real],
        "oversampling": [Interval(Real, 1, None, closed="left")],
        "candidates": [StrOptions({"codes", "values"})],
        "vectors": [StrOptions(set(PRECISIONS))],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "index_params": [None, dict],
    }

    def __init__(
        self,
        hasher: Any = None,
        *,
        metric: str = "cosine",
        n_neighbors: int = 5,
        radius: float = 1.0,
        oversampling: float = 10,
        candidates: str = "codes",
        vectors: str = "same",
        algorithm: str = "flat",
        index_params: dict | None = None,
    ):
        self.hasher = hasher
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.oversampling = oversampling
        self.candidates = candidates
        self.vectors = vectors
        self.algorithm = algorithm
        self.index_params = index_params

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, task: Any = None) -> Any:
        """Fit the hasher, and index the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. They are hashed block by block; a hasher that is to be fitted reads them all.
        y : array-like of shape (n_samples,), optional
            Given to the hasher; supervised ones need it.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks, to hash by, and to search within one of them.

        Returns
        -------
        self : RescoredNeighbors

        Raises
        ------
        ValueError
            If rows are not finite numbers, or the hasher has no values and `candidates` asks for
            them.
        """
        draft = working_copy(self)
        check_feature_names(draft, X, reset=True)
        X = as_rows(X)
        labels = None if task is None else check_task(task, len(X))
        hasher = self._default_hasher() if self.hasher is None else clone(self.hasher)
        draft.centre_ = None
        if self.hasher is None and self.metric == "euclidean":
            # Signs of projections compare directions, which separate rows only around their mean.
            draft.centre_ = _mean(X)
        if self.candidates == "values" and not hasattr(hasher, "decision_function"):
            raise ValueError(
                f"candidates='values' needs values before the threshold, but "
                f"{type(hasher).__name__} has no decision_function; use 'codes'"
            )
        given = {} if task is None else {"task": labels}
        draft.hasher_ = hasher.fit(X if draft.centre_ is None else X - draft.centre_, y, **given)
        draft.n_features_in_ = X.shape[1]
        draft.vectors_ = Vectors(X, self.vectors)
        draft.index_ = HammingNeighbors(
            packed=bool(getattr(draft.hasher_, "packed", False)),
            algorithm=self.algorithm,
            index_params=self.index_params,
        )
        version = getattr(draft.hasher_, "code_version_", None)
        draft.index_.fit(draft._hash(X, labels), task=labels, code_version=version)
        self.__dict__ = draft.__dict__
        return self

    def add(self, X: ArrayLike, *, task: Any = None) -> RescoredNeighbors:
        """Index more rows; the hasher stays as it is. Each call copies: add many at once.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks, if and only if `fit` had them.

        Returns
        -------
        self : RescoredNeighbors

        Raises
        ------
        ValueError
            If the width differs or numbers are not finite. The index then stays as it was.
        """
        check_is_fitted(self)
        self._check_version(True)
        check_feature_names(self, X, reset=False)
        X = as_rows(X, self.n_features_in_)
        labels = None if task is None else check_task(task, len(X))
        codes, vectors = self._hash(X, labels), self.vectors_.added(X)
        # Added to a copy, because a shallow copy of this estimator shares the index.
        index: HammingNeighbors = copy(self.index_)
        version = getattr(self.hasher_, "code_version_", None)
        self.index_, self.vectors_ = index.add(codes, task=labels, code_version=version), vectors
        return self

    def _default_hasher(self) -> Any:
        family = SimpleLSH if self.metric == "inner_product" else SignedRandomProjectionHasher
        return family(128, random_state=0)

    @property
    def n_samples_fit_(self) -> int:  # type: ignore[override]  # others store it
        """Number of rows."""
        return self.index_.n_samples_fit_


def _mean(X: np.ndarray) -> np.ndarray:
    """Mean of the rows, read block by block."""
    sums = [X[rows].sum(axis=0, dtype=np.float64) for rows in row_blocks(len(X))]
    return np.sum(sums, axis=0) / len(X)
