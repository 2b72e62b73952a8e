"""The flagship. Its folders are the boxes of the picture in ``docs/architecture.rst``."""

from .cv import TaskGeometricHasherCV
from .encoding.encoders import (
    ConvEncoder,
    DifferenceEncoder,
    FlyEncoder,
    GaussianEncoder,
    ModuleEncoder,
    SparseEncoder,
)
from .hasher import TaskGeometricHasher

__all__ = [
    "ConvEncoder",
    "DifferenceEncoder",
    "FlyEncoder",
    "GaussianEncoder",
    "ModuleEncoder",
    "SparseEncoder",
    "TaskGeometricHasher",
    "TaskGeometricHasherCV",
]
