"""L2-ALSH: inner products by a family for distances."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from .._sklearn import Interval
from ..persistence import saved
from .asymmetric import AsymmetricHasherMixin, constant, norm_powers
from .pstable import PStableHasher


@saved("L2ALSH")
class L2ALSH(AsymmetricHasherMixin, BaseEstimator):
    """L2-ALSH: ``P(x) = [x; |x|^2; |x|^4; ...]``, ``Q(q) = [q; 1/2; ...]``, p-stable hashes.

    Parameters
    ----------
    n_bits : int, default=64
        Number of hash values, and of bits of a code.
    m : int, default=3
        Number of values that extend a key.
    U : float, default=0.83
        Largest norm of a scaled key.
    r : float, default=2.5
        Length of an interval of the p-stable hash.
    max_norm : float, optional
        Bound on the norm of keys; by default the largest norm in `fit`.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of the projections.

    Attributes
    ----------
    max_norm_ : float
        What keys are scaled by.
    hasher_ : PStableHasher
        Hashes the extended vectors.

    See Also
    --------
    sktgsh.SignALSH : Inner products, by signs.
    sktgsh.SimpleLSH : Inner products, by one added column.
    sktgsh.PStableHasher : For Euclidean and city-block distances.

    References
    ----------
    A. Shrivastava and P. Li, "Asymmetric LSH (ALSH) for sublinear time maximum inner product search
    (MIPS)", NIPS 2014.

    Examples
    --------
    >>> from sktgsh import L2ALSH
    >>> hasher = L2ALSH(n_bits=8, random_state=0).fit([[1.0, 0.0], [0.0, 0.1]])
    >>> hasher.hash_values([[1.0, 0.0]]).shape, hasher.hash_query_values([[5.0, 0.0]]).shape
    ((1, 8), (1, 8))
    """

    _parameter_constraints: dict = {
        **AsymmetricHasherMixin._parameter_constraints,
        "m": [Interval(Integral, 1, None, closed="left")],
        "r": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        m: int = 3,
        U: float = 0.83,
        r: float = 2.5,
        max_norm: float | None = None,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.m = m
        self.U = U
        self.r = r
        self.max_norm = max_norm
        self.packed = packed
        self.random_state = random_state

    def hash_values(self, X: ArrayLike) -> np.ndarray:
        """Integer hash values of keys; see :class:`~sktgsh.PStableHasher`.

        Parameters
        ----------
        X : array-like of shape (n_keys, n_features)
            Keys.

        Returns
        -------
        values : ndarray of shape (n_keys, n_bits)
            Their parities are the bits.
        """
        keys = self._keys(self._check(X))
        return self.hasher_.hash_values(keys)

    def hash_query_values(self, X: ArrayLike) -> np.ndarray:
        """Integer hash values of queries.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        values : ndarray of shape (n_queries, n_bits)
            Their parities are the bits.
        """
        queries = self._queries(self._check(X))
        return self.hasher_.hash_values(queries)

    def _make_hasher(self) -> PStableHasher:
        return PStableHasher(
            self.n_bits, r=self.r, packed=self.packed, random_state=self.random_state
        )

    def _extend_keys(self, X: np.ndarray) -> np.ndarray:
        return np.hstack([X, norm_powers(np.linalg.norm(X, axis=1), self.m)])

    def _extend_queries(self, X: np.ndarray) -> np.ndarray:
        return constant(X, 0.5, self.m)

    def _collision(self, inner: np.ndarray, norm: np.ndarray) -> np.ndarray:
        # |Q(q) - P(x)|^2 = 1 + m / 4 - 2 q.x + |x|^(2^(m + 1)).
        squared = 1 + self.m / 4 - 2 * inner + norm ** (2.0 ** (self.m + 1))
        return self._make_hasher().collision_probability(np.sqrt(np.maximum(squared, 0)))
