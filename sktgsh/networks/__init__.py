"""Torch modules and losses, each usable alone in plain PyTorch. No scikit-learn in here."""

from .encoder import FrozenEncoder
from .expansion import DenseExpansion, SparseExpansion, difference_weights, gaussian_weights
from .features import RandomConvolution, WhitenedPatchConvolution
from .losses import CodewordLoss, PairwiseLoss
from .modulation import ModulatedHead, apply_weights, class_readout, head_projection
from .trainable import convnet, mlp, resnet

__all__ = [
    "CodewordLoss",
    "DenseExpansion",
    "FrozenEncoder",
    "ModulatedHead",
    "PairwiseLoss",
    "RandomConvolution",
    "SparseExpansion",
    "WhitenedPatchConvolution",
    "apply_weights",
    "class_readout",
    "convnet",
    "difference_weights",
    "gaussian_weights",
    "head_projection",
    "mlp",
    "resnet",
]
