"""The trivial solution: a classifier's answer, encoded."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..base import HasherMixin
from ..bits import pack_bits
from ..persistence import saved
from ..random import random_signs
from ..targets import check_targets


@saved("ClassifierHasher")
class ClassifierHasher(HasherMixin, BaseEstimator):
    """The trivial solution: the code of a row is a random codeword of its predicted class.

    Of an indicator of labels, the majority of the labels' codewords by their probabilities.

    Its mean average precision on the training classes is high, and it knows nothing else. A hasher
    that does not beat it on classes never seen has learned a classifier.

    Parameters
    ----------
    classifier : estimator, optional
        By default a logistic regression on standardised features, one against the rest for an
        indicator. For an indicator, a classifier needs `predict_proba`.
    n_bits : int, default=32
        Length of a code.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, RandomState instance or None, default=0
        Of the codewords.

    See Also
    --------
    sktgsh.evaluation.retrieval_report : Several hashers side by side.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh.evaluation import ClassifierHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> ClassifierHasher(n_bits=16).fit_transform(X, y).shape
    (1797, 16)
    """

    def __init__(
        self,
        classifier: Any = None,
        n_bits: int = 32,
        *,
        packed: bool = False,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.classifier = classifier
        self.n_bits = n_bits
        self.packed = packed
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, task: Any = None) -> ClassifierHasher:
        """Fit the classifier, and draw a codeword for each class, or each label that rows have.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator of labels.
        task : ignored
            For the common interface.

        Returns
        -------
        self : ClassifierHasher

        Raises
        ------
        ValueError
            If there are fewer than 2 classes.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True)
        y = check_targets(y, X.shape[0])
        classifier = self.classifier
        if classifier is None:
            model = LogisticRegression(max_iter=200)
            model = model if y.ndim == 1 else OneVsRestClassifier(model)
            scaler = StandardScaler(with_mean=not sparse.issparse(X))
            classifier = make_pipeline(scaler, model)
        self.classes_ = np.unique(y) if y.ndim == 1 else np.flatnonzero(y.any(axis=0))
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_}; at least 2 are needed")
        self.multilabel_ = y.ndim == 2
        self.classifier_ = clone(classifier).fit(X, y[:, self.classes_] if self.multilabel_ else y)
        self.n_bits_ = int(self.n_bits)
        self.codewords_ = self._draw_codewords(self.classes_.tolist())
        return self

    def _draw_codewords(self, labels: list) -> np.ndarray:
        """A random codeword for each label, which depends on the label and the seed alone."""
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(2**31 - 1)
        return np.stack([random_signs(label, self.n_bits_, int(seed)) for label in labels]) > 0

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Codewords of the predicted classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        task : ignored
            For the common interface.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_bits) or (n_samples, ceil(n_bits / 8)), dtype uint8
            Bits; packed if `packed` is set.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        if self.multilabel_:
            signs = 2.0 * self.codewords_ - 1
            bits = self.classifier_.predict_proba(X) @ signs > 0
        else:
            bits = self.codewords_[np.searchsorted(self.classes_, self.classifier_.predict(X))]
        return pack_bits(bits) if self.packed else bits.astype(np.uint8)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
