"""Default families of hashes, by metric."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse

from ...lsh import PStableHasher, SignedRandomProjectionHasher

# Size of the sample of rows, of the rows searched for its neighbours, and neighbours of a row.
_N_SAMPLED, _N_SEARCHED, _N_NEAREST = 200, 4000, 10
# Share of these neighbours that tables should find.
_RECALL = 0.9
_N_HALVINGS = 30


def default_family(metric: str, X: Any, n_bits: int, n_tables: int) -> Any:
    """The hasher of a metric, not fitted.

    Parameters
    ----------
    metric : {"cosine", "euclidean", "inner_product", "hamming"}
    X : ndarray or csr_array of shape (n_rows, n_features)
        Rows, by which the interval of p-stable hashes is chosen.
    n_bits, n_tables : int
        Hashes of a key, and tables.
    """
    if metric == "euclidean":
        return PStableHasher(r=_interval(_near_distances(X), n_bits, n_tables))
    if metric == "inner_product":
        warnings.warn(
            "the default hasher finds keys in the direction of a query, whatever their norms; for "
            "inner products give one that counts norms, as SimpleLSH(), or use LSHNeighbors.tune",
            stacklevel=2,
        )
    return SignedRandomProjectionHasher()


def _near_distances(X: Any) -> np.ndarray:
    """Distances of a sample of rows from their nearest neighbours that are not equal."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(X.shape[0])[:_N_SEARCHED]
    searched = X[np.sort(rows)]
    if not sparse.issparse(X):
        # scikit-learn subtracts squares, which loses the digits of rows far from the origin.
        searched = searched - searched.mean(axis=0, dtype=np.float64)
    from sklearn.metrics import pairwise_distances  # takes long to import

    distances = pairwise_distances(searched[rng.permutation(len(rows))[:_N_SAMPLED]], searched)
    is_equal = distances <= 1e-6 * distances.max(initial=0)
    nearest = np.sort(np.where(is_equal, np.inf, distances), axis=1)[:, :_N_NEAREST]
    return nearest[np.isfinite(nearest)]


def _interval(distances: np.ndarray, n_bits: int, n_tables: int) -> float:
    """The least interval with which tables should find the neighbours at some distances."""
    if not len(distances):
        return 1.0
    unit = float(np.median(distances))

    def finds_enough(factor: float) -> bool:
        collision = PStableHasher(r=factor).collision_probability(distances / unit)
        missed = (1 - collision**n_bits) ** n_tables
        return float(missed.mean()) <= 1 - _RECALL

    low, high = 1e-2, 1e5
    for _ in range(_N_HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if finds_enough(middle) else (middle, high)
    return unit * high
