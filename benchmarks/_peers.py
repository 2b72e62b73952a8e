"""Simple rivals that several benchmarks measure beside the package's own hashers."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, sparse
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler

from sktgsh import ITQHasher, PCAHasher
from sktgsh.base import HasherMixin
from sktgsh.targets import check_targets


def dense(X: Any) -> np.ndarray:
    """Samples as float32, sparse or not."""
    return (X.toarray() if sparse.issparse(X) else np.asarray(X)).astype(np.float32)


def pca_signs(X: np.ndarray, n_bits: int, *parts: np.ndarray) -> list[np.ndarray]:
    """Signs of the first principal components of X, for each part."""
    model = PCAHasher(n_bits).fit(X)
    return [model.transform(part) for part in parts]


def itq_signs(X: np.ndarray, n_bits: int, *parts: np.ndarray) -> list[np.ndarray]:
    """Signs of iterative quantisation (faiss) learned from X, for each part."""
    model = ITQHasher(n_bits, random_state=0).fit(X)
    return [model.transform(part) for part in parts]


class RidgeHasher(HasherMixin, BaseEstimator):
    """Plain ridge regression of standardised features onto codewords of the classes.

    A row's target is the codeword of its class, or the mean codeword of its labels. The penalty
    is chosen by the squared error on a fifth of the training rows.

    Parameters
    ----------
    n_bits : int
    thresholds : {"zero", "mean"}
        Whether bits are cut at 0 or at the mean target.
    codewords_of : TaskGeometricHasher, optional
        A fitted hasher, whose codewords are taken; random ones by default.
    random_state : int
    """

    packed = False
    alphas = (1e-3, 1e-2, 1e-1, 1.0, 10.0)

    def __init__(
        self,
        n_bits: int = 32,
        thresholds: str = "zero",
        codewords_of: Any = None,
        random_state: int = 0,
    ):
        self.n_bits = n_bits
        self.thresholds = thresholds
        self.codewords_of = codewords_of
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, task: Any = None) -> RidgeHasher:
        rng = np.random.default_rng(self.random_state)
        self.scaler_ = StandardScaler().fit(dense(X))
        Z, targets = self.scaler_.transform(dense(X)), self._targets(y, rng)
        order = rng.permutation(len(Z))
        held_out, kept = order[: len(Z) // 5], order[len(Z) // 5 :]
        found = [_solve(Z[kept], targets[kept], alpha) for alpha in self.alphas]
        errors = [np.square(Z[held_out] @ w + b - targets[held_out]).mean() for w, b in found]
        self.weights_, bias = _solve(Z, targets, self.alphas[int(np.argmin(errors))])
        # The features have mean 0: the bias is the mean target.
        self.bias_ = bias if self.thresholds == "zero" else 0.0
        self.n_bits_ = self.n_bits
        return self

    def _targets(self, y: Any, rng: np.random.Generator) -> np.ndarray:
        y = check_targets(y)
        labels = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        member = y if y.ndim == 2 else np.equal.outer(y, labels)
        codewords = rng.choice(np.float32([-1, 1]), (member.shape[1], self.n_bits))
        if self.codewords_of is not None:
            known = np.searchsorted(labels, self.codewords_of.classes_)
            codewords[known] = self.codewords_of.codebook_
        return (member @ codewords) / np.maximum(member.sum(axis=1, keepdims=True), 1)

    def transform(self, X: Any, *, task: Any = None) -> np.ndarray:
        return (self.scaler_.transform(dense(X)) @ self.weights_ + self.bias_ > 0).astype(np.uint8)


def _solve(Z: np.ndarray, targets: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias; the penalty is in units of the number of rows."""
    bias, mean = targets.mean(axis=0), Z.mean(axis=0)
    gram = (Z - mean).T @ (Z - mean)
    gram[np.diag_indices_from(gram)] += alpha * len(Z)
    weights = linalg.solve(gram, (Z - mean).T @ (targets - bias), assume_a="pos")
    return weights.astype(np.float32), (bias - mean @ weights).astype(np.float32)
