"""Bits of a few rows without filling up a batch, and proof that they are those of a full batch.

Matrix kernels choose their path by shape, so the scores of a row differ in the last digits between
a batch of full size and a short one. A bit whose score exceeds a bound on that difference is the
same on both paths. The bound follows N. J. Higham and T. Mary, "A new approach to probabilistic
rounding error analysis", SIAM J. Sci. Comput. 2019, in their model: each operation rounds by a
share of its result that is at most ``u``, of mean 0 given those before it. By the inequality of
Azuma and Hoeffding, a sum is then off by more than ``lambda * u * sqrt(n) * S`` with a probability
of at most ``2 * exp(-lambda ** 2 / 2)``, where n operations have results of at most S. The errors
of the hidden units add up in a bit in the same way: by their root sum of squares.

S is first taken from norms: no part of an inner product exceeds ``|x| * |y|``. That leaves one bit
in a thousand in doubt. For these the terms are looked at: whatever the order of a sum, no part of
it exceeds half of the sum of the terms' amounts and the total's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._torch import has_torch
from ...persistence.modules import StoredModule, module_name
from ...threads import one_mkl_thread, one_thread
from .modulation import Modulation

if TYPE_CHECKING:
    from ...networks import FrozenEncoder

# More rows are faster as a batch of full size.
MOST_ROWS = 32
# Full batches of more rows on all threads save more time than an import of torch takes.
WORTH_TORCH = 50_000
# A bound of 8 fails with a probability of 3e-14.
_LAMBDA, _UNIT = 8.0, float(np.finfo(np.float32).eps) / 2
# Roundings beside those of a sum of terms: of the terms themselves, and of scaled units. Each is by
# a share of a term, and the squares of the terms add up to no more than twice the square of S.
_MORE = 8
# OpenBLAS shares inner products of more terms among threads.
_UNSHARED = 10_000


@dataclass(frozen=True)
class ShortUnits:
    """Rectified units that all bits share and that see the samples themselves.

    Attributes
    ----------
    weights : ndarray of shape (n_units, n_features)
    scale : float
        The rectified units are multiplied by it.
    """

    weights: np.ndarray
    scale: float

    @classmethod
    def of(cls, encoder: FrozenEncoder | StoredModule) -> ShortUnits | None:
        """The units of an encoder, which may still be stored; None if it has others."""
        expansion = encoder.expansion
        if encoder.extractor is not None or module_name(expansion) != "DenseExpansion":
            return None
        return cls(np.asarray(expansion.weight), encoder.unit_scale)


@dataclass(frozen=True)
class ShortReader:
    """Reads the bits of a few rows under one modulation.

    Attributes
    ----------
    modulation : Modulation
        The modulation that the weights hold.
    expansion : ndarray of shape (n_units, n_features)
        Weights of the rectified units.
    weights : ndarray of shape (n_bits, n_hidden)
        Weights of the bits, for units before they are scaled.
    bias : ndarray of shape (n_bits,)
    unit_bound, read_bound : ndarray of shape (n_bits,)
        Rounding of the units by the norm of a row's features, and of the readout by the norm of its
        hidden activity with a 1 for the bias.
    """

    modulation: Modulation
    expansion: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    unit_bound: np.ndarray
    read_bound: np.ndarray

    @classmethod
    @np.errstate(all="ignore")  # as in `read`
    def of(
        cls, units: ShortUnits, weights: np.ndarray, bias: np.ndarray, modulation: Modulation
    ) -> ShortReader:
        """Prepare the weights of a modulation, which are scaled in place."""
        n_units, n_features = units.weights.shape
        weights[:, :n_units] *= units.scale
        by_unit = _norms(weights[:, :n_units] * _norms(units.weights))
        by_bit = np.hypot(_norms(weights), bias)
        return cls(
            modulation,
            units.weights,
            weights,
            bias,
            _rounding(n_features) * by_unit,
            _rounding(weights.shape[1]) * by_bit,
        )

    @np.errstate(all="ignore")  # what overflows is in doubt
    def read(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bits of scaled samples, (n_rows, n_bits), and which rows are certain, (n_rows,)."""
        hidden = np.empty((len(samples), self.weights.shape[1]), np.float32)
        scores = self._scores(samples, hidden)
        norms = np.sqrt(np.square(samples).sum(axis=1))
        active = np.sqrt(np.square(hidden).sum(axis=1) + 1)
        unit_bounds = norms[:, None] * self.unit_bound
        # Both paths are off.
        sure = np.abs(scores) > 2 * (unit_bounds + active[:, None] * self.read_bound)
        certain = sure.all(axis=1)
        for row in (~certain).nonzero()[0]:
            (bits,) = (~sure[row]).nonzero()
            found = self._look_closely(hidden[row], bits, unit_bounds[row, bits])
            scores[row, bits], clear = found
            certain[row] = clear.all()
        return scores > 0, certain

    def _scores(self, samples: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Scores of the bits; the hidden activity of the rows is written into `hidden`."""
        n_units = len(self.expansion)
        units, scores = hidden[:, :n_units], np.empty((len(samples), len(self.bias)), np.float32)
        _multiply(samples, self.expansion, units)
        np.maximum(units, 0, out=units)
        if hidden.shape[1] > n_units:
            hidden[:, n_units:] = samples
        _multiply(hidden, self.weights, scores)
        scores += self.bias
        return scores

    def _look_closely(
        self, hidden: np.ndarray, bits: np.ndarray, unit_bounds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores of some bits of one row, read in float64, and whether they are certain."""
        terms = self.weights[bits] * hidden.astype(np.float64)
        bias = self.bias[bits]
        scores = terms.sum(axis=1) + bias
        largest = (np.abs(terms).sum(axis=1) + np.abs(bias) + np.abs(scores)) / 2
        # The same holds for a unit's own sum. Where it is 0 on one path only, it is near 0 on both.
        active = _rounding(self.expansion.shape[1]) * np.linalg.norm(terms, axis=1)
        units = (unit_bounds + active) / 2
        # Of this path, only the units are off.
        full = np.hypot(_rounding(len(hidden)) * largest, units)
        return scores, np.abs(scores) > full + units


def _multiply(rows: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """Write the product ``rows @ weights.T`` into `out`, on the calling thread alone."""
    if len(rows) == 1 and rows.size <= _UNSHARED:
        # One by one, inner products pack no matrix.
        np.vecdot(weights, rows[0], out=out[0])
        return
    if not has_torch():
        with one_thread():
            np.matmul(rows, weights.T, out=out)
        return
    import torch

    with one_mkl_thread():
        torch.mm(torch.from_numpy(rows), torch.from_numpy(weights).T, out=torch.from_numpy(out))


def _norms(rows: np.ndarray) -> np.ndarray:
    """Euclidean norms of rows."""
    return np.sqrt(np.vecdot(rows, rows))


def _rounding(n_terms: int) -> float:
    """Most that a sum of products is off, by the largest part of it."""
    return _LAMBDA * _UNIT * float(np.sqrt(n_terms + _MORE))
