"""Losses that modulations and deep hashers are trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CodewordLoss(nn.Module):
    """Bits must agree with the codeword of their class.

    - ``"hinge"`` and ``"squared_hinge"``: each bit on its own, with margin 1.
    - ``"cross_entropy"``: the class's score against the other classes' scores.
    - ``"joint"``: squared hinge + 0.3 cross-entropy. The first makes bits right one by one, the
      second lets bits that are sure make up for those that are not.

    A row of several classes counts for each by its share. Bits that follow the structure of the
    data (``structure_bits``) have real targets and a squared error, whichever loss is chosen.

    Parameters
    ----------
    kind : {"joint", "hinge", "squared_hinge", "cross_entropy"}
        The loss.
    codewords : Tensor of shape (n_classes, n_codebook_bits)
        Values -1 and +1.
    codebook_bits, structure_bits : Tensor of int
        Which bits of a code spell the codeword, and which follow the structure.
    target : {"class", "shares", "codes"}, default="class"
        What a row's target says: the index of its class, its share of each class, or its own code
        of -1 and +1. Codes have no classes, and so no cross-entropy.

    See Also
    --------
    sktgsh.networks.PairwiseLoss : Similar rows near, others apart.
    sktgsh.networks.ModulatedHead : From hidden activity to bits.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import CodewordLoss
    >>> codewords = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
    >>> loss = CodewordLoss("hinge", codewords, torch.arange(3), torch.arange(0))
    >>> scores, target = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    >>> loss((codewords[:1], scores), target), loss((-codewords[:1], scores), target)
    (tensor(0.), tensor(2.))
    """

    codewords: Tensor
    codebook_bits: Tensor
    structure_bits: Tensor

    def __init__(
        self,
        kind: str,
        codewords: Tensor,
        codebook_bits: Tensor,
        structure_bits: Tensor,
        target: str = "class",
    ):
        super().__init__()
        self.kind, self.target = kind, target
        self.register_buffer("codewords", codewords)
        self.register_buffer("codebook_bits", codebook_bits)
        self.register_buffer("structure_bits", structure_bits)

    def forward(self, output: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        """Mean loss of a batch.

        Parameters
        ----------
        output : tuple of Tensor
            Bits (batch, n_bits) and scores (batch, n_classes).
        target : Tensor of shape (batch, 1 + n_structure_bits + n)
            Sample weight, targets of the structure bits, then what `target` says: 1, n_classes or
            n_codebook_bits columns.

        Returns
        -------
        loss : Tensor of shape ()
            Mean over the batch, by sample weight.
        """
        bits, scores = output
        n_structure = len(self.structure_bits)
        weight, structure = target[:, 0], target[:, 1 : 1 + n_structure]
        loss = self._codebook_loss(
            bits[:, self.codebook_bits], scores, target[:, 1 + n_structure :]
        )
        if n_structure:
            error = (bits[:, self.structure_bits] - structure).square().mean(dim=1)
            share = n_structure / bits.shape[1]
            loss = (1 - share) * loss + share * error
        return (weight * loss).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)

    def _codebook_loss(self, bits: Tensor, scores: Tensor, target: Tensor) -> Tensor:
        # The cross-entropy takes class indices, or probabilities.
        classes = target[:, 0].long() if self.target == "class" else target
        if self.kind == "cross_entropy" and self.target != "codes":
            return F.cross_entropy(scores, classes, reduction="none")
        if self.target == "class":
            wanted = self.codewords[classes]
        else:
            wanted = target if self.target == "codes" else target @ self.codewords
        # A bit that half of a row's classes want at +1 is drawn both ways.
        up, down = F.relu(1 - bits), F.relu(1 + bits)
        if self.kind != "hinge":
            up, down = up.square(), down.square()
        loss = (0.5 * (1 + wanted) * up + 0.5 * (1 - wanted) * down).mean(dim=1)
        if self.kind == "joint" and self.target != "codes":
            loss = loss + 0.3 * F.cross_entropy(scores, classes, reduction="none")
        return loss


def similar_rows(target: Tensor, other: Tensor) -> Tensor:
    """Mask of pairs of rows that share a label, from indices (batch,) or indicators."""
    if target.ndim == 1:
        return target[:, None] == other[None, :]
    return target.float() @ other.float().T > 0


class PairwiseLoss(nn.Module):
    """Deep supervised hashing: similar rows near, others at least a margin apart, outputs near +-1.

    For a pair with outputs b1, b2, ``|b1 - b2|^2 / 2`` if similar,
    ``max(margin - |b1 - b2|^2, 0) / 2`` if not; plus ``alpha * | |b| - 1 |_1`` for each output.

    Parameters
    ----------
    margin : float
        Squared distance that different rows must reach.
    alpha : float
        Weight of the quantisation term.
    all_pairs : bool, default=True
        Use all pairs of a batch. Otherwise row i is paired with row i + 1 alone.
    balance : float, default=0.0
        A similar pair weighs ``(n_different / n_similar) ** balance`` times as much as a different
        one: with 0 all pairs count alike, with 1 both kinds have the same total weight. With many
        classes nearly all pairs are different.

    See Also
    --------
    sktgsh.networks.CodewordLoss : Bits against the codeword of their class.

    References
    ----------
    H. Liu, R. Wang, S. Shan and X. Chen, "Deep supervised hashing for fast image retrieval",
    CVPR 2016, equation 4.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import PairwiseLoss
    >>> loss = PairwiseLoss(margin=4.0, alpha=0.0)
    >>> output = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    >>> loss(output, torch.tensor([0, 0, 1]))
    tensor(0.)
    """

    def __init__(self, margin: float, alpha: float, all_pairs: bool = True, balance: float = 0.0):
        super().__init__()
        self.margin, self.alpha = margin, alpha
        self.all_pairs, self.balance = all_pairs, balance

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted mean over the pairs, plus the mean quantisation term of a row.

        Parameters
        ----------
        output : Tensor of shape (batch, n_bits)
        target : Tensor of shape (batch,) or (batch, n_labels)
        """
        if self.all_pairs:
            first, second = torch.triu_indices(len(output), len(output), 1, device=output.device)
            squares = output.square().sum(dim=1)
            distance = squares[:, None] + squares - 2 * output @ output.T
            distance = distance[first, second].clamp_min(0)
            similar = similar_rows(target, target)[first, second]
        else:
            distance = (output - output.roll(1, 0)).square().sum(dim=1)
            similar = similar_rows(target, target).roll(1, 1).diagonal()
        near = 0.5 * distance
        far = 0.5 * F.relu(self.margin - distance)
        n_similar = similar.sum()
        n_different = len(similar) - n_similar
        weight = (n_different.clamp_min(1) / n_similar.clamp_min(1)) ** self.balance
        total = (weight * n_similar + n_different).clamp_min(1)
        loss = (weight * (near * similar).sum() + (far * ~similar).sum()) / total
        return loss + self.alpha * (output.abs() - 1).abs().sum(dim=1).mean()
