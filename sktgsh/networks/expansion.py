"""Fixed random expansions: features in, rectified hidden units out.

Hidden activity is laid out as (n_hidden, batch): a unit's values over the batch are contiguous, so
that a sum over a unit's inputs is a sum of contiguous rows, and a bit's units are one block.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .random import generator, sample_without_replacement


class SparseExpansion(nn.Module):
    """Each hidden unit sums a few randomly chosen features, then is rectified.

    The sum is a gather of `n_inputs` rows of the transposed batch, not a product with a matrix
    that is 99 % zeros: 784 features to 7,840 units cost 55 thousand additions a sample in place
    of 6 million multiplications.

    Parameters
    ----------
    n_features, n_bits, units_per_bit, n_inputs : int
        Sizes; there are ``n_bits * units_per_bit`` hidden units.
    seed : int
        Of the wiring.
    signed : bool, default=False
        Give each connection a random sign. Without signs, the mean over all units is subtracted
        before the rectification (lateral inhibition, as in the fly's mushroom body).
    nested : bool, default=True
        Subtract the mean that is expected over the wiring, ``n_inputs * mean(x)``, instead of the
        mean over the units that were drawn. The two differ by a share of about
        ``1 / sqrt(n_hidden)``; only the first leaves a unit independent of how many others exist.
    """

    def __init__(
        self,
        n_features: int,
        n_bits: int,
        units_per_bit: int,
        n_inputs: int,
        *,
        seed: int,
        signed: bool = False,
        nested: bool = True,
    ):
        super().__init__()
        indices, signs = [], []
        for bit in range(n_bits):
            rng = generator(seed, "expansion", bit)
            indices.append(sample_without_replacement(n_features, n_inputs, units_per_bit, rng))
            signs.append(rng.choice(np.float32([-1, 1]), size=(units_per_bit, n_inputs)))
        n_hidden = n_bits * units_per_bit
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
            # With a single feature there is nothing to compare it with.
            inhibition = torch.from_numpy(share.astype(np.float32)) if n_features > 1 else None
        self.register_buffer("inhibition", inhibition)
        self.register_buffer("all_features", torch.arange(n_features))

    def forward(self, features: Tensor, n_hidden: int | None = None) -> Tensor:
        """Features (batch, n_features) to activity of the first hidden units (n_hidden, batch)."""
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
        return hidden.relu_()


class DenseExpansion(nn.Module):
    """Each hidden unit is a Gaussian random projection of all features, rectified.

    Parameters
    ----------
    n_features, n_bits, units_per_bit, seed : int
        As in :class:`SparseExpansion`.
    """

    def __init__(self, n_features: int, n_bits: int, units_per_bit: int, *, seed: int):
        super().__init__()
        weights = [
            generator(seed, "expansion", bit).standard_normal((units_per_bit, n_features))
            for bit in range(n_bits)
        ]
        self.n_hidden = n_bits * units_per_bit
        scaled = np.concatenate(weights) / np.sqrt(n_features)
        self.register_buffer("weight", torch.from_numpy(scaled.astype(np.float32)))

    def forward(self, features: Tensor, n_hidden: int | None = None) -> Tensor:
        """Features (batch, n_features) to activity of the first hidden units (n_hidden, batch)."""
        return (self.weight[:n_hidden] @ features.T).relu_()
