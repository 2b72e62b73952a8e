"""Signs of random projections, dense and sparse: the families for angles."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator

from .._sklearn import Interval
from ..persistence import saved
from .base import RandomProjectionMixin, gaussian_matrix, sign_collision, sparse_matrix


@saved("SignedRandomProjectionHasher")
class SignedRandomProjectionHasher(RandomProjectionMixin, BaseEstimator):
    """Signs of Gaussian random projections: the family for angles.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code. A short code is the prefix of a long one of the same `random_state`.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of the projections.

    Attributes
    ----------
    components_ : ndarray of shape (n_bits, n_features), dtype float32
        Projections.
    n_bits_ : int
        Length of a code.

    See Also
    --------
    sktgsh.SparseProjectionHasher : Each bit sees a few features.
    sktgsh.PStableHasher : For Euclidean and city-block distances.
    sktgsh.TaskGeometricHasher : Learns codes, for one task or many.
    sktgsh.neighbors.LSHNeighbors : Search in hash tables.

    References
    ----------
    M. Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002.

    Examples
    --------
    >>> from sktgsh import SignedRandomProjectionHasher
    >>> hasher = SignedRandomProjectionHasher(n_bits=4, random_state=0)
    >>> hasher.fit_transform([[1.0, 2.0], [-1.0, -2.0]]).sum(axis=0)
    array([1, 1, 1, 1], dtype=uint64)
    """

    def __init__(
        self,
        n_bits: int = 32,
        *,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.packed = packed
        self.random_state = random_state

    def _make_random_matrix(self, n_features: int, rng: np.random.RandomState) -> np.ndarray:
        return gaussian_matrix(self.n_bits, n_features, rng)

    def collision_probability(self, angle: ArrayLike) -> np.ndarray:
        """Probability that a bit of two samples is equal.

        Parameters
        ----------
        angle : array-like
            Angle between the samples, in radians, 0 to pi.

        Returns
        -------
        probability : ndarray
            ``1 - angle / pi``.
        """
        return sign_collision(angle)


@saved("SparseProjectionHasher")
class SparseProjectionHasher(RandomProjectionMixin, BaseEstimator):
    """Signs of sums and differences of a few coordinates; several tables of bits.

    Parameters
    ----------
    n_bits : int, default=32
        Bits of a table (K).
    n_tables : int, default=1
        Tables (L); a code has ``n_bits * n_tables`` bits, table after table.
    n_inputs : int, default=16
        Coordinates of a bit, each added or subtracted.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of coordinates and signs.

    Attributes
    ----------
    components_ : csr_array of shape (n_bits * n_tables, n_features), dtype float32
        Projections.

    See Also
    --------
    sktgsh.SignedRandomProjectionHasher : Signs of random projections.
    sktgsh.FlyHasher : Winners of a sparse expansion.

    References
    ----------
    The hash functions of Capsule (US patent 10,996,060), after D. Achlioptas, "Database-friendly
    random projections", JCSS 2003.

    Examples
    --------
    >>> from sktgsh import SparseProjectionHasher
    >>> hasher = SparseProjectionHasher(n_bits=4, n_tables=3, n_inputs=2, random_state=0)
    >>> hasher.fit_transform([[1.0, 2.0, 3.0]]).shape
    (1, 12)
    """

    _parameter_constraints: dict = {
        **RandomProjectionMixin._parameter_constraints,
        "n_tables": [Interval(Integral, 1, None, closed="left")],
        "n_inputs": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        n_tables: int = 1,
        n_inputs: int = 16,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.n_tables = n_tables
        self.n_inputs = n_inputs
        self.packed = packed
        self.random_state = random_state

    def _count_bits(self) -> int:
        return int(self.n_bits * self.n_tables)

    def _make_random_matrix(self, n_features: int, rng: np.random.RandomState) -> sparse.csr_array:
        return sparse_matrix(self.n_bits_, n_features, self.n_inputs, rng, signed=True)

    def collision_probability(self, angle: ArrayLike) -> np.ndarray:
        """Probability that a bit of two samples is equal.

        Exact for samples whose coordinates are jointly normal, and in the limit of many inputs
        (central limit theorem); samples with few large coordinates collide more often.

        Parameters
        ----------
        angle : array-like
            Angle between the samples, in radians, 0 to pi.

        Returns
        -------
        probability : ndarray
            ``1 - angle / pi``.
        """
        return sign_collision(angle)
