"""Signs of principal axes, as they are and rotated: codes that know no labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from ..persistence import saved
from .base import LinearHasherMixin

# An axis with less than this share of the largest variance has none but rounding.
_LEAST_VARIANCE = 1e-12


class _AxesMixin(LinearHasherMixin):
    """A hasher that takes its bits from principal axes."""

    def _check_axes(self, X: np.ndarray) -> None:
        if self.n_bits > min(X.shape):
            raise ValueError(
                f"n_bits={self.n_bits}, but X has {X.shape[0]} sample(s) and {X.shape[1]} "
                f"feature(s) (shape={X.shape}); {type(self).__name__} has one bit for each "
                "principal axis: give fewer bits, or take SignedRandomProjectionHasher"
            )


@saved("PCAHasher")
class PCAHasher(_AxesMixin, BaseEstimator):
    """Signs of the first principal components: the simplest code that is learned.

    The first axes hold most of the variance, and all bits count the same: of a few bits they are
    good; of many, :class:`~sktgsh.ITQHasher`, which rotates the axes, is better, and even random
    projections may be (digits at 32 bits).

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code, at most the number of features and of rows. A short code is the prefix of
        a long one.
    packed : bool, default=False
        Give eight bits in a byte.

    Attributes
    ----------
    components_ : ndarray of shape (n_bits, n_features), dtype float32
        Axes, that of the largest variance first; zeros where there is no more variance, so that
        the bit is 0 in all codes.
    mean_ : ndarray of shape (n_features,), dtype float64
        Taken from each row.
    n_bits_ : int
        Length of a code.

    See Also
    --------
    sktgsh.ITQHasher : The axes rotated, so that signs lose least.
    sktgsh.TaskGeometricHasher : Learns from labels, for one task or many.

    References
    ----------
    PCAH in J. Wang et al., "Semi-supervised hashing for large-scale search", TPAMI 2012.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import PCAHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> PCAHasher(n_bits=16).fit_transform(X).shape
    (1797, 16)
    """

    def __init__(self, n_bits: int = 32, *, packed: bool = False):
        self.n_bits = n_bits
        self.packed = packed

    def _learn(self, X: np.ndarray, y: Any) -> None:
        self._check_axes(X)
        mean = X.mean(axis=0)
        model = PCA(self.n_bits_, svd_solver="covariance_eigh").fit(X - mean)
        variance = model.explained_variance_
        there = variance > _LEAST_VARIANCE * variance[0]
        self._set_map(np.where(there[:, None], model.components_, 0), mean)


@saved("ITQHasher")
class ITQHasher(_AxesMixin, BaseEstimator):
    """Iterative quantisation: principal axes, rotated so that their signs lose least.

    Of the codes that need no labels it is the one to beat, and far ahead of random projections at
    the same length. faiss does the learning, on at most ``max(32768, 10 * n_features)`` rows.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code, at most the number of features and of rows.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of the rotation that the iteration starts from.

    Attributes
    ----------
    components_ : ndarray of shape (n_bits, n_features), dtype float32
        Rotated axes.
    mean_ : ndarray of shape (n_features,), dtype float64
        Taken from each row.
    n_bits_ : int
        Length of a code.

    See Also
    --------
    sktgsh.PCAHasher : The axes as they are.
    sktgsh.SignedRandomProjectionHasher : For codes longer than there are features.
    sktgsh.TaskGeometricHasher : Learns from labels, for one task or many.

    References
    ----------
    Y. Gong, S. Lazebnik, "Iterative quantization: a Procrustean approach to learning binary codes",
    CVPR 2011.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import ITQHasher, SignedRandomProjectionHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> itq = ITQHasher(n_bits=16, random_state=0).fit(X)
    >>> random = SignedRandomProjectionHasher(n_bits=16, random_state=0).fit(X)
    >>> itq.score(X, y) > 1.3 * random.score(X, y)
    True
    """

    _parameter_constraints: dict = {
        **LinearHasherMixin._parameter_constraints,
        "random_state": ["random_state"],
    }

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

    def _learn(self, X: np.ndarray, y: Any) -> None:
        import faiss

        self._check_axes(X)
        mean = X.mean(axis=0)
        model = faiss.ITQTransform(X.shape[1], self.n_bits_, True)
        model.itq.seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        # faiss may have been loaded just now, with libraries of its own.
        with threadpool_limits(1):
            model.train(np.ascontiguousarray(X - mean, np.float32))
        axes = faiss.vector_to_array(model.pca_then_itq.A).reshape(self.n_bits_, X.shape[1])
        # faiss scales rows to norm 1, which changes no sign.
        self._set_map(axes, mean + faiss.vector_to_array(model.mean))
