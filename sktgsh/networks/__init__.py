"""Torch modules and losses, each usable alone in plain PyTorch. No scikit-learn in here."""

from .encoder import FrozenEncoder
from .expansion import DenseExpansion, SparseExpansion
from .features import RandomConvolution
from .losses import CodewordLoss
from .modulation import ModulatedHead, apply_weights, class_readout, head_projection

__all__ = [
    "CodewordLoss",
    "DenseExpansion",
    "FrozenEncoder",
    "ModulatedHead",
    "RandomConvolution",
    "SparseExpansion",
    "apply_weights",
    "class_readout",
    "head_projection",
]
