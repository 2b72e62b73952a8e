"""The fly's olfactory hash, and its dense form."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import ndtri
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator

from .._sklearn import Interval
from ..batches import ScaledRows
from ..persistence import saved
from .base import RandomProjectionMixin, sign_collision, signed_sizes, sparse_matrix


class _FlyExpansionMixin(RandomProjectionMixin):
    """Units that sum a random tenth of the features, less what is expected of them."""

    _parameter_constraints: dict = {
        **RandomProjectionMixin._parameter_constraints,
        "n_inputs": [None, Interval(Integral, 1, None, closed="left")],
    }

    def _make_random_matrix(self, n_features: int, rng: np.random.RandomState) -> sparse.csr_array:
        n_inputs = max(1, n_features // 10) if self.n_inputs is None else self.n_inputs
        return sparse_matrix(self.n_bits, n_features, n_inputs, rng, signed=False)

    def _read(self, X: Any, *how: Any) -> np.ndarray:
        # Dense rows are centred before they become float32; sparse ones would become dense.
        return super()._read(X if sparse.issparse(X) else ScaledRows(X, shift=None), *how)

    def _project(self, samples: Any) -> np.ndarray:
        n_inputs = np.diff(self.components_.indptr)[0]
        mean = np.asarray(samples.mean(axis=1, dtype=np.float64)).reshape(-1, 1)
        return super()._project(samples) - (n_inputs * mean).astype(np.float32)


@saved("FlyHasher")
class FlyHasher(_FlyExpansionMixin, BaseEstimator):
    """The fly's olfactory hash: sparse expansion, then the most active units win.

    Parameters
    ----------
    n_bits : int, default=1024
        Number of expanded units, which is the length of a code.
    sparsity : float, default=0.05
        Share of the bits that are 1: the most active units (of equal ones, the first).
    n_inputs : int, optional
        Features that a unit sums; by default a tenth.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of the expansion.

    Attributes
    ----------
    components_ : csr_array of shape (n_bits, n_features), dtype float32
        The expansion.
    n_active_ : int
        Number of ones in a code.

    See Also
    --------
    sktgsh.DenseFlyHasher : All units of the expansion, not the winners alone.
    sktgsh.SparseProjectionHasher : Each bit sees a few features.

    Notes
    -----
    `decision_function` gives a unit's activity less the threshold of its row, which lies half-way
    between the last winner and the first of the others.

    References
    ----------
    S. Dasgupta, C. F. Stevens and S. Navlakha, "A neural algorithm for a fundamental computing
    problem", Science 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh import FlyHasher
    >>> FlyHasher(n_bits=40, random_state=0).fit_transform(np.eye(20)).sum(axis=1)[:3]
    array([2, 2, 2], dtype=uint64)
    """

    _parameter_constraints: dict = {
        **_FlyExpansionMixin._parameter_constraints,
        "sparsity": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        n_bits: int = 1024,
        *,
        sparsity: float = 0.05,
        n_inputs: int | None = None,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.sparsity = sparsity
        self.n_inputs = n_inputs
        self.packed = packed
        self.random_state = random_state

    def _draw(self, X: Any, rng: np.random.RandomState) -> None:
        super()._draw(X, rng)
        self.n_active_ = max(1, round(self.sparsity * self.n_bits))

    def _decide(self, values: np.ndarray) -> np.ndarray:
        """Values less the row's threshold, half-way between the last winner and the next unit."""
        bits = self._to_bits(values)
        last = np.where(bits, values, np.inf).min(axis=1, keepdims=True)
        following = np.where(bits, -np.inf, values).max(axis=1, keepdims=True)
        threshold = last if bits.all() else (last + following) / 2
        # Among equal units, some may have won and others not.
        return signed_sizes(bits, np.abs(values - threshold))

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        winners = np.argsort(-values, axis=1, kind="stable")[:, : self.n_active_]
        bits = np.zeros(values.shape, bool)
        np.put_along_axis(bits, winners, True, axis=1)
        return bits

    def collision_probability(self, angle: ArrayLike) -> np.ndarray:
        """Probability that a unit which wins for one sample also wins for the other.

        In the limit of many units with normal activity: two correlated normal variables that both
        exceed the quantile of the winners.

        Parameters
        ----------
        angle : array-like
            Angle between the samples, each less its mean over the features, in radians.

        Returns
        -------
        probability : ndarray
        """
        angle = np.asarray(angle, dtype=float)
        sign_collision(angle)
        share = max(1, round(self.sparsity * self.n_bits)) / self.n_bits
        if share >= 1:
            return np.ones_like(angle)
        threshold = ndtri(share)
        both = [
            multivariate_normal.cdf([threshold, threshold], cov=[[1, rho], [rho, 1]])
            if abs(rho) < 1 - 1e-12
            else (share if rho > 0 else 0.0)
            for rho in np.cos(angle.ravel())
        ]
        return np.reshape(both, angle.shape) / share


@saved("DenseFlyHasher")
class DenseFlyHasher(_FlyExpansionMixin, BaseEstimator):
    """Signs of the fly's sparse expansion, with short pseudo-hashes as bucket keys.

    Parameters
    ----------
    n_bits : int, default=1024
        Number of expanded units, which is the length of a code.
    n_inputs : int, optional
        Features that a unit sums; by default a tenth.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of the expansion.

    Attributes
    ----------
    components_ : csr_array of shape (n_bits, n_features), dtype float32
        The expansion.

    See Also
    --------
    sktgsh.FlyHasher : Winners of a sparse expansion.
    sktgsh.SignedRandomProjectionHasher : Signs of random projections.

    References
    ----------
    J. Sharma and S. Navlakha, "Improving similarity search with high-dimensional locality-sensitive
    hashing", arXiv 1812.01844.

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh import DenseFlyHasher
    >>> hasher = DenseFlyHasher(n_bits=64, random_state=0).fit(np.eye(20))
    >>> hasher.pseudo_hashes(np.eye(20), n_keys=8).shape
    (20, 8)
    """

    def __init__(
        self,
        n_bits: int = 1024,
        *,
        n_inputs: int | None = None,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.n_inputs = n_inputs
        self.packed = packed
        self.random_state = random_state

    def pseudo_hashes(self, X: ArrayLike, n_keys: int = 16) -> np.ndarray:
        """Short codes for buckets: signs of sums over groups of units.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        n_keys : int, default=16
            Number of groups, at most the number of units.

        Returns
        -------
        keys : ndarray of shape (n_samples, n_keys), dtype uint8
            Values 0 and 1.
        """
        X = self._check_samples(X)
        if not 1 <= n_keys <= self.n_bits_:
            raise ValueError(f"n_keys={n_keys}; expected 1 to n_bits={self.n_bits_}")
        starts = np.arange(n_keys) * self.n_bits_ // n_keys
        return self._read(X, lambda values: np.add.reduceat(values, starts, axis=1) >= 0, n_keys)

    def collision_probability(self, angle: ArrayLike) -> np.ndarray:
        """Probability that a bit of two samples is equal; ``1 - angle / pi``.

        Parameters
        ----------
        angle : array-like
            Angle between the samples, each less its mean over the features, in radians.

        Returns
        -------
        probability : ndarray
            Exact in the limit of many inputs, as for :class:`SparseProjectionHasher`.
        """
        return sign_collision(angle)
