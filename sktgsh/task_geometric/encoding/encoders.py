"""The kinds of encoders: how samples are scaled, what features they give, and how units see them.

A new kind is a subclass of :class:`Encoder`, with a line in `ENCODERS` if it is to have a name.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from ..._sklearn import Interval
from ...batches import InputScaling
from ...networks import (
    DenseExpansion,
    RandomConvolution,
    SparseExpansion,
    WhitenedPatchConvolution,
    difference_weights,
    gaussian_weights,
)
from ...networks.random import OwnDraws
from ...networks.user_modules import check_module
from ...persistence import saved
from .scaling import scale_as_one, scale_by_column

N_FILTERS, N_PHOTOGRAPH_FILTERS = 64, 192
# Number of features that a hidden unit sums, chosen by measurement: many raw values, or few
# features of an extractor.
N_INPUTS_RAW, N_INPUTS_EXTRACTED = 7, 3


@dataclass(frozen=True)
class UnitDraw:
    """How many units are drawn, and from which seed.

    Attributes
    ----------
    n_blocks, units_per_block : int
    nested : bool
        As in :class:`~sktgsh.networks.SparseExpansion`.
    seed : int
    """

    n_blocks: int
    units_per_block: int
    nested: bool
    seed: int

    def sparse(self, features: np.ndarray, n_inputs: int, signed: bool = True) -> SparseExpansion:
        """Draw units that sum `n_inputs` random features each."""
        n_features = features.shape[1]
        # All units would be equal if each of them saw every feature.
        n_inputs = max(1, min(n_inputs, n_features // 2))
        return SparseExpansion(
            n_features,
            self.n_blocks,
            self.units_per_block,
            n_inputs,
            seed=self.seed,
            signed=signed,
            nested=self.nested,
        )


class Encoder(BaseEstimator):
    """How samples reach the hidden units; the base of all kinds.

    The defaults here standardise each column, extract no features, and let each unit point along
    the difference of two samples.
    """

    # Whether features are the columns of X.
    keeps_columns = True
    _parameter_constraints: dict = {}

    def check(self, n_features: int) -> None:
        """Raise ValueError if a parameter is wrong, or does not fit the number of features."""
        self._validate_params()

    def scaling(self, X: Any, rows: np.ndarray, published: bool, seed: int) -> InputScaling:
        """Estimate the scaling of samples.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        rows : ndarray of int
            Rows that it is estimated from.
        published : bool
            Take one mean and deviation for all columns, as the published network does.
        seed : int
        """
        if published:
            return scale_as_one(X, rows, centred=True, exact=True)
        return scale_by_column(X, rows, seed)

    def extractor(self, samples: np.ndarray, seed: int) -> nn.Module | None:
        """Make the module from scaled samples to features; None if samples are the features."""
        return None

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units.

        Parameters
        ----------
        features : ndarray of shape (n_samples, n_features), dtype float32
            Standardised features of the first task.
        extractor : torch.nn.Module or None
            The module that made them.
        draw : UnitDraw
        """
        weights = difference_weights(features, draw.n_blocks, draw.units_per_block, seed=draw.seed)
        return DenseExpansion(weights)


@saved("DifferenceEncoder")
class DifferenceEncoder(Encoder):
    """Each unit projects onto the difference of two random samples of the first task.

    It is the default of :class:`~sktgsh.TaskGeometricHasher`, named ``"differences"``: directions
    along which samples differ are those along which they can be told apart.

    Examples
    --------
    >>> from sktgsh import DifferenceEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=DifferenceEncoder())
    TaskGeometricHasher(encoder=DifferenceEncoder())
    """


@saved("GaussianEncoder")
class GaussianEncoder(Encoder):
    """Each unit is a Gaussian random projection of all features, named ``"gaussian"``.

    Examples
    --------
    >>> from sktgsh import GaussianEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=GaussianEncoder())
    TaskGeometricHasher(encoder=GaussianEncoder())
    """

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units."""
        weights = gaussian_weights(
            features.shape[1], draw.n_blocks, draw.units_per_block, seed=draw.seed
        )
        return DenseExpansion(weights)


@saved("SparseEncoder")
class SparseEncoder(Encoder):
    """Each unit sums a few random features with random signs.

    Parameters
    ----------
    n_inputs : int, default=7
        Number of features that a unit sums.

    Examples
    --------
    >>> from sktgsh import SparseEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=SparseEncoder(n_inputs=16))
    TaskGeometricHasher(encoder=SparseEncoder(n_inputs=16))
    """

    _parameter_constraints: dict = {"n_inputs": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_inputs: int = N_INPUTS_RAW):
        self.n_inputs = n_inputs

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units."""
        return draw.sparse(features, self.n_inputs)


