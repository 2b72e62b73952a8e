"""The learned part of the network: a context and a strength, read out by frozen weights."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from .random import generator


def apply_weights(weights: Tensor, hidden: Tensor) -> Tensor:
    """Weighted sums of hidden activity.

    Parameters
    ----------
    weights : Tensor of shape (n_outputs, n_hidden) or (n_outputs, n_hidden / n_outputs)
        Outputs see all hidden units, or a block of units each.
    hidden : Tensor of shape (n_hidden, batch)
        Hidden activity.

    Returns
    -------
    outputs : Tensor of shape (n_outputs, batch)
        Weighted sums.
    """
    n_outputs, width = weights.shape
    if width == len(hidden):
        return weights @ hidden
    blocks = hidden.view(n_outputs, width, -1)
    return torch.bmm(weights.unsqueeze(1), blocks).squeeze(1)


class ModulatedHead(nn.Module):
    """Modulate hidden activity, then read it out: ``outputs = projection (s * c * h)``.

    Parameters
    ----------
    projection : Tensor of shape (n_outputs, n_hidden) or (n_outputs, units_per_output)
        Frozen readout; see :func:`apply_weights`.
    context : Tensor of shape (n_outputs, n_hidden) or (n_hidden,)
        Where the context ``c`` starts: one for each output, or one for all.
    strength : float
        Where the strength ``s`` starts.
    bias : Tensor of shape (n_bits,)
        Where the bias of the bits starts.
    codewords : Tensor of shape (n_classes, n_codebook_bits)
        Target code of each class, -1 and +1.
    codebook_bits : Tensor of shape (n_codebook_bits,)
        Which bits of a code spell the codeword.
    encoder : torch.nn.Module or None
        If given, `forward` takes samples; otherwise hidden activity.
    mixing : Tensor of shape (n_bits, n_outputs), or None
        Bits are ``mixing @ outputs``, and the first outputs are the scores of the classes.
        None: outputs are the bits, and a class is scored by its codeword.
    """

    projection: Tensor
    codewords: Tensor
    codebook_bits: Tensor
    mixing: Tensor | None

    def __init__(
        self,
        projection: Tensor,
        context: Tensor,
        strength: float,
        bias: Tensor,
        codewords: Tensor,
        codebook_bits: Tensor,
        encoder: nn.Module | None = None,
        mixing: Tensor | None = None,
    ):
        super().__init__()
        self.encoder = encoder
        self.register_buffer("projection", projection)
        self.register_buffer("codewords", codewords)
        self.register_buffer("codebook_bits", codebook_bits)
        self.register_buffer("mixing", mixing)
        self.context = nn.Parameter(context.clone())
        self.strength = nn.Parameter(torch.tensor(float(strength)))
        self.bias = nn.Parameter(bias.clone())

    def weights(self) -> Tensor:
        """The projection with the modulation folded in: a product as small as the weights."""
        return self.projection * (self.strength * self.context).view(-1, self.projection.shape[1])

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Bits before the threshold (batch, n_bits), and class scores (batch, n_classes)."""
        return self.read(samples if self.encoder is None else self.encoder(samples))

    def read(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Bits and scores, as `forward`, from hidden activity (n_hidden, batch)."""
        outputs = apply_weights(self.weights(), hidden)
        bits = (outputs if self.mixing is None else self.mixing @ outputs) + self.bias[:, None]
        if self.mixing is not None:
            return bits.T, outputs[: len(self.codewords)].T
        scores = self.codewords @ torch.tanh(bits[self.codebook_bits])
        return bits.T, 0.5 * scores.T


def head_projection(
    head: str, n_bits: int, n_blocks: int, units_per_block: int, *, seed: int
) -> np.ndarray:
    """Draw the frozen readout of a ``"shared"``, ``"block"`` or ``"dense"`` head.

    Parameters
    ----------
    head : {"shared", "block", "dense"}
        How bits see the hidden units.
    n_bits, n_blocks, units_per_block : int
        Sizes; there are ``n_blocks * units_per_block`` hidden units.
    seed : int
        Of the draws.

    Returns
    -------
    projection : ndarray, dtype float32
        Random signs for ``"shared"``, of shape (n_bits, n_hidden), and for ``"block"``, of shape
        (n_bits, units_per_block). Gaussian for ``"dense"``, of shape (n_bits, n_hidden). Scaled so
        that a bit's value does not grow with the number of units.
    """
    width = units_per_block if head == "block" else n_blocks * units_per_block
    rows = []
    for bit in range(n_bits):
        rng = generator(seed, f"head-{head}", bit)
        drawn = rng.standard_normal(width) if head == "dense" else rng.choice([-1.0, 1.0], width)
        rows.append(drawn / np.sqrt(width))
    return np.stack(rows).astype(np.float32)


def class_readout(labels: Sequence, n_hidden: int, *, seed: int) -> np.ndarray:
    """Draw the frozen readout of a class, uniform within ``+-1 / sqrt(n_hidden)``, for each label.

    A class's row depends on its label and the seed alone: later classes do not move it.

    Parameters
    ----------
    labels : sequence
        Class labels.
    n_hidden : int
        Number of hidden units.
    seed : int
        Of the draws.

    Returns
    -------
    readout : ndarray of shape (n_labels, n_hidden), dtype float32
        One row a class.
    """
    bound = 1 / np.sqrt(n_hidden)
    rows = [
        generator(seed, "readout", crc32(repr(label).encode())).uniform(-bound, bound, n_hidden)
        for label in labels
    ]
    return np.stack(rows).astype(np.float32)
