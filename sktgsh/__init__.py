"""Hashing that learns: short binary codes whose meaning of "similar" belongs to a task."""

from ._version import __version__
from .autoencoders import ConvWinnerTakeAllAutoencoder, WinnerTakeAllAutoencoder
from .deep import DeepSupervisedHasher, GeometricHasher
from .features_only import FeaturesOnly
from .linear import ITQHasher, PCAHasher, RidgeHasher
from .lsh import (
    L2ALSH,
    DenseFlyHasher,
    FlyHasher,
    PStableHasher,
    SignALSH,
    SignedRandomProjectionHasher,
    SimpleLSH,
    SparseProjectionHasher,
)
from .persistence import load
from .solver import GradientSolver
from .task_geometric import (
    ConvEncoder,
    DifferenceEncoder,
    FlyEncoder,
    GaussianEncoder,
    ModuleEncoder,
    SparseEncoder,
    TaskGeometricHasher,
    TaskGeometricHasherCV,
)

__all__ = [
    "ConvEncoder",
    "ConvWinnerTakeAllAutoencoder",
    "DeepSupervisedHasher",
    "DenseFlyHasher",
    "DifferenceEncoder",
    "FeaturesOnly",
    "FlyEncoder",
    "FlyHasher",
    "GaussianEncoder",
    "GeometricHasher",
    "GradientSolver",
    "ITQHasher",
    "L2ALSH",
    "ModuleEncoder",
    "PCAHasher",
    "PStableHasher",
    "RidgeHasher",
    "SignALSH",
    "SignedRandomProjectionHasher",
    "SimpleLSH",
    "SparseEncoder",
    "SparseProjectionHasher",
    "TaskGeometricHasher",
    "TaskGeometricHasherCV",
    "WinnerTakeAllAutoencoder",
    "__version__",
    "load",
]
