"""Hashers that need no training: the locality sensitive families, one file each."""

from .asymmetric import SignALSH, SimpleLSH
from .fly import DenseFlyHasher, FlyHasher
from .l2_alsh import L2ALSH
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
