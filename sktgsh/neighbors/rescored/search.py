"""Searches of an index of vectors: codes propose candidates, vectors rank them."""

from __future__ import annotations

from math import ceil
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import check_feature_names
from ...codes import check_codes
from ...tasks import check_task
from ..checks import check_available, check_code_version, check_n_neighbors, check_radius
from ..graphs import NeighborGraphsMixin
from ..hamming import HammingNeighbors
from .vectors import Vectors, as_rows, row_blocks


class RescoredSearchMixin(NeighborGraphsMixin):
    """Searches of :class:`.RescoredNeighbors`."""

    metric: str
    n_neighbors: int
    radius: float
    oversampling: float
    candidates: str
    hasher_: Any
    centre_: np.ndarray | None
    n_features_in_: int
    vectors_: Vectors
    index_: HammingNeighbors

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
        near, found = self.vectors_.ranked(
            queries, candidates, candidates.shape[1], self.metric, radius
        )
        distances, rows = np.empty(len(near), dtype=object), np.empty(len(near), dtype=object)
        for query, inside in enumerate((near <= radius) & (found >= 0)):
            distances[query], rows[query] = near[query][inside], found[query][inside]
        return (distances, rows) if return_distance else rows

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
