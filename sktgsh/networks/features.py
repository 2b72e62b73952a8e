"""Frozen feature extractors that stand in front of the expansion."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..batches import power_of_two
from ..persistence import saved
from ..random import generator


def _pooling(size: int, cells: int) -> np.ndarray:
    """Averages of `cells` equal stretches of `size` positions, as a (cells, size) matrix."""
    starts = np.arange(cells) * size // cells
    stops = -(-(np.arange(1, cells + 1) * size) // cells)
    position = np.arange(size)
    inside = (position >= starts[:, None]) & (position < stops[:, None])
    return inside / inside.sum(axis=1, keepdims=True)


def _all_patches(
    images: np.ndarray, n_patches: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Random patches of images (n, height, width, channels), (n_patches, channels, size, size)."""
    n_images, height, width, _ = images.shape
    image = rng.integers(n_images, size=n_patches)
    row = rng.integers(height - size + 1, size=n_patches)
    column = rng.integers(width - size + 1, size=n_patches)
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return windows[image, row, column].astype(np.float64)


def _contrasted_patches(
    images: np.ndarray, n_patches: int, size: int, rng: np.random.Generator
) -> np.ndarray | None:
    """Random patches without their means, (n_patches, channels, size, size).

    Drawn in proportion to their contrast: most patches of many images are background. None where
    no patch has any.
    """
    found = _all_patches(images, 50 * n_patches, size, rng)
    found -= found.mean(axis=(1, 2, 3), keepdims=True)
    contrast = np.linalg.norm(found.reshape(len(found), -1), axis=1)
    if not contrast.sum() > 0:
        return None
    return found[rng.choice(len(found), size=n_patches, p=contrast / contrast.sum())]


def _check_filter_size(filter_size: int, image_shape: tuple[int, ...]) -> None:
    if filter_size > min(image_shape[:2]):
        raise ValueError(
            f"filter_size={filter_size} is larger than image_shape={tuple(image_shape)}: "
            "images need at least as many pixels each way as a filter"
        )