@saved("FlyEncoder")
class FlyEncoder(SparseEncoder):
    """Each unit sums a few random features under lateral inhibition, named ``"fly"``.

    Parameters
    ----------
    n_inputs : int, default=7
        Number of features that a unit sums.

    References
    ----------
    Jinyung Hong and Theodore P. Pavlic, arXiv 2401.02437, section 3.

    Examples
    --------
    >>> from sktgsh import FlyEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=FlyEncoder(n_inputs=5))
    TaskGeometricHasher(encoder=FlyEncoder(n_inputs=5))
    """

    def scaling(self, X: Any, rows: np.ndarray, published: bool, seed: int) -> InputScaling:
        """Estimate one deviation for all columns; inputs are firing rates and are not centred."""
        return scale_as_one(X, rows, centred=False, exact=published)

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units."""
        return draw.sparse(features, self.n_inputs, signed=False)


@saved("ConvEncoder")
class ConvEncoder(Encoder):
    """Random convolutions of images, named ``"conv"``.

    The filters are patches of the first task's images. Responses of grey images are pooled and
    standardised, and each unit sums a few of them with random signs. Patches of images with several
    channels are whitened, and units project onto differences of samples.

    Parameters
    ----------
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels) of an image that is a row of X. By default
        images are square, and grey or of three channels, whichever fits the number of features.
    n_inputs : int, optional
        Number of features that a unit sums. By default 3 for grey images; units of other images
        project onto differences of samples.

    Raises
    ------
    ValueError
        If the shape does not fit the number of features.

    Examples
    --------
    >>> from sktgsh import ConvEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=ConvEncoder(image_shape=(28, 28)))
    TaskGeometricHasher(encoder=ConvEncoder(image_shape=(28, 28)))
    """

    keeps_columns = False
    _parameter_constraints: dict = {
        "image_shape": [None, "array-like"],
        "n_inputs": [None, Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, image_shape: tuple[int, ...] | None = None, n_inputs: int | None = None):
        self.image_shape = image_shape
        self.n_inputs = n_inputs

    def check(self, n_features: int) -> None:
        """Raise ValueError if a parameter is wrong, or does not fit the number of features."""
        super().check(n_features)
        self.shape_of(n_features)

    def shape_of(self, n_features: int) -> tuple[int, ...]:
        """Shape of an image; raises ValueError if it does not fit the number of features."""
        if self.image_shape is None:
            return _square_shape(n_features)
        _check_shape(self.image_shape, n_features)
        return tuple(int(size) for size in self.image_shape)

    def scaling(self, X: Any, rows: np.ndarray, published: bool, seed: int) -> InputScaling:
        """Estimate one mean and deviation for all pixels."""
        return scale_as_one(X, rows, centred=True, exact=published)

    def extractor(self, samples: np.ndarray, seed: int) -> nn.Module:
        """Make the convolution from patches of the images."""
        shape = self.shape_of(samples.shape[1])
        # Whitening helps images of several channels only.
        if len(shape) == 3 and shape[2] > 1:
            return photograph_convolution(shape, samples, seed)
        return default_convolution(shape, samples, seed)

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units."""
        # Strokes are seen by a few features each, photographs by all of them. Measured: 0.994
        # against 0.991 for digits with few inputs a unit, 0.585 against 0.611 for photographs.
        n_inputs = self.n_inputs
        if n_inputs is None and isinstance(extractor, RandomConvolution):
            n_inputs = N_INPUTS_EXTRACTED
        if n_inputs is None:
            return super().expansion(features, extractor, draw)
        return draw.sparse(features, n_inputs)


