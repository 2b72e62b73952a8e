"""Base of hashers of one linear map: rows are standardised, multiplied and cut at 0."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._sklearn import Interval, fit_context
from ..base import HasherMixin, check_samples, working_copy
from ..batches import InputScaling
from ..bits import pack_bits
from ..targets import check_targets
from ..threads import map_batches, one_thread


class LinearHasherMixin(HasherMixin):
    """A hasher whose bits are signs of ``components_ @ ((x - mean_) * scale_) + intercept_``.

    A subclass learns these four in `_learn`, from all rows in float64. All of it runs on one
    thread, and rows are encoded in batches of fixed size: codes are the same to the bit for any
    number of threads, and whatever comes beside a row.
    """

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "packed": ["boolean"],
    }
    _needs_labels = False

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, task: Any = None) -> Any:
        """Learn the map.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; they are made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_labels), optional
            Class labels, or an indicator of labels, where the hasher learns from them.
        task : ignored
            One map serves all tasks.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the map cannot have `n_bits` rows, or labels are needed and not given.
        """
        draft = working_copy(self)
        if self._needs_labels:
            X, y = check_samples(draft, X, y, accept_sparse="csr", multi_output=True)
            y = check_targets(y, X.shape[0])
        else:
            X = check_samples(draft, X, accept_sparse="csr")
        rows = X.toarray() if sparse.issparse(X) else X
        draft.n_bits_ = int(self.n_bits)
        with one_thread():
            draft._learn(rows.astype(np.float64), y)
        self.__dict__ = draft.__dict__
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
        bits = self.decision_function(X) > 0
        return pack_bits(bits) if self.packed else bits.astype(np.uint8)

    def decision_function(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """The values whose signs are the bits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        task : ignored
            Values are the same in all tasks.

        Returns
        -------
        values : ndarray of shape (n_samples, n_bits), dtype float32
            A bit is 1 where its value is positive.
        """
        check_is_fitted(self)
        X = check_samples(self, X, accept_sparse="csr", reset=False)
        components = torch.from_numpy(self.components_)
        values = np.empty((X.shape[0], self.n_bits_), np.float32)

        def store(positions: np.ndarray, samples: torch.Tensor) -> None:
            product = (components @ samples.T).T.numpy()
            values[positions] = product[: len(positions)] + self.intercept_

        map_batches(store, X, take=InputScaling(self.mean_, self.scale_))
        return values

    def _set_map(self, components: ArrayLike, mean: ArrayLike, scale: Any = 1.0) -> None:
        self.components_ = np.ascontiguousarray(components, np.float32)
        self.mean_ = np.asarray(mean, np.float64)
        self.scale_ = np.broadcast_to(np.asarray(scale, np.float64), self.mean_.shape).copy()
        self.intercept_ = np.zeros(self.n_bits_, np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = self._needs_labels
        tags.target_tags.multi_output = self._needs_labels
        tags.requires_fit = True
        return tags
