"""Fixed random expansions: features in, rectified hidden units out.

Hidden activity is laid out as (n_hidden, batch): a unit's values over the batch are contiguous,
so that a sum over a unit's inputs is a sum of contiguous rows, and a bit's own units are one block.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..persistence import saved
from ..random import generator, sample_without_replacement

_SIGNS = np.array([-1, 1], np.float32)


@saved("SparseExpansion")
class SparseExpansion(nn.Module):
    """Each hidden unit sums a few randomly chosen features, then is rectified.

    The sum is a gather of `n_inputs` rows of the transposed batch, not a product with a matrix
    that is 99 % zeros: 784 features to 7,840 units cost 55 thousand additions a sample in place
    of 6 million multiplications.

    Parameters
    ----------
    n_features, n_blocks, units_per_block, n_inputs : int
        Sizes; there are ``n_blocks * units_per_block`` hidden units.
    seed : int
        Of the wiring.
    signed : bool, default=False
        Give each connection a random sign. Without signs, the mean over all units is subtracted
        before the rectification (lateral inhibition, as in the fly's mushroom body).
    nested : bool, default=True
        Subtract the mean that is expected over the wiring, ``n_inputs * mean(x)``, instead of the
        mean over the units that were drawn. The two differ by a share of about
        ``1 / sqrt(n_hidden)``; only the first leaves a unit independent of how many others exist.

    See Also
    --------
    sktgsh.networks.DenseExpansion : Units that see all features.
    sktgsh.networks.FrozenEncoder : From samples to hidden activity.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import SparseExpansion
    >>> expansion = SparseExpansion(8, n_blocks=4, units_per_block=16, n_inputs=3, seed=0)
    >>> expansion(torch.rand(5, 8)).shape
    torch.Size([64, 5])
    """

    indices: Tensor
    offsets: Tensor
    signs: Tensor | None
    inhibition: Tensor | None
    all_features: Tensor

    def __init__(
        self,
        n_features: int,
        n_blocks: int,
        units_per_block: int,
        n_inputs: int,
        *,
        seed: int,
        signed: bool = False,
        nested: bool = True,
    ):
        super().__init__()
        indices, signs = [], []
        for block in range(n_blocks):
            rng = generator(seed, "expansion", block)
            indices.append(sample_without_replacement(n_features, n_inputs, units_per_block, rng))
            signs.append(rng.choice(_SIGNS, size=(units_per_block, n_inputs)))
        n_hidden = n_blocks * units_per_block
        wiring = np.concatenate(indices)
        self.n_hidden = n_hidden
        self.register_buffer("indices", torch.from_numpy(wiring.ravel()))
        self.register_buffer("offsets", torch.arange(0, n_hidden * n_inputs, n_inputs))
        inhibition = None
        if signed:
            self.register_buffer("signs", torch.from_numpy(np.concatenate(signs).ravel()))
        else:
            self.signs = None
            share = np.full(n_features, n_inputs / n_features)
            if not nested:
                share = np.bincount(wiring.ravel(), minlength=n_features) / n_hidden
            # A single feature has no others that could inhibit it.
            inhibition = torch.from_numpy(share.astype(np.float32)) if n_features > 1 else None
        self.register_buffer("inhibition", inhibition)
        self.register_buffer("all_features", torch.arange(n_features))

    def forward(
        self, features: Tensor, n_hidden: int | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Features (batch, n_features) to activity of the first hidden units (n_hidden, batch).

        It is written into `out`, where that is given.
        """
        rows = features.T.contiguous()
        n_hidden = self.n_hidden if n_hidden is None else n_hidden
        n_connections = n_hidden * (len(self.indices) // self.n_hidden)
        hidden = F.embedding_bag(
            self.indices[:n_connections],
            rows,
            self.offsets[:n_hidden],
            mode="sum",
            per_sample_weights=None if self.signs is None else self.signs[:n_connections],
        )
        if self.inhibition is not None:
            hidden -= F.embedding_bag(
                self.all_features,
                rows,
                self.offsets[:1],
                mode="sum",
                per_sample_weights=self.inhibition,
            )
        return torch.clamp_min(hidden, 0, out=out) if out is not None else hidden.relu_()


@saved("DenseExpansion")
class DenseExpansion(nn.Module):
    """Each hidden unit is a projection of all features, rectified.

    Parameters
    ----------
    weight : ndarray of shape (n_hidden, n_features)
        Frozen; see :func:`gaussian_weights` and :func:`difference_weights`.

    See Also
    --------
    sktgsh.networks.SparseExpansion : Units that sum a few features each.
    sktgsh.networks.gaussian_weights : Normal random directions.
    sktgsh.networks.difference_weights : From one sample to another.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import DenseExpansion, gaussian_weights
    >>> expansion = DenseExpansion(gaussian_weights(8, n_blocks=4, units_per_block=16, seed=0))
    >>> expansion(torch.rand(5, 8)).shape
    torch.Size([64, 5])
    """

    weight: Tensor

    def __init__(self, weight: np.ndarray):
        super().__init__()
        self.n_hidden = len(weight)
        self.register_buffer("weight", torch.from_numpy(weight.astype(np.float32)))

    def forward(
        self, features: Tensor, n_hidden: int | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Features (batch, n_features) to activity of the first hidden units (n_hidden, batch).

        It is written into `out`, where that is given.
        """
        return torch.matmul(self.weight[:n_hidden], features.T, out=out).relu_()


def gaussian_weights(
    n_features: int, n_blocks: int, units_per_block: int, *, seed: int
) -> np.ndarray:
    """Normal random weights, scaled so that a unit does not grow with the number of features.

    Parameters
    ----------
    n_features, n_blocks, units_per_block, seed : int
        As in :class:`SparseExpansion`.

    Returns
    -------
    weight : ndarray of shape (n_blocks * units_per_block, n_features), dtype float32

    See Also
    --------
    sktgsh.networks.difference_weights : From one sample to another.

    Examples
    --------
    >>> from sktgsh.networks import gaussian_weights
    >>> gaussian_weights(8, n_blocks=4, units_per_block=16, seed=0).shape
    (64, 8)
    """
    drawn = [
        generator(seed, "expansion", block).standard_normal((units_per_block, n_features))
        for block in range(n_blocks)
    ]
    return (np.concatenate(drawn) / np.sqrt(n_features)).astype(np.float32)


def difference_weights(
    features: np.ndarray, n_blocks: int, units_per_block: int, *, seed: int
) -> np.ndarray:
    """Random weights with the data's own shape: each unit points from one sample to another.

    Directions along which samples differ are where samples can be told apart; of normal random
    directions most are not. Measured with 2,048 units on sentence embeddings of 150 classes: a
    mean average precision of 0.93 instead of 0.90.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Samples to draw from. Where two are equal, normal noise takes the place of the difference.
    n_blocks, units_per_block, seed : int
        As in :class:`SparseExpansion`.

    Returns
    -------
    weight : ndarray of shape (n_blocks * units_per_block, n_features), dtype float32
        Rows of norm 1.

    See Also
    --------
    sktgsh.networks.gaussian_weights : Normal random directions.

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh.networks import difference_weights
    >>> features = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    >>> difference_weights(features, n_blocks=1, units_per_block=2, seed=0).round(1)
    array([[0.6, 0.8],
           [0.6, 0.8]], dtype=float32)
    """
    n_samples, n_features = features.shape
    rows = []
    for block in range(n_blocks):
        rng = generator(seed, "expansion", block)
        first = rng.integers(n_samples, size=units_per_block)
        second = (first + rng.integers(1, max(2, n_samples), size=units_per_block)) % n_samples
        weight = features[first] - features[second]
        noise = rng.standard_normal(weight.shape, dtype=np.float32)
        equal = np.linalg.norm(weight, axis=1) <= 1e-6 * np.sqrt(n_features)
        weight[equal] = noise[equal]
        rows.append(weight / np.linalg.norm(weight, axis=1, keepdims=True))
    return np.concatenate(rows).astype(np.float32)
