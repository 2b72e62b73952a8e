"""Networks that are trained as a whole, for deep hashing. Each takes flattened samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..persistence import saved


def mlp(n_features: int, n_outputs: int, hidden: tuple[int, ...] = (256, 256)) -> nn.Sequential:
    """Dense layers with batch normalisation and ReLU, for vectors and tables.

    Parameters
    ----------
    n_features : int
        Number of features.
    n_outputs : int
        Number of outputs.
    hidden : tuple of int, default=(256, 256)
        Units of each hidden layer.

    Returns
    -------
    network : torch.nn.Sequential
        From samples (batch, n_features) to outputs (batch, n_outputs).

    See Also
    --------
    sktgsh.networks.convnet : A plain network for images.
    sktgsh.networks.resnet : A residual network for images.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import mlp
    >>> mlp(8, 16)(torch.rand(5, 8)).shape
    torch.Size([5, 16])
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(n_features, width), nn.BatchNorm1d(width), nn.ReLU()]
        n_features = width
    return nn.Sequential(*layers, nn.Linear(n_features, n_outputs))


@saved("ToImages")
class ToImages(nn.Module):
    """Flattened (height, width, channels) values to channels-first images."""

    def __init__(self, image_shape: tuple[int, ...]):
        super().__init__()
        height, width, *channels = image_shape
        self.shape = (height, width, *(channels or [1]))

    def forward(self, samples: Tensor) -> Tensor:
        """(batch, n_values) to (batch, channels, height, width), channels last in memory."""
        images = samples.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        return images.contiguous(memory_format=torch.channels_last)


def convnet(image_shape: tuple[int, ...], n_outputs: int) -> nn.Sequential:
    """The network of Liu et al. (CVPR 2016), section 4.1.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels)
        Shape of an image; samples are its values, flattened in this order.
    n_outputs : int
        Number of outputs.

    Returns
    -------
    network : torch.nn.Sequential
        From samples (batch, n_values) to outputs (batch, n_outputs).

    See Also
    --------
    sktgsh.networks.resnet : A residual network for images.
    sktgsh.networks.mlp : For vectors and tables.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import convnet
    >>> convnet((8, 8), 16)(torch.rand(5, 64)).shape
    torch.Size([5, 16])
    """
    images = ToImages(image_shape)
    height, width, channels = images.shape
    sides = [height, width]
    for _ in range(3):
        sides = [max(1, math.ceil(side / 2)) for side in sides]
    network = nn.Sequential(
        images,
        nn.Conv2d(channels, 32, 5, padding=2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.ReLU(),
        nn.Conv2d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(64 * sides[0] * sides[1], 500),
        nn.ReLU(),
        nn.Linear(500, n_outputs),
    )
    return network.apply(_keep_variance)


def _keep_variance(layer: nn.Module) -> None:
    """He initialisation. With torch's own, and no normalisation in between, all samples start with
    nearly the same output, and the pairwise loss finds a few directions only."""
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@saved("ResidualBlock")
class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., CVPR 2016, figure 2)."""

    def __init__(self, n_inputs: int, n_outputs: int, stride: int = 1):
        super().__init__()
        self.first = nn.Conv2d(n_inputs, n_outputs, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(n_outputs, n_outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(n_outputs), nn.BatchNorm2d(n_outputs)])
        self.shortcut: nn.Module = nn.Identity()
        if n_inputs != n_outputs or stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_inputs, n_outputs, 1, stride, bias=False), nn.BatchNorm2d(n_outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        """(batch, n_inputs, height, width) to (batch, n_outputs, height / stride, ...)."""
        hidden = F.relu(self.norms[0](self.first(images)))
        return F.relu(self.norms[1](self.second(hidden)) + self.shortcut(images))


def resnet(
    image_shape: tuple[int, ...], n_outputs: int, widths: tuple[int, ...] = (16, 32, 64)
) -> nn.Sequential:
    """A small residual network: a strided stem, one block a width, average pooling.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels)
        Shape of an image; samples are its values, flattened in this order.
    n_outputs : int
        Number of outputs.
    widths : tuple of int, default=(16, 32, 64)
        Channels of each block.

    Returns
    -------
    network : torch.nn.Sequential
        From samples (batch, n_values) to outputs (batch, n_outputs).

    See Also
    --------
    sktgsh.networks.convnet : A plain network for images.
    sktgsh.networks.mlp : For vectors and tables.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import resnet
    >>> resnet((8, 8), 16)(torch.rand(5, 64)).shape
    torch.Size([5, 16])
    """
    images = ToImages(image_shape)
    # Small images keep their resolution: there is nothing to throw away.
    stride = 2 if min(images.shape[:2]) >= 16 else 1
    layers: list[nn.Module] = [
        images,
        nn.Conv2d(images.shape[2], widths[0], 5, stride, padding=2, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
    ]
    for n_inputs, n_outputs_block in zip((widths[0], *widths), widths):
        layers.append(
            ResidualBlock(n_inputs, n_outputs_block, 1 if n_inputs == n_outputs_block else 2)
        )
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * widths[-1], n_outputs)
    )
