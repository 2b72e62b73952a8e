"""Hashers whose bits are signs of one learned linear map: the rivals that cost next to nothing."""

from .ridge import RidgeHasher
from .unsupervised import ITQHasher, PCAHasher

__all__ = ["ITQHasher", "PCAHasher", "RidgeHasher"]
