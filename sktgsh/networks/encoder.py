"""The frozen part of the network: samples in, hidden activity out."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FrozenEncoder(nn.Module):
    """Centre and scale, extract features, standardise them, expand. Nothing in here is trained.

    Parameters
    ----------
    shift, scale : float
        Samples are first mapped to ``(x - shift) * scale``.
    features : torch.nn.Module or None
        Maps (batch, n_inputs) to (batch, n_features); None leaves samples as they are.
    feature_mean, feature_scale : Tensor of shape (n_features,), or None
        Features are mapped to ``(f - feature_mean) * feature_scale``; None leaves them.
    axes : Tensor of shape (n_axes, n_features)
        Principal axes of the features, which the structure bits and task inference look at.
    axes_mean : Tensor of shape (n_axes,)
        Projection of the mean features onto the axes.
    expansion : torch.nn.Module
        Maps features (batch, n_features) to hidden activity (n_hidden, batch).
    """

    def __init__(
        self,
        shift: float,
        scale: float,
        features: nn.Module | None,
        feature_mean: Tensor | None,
        feature_scale: Tensor | None,
        axes: Tensor,
        axes_mean: Tensor,
        expansion: nn.Module,
    ):
        super().__init__()
        self.shift, self.scale = shift, scale
        self.extractor = features
        self.expansion = expansion
        self.register_buffer("feature_mean", feature_mean)
        self.register_buffer("feature_scale", feature_scale)
        self.register_buffer("axes", axes)
        self.register_buffer("axes_mean", axes_mean)
        # A module that was trained elsewhere must not be trained here.
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stay in evaluation mode: batch statistics and dropout would unfreeze the encoder."""
        return super().train(False)

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, n_inputs) to standardised features (batch, n_features)."""
        features = (samples - self.shift) * self.scale
        if self.extractor is not None:
            features = self.extractor(features).flatten(1)
        if self.feature_mean is not None:
            features = (features - self.feature_mean) * self.feature_scale
        return features

    def structure(self, features: Tensor) -> Tensor:
        """Standardised features to coordinates along the principal axes (batch, n_axes)."""
        return features @ self.axes.T - self.axes_mean

    @torch.no_grad()
    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, n_inputs) to hidden activity (n_hidden, batch)."""
        return self.expansion(self.features(samples))
