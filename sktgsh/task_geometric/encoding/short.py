"""Bits of a few rows without filling up a batch, and proof that they are those of a full batch.

Matrix kernels choose their path by shape, so the scores of a row differ in the last digits between
a batch of full size and a short one. A bit whose score exceeds a bound on that difference is the
same on both paths. The bound is that of N. J. Higham and T. Mary, "A new approach to probabilistic
rounding error analysis", SIAM J. Sci. Comput. 2019, theorem 2.4: an inner product of n terms is off
by more than ``lambda * sqrt(n) * u * |x|'|y|`` with a probability of at most
``2 * exp(-lambda ** 2 / 2)``. In the same model, with rounding errors of mean 0, the errors of the
hidden units add up in a bit like independent numbers: by their root sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...networks import DenseExpansion, FrozenEncoder
from ...threads import one_mkl_thread
from .modulation import Modulation

# More rows are faster as a batch of full size.
MOST_ROWS = 16
# A bound of 8 fails with a probability of 3e-14.
_LAMBDA, _UNIT = 8.0, float(np.finfo(np.float32).eps) / 2


@dataclass(frozen=True)
class ShortReader:
    """Reads the bits of a few rows under one modulation.

    Attributes
    ----------
    modulation : Modulation
        The modulation that the weights hold.
    expansion : Tensor of shape (n_units, n_features)
        Weights of the rectified units.
    units, features : Tensor of shape (n_bits, n_units) and (n_bits, n_features) or None
        Weights of the bits.
    bias : Tensor of shape (n_bits,)
    unit_bound, read_bound : ndarray of shape (n_bits,)
        Rounding of the units by the norm of a row's features, and of the readout by the norm of its
        hidden activity.
    """

    modulation: Modulation
    expansion: Tensor
    units: Tensor
    features: Tensor | None
    bias: Tensor
    unit_bound: np.ndarray
    read_bound: np.ndarray

    @classmethod
    def of(
        cls, encoder: FrozenEncoder, weights: Tensor, bias: Tensor, modulation: Modulation
    ) -> ShortReader | None:
        """Prepare the weights of a modulation; None if the network has no short path.

        Only units that all bits share and that see the samples themselves have one.
        """
        expansion = encoder.expansion
        plain = isinstance(expansion, DenseExpansion) and encoder.extractor is None
        if not plain or weights.shape[1] != encoder.n_hidden or weights.device.type != "cpu":
            return None
        n_units, n_features = expansion.weight.shape
        scale = encoder.unit_scale
        rows = expansion.weight.norm(dim=1)
        units = weights[:, :n_units] * scale
        unit_rounding = 2 * _LAMBDA * np.sqrt(n_features) * _UNIT
        read_rounding = 2 * _LAMBDA * np.sqrt(weights.shape[1]) * _UNIT
        norms = torch.cat([units, weights[:, n_units:]], dim=1).norm(dim=1)
        return cls(
            modulation,
            expansion.weight,
            units.contiguous(),
            weights[:, n_units:].contiguous() if encoder.passthrough else None,
            bias,
            unit_rounding * (units * rows).norm(dim=1).numpy(),
            read_rounding * norms.numpy(),
        )

    @torch.no_grad()
    def read(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bits of scaled samples, (n_rows, n_bits), and which rows are certain, (n_rows,)."""
        rows = torch.from_numpy(samples)
        with one_mkl_thread():
            hidden = torch.mm(rows, self.expansion.T).relu_()
            scores = torch.addmm(self.bias, hidden, self.units.T)
            if self.features is not None:
                scores.addmm_(rows, self.features.T)
        found, active = scores.numpy(), hidden.numpy()
        row_squares = np.einsum("ij,ij->i", samples, samples)
        squares = np.einsum("ij,ij->i", active, active)
        if self.features is not None:
            squares = squares + row_squares
        bound = np.sqrt(row_squares)[:, None] * self.unit_bound
        bound += np.sqrt(squares)[:, None] * self.read_bound
        # The sum of score and bias is rounded, too.
        bound += 4 * _UNIT * (np.abs(found) + np.abs(self.bias.numpy()))
        return found > 0, (np.abs(found) > bound).all(axis=1)
