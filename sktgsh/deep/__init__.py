"""Hashers whose whole network is trained."""

from .geometric import GeometricHasher
from .supervised import DeepSupervisedHasher

__all__ = ["DeepSupervisedHasher", "GeometricHasher"]
