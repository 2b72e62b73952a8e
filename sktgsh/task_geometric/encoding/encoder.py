"""The base of all encoders: scaling of samples, features, and the units that see them.

A new kind is a subclass of :class:`Encoder`, with a line in ``kinds.py`` if it is to have a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from ... import networks
from ...batches import InputScaling
from .scaling import scale_as_one, scale_by_column

if TYPE_CHECKING:
    from torch import nn

    from ...networks import SparseExpansion


@dataclass(frozen=True)
class UnitDraw:
    """The number of units that are drawn, and the seed.

    Attributes
    ----------
    n_blocks, units_per_block : int
    nested : bool
        As in :class:`~sktgsh.networks.SparseExpansion`.
    seed : int
    """

    n_blocks: int
    units_per_block: int
    nested: bool
    seed: int

    def sparse(self, features: np.ndarray, n_inputs: int, signed: bool = True) -> SparseExpansion:
        """Draw units that sum `n_inputs` random features each."""
        n_features = features.shape[1]
        # All units would be equal if each of them saw every feature.
        n_inputs = max(1, min(n_inputs, n_features // 2))
        return networks.SparseExpansion(
            n_features,
            self.n_blocks,
            self.units_per_block,
            n_inputs,
            seed=self.seed,
            signed=signed,
            nested=self.nested,
        )


class Encoder(BaseEstimator):
    """The way from samples to the hidden units; the base of all kinds.

    The defaults here standardise each column, extract no features, and let each unit point along
    the difference of two samples.
    """

    # Whether features are the columns of X.
    keeps_columns = True
    _parameter_constraints: dict = {}

    def check(self, n_features: int) -> None:
        """Raise ValueError if a parameter is wrong, or does not fit the number of features.

        Parameters
        ----------
        n_features : int
            Number of columns of X.
        """
        self._validate_params()

    def scaling(self, X: Any, rows: np.ndarray, published: bool, seed: int) -> InputScaling:
        """Estimate the scaling of samples.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        rows : ndarray of int
            Rows that it is estimated from.
        published : bool
            Take one mean and deviation for all columns, as the published network does.
        seed : int
            Seed of random sums.

        Returns
        -------
        scaling : InputScaling
        """
        if published:
            return scale_as_one(X, rows, centred=True, exact=True)
        return scale_by_column(X, rows, seed)

    def extractor(self, samples: np.ndarray, seed: int) -> nn.Module | None:
        """Make the module from scaled samples to features; None if samples are the features.

        Parameters
        ----------
        samples : ndarray of shape (n_samples, n_features), dtype float32
            Scaled samples of the first task.
        seed : int
            Seed of the draws.

        Returns
        -------
        extractor : torch.nn.Module or None
        """
        return None

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units.

        Parameters
        ----------
        features : ndarray of shape (n_samples, n_features), dtype float32
            Standardised features of the first task.
        extractor : torch.nn.Module or None
            The module that made them.
        draw : UnitDraw
            Number and seed of the units.

        Returns
        -------
        expansion : torch.nn.Module
        """
        weights = networks.difference_weights(
            features, draw.n_blocks, draw.units_per_block, seed=draw.seed
        )
        return networks.DenseExpansion(weights)


def check_shape(image_shape: tuple[int, ...], n_features: int) -> None:
    """Raise ValueError unless images of a shape have as many values as X has features."""
    size = int(np.prod(image_shape))
    if size != n_features:
        raise ValueError(
            f"image_shape={tuple(image_shape)} has {size} values, but X has {n_features} features"
        )
