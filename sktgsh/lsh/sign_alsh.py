"""Asymmetric hashing for maximum inner product search: keys and queries are mapped differently.

The nearest key is not the key of the largest inner product. With the query Q = [1 1] and the keys
A = [1 -1] and B = [3 3], A is nearer, and B has the larger product:

>>> import numpy as np
>>> from sktgsh import PStableHasher, SignALSH
>>> Q, keys = np.array([[1.0, 1.0]]), np.array([[1.0, -1.0], [3.0, 3.0]])
>>> np.linalg.norm(keys - Q, axis=1).round(2), keys @ Q[0]
(array([2.  , 2.83]), array([0., 6.]))

Hashes for distances collide more often with A, asymmetric hashes with B:

>>> near = PStableHasher(1000, random_state=0).fit(keys)
>>> matches = (near.hash_values(keys) == near.hash_values(Q)).mean(axis=1)
>>> bool(matches[0] > matches[1])
True
>>> large = SignALSH(1000, random_state=0).fit(keys)
>>> matches = (large.transform(keys) == large.transform_queries(Q)).mean(axis=1)
>>> bool(matches[1] > matches[0])
True
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator

from .._sklearn import Interval
from ..persistence import saved
from .asymmetric import AsymmetricHasherMixin, constant, norm_powers
from .signed import SignedRandomProjectionHasher


def _sign_probability(cosine: np.ndarray) -> np.ndarray:
    return 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi


@saved("SignALSH")
class SignALSH(AsymmetricHasherMixin, BaseEstimator):
    """Sign-ALSH: ``P(x) = [x; 1/2 - |x|^2; 1/2 - |x|^4; ...]``, ``Q(q) = [q; 0; ...]``, signs.

    Parameters
    ----------
    n_bits : int, default=64
        Length of a code.
    m : int, default=2
        Number of values that extend a key.
    U : float, default=0.75
        Largest norm of a scaled key.
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
    hasher_ : SignedRandomProjectionHasher
        Hashes the extended vectors.

    See Also
    --------
    sktgsh.SimpleLSH : Inner products, by one added column.
    sktgsh.L2ALSH : Inner products, by Euclidean distance.
    sktgsh.neighbors.LSHNeighbors : Search in hash tables.

    References
    ----------
    A. Shrivastava and P. Li, "Improved asymmetric locality sensitive hashing (ALSH) for maximum
    inner product search", UAI 2015, arXiv 1410.5410.

    Examples
    --------
    >>> from sktgsh import SignALSH
    >>> hasher = SignALSH(n_bits=8, random_state=0).fit([[1.0, 0.0], [0.0, 0.1]])
    >>> hasher.transform([[1.0, 0.0]]).shape, hasher.transform_queries([[5.0, 0.0]]).shape
    ((1, 8), (1, 8))
    """

    _parameter_constraints: dict = {
        **AsymmetricHasherMixin._parameter_constraints,
        "m": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        m: int = 2,
        U: float = 0.75,
        max_norm: float | None = None,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.m = m
        self.U = U
        self.max_norm = max_norm
        self.packed = packed
        self.random_state = random_state

    def _make_hasher(self) -> SignedRandomProjectionHasher:
        return self._signs()

    def _extend_keys(self, X: np.ndarray) -> np.ndarray:
        return np.hstack([X, 0.5 - norm_powers(np.linalg.norm(X, axis=1), self.m)])

    def _extend_queries(self, X: np.ndarray) -> np.ndarray:
        return constant(X, 0.0, self.m)

    def _collision(self, inner: np.ndarray, norm: np.ndarray) -> np.ndarray:
        length = norm**2 + ((0.5 - norm_powers(norm, self.m)) ** 2).sum(axis=-1)
        return _sign_probability(inner / np.sqrt(length))


@saved("SimpleLSH")
class SimpleLSH(AsymmetricHasherMixin, BaseEstimator):
    """Simple-LSH: ``P(x) = [x; sqrt(1 - |x|^2)]``, ``Q(q) = [q; 0]``, signs.

    Parameters
    ----------
    n_bits : int, default=64
        Length of a code.
    U : float, default=1.0
        Largest norm of a scaled key.
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
    hasher_ : SignedRandomProjectionHasher
        Hashes the extended vectors.

    See Also
    --------
    sktgsh.SignALSH : Inner products, by signs.
    sktgsh.L2ALSH : Inner products, by Euclidean distance.
    sktgsh.neighbors.LSHNeighbors : Search in hash tables.

    References
    ----------
    B. Neyshabur and N. Srebro, "On symmetric and asymmetric LSHs for inner product search",
    ICML 2015.

    Examples
    --------
    >>> from sktgsh import SimpleLSH
    >>> SimpleLSH(n_bits=8, random_state=0).fit_transform([[1.0, 0.0], [0.0, 0.1]]).shape
    (2, 8)
    """

    def __init__(
        self,
        n_bits: int = 64,
        *,
        U: float = 1.0,
        max_norm: float | None = None,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.U = U
        self.max_norm = max_norm
        self.packed = packed
        self.random_state = random_state

    def _make_hasher(self) -> SignedRandomProjectionHasher:
        return self._signs()

    def _extend_keys(self, X: np.ndarray) -> np.ndarray:
        rest = np.sqrt(np.maximum(1 - (X**2).sum(axis=1), 0))
        return np.hstack([X, rest[:, None]])

    def _extend_queries(self, X: np.ndarray) -> np.ndarray:
        return constant(X, 0.0, 1)

    def _collision(self, inner: np.ndarray, norm: np.ndarray) -> np.ndarray:
        return _sign_probability(inner)