@saved("ModuleEncoder")
class ModuleEncoder(Encoder):
    """Features of a torch module, a pretrained backbone say; the module is frozen.

    Parameters
    ----------
    module : torch.nn.Module
        Maps samples as they come, (batch, n_features) or (batch, *image_shape), to features.
    image_shape : tuple of int, optional
        Shape that the module takes a sample in.
    n_inputs : int, optional
        Number of features that a unit sums with random signs. By default units project onto
        differences of samples.

    Examples
    --------
    >>> import torch
    >>> from sktgsh import ModuleEncoder, TaskGeometricHasher
    >>> backbone = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU())
    >>> hasher = TaskGeometricHasher(encoder=ModuleEncoder(backbone, image_shape=(1, 8, 8)))
    """

    keeps_columns = False
    _parameter_constraints: dict = {
        "module": [nn.Module],
        "image_shape": [None, "array-like"],
        "n_inputs": [None, Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        module: nn.Module,
        image_shape: tuple[int, ...] | None = None,
        n_inputs: int | None = None,
    ):
        self.module = module
        self.image_shape = image_shape
        self.n_inputs = n_inputs

    def check(self, n_features: int) -> None:
        """Raise ValueError if a parameter is wrong, or does not fit the number of features."""
        super().check(n_features)
        if self.image_shape is not None:
            _check_shape(self.image_shape, n_features)

    def scaling(self, X: Any, rows: np.ndarray, published: bool, seed: int) -> InputScaling:
        """Leave samples as they come, because the module was made for them."""
        return InputScaling()

    def extractor(self, samples: np.ndarray, seed: int) -> nn.Module:
        """Copy the module, so that freezing and moving it does not reach the user's own."""
        shaped = [nn.Unflatten(1, tuple(self.image_shape))] if self.image_shape is not None else []
        module = nn.Sequential(*shaped, deepcopy(self.module)).eval()
        with OwnDraws(seed):  # lazy layers draw their weights at the first call
            check_module(module, torch.from_numpy(samples), "encoder")
        return module

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units."""
        if self.n_inputs is None:
            return super().expansion(features, extractor, draw)
        return draw.sparse(features, self.n_inputs)


ENCODERS: dict[str, type[Encoder]] = {
    "differences": DifferenceEncoder,
    "gaussian": GaussianEncoder,
    "fly": FlyEncoder,
    "conv": ConvEncoder,
}


def encoder_of(encoder: str | Encoder | nn.Module) -> Encoder:
    """The encoder that a name or a torch module stands for."""
    if isinstance(encoder, str):
        return ENCODERS[encoder]()
    return ModuleEncoder(encoder) if isinstance(encoder, nn.Module) else encoder


def default_convolution(
    image_shape: tuple[int, ...], images: np.ndarray | None, seed: int, stride: int = 1
) -> RandomConvolution:
    """Filters of a quarter of the images' side, patches where there are images; a coarse grid."""
    side = min(image_shape[:2])
    filter_size = int(np.clip(round(side / 4), 3, 9))
    pool = int(np.clip(side // 7, 3, 6))
    return RandomConvolution(
        image_shape, N_FILTERS, filter_size, pool, stride=stride, images=images, seed=seed
    )


def photograph_convolution(
    image_shape: tuple[int, ...], images: np.ndarray, seed: int
) -> WhitenedPatchConvolution:
    """Whitened patches of a sixth of the images' side, for images of several channels."""
    side = min(image_shape[:2])
    filter_size = min(side, int(np.clip(round(side / 6), 3, 9)))
    return WhitenedPatchConvolution(
        image_shape, N_PHOTOGRAPH_FILTERS, filter_size, 3, images=images, seed=seed
    )


def _square_shape(n_features: int) -> tuple[int, ...]:
    """Shape of square images, grey or of three channels, with a number of values."""
    for channels in (1, 3):
        side = round((n_features / channels) ** 0.5)
        if side**2 * channels == n_features:
            return (side, side) if channels == 1 else (side, side, channels)
    raise ValueError(
        f"encoder='conv' expects square images, but X has {n_features} features; give their "
        "shape, as in encoder=ConvEncoder(image_shape=(height, width[, channels]))"
    )


def _check_shape(image_shape: tuple[int, ...], n_features: int) -> None:
    size = int(np.prod(image_shape))
    if size != n_features:
        raise ValueError(
            f"image_shape={tuple(image_shape)} has {size} values, but X has {n_features} features"
        )
