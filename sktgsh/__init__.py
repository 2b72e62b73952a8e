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
from .task_geometric import TaskGeometricHasher, TaskGeometricHasherCV

__all__ = [
    "ConvWinnerTakeAllAutoencoder",
    "DeepSupervisedHasher",
    "DenseFlyHasher",
    "FeaturesOnly",
    "FlyHasher",
    "GeometricHasher",
    "ITQHasher",
    "L2ALSH",
    "PCAHasher",
    "PStableHasher",
    "RidgeHasher",
    "SignALSH",
    "SignedRandomProjectionHasher",
    "SimpleLSH",
    "SparseProjectionHasher",
    "TaskGeometricHasher",
    "TaskGeometricHasherCV",
    "WinnerTakeAllAutoencoder",
    "__version__",
    "load",
]
