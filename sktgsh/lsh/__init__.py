"""Hashers that need no training: the locality sensitive families, one file each."""

from .asymmetric import L2ALSH, SignALSH, SimpleLSH
from .fly import DenseFlyHasher, FlyHasher
from .pstable import PStableHasher
from .signed import SignedRandomProjectionHasher, SparseProjectionHasher

__all__ = [
    "DenseFlyHasher",
    "FlyHasher",
    "L2ALSH",
    "PStableHasher",
    "SignALSH",
    "SignedRandomProjectionHasher",
    "SimpleLSH",
    "SparseProjectionHasher",
]
