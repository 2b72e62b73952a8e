"""Winner-take-all autoencoders: sparse by competition, not by a penalty."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def keep_largest(values: Tensor, n_winners: int, dim: int) -> Tensor:
    """Zero all but the `n_winners` largest values along a dimension.

    Exactly so many survive: of equal values, the first. Gradients flow through the winners only.
    """
    if n_winners >= values.shape[dim]:
        return values
    # A stable sort keeps equal values in their order, which topk does not promise.
    winners = torch.sort(values.detach(), dim=dim, descending=True, stable=True).indices
    winners = winners.narrow(dim, 0, n_winners)
    mask = torch.zeros_like(values, dtype=torch.bool).scatter_(dim, winners, True)
    return values * mask


def n_lifetime_winners(batch: int, sparsity: float) -> int:
    """How many rows of a batch a unit keeps; at least one."""
    return max(1, round(batch * sparsity))


class WinnerTakeAllLayer(nn.Module):
    """Dense ReLU encoder, lifetime sparsity in training, linear decoder.

    Parameters
    ----------
    n_inputs, n_units : int
        Sizes.
    sparsity : float
        Share of a batch that each unit keeps.
    tied : bool
        Whether the decoder is the encoder's transpose.

    References
    ----------
    A. Makhzani and B. Frey, "Winner-take-all autoencoders", NIPS 2015, section 2.
    """

    def __init__(self, n_inputs: int, n_units: int, sparsity: float, tied: bool):
        super().__init__()
        self.sparsity = sparsity
        self.encoder = nn.Linear(n_inputs, n_units)
        # Small decoder: reconstructions start near the mean, and no unit starts far ahead.
        nn.init.normal_(self.encoder.weight, std=0.01)
        nn.init.zeros_(self.encoder.bias)
        self.decoder = None if tied else nn.Parameter(torch.randn(n_inputs, n_units) * 0.01)
        self.bias = nn.Parameter(torch.zeros(n_inputs))

    def encode(self, samples: Tensor) -> Tensor:
        """Features without the constraint."""
        return F.relu(self.encoder(samples))

    def decode(self, features: Tensor) -> Tensor:
        """Reconstruction from features."""
        weight = self.encoder.weight.T if self.decoder is None else self.decoder
        return F.linear(features, weight, self.bias)

    def sparse_code(self, samples: Tensor) -> Tensor:
        """Features of a batch under the constraint."""
        features = self.encode(samples)
        return keep_largest(features, n_lifetime_winners(len(samples), self.sparsity), dim=0)

    def forward(self, samples: Tensor) -> Tensor:
        """Reconstruction of a batch from its sparse code."""
        return self.decode(self.sparse_code(samples))


class ConvWinnerTakeAllLayer(nn.Module):
    """Zero-padded ReLU convolutions, spatial then lifetime sparsity, one large-kernel decoder.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    n_filters : tuple of int
        Filters of each convolution of the encoder; the last are the feature maps.
    filter_size, decoder_size : int
        Odd sides of the encoder's filters and of the decoder's atoms, in pixels.
    sparsity : float
        Share of a batch in which a map's winner survives.

    References
    ----------
    A. Makhzani and B. Frey, "Winner-take-all autoencoders", NIPS 2015, section 3.
    """

    def __init__(
        self,
        n_channels: int,
        n_filters: tuple[int, ...],
        filter_size: int,
        decoder_size: int,
        sparsity: float,
    ):
        super().__init__()
        self.sparsity = sparsity
        widths = [n_channels, *n_filters]
        self.encoder = nn.ModuleList(
            nn.Conv2d(n_in, n_out, filter_size, padding=filter_size // 2)
            for n_in, n_out in zip(widths, widths[1:])
        )
        self.decoder = nn.ConvTranspose2d(
            widths[-1], n_channels, decoder_size, padding=decoder_size // 2
        )
        nn.init.normal_(self.decoder.weight, std=0.01)

    def encode(self, images: Tensor) -> Tensor:
        """Feature maps without the constraint."""
        for convolution in self.encoder:
            images = F.relu(convolution(images))
        return images

    def winners(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Value and position of each map's winner, (batch, n_filters); losers have value 0."""
        values, places = maps.flatten(2).max(dim=2)
        values = keep_largest(values, n_lifetime_winners(len(maps), self.sparsity), dim=0)
        return values, places

    def sparse_code(self, images: Tensor) -> Tensor:
        """Feature maps under both constraints."""
        maps = self.encode(images)
        values, places = self.winners(maps)
        flat = torch.zeros_like(maps).flatten(2)
        return flat.scatter(2, places[..., None], values[..., None]).view_as(maps)

    def decode(self, maps: Tensor) -> Tensor:
        """Reconstruction from feature maps."""
        return self.decoder(maps)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction of a batch from its sparse maps."""
        return self.decode(self.sparse_code(images))
