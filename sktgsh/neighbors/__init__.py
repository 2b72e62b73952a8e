"""Search: exact and approximate by Hamming distance, by hash tables, and in a store on disk."""

from .hamming import HammingNeighbors
from .hash_tables import LSHNeighbors
from .rescored import RescoredNeighbors
from .store import CodeStore

__all__ = ["CodeStore", "HammingNeighbors", "LSHNeighbors", "RescoredNeighbors"]
