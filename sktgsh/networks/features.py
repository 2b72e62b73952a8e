"""Frozen feature extractors that stand in front of the expansion."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .random import generator


def _pooling(size: int, cells: int) -> np.ndarray:
    """Averages of `cells` equal stretches of `size` positions, as a (cells, size) matrix."""
    starts = np.arange(cells) * size // cells
    stops = -(-(np.arange(1, cells + 1) * size) // cells)
    position = np.arange(size)
    inside = (position >= starts[:, None]) & (position < stops[:, None])
    return inside / inside.sum(axis=1, keepdims=True)


class RandomConvolution(nn.Module):
    """Random filters, absolute value, average pooling.

    Filters are drawn from a normal distribution, then given zero mean and unit norm, so that they
    respond to local contrast and not to brightness.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels)
        Shape of an image; samples are its values, flattened in this order.
    n_filters : int
        Number of filters.
    filter_size : int
        Height and width of a filter, in pixels.
    pool : int
        Responses are averaged over a grid of `pool` times `pool` cells.
    seed : int
        Of the filters.
    """

    # Images whose responses fill about a core's second-level cache; measured 4 times as fast as
    # one large batch with adaptive pooling.
    _CACHE_FLOATS = 2**20

    def __init__(
        self,
        image_shape: tuple[int, ...],
        n_filters: int,
        filter_size: int,
        pool: int,
        *,
        seed: int,
    ):
        super().__init__()
        height, width, *channels = image_shape
        self.shape = (height, width, *(channels or [1]))
        drawn = generator(seed, "filters").standard_normal(
            (n_filters, self.shape[2], filter_size, filter_size)
        )
        drawn -= drawn.mean(axis=(1, 2, 3), keepdims=True)
        drawn /= np.linalg.norm(drawn.reshape(n_filters, -1), axis=1)[:, None, None, None]
        out_height, out_width = height - filter_size + 1, width - filter_size + 1
        cells = np.einsum("ih,jw->ijhw", _pooling(out_height, pool), _pooling(out_width, pool))
        filters = torch.from_numpy(drawn.astype(np.float32))
        self.register_buffer("filters", filters.contiguous(memory_format=torch.channels_last))
        self.register_buffer(
            "pooling", torch.from_numpy(cells.reshape(pool * pool, -1).astype(np.float32))
        )
        responses = n_filters * out_height * out_width
        self.images_at_once = max(1, min(16, self._CACHE_FLOATS // responses))
        self.n_features = n_filters * pool * pool

    def forward(self, samples: Tensor) -> Tensor:
        """Flattened images (batch, n_pixels) to features (batch, n_features)."""
        parts = [self._respond(part) for part in samples.split(self.images_at_once)]
        return torch.cat(parts) if parts else samples.new_zeros((0, self.n_features))

    def _respond(self, samples: Tensor) -> Tensor:
        # A view of (height, width, channels) values as channels-first is already channels-last
        # in memory, which is the layout that the convolution is fastest in.
        images = samples.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        images = images.contiguous(memory_format=torch.channels_last)
        responses = F.conv2d(images, self.filters).permute(0, 2, 3, 1)
        responses = responses.reshape(len(samples), -1, len(self.filters)).abs_()
        return torch.matmul(self.pooling, responses).flatten(1)
