"""Ridge regression onto codewords: the least that labels can do."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from .._sklearn import Interval
from ..persistence import saved
from .base import LinearHasherMixin

_ALPHAS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@saved("RidgeHasher")
class RidgeHasher(LinearHasherMixin, BaseEstimator):
    """Plain ridge regression of standardised features onto random codewords of the classes.

    A row's target is the codeword of its class, or the mean codeword of its labels. What a more
    elaborate hasher gains over it, it gains by more than a linear map.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code.
    alpha : float or None, default=None
        Penalty, in multiples of the number of rows. By default the one among 0.001, 0.01, 0.1, 1
        and 10 that leaves the least squared error on a fifth of the training rows.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=None
        Of the codewords and that fifth.

    Attributes
    ----------
    components_ : ndarray of shape (n_bits, n_features), dtype float32
        Weights of the standardised features.
    intercept_ : ndarray of shape (n_bits,), dtype float32
        Added to the products.
    mean_, scale_ : ndarray of shape (n_features,), dtype float64
        Taken from each row, and multiplied with.
    classes_ : ndarray of shape (n_classes,)
        Labels, or numbers of the indicator's columns.
    codebook_ : ndarray of shape (n_classes, n_bits), dtype int8
        Codewords of -1 and 1.
    alpha_ : float
        The penalty that was taken.
    n_bits_ : int
        Length of a code.

    See Also
    --------
    sktgsh.TaskGeometricHasher : The same targets from many hidden units, for one task or many.
    sktgsh.ITQHasher : Knows no labels.

    References
    ----------
    The linear case of F. Shen et al., "Supervised discrete hashing", CVPR 2015, with fixed codes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import RidgeHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> RidgeHasher(n_bits=16, random_state=0).fit_transform(X, y).shape
    (1797, 16)
    """

    _parameter_constraints: dict = {
        **LinearHasherMixin._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }
    _needs_labels = True

    def __init__(
        self,
        n_bits: int = 32,
        *,
        alpha: float | None = None,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_bits = n_bits
        self.alpha = alpha
        self.packed = packed
        self.random_state = random_state

    def _learn(self, X: np.ndarray, y: np.ndarray) -> None:
        rng = check_random_state(self.random_state)
        check_classification_targets(y)
        self.classes_ = np.unique(y) if y.ndim == 1 else np.flatnonzero(y.any(axis=0))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()}; at least 2 are needed"
            )
        member = np.equal.outer(y, self.classes_) if y.ndim == 1 else y[:, self.classes_]
        self.codebook_ = 2 * rng.randint(2, size=(len(self.classes_), self.n_bits_)).astype(np.int8)
        self.codebook_ -= 1
        targets = (member @ self.codebook_) / np.maximum(member.sum(axis=1, keepdims=True), 1)
        scaler = StandardScaler().fit(X)
        Z = scaler.transform(X)
        self.alpha_ = self._choose_alpha(Z, targets, rng) if self.alpha is None else self.alpha
        model = _ridge(Z, targets, self.alpha_)
        self._set_map(model.coef_.reshape(self.n_bits_, -1), scaler.mean_, 1 / scaler.scale_)
        self.intercept_ = np.asarray(model.intercept_, np.float32)

    def _choose_alpha(
        self, Z: np.ndarray, targets: np.ndarray, rng: np.random.RandomState
    ) -> float:
        order = rng.permutation(len(Z))
        held_out, kept = order[: len(Z) // 5], order[len(Z) // 5 :]
        if not len(held_out):
            return 1.0
        models = [_ridge(Z[kept], targets[kept], alpha) for alpha in _ALPHAS]
        errors = [np.square(m.predict(Z[held_out]) - targets[held_out]).mean() for m in models]
        return _ALPHAS[int(np.argmin(errors))]


def _ridge(Z: np.ndarray, targets: np.ndarray, alpha: float) -> Ridge:
    return Ridge(alpha * len(Z), solver="cholesky").fit(Z, targets)
