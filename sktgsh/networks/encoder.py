"""The frozen part of the network: samples in, hidden activity out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..persistence import saved


@saved("FrozenEncoder")
class FrozenEncoder(nn.Module):
    """Extract features, standardise them, expand. Nothing in here is trained.

    Parameters
    ----------
    extractor : torch.nn.Module or None
        Maps (batch, n_inputs) to (batch, n_features); None leaves samples as they are.
    feature_mean, feature_scale : Tensor of shape (n_features,), or None
        Features are mapped to ``(f - feature_mean) * feature_scale``; None leaves them.
    axes : Tensor of shape (n_axes, n_features)
        Principal axes of the features, which the structure bits and reconstruction look at.
    axes_mean : Tensor of shape (n_axes,)
        Projection of the mean features onto the axes.
    probes : Tensor of shape (n_probes, n_features)
        Random directions, which task inference looks at.
    expansion : torch.nn.Module
        Maps features (batch, n_features) to rectified units (n_units, batch); has `n_hidden`.
    unit_scale : float, default=1.0
        Rectified units are multiplied by it.
    passthrough : bool, default=False
        Let the features stand beside the rectified units, after them.

    See Also
    --------
    sktgsh.networks.SparseExpansion : Units that sum a few features each.
    sktgsh.networks.DenseExpansion : Units that see all features.
    sktgsh.networks.ModulatedHead : From hidden activity to bits.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.networks import DenseExpansion, FrozenEncoder, gaussian_weights
    >>> expansion = DenseExpansion(gaussian_weights(8, n_blocks=4, units_per_block=16, seed=0))
    >>> encoder = FrozenEncoder(
    ...     None, None, None, torch.eye(8)[:2], torch.zeros(2), torch.eye(8), expansion
    ... )
    >>> encoder(torch.rand(5, 8)).shape
    torch.Size([64, 5])
    """

    feature_mean: Tensor | None
    feature_scale: Tensor | None
    axes: Tensor
    axes_mean: Tensor
    probes: Tensor

    def __init__(
        self,
        extractor: nn.Module | None,
        feature_mean: Tensor | None,
        feature_scale: Tensor | None,
        axes: Tensor,
        axes_mean: Tensor,
        probes: Tensor,
        expansion: Any,
        unit_scale: float = 1.0,
        passthrough: bool = False,
    ):
        super().__init__()
        self.extractor = extractor
        self.expansion = expansion
        self.unit_scale, self.passthrough = unit_scale, passthrough
        self.register_buffer("feature_mean", feature_mean)
        self.register_buffer("feature_scale", feature_scale)
        self.register_buffer("axes", axes)
        self.register_buffer("axes_mean", axes_mean)
        self.register_buffer("probes", probes)
        # Freeze a user's module, too: it may have been trained elsewhere.
        self.requires_grad_(False)
        self.eval()

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.axes.shape[1]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units, features beside the rectified ones counted in."""
        return self.expansion.n_hidden + (self.n_features if self.passthrough else 0)

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stay in evaluation mode: batch statistics and dropout would unfreeze the encoder."""
        return super().train(False)

    def features(self, samples: Tensor) -> Tensor:
        """Scaled samples (batch, n_inputs) to standardised features (batch, n_features)."""
        features = samples
        if self.extractor is not None:
            features = self.extractor(features).flatten(1).float()
        if self.feature_mean is not None and self.feature_scale is not None:
            features = (features - self.feature_mean) * self.feature_scale
        return features

    def structure(self, features: Tensor) -> Tensor:
        """Standardised features to coordinates along the principal axes (batch, n_axes)."""
        return features @ self.axes.T - self.axes_mean

    def hidden(
        self, features: Tensor, n_hidden: int | None = None, out: Tensor | None = None
    ) -> Tensor:
        """Standardised features to hidden activity (n_hidden, batch); the first units, if asked.

        It is written into `out`, where that is given.
        """
        n_units = self.expansion.n_hidden if self.passthrough or n_hidden is None else n_hidden
        given = {} if out is None else {"out": out[:n_units]}
        units = self.expansion(features, n_units, **given)
        if self.unit_scale != 1.0:
            units *= self.unit_scale
        if not self.passthrough:
            return units
        if out is None:
            return torch.cat([units, features.T])
        out[n_units:] = features.T
        return out

    @torch.no_grad()
    def forward(self, samples: Tensor) -> Tensor:
        """Scaled samples (batch, n_inputs) to hidden activity (n_hidden, batch)."""
        return self.hidden(self.features(samples))
