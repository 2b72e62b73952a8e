"""The part of a task's bits that follows the structure of the data rather than a codeword."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...persistence import saved


@saved("Structure")
@dataclass(frozen=True)
class Structure:
    """Directions of the features that some bits of a code follow.

    Attributes
    ----------
    directions : ndarray of shape (n_bits, n_features), dtype float32
        0 for bits that follow none.
    thresholds : ndarray of shape (n_bits,), dtype float64
        Values along the directions at which bits change.
    alone : ndarray of shape (n_bits,), dtype bool
        Whether a bit follows its direction alone, and spells no codeword.
    """

    directions: np.ndarray
    thresholds: np.ndarray
    alone: np.ndarray

    def added(
        self, weights: np.ndarray, intercepts: np.ndarray, sign: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add the directions to the weights of the features, the last units; -1 takes them away.

        Parameters
        ----------
        weights : ndarray of shape (n_bits, units_per_block)
        intercepts : ndarray of shape (n_bits,)
        sign : float, default=1.0

        Returns
        -------
        weights : ndarray of shape (n_bits, units_per_block)
        intercepts : ndarray of shape (n_bits,)
        """
        weights = np.where(self.alone[:, None], 0.0, weights)
        weights[:, weights.shape[1] - self.directions.shape[1] :] += sign * self.directions
        return weights, np.where(self.alone, 0.0, intercepts) - sign * self.thresholds
