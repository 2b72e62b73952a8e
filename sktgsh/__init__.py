"""Hashing that learns: short binary codes whose meaning of "similar" belongs to a task."""

from typing import TYPE_CHECKING

from ._lazy import lazy_names
from ._version import __version__

if TYPE_CHECKING:
    from ._versions import show_versions
    from .autoencoders import ConvWinnerTakeAllAutoencoder, WinnerTakeAllAutoencoder
    from .deep import DeepSupervisedHasher, GeometricHasher
    from .features_only import FeaturesOnly
    from .linear import ITQHasher, PCAHasher, RidgeHasher
    from .lsh import (
        L2ALSH,
        DenseFlyHasher,
        FlyHasher,
        PStableHasher,
        SignALSH,
        SignedRandomProjectionHasher,
        SimpleLSH,
        SparseProjectionHasher,
    )
    from .persistence import load
    from .solver import GradientSolver
    from .task_geometric import (
        ConvEncoder,
        DifferenceEncoder,
        FlyEncoder,
        GaussianEncoder,
        ModuleEncoder,
        SparseEncoder,
        TaskGeometricHasher,
        TaskGeometricHasherCV,
    )

__all__ = [
    "ConvEncoder",
    "ConvWinnerTakeAllAutoencoder",
    "DeepSupervisedHasher",
    "DenseFlyHasher",
    "DifferenceEncoder",
    "FeaturesOnly",
    "FlyEncoder",
    "FlyHasher",
    "GaussianEncoder",
    "GeometricHasher",
    "GradientSolver",
    "ITQHasher",
    "L2ALSH",
    "ModuleEncoder",
    "PCAHasher",
    "PStableHasher",
    "RidgeHasher",
    "SignALSH",
    "SignedRandomProjectionHasher",
    "SimpleLSH",
    "SparseEncoder",
    "SparseProjectionHasher",
    "TaskGeometricHasher",
    "TaskGeometricHasherCV",
    "WinnerTakeAllAutoencoder",
    "__version__",
    "load",
    "show_versions",
]

# Names are imported when they are first asked for: torch and others take seconds and memory.
_ROOMS = {
    "_versions": "show_versions",
    "autoencoders": "ConvWinnerTakeAllAutoencoder WinnerTakeAllAutoencoder",
    "deep": "DeepSupervisedHasher GeometricHasher",
    "features_only": "FeaturesOnly",
    "linear": "ITQHasher PCAHasher RidgeHasher",
    "lsh": (
        "DenseFlyHasher FlyHasher L2ALSH PStableHasher SignALSH SignedRandomProjectionHasher "
        "SimpleLSH SparseProjectionHasher"
    ),
    "persistence": "load",
    "solver": "GradientSolver",
    "task_geometric": (
        "ConvEncoder DifferenceEncoder FlyEncoder GaussianEncoder ModuleEncoder SparseEncoder "
        "TaskGeometricHasher TaskGeometricHasherCV"
    ),
}
_MODULES = (
    "autoencoders codes databases datasets deep distributed evaluation export inspection "
    "interchange linear lsh metrics neighbors networks persistence task_geometric testing threads"
).split()

__getattr__, __dir__ = lazy_names(__name__, _ROOMS, _MODULES)
