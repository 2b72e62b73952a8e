"""Candidates by code, ranked by their vectors."""

from .estimator import RescoredNeighbors

__all__ = ["RescoredNeighbors"]
