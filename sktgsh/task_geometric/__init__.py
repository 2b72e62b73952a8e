"""The flagship. Its files are the boxes of the picture in ``docs/architecture.rst``."""

from .cv import TaskGeometricHasherCV
from .hasher import TaskGeometricHasher

__all__ = ["TaskGeometricHasher", "TaskGeometricHasherCV"]
