"""Fully connected winner-take-all autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._sklearn import Interval
from ..batches import STATISTICS_ROWS
from ..networks.device import resolve_device
from ..networks.winner_take_all import WinnerTakeAllLayer
from ..persistence import saved
from ..solver import GradientSolver
from .base import AutoencoderMixin


@saved("WinnerTakeAllAutoencoder")
class WinnerTakeAllAutoencoder(AutoencoderMixin, BaseEstimator):
    """Fully connected winner-take-all autoencoder.

    In training, each hidden unit keeps its largest activations over the mini-batch, and only
    these are reconstructed from; `transform` is without the constraint.

    Parameters
    ----------
    n_components : int, default=512
        Units of the last layer, which are the features.
    sparsity : float, default=0.05
        Share of a batch that each unit keeps in training.
    hidden_layer_sizes : sequence of int, default=()
        Layers before the last, for a stack: each is trained on the features of the one before.
    tied_weights : bool, default=False
        Whether decoders are the transposes of encoders.
    solver : GradientSolver, optional
        Settings of the gradient steps of each layer. What it leaves at None is 20 epochs,
        ``lr=0.001`` and ``batch_size=128``; units compete over the rows of a batch.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of initial weights and the order of rows.
    verbose : int, default=0
        1 shows a progress bar over the epochs, 2 skorch's table of them.

    Attributes
    ----------
    components_ : ndarray of shape (n_units, n_features), dtype float32
        Atoms of the first layer's decoder, in the units of X.
    reconstruction_err_ : float
        Mean squared error of a value of the training rows, decoded from features without the
        constraint, in the units of X squared.
    n_dead_units_ : int
        Features that are 0 for all training rows (for the first 10,000). A warning says so.
    history_ : list of list of dict
        Epochs of each layer, as skorch recorded them.

    See Also
    --------
    sktgsh.ConvWinnerTakeAllAutoencoder : For images.
    sktgsh.GradientSolver : Settings of the gradient steps.

    References
    ----------
    A. Makhzani and B. Frey, "Winner-take-all autoencoders", NIPS 2015, arXiv 1409.2752.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import GradientSolver, WinnerTakeAllAutoencoder
    >>> X = load_digits().data
    >>> autoencoder = WinnerTakeAllAutoencoder(
    ...     64, solver=GradientSolver(max_epochs=5), random_state=0)
    >>> autoencoder.fit_transform(X).shape
    (1797, 64)
    """

    _solver_defaults = {"max_epochs": 20, "lr": 1e-3, "batch_size": 128}
    _parameter_constraints: dict = {
        **AutoencoderMixin._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like"],
        "tied_weights": ["boolean"],
    }

    def __init__(
        self,
        n_components: int = 512,
        *,
        sparsity: float = 0.05,
        hidden_layer_sizes: Sequence[int] = (),
        tied_weights: bool = False,
        solver: GradientSolver | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.sparsity = sparsity
        self.hidden_layer_sizes = hidden_layer_sizes
        self.tied_weights = tied_weights
        self.solver = solver
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Decode features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Features.

        Returns
        -------
        samples : ndarray of shape (n_samples, n_features), dtype float32
        """
        check_is_fitted(self)
        features = np.require(X, np.float32, "W")
        if features.ndim != 2 or features.shape[1] != self.n_features_out_:
            raise ValueError(
                f"X has shape {features.shape}; expected (n_samples, {self.n_features_out_})"
            )
        with torch.no_grad():
            values = torch.from_numpy(features).to(resolve_device(self.device))
            for layer in reversed(self.layers_):
                values = layer.to(values.device).decode(values)
        return values.cpu().numpy() / np.float32(self.scale_)

    @property
    def components_(self) -> np.ndarray:
        """Atoms of the first layer's decoder, (n_units, n_features)."""
        layer = self.layers_[0]
        weight = layer.encoder.weight if layer.decoder is None else layer.decoder.T
        return weight.detach().cpu().numpy() / np.float32(self.scale_)

    def _make_layers(self, n_features: int) -> nn.ModuleList:
        sizes = [int(n) for n in (n_features, *self.hidden_layer_sizes, self.n_components)]
        return nn.ModuleList(
            WinnerTakeAllLayer(n_inputs, n_units, self.sparsity, self.tied_weights)
            for n_inputs, n_units in pairwise(sizes)
        )

    def _joints(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        return nn.Identity(), nn.Identity(), nn.Identity()

    def _count_features(self) -> int:
        return int(self.n_components)

    def _describe(self, X: np.ndarray) -> None:
        few = X[:STATISTICS_ROWS]
        features = self._encoded(few)
        error = self.inverse_transform(features) - few
        self.reconstruction_err_ = float(np.mean(error**2, dtype=np.float64))
        self._report_dead(features.max(axis=0))
