"""Hashing that learns: short binary codes whose meaning of "similar" belongs to a task."""

from .autoencoders import ConvWinnerTakeAllAutoencoder, WinnerTakeAllAutoencoder
from .deep import DeepSupervisedHasher, GeometricHasher
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
    "load",
]
