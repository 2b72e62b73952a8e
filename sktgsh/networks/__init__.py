"""Torch modules and losses, each usable alone in plain PyTorch. No scikit-learn in here."""

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .encoder import FrozenEncoder
    from .expansion import DenseExpansion, SparseExpansion, difference_weights, gaussian_weights
    from .features import RandomConvolution, WhitenedPatchConvolution
    from .losses import CodewordLoss, PairwiseLoss
    from .modulation import ModulatedHead, apply_weights
    from .readout import class_readout, head_projection
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

# Names are imported when they are first asked for: a hasher that was read from a file needs none of
# them for its first codes, and torch takes seconds.
_MODULES = {
    "encoder": "FrozenEncoder",
    "expansion": "DenseExpansion SparseExpansion difference_weights gaussian_weights",
    "features": "RandomConvolution WhitenedPatchConvolution",
    "losses": "CodewordLoss PairwiseLoss",
    "modulation": "ModulatedHead apply_weights",
    "readout": "class_readout head_projection",
    "trainable": "convnet mlp resnet",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
