"""The deep hashing recipe that others publish, written plainly in PyTorch.

Three residual blocks of 16 channels, one random partner an image, margin 5 on the mean squared
difference, Adam with step size 3e-4, batches of 128.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from sktgsh.networks.trainable import ResidualBlock


class ReferenceNet(nn.Module):
    """About 114,700 weights for 28 x 28 images and 32 bits."""

    def __init__(self, side: int, n_bits: int):
        super().__init__()
        self.side = side
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(*[ResidualBlock(16, 16) for _ in range(3)])
        self.head = nn.Linear(16 * (side // 2) ** 2, n_bits)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        images = samples.reshape(-1, 1, self.side, self.side)
        maps = nn.functional.avg_pool2d(self.blocks(self.stem(images)), 2)
        return self.head(maps.flatten(1))


def train_reference(
    X: np.ndarray,
    y: np.ndarray,
    side: int,
    n_bits: int,
    n_epochs: int,
    on_epoch: Callable[[Callable[[np.ndarray], np.ndarray], float], bool],
) -> None:
    """Train; after each epoch call `on_epoch` with an encoder and the training time so far.

    Stops when `on_epoch` returns True.
    """
    torch.manual_seed(0)
    scale = np.float32(X.max())
    samples = torch.from_numpy((X.astype(np.float32) / scale - 0.1307) / 0.3081)
    labels = torch.from_numpy(y.astype(np.int64))
    net = ReferenceNet(side, n_bits)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4)

    def encode(rows: np.ndarray) -> np.ndarray:
        net.eval()
        with torch.no_grad():
            values = torch.from_numpy((rows.astype(np.float32) / scale - 0.1307) / 0.3081)
            return np.concatenate([(net(part) > 0).numpy() for part in values.split(500)])

    spent = 0.0
    for _ in range(n_epochs):
        net.train()
        start = time.perf_counter()
        for rows in torch.randperm(len(samples)).split(128):
            partner = torch.randint(len(samples), (len(rows),))
            optimizer.zero_grad()
            first, second = net(samples[rows]), net(samples[partner])
            distance = (first - second).square().mean(dim=1)
            similar = labels[rows] == labels[partner]
            loss = torch.where(similar, distance, torch.relu(5 - distance)).mean()
            loss = loss + 0.01 * sum((o.abs() - 1).abs().mean() for o in (first, second))
            loss.backward()
            optimizer.step()
        spent += time.perf_counter() - start
        if on_epoch(encode, spent):
            break
