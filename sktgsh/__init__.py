"""Hashing that learns: short binary codes whose meaning of "similar" belongs to a task."""

from .task_geometric import TaskGeometricHasher

__version__ = "0.1.0"

__all__ = ["TaskGeometricHasher"]
