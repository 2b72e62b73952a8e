"""Geometric sensitive hashing: codes that depend on a sample's manifold alone."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from .._sklearn import Interval
from ..networks import PairwiseLoss
from ..persistence import saved
from ..random import generator
from ..solver import GradientSolver
from .base import DeepHasherMixin
from .thresholds import project_rows


@saved("GeometricHasher")
class GeometricHasher(DeepHasherMixin, BaseEstimator):
    """Geometric sensitive hashing: a representation that depends on a sample's manifold alone.

    A network is trained so that samples of one manifold (class) have near representations and
    those of different manifolds are a margin apart. Representations are scaled to norm 1 and
    hashed by signed random projections.

    Parameters
    ----------
    n_bits : int, default=64
        Length of a code.
    n_components : int, default=32
        Dimension of the representation.
    module : {"auto", "mlp", "convnet", "resnet"} or torch.nn.Module, default="auto"
        The network; see :class:`DeepSupervisedHasher`. Its outputs are the representation.
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels) of an image that is a row of X.
    margin : float, optional
        Squared distance of different manifolds, of at most 4; by default 1.
    class_weight, early_stopping, validation_fraction, patience
        As in :class:`DeepSupervisedHasher`.
    solver : GradientSolver, optional
        Settings of the gradient steps. What it leaves at None is 20 epochs, ``lr=0.003`` and
        ``batch_size=256``.
    packed, device, random_state, verbose
        As in :class:`DeepSupervisedHasher`.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network.
    projection_ : ndarray of shape (n_bits, n_components), dtype float32
        Signed random projections.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    history_ : list of dict
        Epochs, as skorch recorded them.

    See Also
    --------
    sktgsh.DeepSupervisedHasher : Trains a whole network on labels.
    sktgsh.TaskGeometricHasher : Learns codes, for one task or many.

    References
    ----------
    N. Dikkala, G. Kaplun and R. Panigrahy, "For manifold learning, deep neural networks can be
    locality sensitive hash functions", arXiv 2103.06875.

    Examples
    --------
    >>> from sktgsh import GeometricHasher, GradientSolver
    >>> from sktgsh.datasets import make_manifolds
    >>> manifolds = make_manifolds(20, 50, random_state=0)
    >>> hasher = GeometricHasher(solver=GradientSolver(max_epochs=3), random_state=0)
    >>> hasher.fit(manifolds.data, manifolds.target).representation(manifolds.data).shape
    (1000, 32)
    """

    _outputs_parameter = "n_components"
    _solver_defaults = {"max_epochs": 20, "lr": 3e-3, "batch_size": 256}
    _parameter_constraints: dict = {
        **DeepHasherMixin._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        n_components: int = 32,
        module: str | nn.Module = "auto",
        image_shape: tuple[int, ...] | None = None,
        margin: float | None = None,
        class_weight: str | dict | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        solver: GradientSolver | None = None,
        packed: bool = False,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_bits = n_bits
        self.n_components = n_components
        self.module = module
        self.image_shape = image_shape
        self.margin = margin
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.solver = solver
        self.packed = packed
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def representation(self, X: ArrayLike) -> np.ndarray:
        """Real-valued representations of norm 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        representation : ndarray of shape (n_samples, n_components), dtype float32
        """
        return self._outputs(X)

    def _n_outputs(self) -> int:
        return int(self.n_components)

    def _make_module(self, samples: Tensor, seed: int) -> nn.Module:
        rng = generator(seed, "projection")
        drawn = rng.standard_normal((self.n_bits, self.n_components))
        self.projection_ = drawn.astype(np.float32)
        return nn.Sequential(super()._make_module(samples, seed), UnitNorm())

    def _make_loss(self) -> nn.Module:
        return PairwiseLoss(1.0 if self.margin is None else self.margin, 0.0, balance=1.0)

    def _decide(self, outputs: np.ndarray) -> np.ndarray:
        return project_rows(outputs, self.projection_)


@saved("UnitNorm")
class UnitNorm(nn.Module):
    """Scale each row to norm 1."""

    def forward(self, outputs: Tensor) -> Tensor:
        """(batch, n_components) to the same."""
        return nn.functional.normalize(outputs)
