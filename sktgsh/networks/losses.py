"""What a modulation is trained to do."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOSSES = ("joint", "hinge", "squared_hinge", "cross_entropy")


class CodewordLoss(nn.Module):
    """Bits must agree with the codeword of their class.

    - ``"hinge"`` and ``"squared_hinge"``: each bit on its own, with margin 1.
    - ``"cross_entropy"``: the class's score against the other classes' scores.
    - ``"joint"``: squared hinge + 0.3 cross-entropy. The first makes bits right one by one, the
      second lets bits that are sure make up for those that are not.

    Bits that follow the structure of the data (``structure_bits``) have real targets and a squared
    error, whichever loss is chosen.

    Parameters
    ----------
    kind : {"joint", "hinge", "squared_hinge", "cross_entropy"}
        The loss.
    codewords : Tensor of shape (n_classes, n_codebook_bits)
        Values -1 and +1.
    codebook_bits, structure_bits : Tensor of int
        Which bits of a code spell the codeword, and which follow the structure.
    """

    def __init__(self, kind: str, codewords: Tensor, codebook_bits: Tensor, structure_bits: Tensor):
        super().__init__()
        self.kind = kind
        self.register_buffer("codewords", codewords)
        self.register_buffer("codebook_bits", codebook_bits)
        self.register_buffer("structure_bits", structure_bits)

    def forward(self, output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        """Mean loss of a batch.

        Parameters
        ----------
        output : tuple of Tensor
            Bits (batch, n_bits) and scores (batch, n_classes).
        target : Tensor of shape (batch, 2 + n_structure_bits)
            Class index, sample weight, targets of the structure bits.
        """
        bits, scores = output
        label, weight = target[:, 0].long(), target[:, 1]
        loss = self._codebook_loss(bits[:, self.codebook_bits], scores, label)
        if len(self.structure_bits):
            error = (bits[:, self.structure_bits] - target[:, 2:]).square().mean(dim=1)
            share = len(self.structure_bits) / bits.shape[1]
            loss = (1 - share) * loss + share * error
        return (weight * loss).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)

    def _codebook_loss(self, bits: Tensor, scores: Tensor, label: Tensor) -> Tensor:
        if self.kind == "cross_entropy":
            return F.cross_entropy(scores, label, reduction="none")
        shortfall = F.relu(1 - bits * self.codewords[label])
        if self.kind == "hinge":
            return shortfall.mean(dim=1)
        loss = shortfall.square().mean(dim=1)
        if self.kind == "joint":
            loss = loss + 0.3 * F.cross_entropy(scores, label, reduction="none")
        return loss
