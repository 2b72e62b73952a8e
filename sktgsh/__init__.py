"""Hashing that learns: short binary codes whose meaning of "similar" belongs to a task."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}
_MODULES = (
    "autoencoders codes databases datasets deep distributed evaluation export inspection "
    "interchange linear lsh metrics neighbors networks persistence task_geometric testing threads"
).split()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
