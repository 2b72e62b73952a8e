"""Random projections cut into intervals: the family for Euclidean distances."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr
from sklearn.base import BaseEstimator

from .._sklearn import Interval
from ..persistence import saved
from .base import RandomProjectionMixin, gaussian_matrix, signed_sizes

# At this many intervals from the origin, float32 has four binary digits for the place within one.
_FARTHEST = 2**20


@saved("PStableHasher")
class PStableHasher(RandomProjectionMixin, BaseEstimator):
    """Random projections cut into intervals: the family for Euclidean distances.

    A hash value is an integer, ``floor((a x + b) / r)``, and two samples collide where values are
    equal: :meth:`hash_values`. A bucket key joins several values by a hash of their tuple, as
    :class:`~sktgsh.neighbors.LSHNeighbors` does. A bit, for codes, is the parity of the value:
    neighbouring intervals differ, and the expected Hamming distance grows with the distance of the
    samples, to half of the bits. `decision_function` gives the distance from the nearest end of the
    interval, in units of `r`: a bit with a small value is the first to change.

    Parameters
    ----------
    n_bits : int, default=32
        Number of hash values, and of bits of a code.
    r : float, default=2.5
        Length of an interval, in the units of X.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of projections and offsets.

    Attributes
    ----------
    components_ : ndarray of shape (n_bits, n_features), dtype float32
        Projections, divided by `r`.
    offsets_ : ndarray of shape (n_bits,), dtype float32
        Offsets in units of `r`, 0 to 1.

    See Also
    --------
    sktgsh.SignedRandomProjectionHasher : Signs of random projections.
    sktgsh.L2ALSH : Inner products, by Euclidean distance.

    References
    ----------
    M. Datar et al., "Locality-sensitive hashing scheme based on p-stable distributions", SCG 2004.

    Examples
    --------
    >>> from sktgsh import PStableHasher
    >>> hasher = PStableHasher(n_bits=3, r=1.0, random_state=0).fit([[0.0, 1.0]])
    >>> hasher.hash_values([[0.0, 1.0], [0.0, 1.0]]).shape
    (2, 3)
    """

    _parameter_constraints: dict = {
        **RandomProjectionMixin._parameter_constraints,
        "r": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        r: float = 2.5,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.r = r
        self.packed = packed
        self.random_state = random_state

    def _draw(self, X: Any, rng: np.random.RandomState) -> None:
        super()._draw(X, rng)
        self.offsets_ = np.asarray(rng.uniform(size=self.n_bits_), np.float32)

    def _make_random_matrix(self, n_features: int, rng: np.random.RandomState) -> np.ndarray:
        return gaussian_matrix(self.n_bits, n_features, rng) / np.float32(self.r)

    def _intervals(self, values: np.ndarray) -> np.ndarray:
        if np.abs(values).max(initial=0) > _FARTHEST:
            raise ValueError(
                f"X has samples more than {_FARTHEST:,} intervals of r={self.r} from the origin, "
                "where float32 does not hold which one they fall in; subtract the mean from X, or "
                "raise r"
            )
        return np.floor(values + self.offsets_)

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        return np.mod(self._intervals(values), 2) == 1

    def _decide(self, values: np.ndarray) -> np.ndarray:
        inside = np.mod(values + self.offsets_, 1)
        return signed_sizes(self._to_bits(values), np.minimum(inside, 1 - inside))

    def hash_values(self, X: ArrayLike) -> np.ndarray:
        """Integer hash values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        values : ndarray of shape (n_samples, n_bits), dtype int64

        Raises
        ------
        ValueError
            If samples lie so far from the origin that float32 does not hold their interval.
        """
        X = self._check_samples(X)
        return self._read(X, self._intervals, self.n_bits_, np.int64)

    def collision_probability(self, distance: ArrayLike) -> np.ndarray:
        """Probability that a hash value of two samples is equal.

        Parameters
        ----------
        distance : array-like
            Euclidean distance between the samples.

        Returns
        -------
        probability : ndarray
            ``1 - 2 Phi(-t) - 2 / (sqrt(2 pi) t) (1 - exp(-t^2 / 2))`` with ``t = r / distance``.
        """
        distance = _check_distance(distance)
        with np.errstate(divide="ignore"):
            t = self.r / distance
        tail = np.where(np.isinf(t), 0.0, -np.expm1(-(t**2) / 2) / np.where(np.isinf(t), 1, t))
        return 1 - 2 * ndtr(-t) - 2 / np.sqrt(2 * np.pi) * tail

    def bit_collision_probability(self, distance: ArrayLike) -> np.ndarray:
        """Probability that a bit (the parity of a value) of two samples is equal.

        Parameters
        ----------
        distance : array-like
            Euclidean distance between the samples.

        Returns
        -------
        probability : ndarray
            The Fourier series of the parity, damped by the normal projection.
        """
        distance = _check_distance(distance)
        odd = np.arange(1, 200, 2)
        damping = np.exp(-0.5 * (np.pi * odd * distance[..., None] / self.r) ** 2)
        series = (damping / odd**2).sum(axis=-1) / (1 / odd**2).sum()
        return 0.5 + 0.5 * series


def _check_distance(distance: ArrayLike) -> np.ndarray:
    distance = np.asarray(distance, dtype=float)
    if np.any(distance < 0):
        raise ValueError(f"distance={distance!r}; expected values that are not negative")
    return distance
