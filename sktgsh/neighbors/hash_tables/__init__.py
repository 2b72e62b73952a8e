"""Locality sensitive hash tables, and their tuning."""

from .estimator import LSHNeighbors

__all__ = ["LSHNeighbors"]
