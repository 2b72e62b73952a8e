"""Hashers that need no training: the locality sensitive families."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .base import HasherMixin
from .encoding import BATCH_ROWS, iter_batches
from .networks.random import sample_without_replacement


class RandomProjectionMixin(HasherMixin):
    """A hasher whose bits are read from fixed random linear projections of the samples.

    A subclass draws `components_` in `_make_random_matrix` and turns projections into bits in
    `_to_bits`. Rows stream through in batches of fixed size, so that a row's code does not depend
    on what comes beside it; sparse rows are never made dense.
    """

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "packed": ["boolean"],
        "random_state": ["random_state"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> RandomProjectionMixin:
        """Draw the projections; only the number of features is taken from the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y, task : ignored
            For the common interface.

        Returns
        -------
        self : object
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float32, np.float64])
        rng = check_random_state(self.random_state)
        self.n_bits_ = self._count_bits()
        self._draw(X, rng)
        return self

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Codes of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        task : ignored
            Codes are the same in all tasks.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_bits), dtype uint8
            Values 0 and 1; of shape (n_samples, ceil(n_bits / 8)) if `packed` is set.
        """
        X = self._check_samples(X)
        width = -(-self.n_bits_ // 8) if self.packed else self.n_bits_
        codes = np.empty((X.shape[0], width), np.uint8)
        for rows, values in self._iter_projections(X):
            bits = self._to_bits(values)
            codes[rows] = np.packbits(bits, axis=1) if self.packed else bits
        return codes

    def _count_bits(self) -> int:
        return int(self.n_bits)

    def _draw(self, X: Any, rng: np.random.RandomState) -> None:
        self.components_ = self._make_random_matrix(X.shape[1], rng)

    def _check_samples(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float32, np.float64], reset=False
        )

    def _iter_projections(self, X: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (rows, values of shape (n_rows, n_components)) in float32."""
        components = self.components_
        if sparse.issparse(X):
            for start in range(0, X.shape[0], BATCH_ROWS):
                rows = slice(start, min(start + BATCH_ROWS, X.shape[0]))
                values = X[rows].astype(np.float32) @ components.T
                yield rows, values.toarray() if sparse.issparse(values) else values
            return
        for positions, samples in iter_batches(X):
            values = (components @ samples.numpy().T).T
            yield slice(positions[0], positions[-1] + 1), values[: len(positions)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = True
        return tags


def _sign_collision(angle: ArrayLike) -> np.ndarray:
    angle = np.asarray(angle, dtype=float)
    if np.any((angle < 0) | (angle > np.pi)):
        raise ValueError(f"angle={angle!r}; expected radians between 0 and pi")
    return 1 - angle / np.pi


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
        return _gaussian_matrix(self.n_bits, n_features, rng)

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        return values >= 0

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
        return _sign_collision(angle)


def _gaussian_matrix(n_rows: int, n_features: int, rng: np.random.RandomState) -> np.ndarray:
    """Standard normal rows, drawn row by row: the first rows do not depend on their number."""
    return rng.standard_normal((n_rows, n_features)).astype(np.float32)


class PStableHasher(RandomProjectionMixin, BaseEstimator):
    """Random projections cut into intervals: the family for Euclidean distances.

    A hash value is an integer, ``floor((a x + b) / r)``, and two samples collide where values are
    equal: :meth:`hash_values`. A bucket key joins several values by a hash of their tuple, as
    :class:`~sktgsh.neighbors.LSHNeighbors` does. A bit, for codes, is the parity of the value:
    neighbouring intervals differ, and the expected Hamming distance grows with the distance of the
    samples, to half of the bits.

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
        self.offsets_ = rng.uniform(size=self.n_bits_).astype(np.float32)

    def _make_random_matrix(self, n_features: int, rng: np.random.RandomState) -> np.ndarray:
        return _gaussian_matrix(self.n_bits, n_features, rng) / np.float32(self.r)

    def _intervals(self, values: np.ndarray) -> np.ndarray:
        return np.floor(values + self.offsets_)

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        return np.mod(self._intervals(values), 2) == 1

    def hash_values(self, X: ArrayLike) -> np.ndarray:
        """Integer hash values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        values : ndarray of shape (n_samples, n_bits), dtype int64
        """
        X = self._check_samples(X)
        values = np.empty((X.shape[0], self.n_bits_), np.int64)
        for rows, projections in self._iter_projections(X):
            values[rows] = self._intervals(projections)
        return values

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
        return _sparse_matrix(self.n_bits_, n_features, self.n_inputs, rng, signed=True)

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        return values >= 0

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
        return _sign_collision(angle)


def _sparse_matrix(
    n_rows: int, n_features: int, n_inputs: int, rng: np.random.RandomState, *, signed: bool
) -> sparse.csr_array:
    """Rows with `n_inputs` random entries of 1, or of random sign."""
    generator = np.random.Generator(np.random.PCG64(rng.randint(2**31 - 1)))
    n_inputs = min(n_inputs, n_features)
    columns = sample_without_replacement(n_features, n_inputs, n_rows, generator)
    values = np.ones(columns.shape, np.float32)
    if signed:
        values = generator.choice(np.float32([-1, 1]), size=columns.shape)
    offsets = np.arange(0, columns.size + 1, n_inputs)
    return sparse.csr_array((values.ravel(), columns.ravel(), offsets), (n_rows, n_features))


class _FlyExpansionMixin(RandomProjectionMixin):
    """Units that sum a random tenth of the features, less what is expected of them."""

    _parameter_constraints: dict = {
        **RandomProjectionMixin._parameter_constraints,
        "n_inputs": [None, Interval(Integral, 1, None, closed="left")],
    }

    def _make_random_matrix(self, n_features: int, rng: np.random.RandomState) -> sparse.csr_array:
        n_inputs = max(1, n_features // 10) if self.n_inputs is None else self.n_inputs
        return _sparse_matrix(self.n_bits, n_features, n_inputs, rng, signed=False)

    def _iter_projections(self, X: Any) -> Iterator[tuple[slice, np.ndarray]]:
        n_inputs = np.diff(self.components_.indptr)[0]
        for rows, values in super()._iter_projections(X):
            mean = np.asarray(X[rows].mean(axis=1)).reshape(-1, 1)
            yield rows, values - (n_inputs * mean).astype(np.float32)


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
        self.n_active_ = max(1, int(round(self.sparsity * self.n_bits)))

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
        _sign_collision(angle)
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

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        return values >= 0

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
        keys = np.empty((X.shape[0], n_keys), np.uint8)
        for rows, values in self._iter_projections(X):
            keys[rows] = np.add.reduceat(values, starts, axis=1) >= 0
        return keys

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
        return _sign_collision(angle)