@saved("RandomConvolution")
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

    See Also
    --------
    sktgsh.networks.WhitenedPatchConvolution : Features of photographs.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import RandomConvolution
    >>> module = RandomConvolution((28, 28), n_filters=64, filter_size=7, pool=4, seed=0)
    >>> module(torch.rand(10, 784)).shape
    torch.Size([10, 1024])
    """

    # Responses of the images of one product stay in a core's second-level cache: measured 48
    # microseconds an image of 28 x 28 and 64 filters, against 62 for 128 images at once.
    _CACHE_FLOATS = 2**20

    filters: Tensor
    pool_rows: Tensor
    pool_columns: Tensor

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
        _check_filter_size(filter_size, image_shape)
        rng, drawn, deviation = generator(seed, "filters"), None, 1.0
        if images is not None:
            deviation = power_of_two(images.std(dtype=np.float64))
            drawn = _contrasted_patches(
                images.reshape(-1, *self.shape), n_filters, filter_size, rng
            )
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
        parts = [self.respond(part) for part in samples.split(self.images_at_once)]
        return torch.cat(parts) if parts else samples.new_zeros((0, self.n_features))

    def respond(self, samples: Tensor) -> Tensor:
        """Features of a whole batch at once."""
        # A view of (height, width, channels) values as channels-first is already channels-last
        # in memory, which is the layout that the convolution is fastest in.
        images = samples.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        images = images.contiguous(memory_format=torch.channels_last)
        responses = F.conv2d(images, self.filters, stride=self.stride).permute(0, 2, 3, 1).abs_()
        responses /= self.deviation + responses.mean(dim=3, keepdim=True)
        # Pool rows, then columns: this takes a third of the operations of pooling both at once.
        pooled = torch.matmul(self.pool_rows, responses.reshape(*responses.shape[:2], -1))
        pooled = pooled.view(-1, self.n_responses[1], len(self.filters))
        return torch.matmul(self.pool_columns, pooled).sqrt_().view(samples.shape[0], -1)


@saved("WhitenedPatchConvolution")
class WhitenedPatchConvolution(nn.Module):
    """Whitened patches as filters, two-sided rectification, average pooling: for photographs.

    A patch under a filter is taken less its mean and divided by its contrast, then whitened over
    pixels and channels: neighbouring pixels and the three colours of photographs say nearly the
    same, and objects differ in their differences. Normalisation and whitening are folded
    into one convolution.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels)
        Shape of an image; samples are its values, flattened in this order.
    n_filters : int
        Number of filters; each gives two features a cell, of either sign.
    filter_size : int
        Height and width of a filter, in pixels.
    pool : int
        Responses are averaged over a grid of `pool` times `pool` cells.
    images : ndarray of shape (n_images, n_values)
        Where patches, whitening and contrast are taken from; of deviation about 1.
    threshold : float, default=0.25
        Responses of less than this count as none.
    seed : int
        Of the patches that are drawn.

    See Also
    --------
    sktgsh.networks.RandomConvolution : Features of grey images.

    References
    ----------
    A. Coates and A. Y. Ng, "Learning feature representations with k-means", 2012, section 3; L.
    Thiry et al., "The unreasonable effectiveness of patches in deep convolutional kernels methods",
    arXiv 2101.07528.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sktgsh.networks import WhitenedPatchConvolution
    >>> images = np.random.default_rng(0).normal(size=(20, 16 * 16 * 3)).astype(np.float32)
    >>> module = WhitenedPatchConvolution((16, 16, 3), 8, 5, 3, images=images, seed=0)
    >>> module(torch.from_numpy(images)).shape
    torch.Size([20, 144])
    """

    _N_WHITENED = 40_000
    # Contrast below a twentieth of the images' deviation is noise; so are the weakest directions.
    _LEAST_VARIANCE, _LEAST_EIGENVALUE = 0.0025, 0.1

    filters: Tensor
    offset: Tensor

    def __init__(
        self,
        image_shape: tuple[int, ...],
        n_filters: int,
        filter_size: int,
        pool: int,
        *,
        images: np.ndarray,
        threshold: float = 0.25,
        seed: int,
    ):
        super().__init__()
        height, width, *channels = image_shape
        self.shape = (height, width, *(channels or [1]))
        _check_filter_size(filter_size, image_shape)
        self.filter_size, self.pool, self.threshold = filter_size, pool, threshold
        rng = generator(seed, "filters")
        images = images.reshape(-1, *self.shape)
        patches = self._normalised(_all_patches(images, self._N_WHITENED, filter_size, rng))
        mean = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((patches - mean).T))
        # In order of the eigenvalues, ZCA: whitened patches look like patches.
        whitening = (vectors / np.sqrt(values + self._LEAST_EIGENVALUE)) @ vectors.T
        contrast = np.linalg.norm(patches, axis=1)
        drawn = rng.choice(len(patches), n_filters, p=contrast / contrast.sum())
        filters = (patches[drawn] - mean) @ whitening
        filters /= np.maximum(np.linalg.norm(filters, axis=1, keepdims=True), 1e-12)
        filters = filters @ whitening
        offset = (filters @ mean).astype(np.float32)
        filters -= filters.mean(axis=1, keepdims=True)
        shape = (n_filters, self.shape[2], filter_size, filter_size)
        weight = torch.from_numpy(filters.reshape(shape).astype(np.float32))
        self.register_buffer("filters", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("offset", torch.from_numpy(offset)[:, None, None])
        self.n_features = 2 * n_filters * pool * pool

    def _normalised(self, patches: np.ndarray) -> np.ndarray:
        """Each patch less its mean, by its contrast, (n_patches, n_values)."""
        patches = patches.reshape(len(patches), -1)
        centred = patches - patches.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1, keepdims=True)
        return centred / np.sqrt(variance + self._LEAST_VARIANCE)

    def forward(self, samples: Tensor) -> Tensor:
        """Flattened images (batch, n_pixels) to features (batch, n_features)."""
        # 16 divides a full batch: all images take the same path, and responses stay in the cache.
        parts = [self.respond(part) for part in samples.split(16)]
        return torch.cat(parts) if parts else samples.new_zeros((0, self.n_features))

    def respond(self, samples: Tensor) -> Tensor:
        """Features of a whole batch at once."""
        images = samples.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        images = images.contiguous(memory_format=torch.channels_last)
        mean = F.avg_pool2d(images.mean(dim=1, keepdim=True), self.filter_size, 1)
        square = F.avg_pool2d(images.square().mean(dim=1, keepdim=True), self.filter_size, 1)
        contrast = (square - mean.square()).clamp_min(0).add(self._LEAST_VARIANCE).sqrt()
        responses = F.conv2d(images, self.filters) / contrast - self.offset
        sides = [F.relu(sign * responses - self.threshold) for sign in (1, -1)]
        pooled = [F.adaptive_avg_pool2d(side, self.pool) for side in sides]
        return torch.cat(pooled, dim=1).flatten(1)
