"""The flagship. Its folders are the boxes of the picture in ``docs/architecture.rst``."""

from .cv import TaskGeometricHasherCV
from .encoding.encoders import (
    DifferenceEncoder,
    FlyEncoder,
    GaussianEncoder,
    ModuleEncoder,
    SparseEncoder,
)
from .encoding.image_encoder import ConvEncoder
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
