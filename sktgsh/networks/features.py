"""Frozen feature extractors that stand in front of the expansion."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .random import generator


def power_of_two(value: float) -> float:
    """The nearest power of two: scaling by it is exact, so codes do not hang on the last digit."""
    return float(2.0 ** np.round(np.log2(value))) if np.isfinite(value) and value > 0 else 1.0


def _pooling(size: int, cells: int) -> np.ndarray:
    """Averages of `cells` equal stretches of `size` positions, as a (cells, size) matrix."""
    starts = np.arange(cells) * size // cells
    stops = -(-(np.arange(1, cells + 1) * size) // cells)
    position = np.arange(size)
    inside = (position >= starts[:, None]) & (position < stops[:, None])
    return inside / inside.sum(axis=1, keepdims=True)


def _patches(
    images: np.ndarray, n_patches: int, size: int, rng: np.random.Generator
) -> np.ndarray | None:
    """Random patches without their means, (n_patches, channels, size, size).

    Drawn in proportion to their contrast: most patches of many images are background. None where
    no patch has any.
    """
    n_images, height, width, _ = images.shape
    n_candidates = 50 * n_patches
    image = rng.integers(n_images, size=n_candidates)
    row = rng.integers(height - size + 1, size=n_candidates)
    column = rng.integers(width - size + 1, size=n_candidates)
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    found = windows[image, row, column].astype(np.float64)
    found -= found.mean(axis=(1, 2, 3), keepdims=True)
    contrast = np.linalg.norm(found.reshape(n_candidates, -1), axis=1)
    if not contrast.sum() > 0:
        return None
    return found[rng.choice(n_candidates, size=n_patches, p=contrast / contrast.sum())]


class RandomConvolution(nn.Module):
    """Random filters, absolute value, divisive normalisation, average pooling, square root.

    At each pixel the responses are divided by their mean over the filters plus the images'
    standard deviation (as a power of two; 1 where no images are given), which takes the local
    contrast out of them (Jarrett et al., ICCV 2009, section 2).

    Filters are random patches of images (Coates, Lee & Ng, AISTATS 2011, section 3), or drawn from
    a normal distribution where there are no images. They are given zero mean and unit norm, so
    that they respond to local contrast and not to brightness.

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
    stride : int, default=1
        Pixels from one response to the next.
    images : ndarray of shape (n_images, n_values), optional
        Where patches and the standard deviation are taken from.
    seed : int
        Of the filters.

    Raises
    ------
    ValueError
        If a filter is larger than the images.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import RandomConvolution
    >>> module = RandomConvolution((28, 28), n_filters=64, filter_size=7, pool=4, seed=0)
    >>> module(torch.rand(10, 784)).shape
    torch.Size([10, 1024])
    """

    # Responses of the images of one product stay in a core's second-level cache: measured 48
    # microseconds an image of 28 x 28 and 64 filters, in place of 62 for 128 images at once.
    _CACHE_FLOATS = 2**20

    def __init__(
        self,
        image_shape: tuple[int, ...],
        n_filters: int,
        filter_size: int,
        pool: int,
        *,
        stride: int = 1,
        images: np.ndarray | None = None,
        seed: int,
    ):
        super().__init__()
        height, width, *channels = image_shape
        self.shape = (height, width, *(channels or [1]))
        if filter_size > min(height, width):
            raise ValueError(
                f"filter_size={filter_size} is larger than image_shape={tuple(image_shape)}: "
                "images need at least as many pixels each way as a filter"
            )
        rng, drawn, deviation = generator(seed, "filters"), None, 1.0
        if images is not None:
            deviation = power_of_two(images.std(dtype=np.float64))
            drawn = _patches(images.reshape(-1, *self.shape), n_filters, filter_size, rng)
        if drawn is None:
            drawn = rng.standard_normal((n_filters, self.shape[2], filter_size, filter_size))
        drawn -= drawn.mean(axis=(1, 2, 3), keepdims=True)
        drawn /= np.linalg.norm(drawn.reshape(n_filters, -1), axis=1)[:, None, None, None]
        self.stride, self.deviation = stride, deviation
        self.n_responses = tuple((side - filter_size) // stride + 1 for side in (height, width))
        filters = torch.from_numpy(drawn.astype(np.float32))
        self.register_buffer("filters", filters.contiguous(memory_format=torch.channels_last))
        for name, size in zip(("pool_rows", "pool_columns"), self.n_responses):
            self.register_buffer(name, torch.from_numpy(_pooling(size, pool).astype(np.float32)))
        responses = n_filters * int(np.prod(self.n_responses))
        # A power of two divides a full batch: all images take the same path.
        at_once = min(64, max(1, self._CACHE_FLOATS // responses))
        self.images_at_once = 1 << (at_once.bit_length() - 1)
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
        responses = F.conv2d(images, self.filters, stride=self.stride).permute(0, 2, 3, 1).abs_()
        responses /= self.deviation + responses.mean(dim=3, keepdim=True)
        # First over rows, then over columns: a third of the work of both at once.
        pooled = torch.matmul(self.pool_rows, responses.reshape(*responses.shape[:2], -1))
        pooled = pooled.view(-1, self.n_responses[1], len(self.filters))
        return torch.matmul(self.pool_columns, pooled).sqrt_().view(len(samples), -1)
