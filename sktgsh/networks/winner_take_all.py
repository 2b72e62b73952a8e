"""Winner-take-all autoencoders: sparse by competition, not by a penalty."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..persistence import saved


def largest(values: Tensor, n_winners: int, dim: int) -> Tensor:
    """Mask of the `n_winners` largest values along a dimension.

    Exactly so many are set: of equal values, the first.
    """
    if n_winners >= values.shape[dim]:
        return torch.ones_like(values, dtype=torch.bool)
    last = values.topk(n_winners, dim=dim).values.amin(dim=dim, keepdim=True)
    ahead, tied = values > last, values == last
    # The order of ties in topk is not defined; a running count keeps the first ones.
    room = n_winners - ahead.sum(dim=dim, keepdim=True)
    return ahead | (tied & (tied.cumsum(dim=dim) <= room))


def keep_largest(values: Tensor, n_winners: int, dim: int) -> Tensor:
    """Zero all but the `n_winners` largest values; gradients flow through the winners only."""
    return values * largest(values.detach(), n_winners, dim)


def n_lifetime_winners(batch: int, sparsity: float) -> int:
    """Number of rows of a batch that a unit keeps; at least one."""
    return max(1, round(batch * sparsity))


@saved("WinnerTakeAllLayer")
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
        # Small weights: reconstructions start near the mean, and no unit starts far ahead.
        nn.init.normal_(self.encoder.weight, std=0.01)
        nn.init.zeros_(self.encoder.bias)
        self.decoder = None if tied else nn.Parameter(torch.randn(n_inputs, n_units) * 0.01)
        self.bias = nn.Parameter(torch.zeros(n_inputs))

    @torch.no_grad()
    def start_at(self, samples: Tensor) -> None:
        """Set the biases to the samples' mean: as many samples make a unit active as do not.

        Samples far from the origin would leave units silent for all of them, and no gradient would
        ever reach these.
        """
        mean = samples.mean(dim=0)
        self.bias.copy_(mean)
        self.encoder.bias.copy_(-self.encoder.weight @ mean)

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


@saved("ConvWinnerTakeAllLayer")
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
        self.encoder: Any = nn.ModuleList(
            nn.Conv2d(n_in, n_out, filter_size, padding=filter_size // 2)
            for n_in, n_out in pairwise(widths)
        )
        self.decoder: Any = nn.ConvTranspose2d(
            widths[-1], n_channels, decoder_size, padding=decoder_size // 2
        )
        nn.init.normal_(self.decoder.weight, std=0.01)

    @torch.no_grad()
    def start_at(self, images: Tensor) -> None:
        """Set the decoder's bias to the images' mean."""
        self.decoder.bias.copy_(images.mean(dim=(0, 2, 3)))

    def encode(self, images: Tensor) -> Tensor:
        """Feature maps without the constraint."""
        for convolution in self.encoder:
            images = F.relu(convolution(images))
        return images

    def winners(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Image, map and position of each value that survives both constraints."""
        values, places = maps.flatten(2).max(dim=2)
        kept = largest(values, n_lifetime_winners(len(maps), self.sparsity), dim=0)
        image, number = kept.nonzero(as_tuple=True)
        return image, number, places[kept]

    def decode(self, maps: Tensor) -> Tensor:
        """Reconstruction from feature maps."""
        return self.decoder(maps)

    def sparse_code(self, images: Tensor) -> Tensor:
        """Feature maps under both constraints."""
        maps = self.encode(images)
        image, number, place = self.winners(maps.detach())
        flat = maps.flatten(2)
        kept = torch.zeros_like(flat)
        kept[image, number, place] = flat[image, number, place]
        return kept.view_as(maps)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction of a batch from its sparse maps.

        Equals ``decode(sparse_code(images))``. A map has one winner in an image at most, so the
        last convolution's gradient and the decoder are computed at the winners only.
        """
        *lower, last = self.encoder
        for convolution in lower:
            images = F.relu(convolution(images))
        with torch.no_grad():
            image, number, place = self.winners(F.relu(last(images)))
        seen = _take_windows(images, image, place, last.kernel_size[0])
        values = (seen * last.weight[number]).sum(dim=(1, 2, 3)) + last.bias[number]
        atoms = F.relu(values)[:, None, None, None] * self.decoder.weight[number]
        shape = (len(images), atoms.shape[1], *images.shape[2:])
        return _add_windows(atoms, image, place, shape) + self.decoder.bias[:, None, None]


def _take_windows(images: Tensor, image: Tensor, pixel: Tensor, side: int) -> Tensor:
    """Square windows centred at pixels, zero beyond the edge, (n, channels, side, side)."""
    padded = F.pad(images, (side // 2,) * 4)
    rows = _window_rows(image, pixel, side, images.shape[3], padded.shape)
    taken = padded.permute(0, 2, 3, 1).flatten(0, 2).index_select(0, rows.flatten())
    return taken.view(*rows.shape, -1).permute(0, 3, 1, 2)


def _add_windows(windows: Tensor, image: Tensor, pixel: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images that are the sums of windows, each centred at its pixel of its image."""
    n_images, n_channels, height, width = shape
    side, margin = windows.shape[2], windows.shape[2] // 2
    padded = (n_images, n_channels, height + 2 * margin, width + 2 * margin)
    rows = _window_rows(image, pixel, side, width, padded)
    canvas = windows.new_zeros(n_images * padded[2] * padded[3], n_channels)
    canvas = canvas.index_add(0, rows.flatten(), windows.permute(0, 2, 3, 1).flatten(0, 2))
    canvas = canvas.view(n_images, *padded[2:], n_channels).permute(0, 3, 1, 2)
    return canvas[:, :, margin : margin + height, margin : margin + width]


def _window_rows(
    image: Tensor, pixel: Tensor, side: int, width: int, padded: Sequence[int]
) -> Tensor:
    """Positions of each window's pixels among all pixels of the padded images."""
    reach = torch.arange(side, device=pixel.device)
    row = (pixel // width)[:, None, None] + reach[:, None]
    column = (pixel % width)[:, None, None] + reach
    return (image[:, None, None] * padded[2] + row) * padded[3] + column
