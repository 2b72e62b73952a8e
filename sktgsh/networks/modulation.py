"""The learned part of the network: a context and a strength, read out by frozen weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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

    See Also
    --------
    sktgsh.networks.head_projection : Readout of bits.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import apply_weights
    >>> hidden = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    >>> apply_weights(torch.ones(2, 4), hidden)
    tensor([[10.],
            [10.]])
    >>> apply_weights(torch.ones(2, 2), hidden)
    tensor([[3.],
            [7.]])
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

    See Also
    --------
    sktgsh.networks.FrozenEncoder : From samples to hidden activity.
    sktgsh.networks.head_projection : Readout of bits.
    sktgsh.networks.CodewordLoss : Bits against the codeword of their class.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import ModulatedHead, head_projection
    >>> projection = torch.from_numpy(head_projection("shared", 3, 4, 16, seed=0))
    >>> codewords = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
    >>> head = ModulatedHead(
    ...     projection, torch.ones(3, 64), 1.0, torch.zeros(3), codewords, torch.arange(3)
    ... )
    >>> bits, scores = head(torch.rand(64, 5))
    >>> bits.shape, scores.shape
    (torch.Size([5, 3]), torch.Size([5, 2]))
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
