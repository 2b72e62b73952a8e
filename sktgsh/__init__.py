"""Hashing that learns: short binary codes whose meaning of "similar" belongs to a task."""

from .asymmetric import L2ALSH, SignALSH, SimpleLSH
from .autoencoders import ConvWinnerTakeAllAutoencoder, WinnerTakeAllAutoencoder
from .deep import DeepSupervisedHasher
from .geometric import GeometricHasher
from .projections import (
    DenseFlyHasher,
    FlyHasher,
    PStableHasher,
    SignedRandomProjectionHasher,
    SparseProjectionHasher,
)
from .task_geometric import TaskGeometricHasher
from .task_geometric_cv import TaskGeometricHasherCV

__version__ = "0.1.0"

__all__ = [
    "ConvWinnerTakeAllAutoencoder",
    "DeepSupervisedHasher",
    "DenseFlyHasher",
    "FlyHasher",
    "GeometricHasher",
    "L2ALSH",
    "PStableHasher",
    "SignALSH",
    "SignedRandomProjectionHasher",
    "SimpleLSH",
    "SparseProjectionHasher",
    "TaskGeometricHasher",
    "TaskGeometricHasherCV",
    "WinnerTakeAllAutoencoder",
]
