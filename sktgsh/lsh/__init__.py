"""Hashers that need no training: the locality sensitive families, one file each."""

from .fly import DenseFlyHasher, FlyHasher
from .l2_alsh import L2ALSH
from .pstable import PStableHasher
from .sign_alsh import SignALSH, SimpleLSH
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
