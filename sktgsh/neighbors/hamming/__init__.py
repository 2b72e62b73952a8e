"""Nearest neighbours by Hamming distance; faiss does the search."""

from .estimator import HammingNeighbors

__all__ = ["HammingNeighbors"]
