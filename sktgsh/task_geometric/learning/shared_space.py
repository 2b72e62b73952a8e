"""The space of what neighbours share, and the nearest rows in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse.linalg import eigsh

from ...persistence import saved

# Axes of the space. Its distances replace those of all features, at a fraction of their cost.
_MOST_AXES = 64
# Penalty of the map onto the axes, as a share of the features' mean variance.
_PENALTY = 0.1
# Wider matrices are decomposed for their first axes alone.
_WIDE = 1024
# Rows whose neighbours are looked for at once. A product of fewer rows takes BLAS twice the time.
ROWS_AT_ONCE = 4096


class Nearest(NamedTuple):
    """Nearest references of rows, and their cosines, both (n_rows, n_neighbors)."""

    rows: np.ndarray
    cosines: np.ndarray

    def take(self, chosen: np.ndarray | slice) -> Nearest:
        """Those of some rows."""
        return Nearest(self.rows[chosen], self.cosines[chosen])

    def first(self, count: int) -> Nearest:
        """The nearest few of each row."""
        return Nearest(self.rows[:, :count], self.cosines[:, :count])

    def but_self(self) -> Nearest:
        """One neighbour less: row i is not a neighbour of itself."""
        is_self = self.rows == np.arange(len(self.rows))[:, None]
        # Among many equal rows a row may not find itself: the last one goes then.
        is_self[~is_self.any(axis=1), -1] = True
        shape = (len(self.rows), self.rows.shape[1] - 1)
        return Nearest(*(part[~is_self].reshape(shape) for part in self))


@saved("SharedSpace")
@dataclass(frozen=True)
class SharedSpace:
    """A linear map from features to what a row shares with its neighbours.

    Neighbours by cosine differ in much that has nothing to do with their class. The map is a ridge
    regression of features onto the mean of each row's neighbours, along the principal axes of these
    means, each of variance 1. What neighbours do not share is noise to it and drops out.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_axes), dtype float32
    offset : ndarray of shape (n_axes,), dtype float32
    """

    weights: np.ndarray
    offset: np.ndarray

    @classmethod
    def learn(cls, features: np.ndarray, points: np.ndarray) -> SharedSpace:
        """Learn the map from rows.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n_features), dtype float32
        points : ndarray of shape (n_rows, n_features), dtype float32
            What each row shares with its neighbours.

        Returns
        -------
        space : SharedSpace
        """
        centred = points - points.mean(axis=0)
        along = centred @ principal_axes(centred, _MOST_AXES)
        deviations = along.std(axis=0)
        # Axes along which the points do not vary would amplify rounding errors.
        kept = deviations > 1e-4 * deviations.max(initial=0)
        targets = along[:, kept] / deviations[kept]
        means = features.mean(axis=0)
        inputs = features - means
        gram = inputs.T @ inputs
        gram[np.diag_indices_from(gram)] += max(_PENALTY * np.trace(gram) / len(gram), 1e-12)
        weights = np.linalg.solve(gram, inputs.T @ targets).astype(np.float32)
        return cls(weights, -(means @ weights))

    def directions(self, features: np.ndarray) -> np.ndarray:
        """Places of rows in the space, of norm 1, (n_rows, n_axes), dtype float32."""
        return unit(features @ self.weights + self.offset)


def principal_axes(centred: np.ndarray, count: int) -> np.ndarray:
    """First principal axes of centred rows, (n_features, at most count), the largest first."""
    covariance = (centred.T @ centred).astype(np.float64)
    width = len(covariance)
    count = min(count, width)
    if width <= _WIDE or 2 * count >= width:
        vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :count]
    else:
        values, vectors = eigsh(covariance, count, v0=np.ones(width))
        vectors = vectors[:, np.argsort(-values)]
    return np.ascontiguousarray(vectors, dtype=np.float32)


def unit(values: np.ndarray) -> np.ndarray:
    """Rows of norm 1."""
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def nearest(rows: np.ndarray, references: np.ndarray, count: int) -> Nearest:
    """The references of largest cosine."""
    import faiss  # only rows without a label need it

    index = faiss.IndexFlatIP(references.shape[1])
    index.add(np.ascontiguousarray(references, np.float32))
    cosines, found = index.search(np.ascontiguousarray(rows, np.float32), count)
    # One reference has no neighbour but itself.
    cosines[found < 0] = -1
    return Nearest(found, cosines)
