"""Candidates by code, then the metric on the vectors themselves."""

from __future__ import annotations

from copy import copy
from math import ceil
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import HasMethods, Interval, StrOptions, check_feature_names, fit_context
from ...base import draft_of
from ...codes import check_codes
from ...lsh import SignedRandomProjectionHasher, SimpleLSH
from ...persistence import SaveMixin, VersionedMixin, saved
from ...tasks import check_task
from ..checks import METRICS, check_available, check_code_version, check_n_neighbors, check_radius
from ..graphs import NeighborGraphsMixin
from ..hamming import HammingNeighbors
from ..hamming.faiss_index import ALGORITHMS
from .vectors import PRECISIONS, Vectors, as_rows, row_blocks


@saved("RescoredNeighbors")
class RescoredNeighbors(VersionedMixin, SaveMixin, NeighborGraphsMixin, BaseEstimator):
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
        draft = draft_of(self)
        check_feature_names(draft, X, reset=True)
        X = as_rows(X)
        labels = None if task is None else check_task(task, len(X))
        hasher = self._default_hasher() if self.hasher is None else clone(self.hasher)
        draft.centre_ = None
        if self.hasher is None and self.metric == "euclidean":
            # Signs of projections tell directions; from the mean, near rows have near ones.
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
        # On a copy: a shallow copy of this estimator shares the codes.
        index: HammingNeighbors = copy(self.index_)
        self.index_, self.vectors_ = index.add(codes, task=labels), vectors
        return self

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        task: Any = None,
        filter: ArrayLike | None = None,
        oversampling: float | None = None,
        check_version: bool = True,
    ) -> Any:
        """The nearest candidates of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries; by default the indexed rows, none of which is its own neighbour.
        n_neighbors : int, optional
            By default as in the constructor.
        return_distance : bool, default=True
            Whether to return distances.
        task : int, str or array-like of shape (n_queries,), optional
            The task that a query is hashed by and searched within.
        filter : array-like of bool of shape (n_samples_fit,), or of rows' numbers, optional
            Search among these rows only.
        oversampling : float, optional
            By default as in the constructor. Where all rows are candidates, the result is exact.
        check_version : bool, default=True
            Whether to refuse to search where the hasher's `code_version_` is no longer that of
            the fitted rows.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
            Only if `return_distance` is set.
        rows : ndarray of shape (n_queries, n_neighbors), dtype int64
            Nearest first; -1, at distance infinity, where `filter` or a task leaves too few.

        Raises
        ------
        ValueError
            If there are fewer rows than neighbours asked for, or the hasher gives other codes
            than when the rows were hashed.
        """
        check_is_fitted(self)
        self._check_version(check_version)
        k = check_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        queries, candidates = self._candidates(X, k, task, filter, oversampling)
        distances, rows = self.vectors_.ranked(queries, candidates, k, self.metric)
        return (distances, rows) if return_distance else rows

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
        *,
        task: Any = None,
        filter: ArrayLike | None = None,
        oversampling: float | None = None,
        check_version: bool = True,
    ) -> Any:
        """All candidates within a radius of each query: of those that codes find, not of all rows.

        There are ``n_neighbors * oversampling`` candidates, of the constructor's `n_neighbors`.

        Parameters
        ----------
        X, return_distance, task, filter, oversampling, check_version
            As in :meth:`kneighbors`.
        radius : float, optional
            By default as in the constructor; rows at this distance are included.
        sort_results : bool, default=False
            Has no effect: the nearest come first.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of arrays
            Only if `return_distance` is set.
        rows : ndarray of shape (n_queries,) of arrays
        """
        check_is_fitted(self)
        self._check_version(check_version)
        radius = check_radius(
            self.radius if radius is None else radius, negative=self.metric == "inner_product"
        )
        own = X is None
        k = min(check_n_neighbors(self.n_neighbors), self.n_samples_fit_ - own)
        queries, candidates = self._candidates(X, k, task, filter, oversampling)
        near, found = self.vectors_.ranked(queries, candidates, candidates.shape[1], self.metric)
        distances, rows = np.empty(len(near), dtype=object), np.empty(len(near), dtype=object)
        for query, inside in enumerate((near <= radius) & (found >= 0)):
            distances[query], rows[query] = near[query][inside], found[query][inside]
        return (distances, rows) if return_distance else rows

    def _default_hasher(self) -> Any:
        family = SimpleLSH if self.metric == "inner_product" else SignedRandomProjectionHasher
        return family(128, random_state=0)

    def _check_version(self, check_version: bool) -> None:
        current = getattr(self.hasher_, "code_version_", None)
        check_code_version(current, self.index_.code_version_, check=check_version)

    def _candidates(
        self, X: Any, k: int, task: Any, filter: Any, oversampling: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Queries, and the rows that are candidates of each; -1 where there are none."""
        check_is_fitted(self)
        factor = self.oversampling if oversampling is None else oversampling
        if not isinstance(factor, Real) or not 1 <= factor < np.inf:
            raise ValueError(f"oversampling={factor!r}; expected a number of at least 1")
        own = X is None
        if not own:
            check_feature_names(self, X, reset=False)
        queries = self.vectors_.stored if own else as_rows(X, self.n_features_in_)
        if own and self.vectors_.precision == "int8":
            queries = self.vectors_[np.arange(len(queries))]
        check_available(k, self.n_samples_fit_, own=own)
        n_candidates = min(ceil(k * factor), self.n_samples_fit_ - own) + own
        labels = None if task is None else check_task(task, len(queries))
        asked = self._hash(queries, labels, queries=True)
        rows = self.index_.kneighbors(
            asked, n_candidates, return_distance=False, task=labels, filter=filter
        )
        if own:
            rows = np.where(rows == np.arange(len(queries))[:, None], -1, rows)
        return queries, rows

    @property
    def n_samples_fit_(self) -> int:  # type: ignore[override]  # others store it
        """Number of rows."""
        return self.index_.n_samples_fit_

    def _hash(
        self, X: np.ndarray, labels: np.ndarray | None, *, queries: bool = False
    ) -> np.ndarray:
        """Codes of rows; codes or values of queries; block by block."""
        name = "transform"
        if queries and self.candidates == "values":
            name = "decision_function"
        if queries and hasattr(self.hasher_, f"{name}_queries"):
            name, labels = f"{name}_queries", None  # of an asymmetric hasher, which knows no tasks
        read = getattr(self.hasher_, name)
        parts = []
        for rows in row_blocks(len(X)):
            task = {} if labels is None else {"task": labels[rows]}
            part = np.asarray(X[rows])
            part = part if self.centre_ is None else part - self.centre_
            parts.append(np.asarray(read(part, **task)))
        hashed = np.concatenate(parts)
        # Codes in floating point would be taken as scores.
        return check_codes(hashed) if hashed.dtype.kind == "f" and "transform" in name else hashed


def _mean(X: np.ndarray) -> np.ndarray:
    """Mean of the rows, read block by block."""
    sums = [X[rows].sum(axis=0, dtype=np.float64) for rows in row_blocks(len(X))]
    return np.sum(sums, axis=0) / len(X)
