"""Fixed random projections of streamed rows, which the locality sensitive families share."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._sklearn import Interval, fit_context
from ..base import HasherMixin, check_samples, replaced
from ..batches import BATCH_ROWS
from ..bits import pack_bits
from ..random import sample_without_replacement
from ..threads import map_batches


class RandomProjectionMixin(HasherMixin):
    """A hasher whose bits are read from fixed random linear projections of the samples.

    A subclass draws `components_` in `_make_random_matrix`, and says in `_decide` and `_to_bits`
    how projections become values and bits, where these are not the projections and their signs.
    Rows stream through in batches of fixed size, so that a row's code does not depend on what comes
    beside it; sparse rows are never made dense.
    """

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "packed": ["boolean"],
        "random_state": ["random_state"],
    }

    @fit_context(prefer_skip_nested_validation=True)
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
        with replaced(self) as draft:
            X = check_samples(draft, X, accept_sparse="csr")
            rng = check_random_state(self.random_state)
            draft.n_bits_ = draft._count_bits()
            draft._draw(X, rng)
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
        if not self.packed:
            return self._read(X, self._to_bits, self.n_bits_)
        return self._read(X, lambda values: pack_bits(self._to_bits(values)), -(-self.n_bits_ // 8))

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
            A bit is 1 where its value is not negative.
        """
        return self._read(self._check_samples(X), self._decide, self.n_bits_, np.float32)

    def _decide(self, values: np.ndarray) -> np.ndarray:
        return values

    def _to_bits(self, values: np.ndarray) -> np.ndarray:
        return values >= 0

    def _count_bits(self) -> int:
        return int(self.n_bits)

    def _draw(self, X: Any, rng: np.random.RandomState) -> None:
        self.components_ = self._make_random_matrix(X.shape[1], rng)

    def _check_samples(self, X: Any) -> Any:
        check_is_fitted(self)
        return check_samples(self, X, accept_sparse="csr", reset=False)

    def _read(
        self, X: Any, read: Callable[[np.ndarray], np.ndarray], width: int, dtype: type = np.uint8
    ) -> np.ndarray:
        """Apply `read` to the projections of all rows, (n_samples, width)."""
        found = np.empty((X.shape[0], width), dtype)

        def store(start: int, samples: Any) -> None:
            rows = slice(start, min(start + BATCH_ROWS, len(found)))
            found[rows] = read(self._project(samples))[: rows.stop - start]

        if sparse.issparse(X):
            for start in range(0, X.shape[0], BATCH_ROWS):
                store(start, X[start : start + BATCH_ROWS])
        else:
            map_batches(lambda positions, samples: store(positions[0], samples.numpy()), X)
        return found

    def _project(self, samples: Any) -> np.ndarray:
        """Values of shape (n_rows, n_components) in float32, of dense or sparse rows."""
        if sparse.issparse(samples):
            values = samples.astype(np.float32) @ self.components_.T
            return values.toarray() if sparse.issparse(values) else values
        if sparse.issparse(self.components_):
            return (self.components_ @ samples.T).T
        import torch

        # torch's number of threads belongs to the calling thread, NumPy's to the process.
        return (torch.from_numpy(self.components_) @ torch.from_numpy(samples).T).T.numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = True
        return tags


def signed_sizes(bits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Values of these sizes that are not negative where bits are 1, and negative elsewhere."""
    least = np.finfo(np.float32).tiny
    return np.where(bits, sizes, -np.maximum(sizes, least)).astype(np.float32)


def sign_collision(angle: ArrayLike) -> np.ndarray:
    """Probability that the signs of a random projection agree, by the angle in radians."""
    angle = np.asarray(angle, dtype=float)
    if np.any((angle < 0) | (angle > np.pi)):
        raise ValueError(f"angle={angle!r}; expected radians between 0 and pi")
    return 1 - angle / np.pi


def gaussian_matrix(n_rows: int, n_features: int, rng: np.random.RandomState) -> np.ndarray:
    """Standard normal rows, drawn row by row: the first rows do not depend on their number."""
    return rng.standard_normal((n_rows, n_features)).astype(np.float32)


def sparse_matrix(
    n_rows: int, n_features: int, n_inputs: int, rng: np.random.RandomState, *, signed: bool
) -> sparse.csr_array:
    """Rows with `n_inputs` random entries of 1, or of random sign."""
    generator = np.random.Generator(np.random.PCG64(rng.randint(2**31 - 1)))
    n_inputs = min(n_inputs, n_features)
    columns = sample_without_replacement(n_features, n_inputs, n_rows, generator)
    values = np.ones(columns.shape, np.float32)
    if signed:
        values = generator.choice(np.array([-1, 1], np.float32), size=columns.shape)
    offsets = np.arange(0, columns.size + 1, n_inputs)
    return sparse.csr_array((values.ravel(), columns.ravel(), offsets), (n_rows, n_features))
