"""The kinds of encoders, a class each."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import networks
from ..._sklearn import Interval, TorchModule
from ...batches import InputScaling
from ...persistence import saved
from .encoder import Encoder, UnitDraw, check_shape
from .scaling import scale_as_one

if TYPE_CHECKING:
    from torch import nn

# Number of raw values that a hidden unit sums, chosen by measurement.
N_INPUTS_RAW = 7


@saved("DifferenceEncoder")
class DifferenceEncoder(Encoder):
    """Each unit projects onto the difference of two random samples of the first task.

    It is the default of :class:`~sktgsh.TaskGeometricHasher`, named ``"differences"``: directions
    along which samples differ are those along which they can be told apart.

    See Also
    --------
    sktgsh.GaussianEncoder : Units that take nothing from the data.
    sktgsh.TaskGeometricHasher : Takes an encoder.

    Examples
    --------
    >>> from sktgsh import DifferenceEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=DifferenceEncoder())
    TaskGeometricHasher(encoder=DifferenceEncoder())
    """


@saved("GaussianEncoder")
class GaussianEncoder(Encoder):
    """Each unit is a Gaussian random projection of all features, named ``"gaussian"``.

    See Also
    --------
    sktgsh.DifferenceEncoder : Units along differences of samples.
    sktgsh.TaskGeometricHasher : Takes an encoder.

    Examples
    --------
    >>> from sktgsh import GaussianEncoder, TaskGeometricHasher
    >>> TaskGeometricHasher(encoder=GaussianEncoder())
    TaskGeometricHasher(encoder=GaussianEncoder())
    """

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units.

        Parameters
        ----------
        features, extractor, draw
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        expansion : torch.nn.Module
        """
        weights = networks.gaussian_weights(
            features.shape[1], draw.n_blocks, draw.units_per_block, seed=draw.seed
        )
        return networks.DenseExpansion(weights)


@saved("SparseEncoder")
class SparseEncoder(Encoder):
    """Each unit sums a few random features with random signs.

    Parameters
    ----------
    n_inputs : int, default=7
        Number of features that a unit sums.

    See Also
    --------
    sktgsh.FlyEncoder : Sums without signs, under lateral inhibition.
    sktgsh.TaskGeometricHasher : Takes an encoder.

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
        """Make the module from features to rectified units.

        Parameters
        ----------
        features, extractor, draw
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        expansion : torch.nn.Module
        """
        return draw.sparse(features, self.n_inputs)


@saved("FlyEncoder")
class FlyEncoder(SparseEncoder):  # numpydoc ignore=PR02
    """Each unit sums a few random features under lateral inhibition, named ``"fly"``.

    Parameters
    ----------
    n_inputs : int, default=7
        Number of features that a unit sums.

    See Also
    --------
    sktgsh.SparseEncoder : Sums with random signs.
    sktgsh.TaskGeometricHasher : Takes an encoder.

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
        """Estimate one deviation for all columns; inputs are firing rates and are not centred.

        Parameters
        ----------
        X, rows, published, seed
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        scaling : InputScaling
        """
        return scale_as_one(X, rows, centred=False, exact=published)

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units.

        Parameters
        ----------
        features, extractor, draw
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        expansion : torch.nn.Module
        """
        return draw.sparse(features, self.n_inputs, signed=False)


@saved("ModuleEncoder")
class ModuleEncoder(Encoder):
    """Features of a torch module, a pretrained backbone say; the module is frozen.

    Parameters
    ----------
    module : torch.nn.Module
        Maps samples as they come, (batch, n_features) or (batch, \\*image_shape), to features.
    image_shape : tuple of int, optional
        Shape that the module takes a sample in.
    n_inputs : int, optional
        Number of features that a unit sums with random signs. By default units project onto
        differences of samples.

    See Also
    --------
    sktgsh.ConvEncoder : Random convolutions, which need no training.
    sktgsh.TaskGeometricHasher : Takes an encoder.

    Examples
    --------
    >>> import torch
    >>> from sktgsh import ModuleEncoder, TaskGeometricHasher
    >>> backbone = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU())
    >>> hasher = TaskGeometricHasher(encoder=ModuleEncoder(backbone, image_shape=(1, 8, 8)))
    """

    keeps_columns = False
    _parameter_constraints: dict = {
        "module": [TorchModule()],
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
        """Raise ValueError if a parameter is wrong, or does not fit the number of features.

        Parameters
        ----------
        n_features : int
            Number of columns of X.
        """
        super().check(n_features)
        if self.image_shape is not None:
            check_shape(self.image_shape, n_features)

    def scaling(self, X: Any, rows: np.ndarray, published: bool, seed: int) -> InputScaling:
        """Leave samples as they come, because the module was made for them.

        Parameters
        ----------
        X, rows, published, seed
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        scaling : InputScaling
        """
        return InputScaling()

    def extractor(self, samples: np.ndarray, seed: int) -> nn.Module:
        """Copy the module, so that freezing and moving it does not reach the user's own.

        Parameters
        ----------
        samples, seed
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        extractor : torch.nn.Module
        """
        import torch
        from torch import nn

        from ...networks.random import OwnDraws
        from ...networks.user_modules import check_module

        shaped = [nn.Unflatten(1, tuple(self.image_shape))] if self.image_shape is not None else []
        module = nn.Sequential(*shaped, deepcopy(self.module)).eval()
        with OwnDraws(seed):  # lazy layers draw their weights at the first call
            check_module(module, torch.from_numpy(samples), "encoder")
        return module

    def expansion(
        self, features: np.ndarray, extractor: nn.Module | None, draw: UnitDraw
    ) -> nn.Module:
        """Make the module from features to rectified units.

        Parameters
        ----------
        features, extractor, draw
            As in :class:`DifferenceEncoder`.

        Returns
        -------
        expansion : torch.nn.Module
        """
        if self.n_inputs is None:
            return super().expansion(features, extractor, draw)
        return draw.sparse(features, self.n_inputs)
