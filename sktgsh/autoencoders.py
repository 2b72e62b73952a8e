"""Winner-take-all autoencoders: sparse features without labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from .base import draft_of
from .encoding import BATCH_ROWS, dense_rows, iter_batches
from .networks.device import resolve_device
from .networks.trainable import ToImages
from .networks.winner_take_all import ConvWinnerTakeAllLayer, WinnerTakeAllLayer
from .solvers.sgd import train

_DTYPES = [np.float32, np.float64, np.uint8]


class ReconstructionLoss(nn.Module):
    """Squared error, summed over the values of a sample, averaged over the batch."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch."""
        return (output - target).square().flatten(1).sum(dim=1).mean()


class AutoencoderMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Scale, train a stack of layers one after another, encode in full batches.

    A subclass makes the layers, says how samples enter the first one and how features leave the
    last.
    """

    _parameter_constraints: dict = {
        "sparsity": [Interval(Real, 0, 1, closed="right")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "callbacks": [None, list],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> AutoencoderMixin:
        """Train the layers, each on the features of the one before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y, task : ignored
            For the common interface.

        Returns
        -------
        self : object
        """
        return self._train(X, fresh=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> AutoencoderMixin:
        """Go on training with more rows; the scale stays that of the first.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y, task : ignored
            For the common interface.

        Returns
        -------
        self : object
        """
        return self._train(X, fresh=not hasattr(self, "layers_"))

    def _train(self, X: Any, fresh: bool) -> AutoencoderMixin:
        draft = draft_of(self, fresh=fresh)
        X = validate_data(draft, X, dtype=_DTYPES, reset=fresh)
        draft._check_shape(X.shape[1])
        if fresh:
            draft.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
            sample = dense_rows(X, slice(0, 10_000))
            draft.scale_ = float(1 / (sample.std(dtype=np.float64) or 1.0))
            # Initial weights come from torch's generator; its state outside is left as it was.
            with torch.random.fork_rng():
                torch.manual_seed(draft.seed_)
                draft.layers_ = draft._make_layers(X.shape[1])
            draft.history_ = [[] for _ in draft.layers_]
        else:
            draft.layers_ = deepcopy(self.layers_)
            draft.history_ = [list(epochs) for epochs in self.history_]
        values = draft._enter(X)
        device = resolve_device(self.device)
        for epochs, layer in zip(draft.history_, draft.layers_):
            epochs += train(
                layer,
                ReconstructionLoss(),
                values,
                values,
                max_epochs=self.max_epochs,
                lr=self.lr,
                lr_schedule="one_cycle",
                batch_size=self.batch_size,
                optimizer="adam",
                callbacks=self.callbacks,
                device=str(device),
                seed=draft.seed_,
                verbose=int(self.verbose),
            )
            layer.eval()
            if layer is not draft.layers_[-1]:
                values = draft._next_values(layer, values)
        draft.n_features_out_ = draft._count_features()
        draft._describe(X)
        self.__dict__ = draft.__dict__
        return self

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Features without the sparsity constraint.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        task : ignored
            For the common interface.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype float32
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_DTYPES, reset=False)
        features = np.empty((len(X), self.n_features_out_), np.float32)
        module = self.as_module().to(resolve_device(self.device))
        with torch.no_grad():
            for rows, samples in iter_batches(X):
                made = module(samples.to(resolve_device(self.device)))
                features[rows] = made[: len(rows)].cpu().numpy()
        return features

    def fit_transform(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> np.ndarray:
        """Fit, then transform the same rows."""
        return self.fit(X, y).transform(X)

    def as_module(self) -> nn.Module:
        """The encoder as a torch module, (batch, n_features) to (batch, n_features_out).

        For ``TaskGeometricHasher(encoder=...)``, which freezes a copy of it.

        Returns
        -------
        module : torch.nn.Module
        """
        check_is_fitted(self)
        return _Encoder(self).eval()

    def _next_values(self, layer: nn.Module, values: Tensor) -> Tensor:
        """What the next layer is trained on."""
        between, device = self._joints()[1], next(layer.parameters()).device
        with torch.no_grad():
            parts = [
                between(layer.encode(part.to(device))).cpu() for part in values.split(BATCH_ROWS)
            ]
        return torch.cat(parts)

    def _check_shape(self, n_features: int) -> None:
        """Raise ValueError if samples cannot enter the first layer."""

    def _report_dead(self, activity: np.ndarray) -> None:
        """Count units that no sample makes active, and say so."""
        self.n_dead_units_ = int((activity == 0).sum())
        if self.n_dead_units_:
            warnings.warn(
                f"{self.n_dead_units_} of {len(activity)} units are dead: no sample makes them "
                "active. Lower lr, raise sparsity or batch_size, or train longer",
                UserWarning,
                stacklevel=4,
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.non_deterministic = False
        return tags


class _Encoder(nn.Module):
    """The encoder of a fitted autoencoder."""

    def __init__(self, autoencoder: AutoencoderMixin):
        super().__init__()
        self.layers = autoencoder.layers_
        self.scale = autoencoder.scale_
        self.enter, self.between, self.leave = autoencoder._joints()

    def forward(self, samples: Tensor) -> Tensor:
        first, *others = self.layers
        values = first.encode(self.enter(samples * self.scale))
        for layer in others:
            values = layer.encode(self.between(values))
        return self.leave(values)


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
    batch_size : int, default=128
        Rows over which units compete.
    max_epochs : int, default=20
        Epochs for each layer.
    lr : float, default=0.001
        Largest step size of the one-cycle schedule of Adam.
    callbacks : list of skorch callbacks, optional
        Called during training.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of initial weights and the order of rows.
    verbose : int, default=0
        1 shows skorch's table of epochs.

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

    References
    ----------
    A. Makhzani and B. Frey, "Winner-take-all autoencoders", NIPS 2015, arXiv 1409.2752.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import WinnerTakeAllAutoencoder
    >>> X = load_digits().data
    >>> features = WinnerTakeAllAutoencoder(64, max_epochs=5, random_state=0).fit_transform(X)
    >>> features.shape
    (1797, 64)
    """

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
        batch_size: int = 128,
        max_epochs: int = 20,
        lr: float = 1e-3,
        callbacks: list | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.sparsity = sparsity
        self.hidden_layer_sizes = hidden_layer_sizes
        self.tied_weights = tied_weights
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.lr = lr
        self.callbacks = callbacks
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
        features = np.asarray(X, dtype=np.float32)
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
        sizes = [n_features, *self.hidden_layer_sizes, self.n_components]
        return nn.ModuleList(
            WinnerTakeAllLayer(n_inputs, n_units, self.sparsity, self.tied_weights)
            for n_inputs, n_units in zip(sizes, sizes[1:])
        )

    def _enter(self, X: np.ndarray) -> Tensor:
        return torch.from_numpy(dense_rows(X, slice(None)) * np.float32(self.scale_))

    def _joints(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        return nn.Identity(), nn.Identity(), nn.Identity()

    def _count_features(self) -> int:
        return int(self.n_components)

    def _describe(self, X: np.ndarray) -> None:
        few = X[:10_000]
        features = self.transform(few)
        error = self.inverse_transform(features) - few
        self.reconstruction_err_ = float(np.mean(error**2, dtype=np.float64))
        self._report_dead(features.max(axis=0))


class ConvWinnerTakeAllAutoencoder(AutoencoderMixin, BaseEstimator):
    """Convolutional winner-take-all autoencoder.

    In training, each feature map of each image keeps its largest activation only (spatial
    sparsity), and of these winners each map keeps the largest over the mini-batch (lifetime
    sparsity). `transform` is without constraints, max-pooled.

    Parameters
    ----------
    image_shape : tuple (height, width) or (height, width, channels)
        Shape of an image that is a row of X.
    n_filters : sequence of int, default=(64, 64, 64)
        Filters of each zero-padded convolution of the encoder; the last are the feature maps.
    filter_size : int, default=5
        Odd side of these filters, in pixels.
    decoder_size : int, default=11
        Odd side of the decoder's atoms, in pixels.
    sparsity : float, default=0.2
        Share of a batch in which a map's winner survives. The number of maps times this is the
        number of atoms that an image is made of.
    stacked_filters : sequence of int, default=()
        Further layers, each trained on the max-pooled maps of the one before: number of maps.
    pool : int, default=4
        Features are maxima over cells of so many pixels (of the last layer's maps).
    patch_size : int, optional
        Train on random patches of this side in place of whole images, for large images.
    n_patches : int, default=100_000
        Number of such patches.
    batch_size : int, default=100
        Images over which maps compete.
    max_epochs : int, default=10
        Epochs for each layer.
    lr : float, default=0.003
        Largest step size of the one-cycle schedule of Adam.
    callbacks : list of skorch callbacks, optional
        Called during training.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of initial weights, patches and the order of rows.
    verbose : int, default=0
        1 shows skorch's table of epochs.

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

    References
    ----------
    A. Makhzani and B. Frey, "Winner-take-all autoencoders", NIPS 2015, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import ConvWinnerTakeAllAutoencoder
    >>> X = load_digits().data[:300]
    >>> autoencoder = ConvWinnerTakeAllAutoencoder(
    ...     (8, 8), n_filters=(8,), decoder_size=5, max_epochs=5, random_state=0)
    >>> autoencoder.fit(X).transform(X).shape
    (300, 32)
    """

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
        n_filters: Sequence[int] = (64, 64, 64),
        filter_size: int = 5,
        decoder_size: int = 11,
        sparsity: float = 0.2,
        stacked_filters: Sequence[int] = (),
        pool: int = 4,
        patch_size: int | None = None,
        n_patches: int = 100_000,
        batch_size: int = 100,
        max_epochs: int = 10,
        lr: float = 3e-3,
        callbacks: list | None = None,
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
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.lr = lr
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Reconstructions under both constraints, as in training.

        A map is made to be used by few images of a batch: from all maps at once, reconstructions
        would be far too bright. An image's therefore depends on those it comes with.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, cut into batches of `batch_size`.

        Returns
        -------
        images : ndarray of shape (n_samples, n_features), dtype float32
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_DTYPES, reset=False)
        layer = self.layers_[0].to("cpu")
        with torch.no_grad():
            images = torch.cat([layer(part) for part in self._images(X).split(self.batch_size)])
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
        n_channels = (*self.image_shape, 1)[2]
        layers = [
            ConvWinnerTakeAllLayer(
                n_channels,
                tuple(self.n_filters),
                self.filter_size,
                self.decoder_size,
                self.sparsity,
            )
        ]
        for n_maps in self.stacked_filters:
            n_inputs = layers[-1].decoder.in_channels
            layers.append(
                ConvWinnerTakeAllLayer(
                    n_inputs, (n_maps,), self.filter_size, self.decoder_size, self.sparsity
                )
            )
        return nn.ModuleList(layers)

    def _images(self, X: np.ndarray) -> Tensor:
        scaled = torch.from_numpy(dense_rows(X, slice(None)) * np.float32(self.scale_))
        return ToImages(tuple(self.image_shape))(scaled)

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
        leave = nn.Sequential(nn.MaxPool2d(self.pool, ceil_mode=True), nn.Flatten())
        return ToImages(tuple(self.image_shape)), nn.MaxPool2d(2, ceil_mode=True), leave

    def _count_features(self) -> int:
        height, width = self.image_shape[:2]
        for _ in self.stacked_filters:
            height, width = -(-height // 2), -(-width // 2)
        cells = -(-height // self.pool) * -(-width // self.pool)
        return int((self.stacked_filters or self.n_filters)[-1]) * cells

    def _describe(self, X: np.ndarray) -> None:
        few = X[:1000]
        self.reconstruction_err_ = float(
            np.mean((self.reconstruct(few) - few) ** 2, dtype=np.float64)
        )
        n_maps = (self.stacked_filters or self.n_filters)[-1]
        self._report_dead(self.transform(few).max(axis=0).reshape(n_maps, -1).max(axis=1))
