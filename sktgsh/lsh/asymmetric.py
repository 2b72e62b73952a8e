"""Base of the asymmetric families: keys and queries are scaled, extended and hashed."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._sklearn import Interval, fit_context
from ..base import HasherMixin, check_samples, replaced
from ..norms import norms_of
from .signed import SignedRandomProjectionHasher

# Squares of numbers between these stay in the range of float32.
_SAFE_NORMS = (1e-15, 1e15)


class AsymmetricHasherMixin(HasherMixin):
    """Keys are scaled and extended, queries are normalised and extended; then both are hashed.

    A subclass says how in `_extend_keys` and `_extend_queries`, and with which family in
    `_make_hasher`.
    """

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "U": [Interval(Real, 0, 1, closed="right")],
        "max_norm": [None, Interval(Real, 0, None, closed="neither")],
        "packed": ["boolean"],
        "random_state": ["random_state"],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> AsymmetricHasherMixin:
        """Take the largest norm of the keys, and draw the projections.

        Parameters
        ----------
        X : array-like of shape (n_keys, n_features)
            Keys.
        y, task : ignored
            For the common interface.

        Returns
        -------
        self : object
        """
        with replaced(self) as draft:
            X = check_samples(draft, X)
            largest, most = _largest_norm(X), self.max_norm
            if most is not None and largest > most:
                raise ValueError(f"X has a key of norm {largest:.6g}, above max_norm={most}")
            # Keys that are all zero have no norm to scale by.
            draft.max_norm_ = float(most or largest or 1.0)
            draft.n_bits_ = int(self.n_bits)
            draft.hasher_ = draft._make_hasher().fit(draft._keys(X[:1]))
        return self

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Codes of keys.

        Parameters
        ----------
        X : array-like of shape (n_keys, n_features)
            Keys, none longer than the longest in `fit` (or `max_norm`).
        task : ignored
            Codes are the same in all tasks.

        Returns
        -------
        codes : ndarray of shape (n_keys, n_bits), dtype uint8
            Packed if `packed` is set.

        Raises
        ------
        ValueError
            If a key is longer.
        """
        keys = self._keys(self._check(X))
        return self.hasher_.transform(keys)

    def transform_queries(self, X: ArrayLike) -> np.ndarray:
        """Codes of queries, to be compared with the codes of keys.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries, none of them zero.

        Returns
        -------
        codes : ndarray of shape (n_queries, n_bits), dtype uint8
            Packed if `packed` is set.

        Raises
        ------
        ValueError
            If a query is zero: it has no direction.
        """
        queries = self._queries(self._check(X))
        return self.hasher_.transform(queries)

    def decision_function(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Values of keys before the threshold at 0.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        values : ndarray of shape (n_keys, n_bits), dtype float32
            Not negative where the bit is 1.

        Raises
        ------
        ValueError
            If a key is longer than the longest in `fit`.
        """
        keys = self._keys(self._check(X))
        return self.hasher_.decision_function(keys)

    def decision_function_queries(self, X: ArrayLike) -> np.ndarray:
        """Values of queries before the threshold at 0, to rank the codes of keys by.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries, none of them zero.

        Returns
        -------
        values : ndarray of shape (n_queries, n_bits), dtype float32
            Not negative where the bit is 1.

        Raises
        ------
        ValueError
            If a query is zero: it has no direction.
        """
        queries = self._queries(self._check(X))
        return self.hasher_.decision_function(queries)

    def collision_probability(self, inner_product: ArrayLike, norm: ArrayLike = 1.0) -> np.ndarray:
        """Probability that a hash of a query and a key is equal.

        Parameters
        ----------
        inner_product : array-like
            Of the normalised query and the key, the key divided by the largest norm of keys.
        norm : array-like, default=1.0
            Norm of the key, divided likewise.

        Returns
        -------
        probability : ndarray
        """
        inner, norm = np.broadcast_arrays(np.asarray(inner_product, float), np.asarray(norm, float))
        if np.any(np.abs(inner) > norm + 1e-9) or np.any(norm > 1 + 1e-9):
            raise ValueError("expected |inner_product| <= norm <= 1")
        return self._collision(self.U * inner, self.U * norm)

    def _check(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return check_samples(self, X, reset=False)

    def _keys(self, X: np.ndarray) -> np.ndarray:
        scaled = X.astype(np.float64) / self.max_norm_
        norms = np.linalg.norm(scaled, axis=1)
        if len(norms) and norms.max() > 1 + 1e-6:
            raise ValueError(
                f"X has a key of norm {norms.max() * self.max_norm_:.6g}, above the largest norm "
                f"{self.max_norm_:.6g} that keys are scaled by; fit again with it, or set max_norm"
            )
        return self._extend_keys(self.U * scaled)

    def _queries(self, X: np.ndarray) -> np.ndarray:
        X = X.astype(np.float64)
        norms = np.linalg.norm(X, axis=1)
        tiny = norms < _SAFE_NORMS[0]
        norms[tiny] = norms_of(X[tiny])
        if (norms == 0).any():
            row = int(np.flatnonzero(norms == 0)[0])
            raise ValueError(f"X has a query that is zero (row {row}); it has no direction")
        return self._extend_queries(X / norms[:, None])

    @abstractmethod
    def _make_hasher(self) -> BaseEstimator: ...

    @abstractmethod
    def _extend_keys(self, X: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _extend_queries(self, X: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _collision(self, inner: np.ndarray, norm: np.ndarray) -> np.ndarray: ...

    def _signs(self) -> SignedRandomProjectionHasher:
        return SignedRandomProjectionHasher(
            self.n_bits, packed=self.packed, random_state=self.random_state
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _largest_norm(X: np.ndarray) -> float:
    """The largest norm of the rows, whose squares may leave the range of their type."""
    with np.errstate(over="ignore"):
        largest = float(np.linalg.norm(X, axis=1).max())
    is_safe = _SAFE_NORMS[0] < largest < _SAFE_NORMS[1]
    return largest if is_safe else float(norms_of(X).max())


def norm_powers(norm: np.ndarray, m: int) -> np.ndarray:
    """``norm^2, norm^4, ..., norm^(2^m)`` along a new last axis."""
    return norm[..., None] ** (2.0 ** np.arange(1, m + 1))


def constant(X: np.ndarray, value: float, n_columns: int) -> np.ndarray:
    """Rows with columns of one value after their own."""
    return np.hstack([X, np.full((len(X), n_columns), value)])
