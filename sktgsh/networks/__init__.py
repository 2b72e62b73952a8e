"""Torch modules and losses, each usable alone in plain PyTorch. No scikit-learn in here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
