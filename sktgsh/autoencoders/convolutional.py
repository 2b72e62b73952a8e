"""Convolutional winner-take-all autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._sklearn import Interval
from ..base import check_samples
from ..networks.trainable import ToImages
from ..networks.winner_take_all import ConvWinnerTakeAllLayer
from ..persistence import saved
from ..solver import GradientSolver
from .base import AutoencoderMixin


@saved("ConvWinnerTakeAllAutoencoder")
class ConvWinnerTakeAllAutoencoder(AutoencoderMixin, BaseEstimator):
    """Convolutional winner-take-all autoencoder.

    In training, each feature map of each image keeps its largest activation only (spatial
    sparsity), and of these winners each map keeps the largest over the mini-batch (lifetime
    sparsity). `transform` is without constraints, max-pooled.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels)
        Shape of an image that is a row of X.
    n_filters : sequence of int, default=(64,)
        Filters of each zero-padded convolution of the encoder; the last are the feature maps.
    filter_size : int, default=11
        Odd side of these filters, in pixels.
    decoder_size : int, default=11
        Odd side of the decoder's atoms, in pixels.
    sparsity : float, default=0.1
        Share of a batch in which a map's winner survives. The number of maps times this is the
        number of atoms that an image is made of.
    stacked_filters : sequence of int, default=()
        Further layers, each trained on the max-pooled maps of the one before: number of maps.
    pool : int, default=4
        Features are maxima over cells of so many pixels (of the last layer's maps).
    patch_size : int, optional
        Train on random patches of this side instead of whole images, for large images.
    n_patches : int, default=100_000
        Number of such patches.
    solver : GradientSolver, optional
        Settings of the gradient steps of each layer. What it leaves at None is 10 epochs,
        ``lr=0.003`` and ``batch_size=100``; maps compete over the images of a batch.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of initial weights, patches and the order of rows.
    verbose : int, default=0
        1 shows a progress bar over the epochs, 2 skorch's table of them.

    Attributes
    ----------
    components_ : ndarray of shape (n_maps, decoder_size, decoder_size, n_channels), dtype float32
        Atoms of the first layer's decoder, in the units of X.
    reconstruction_err_ : float
        Mean squared error of a value of the first 1,000 training images, from their sparse maps, in
        the units of X squared.
    n_dead_units_ : int
        Maps that are 0 for the first 1,000 training images. A warning says so.
    history_ : list of list of dict
        Epochs of each layer, as skorch recorded them.

    See Also
    --------
    sktgsh.GradientSolver : Settings of the gradient steps.
    sktgsh.WinnerTakeAllAutoencoder : For vectors.

    References
    ----------
    A. Makhzani and B. Frey, "Winner-take-all autoencoders", NIPS 2015, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import ConvWinnerTakeAllAutoencoder, GradientSolver
    >>> X = load_digits().data[:300]
    >>> autoencoder = ConvWinnerTakeAllAutoencoder(
    ...     (8, 8), n_filters=(8,), decoder_size=5, solver=GradientSolver(max_epochs=5),
    ...     random_state=0)
    >>> autoencoder.fit(X).transform(X).shape
    (300, 32)
    """

    _solver_defaults = {"max_epochs": 10, "lr": 3e-3, "batch_size": 100}
    _parameter_constraints: dict = {
        **AutoencoderMixin._parameter_constraints,
        "image_shape": ["array-like"],
        "n_filters": ["array-like"],
        "filter_size": [Interval(Integral, 1, None, closed="left")],
        "decoder_size": [Interval(Integral, 1, None, closed="left")],
        "stacked_filters": ["array-like"],
        "pool": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [None, Interval(Integral, 1, None, closed="left")],
        "n_patches": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        image_shape: tuple[int, ...],
        *,
        n_filters: Sequence[int] = (64,),
        filter_size: int = 11,
        decoder_size: int = 11,
        sparsity: float = 0.1,
        stacked_filters: Sequence[int] = (),
        pool: int = 4,
        patch_size: int | None = None,
        n_patches: int = 100_000,
        solver: GradientSolver | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.image_shape = image_shape
        self.n_filters = n_filters
        self.filter_size = filter_size
        self.decoder_size = decoder_size
        self.sparsity = sparsity
        self.stacked_filters = stacked_filters
        self.pool = pool
        self.patch_size = patch_size
        self.n_patches = n_patches
        self.solver = solver
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Reconstructions under both constraints, as in training.

        A map is trained to be used by few images of a batch. Reconstructions from all maps at once
        would be far too bright. The reconstruction of an image therefore depends on its batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, cut into batches as in training.

        Returns
        -------
        images : ndarray of shape (n_samples, n_features), dtype float32
        """
        check_is_fitted(self)
        return self._reconstructed(check_samples(self, X, reset=False))

    def _reconstructed(self, X: np.ndarray) -> np.ndarray:
        """Reconstructions of checked images."""
        layer = self.layers_[0].to("cpu")
        with torch.no_grad():
            batches = self._images(X).split(self._settings().batch_size)
            images = torch.cat([layer(batch) for batch in batches])
            images = images.permute(0, 2, 3, 1).flatten(1)
        return images.numpy() / np.float32(self.scale_)

    @property
    def components_(self) -> np.ndarray:
        """Atoms of the first layer's decoder, (n_maps, side, side, n_channels)."""
        atoms = self.layers_[0].decoder.weight.detach().cpu().permute(0, 2, 3, 1)
        return atoms.numpy() / np.float32(self.scale_)

    def _check_shape(self, n_features: int) -> None:
        if int(np.prod(self.image_shape)) != n_features:
            raise ValueError(
                f"image_shape={tuple(self.image_shape)} has {int(np.prod(self.image_shape))} "
                f"values, but X has {n_features} features"
            )
        for name in ("filter_size", "decoder_size"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name}={getattr(self, name)}; expected an odd number of pixels")
        if self.patch_size is not None and self.patch_size > min(self.image_shape[:2]):
            raise ValueError(f"patch_size={self.patch_size} is larger than {self.image_shape}")

    def _make_layers(self, n_features: int) -> nn.ModuleList:
        layers, n_inputs = nn.ModuleList(), (*self.image_shape, 1)[2]
        sizes = int(self.filter_size), int(self.decoder_size)
        filters = [tuple(map(int, self.n_filters)), *((int(n),) for n in self.stacked_filters)]
        for n_filters in filters:
            layers.append(ConvWinnerTakeAllLayer(n_inputs, n_filters, *sizes, self.sparsity))
            n_inputs = n_filters[-1]
        return layers

    def _images(self, X: np.ndarray) -> Tensor:
        return ToImages(tuple(self.image_shape))(super()._enter(X))

    def _enter(self, X: np.ndarray) -> Tensor:
        images = self._images(X)
        if self.patch_size is None:
            return images
        rng = np.random.RandomState(self.seed_)
        side, each = self.patch_size, max(1, self.n_patches // len(X))
        chosen = rng.permutation(len(X))[: self.n_patches]
        patches = [
            extract_patches_2d(image, (side, side), max_patches=each, random_state=rng)
            for image in images[chosen].permute(0, 2, 3, 1).numpy()
        ]
        patches = np.concatenate(patches)
        patches = patches.reshape(-1, side, side, images.shape[1]).astype(np.float32)
        return torch.from_numpy(patches).permute(0, 3, 1, 2).contiguous()

    def _joints(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        leave = nn.Sequential(nn.MaxPool2d(int(self.pool), ceil_mode=True), nn.Flatten())
        return ToImages(tuple(self.image_shape)), nn.MaxPool2d(2, ceil_mode=True), leave

    def _count_features(self) -> int:
        height, width = self.image_shape[:2]
        for _ in self.stacked_filters:
            height, width = -(-height // 2), -(-width // 2)
        pool = int(self.pool)
        cells = -(-int(height) // pool) * -(-int(width) // pool)
        return self._n_maps() * cells

    def _n_maps(self) -> int:
        """Feature maps of the last layer."""
        return int([*self.n_filters, *self.stacked_filters][-1])

    def _describe(self, X: np.ndarray) -> None:
        few = X[:1000]
        self.reconstruction_err_ = float(
            np.mean((self._reconstructed(few) - few) ** 2, dtype=np.float64)
        )
        activity = self._encoded(few).max(axis=0)
        self._report_dead(activity.reshape(self._n_maps(), -1).max(axis=1))
