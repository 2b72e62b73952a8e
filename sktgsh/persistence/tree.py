"""Objects as trees of JSON beside arrays: what :mod:`sktgsh.persistence` writes.

Plain values stand for themselves. Everything else is a JSON object with one key that names its
kind: an array by its name, a tuple, a dict as pairs, or an object of a known class as its
attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib import import_module
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

# Raised when an older version could not read what is written.
FORMAT = 1

# The only classes that are ever made, and where they live. The names are part of the format.
_PACKAGE = {
    "lsh.signed": ("SignedRandomProjectionHasher", "SparseProjectionHasher"),
    "lsh.pstable": ("PStableHasher",),
    "lsh.fly": ("FlyHasher", "DenseFlyHasher"),
    "lsh.asymmetric": ("SignALSH", "SimpleLSH"),
    "lsh.l2_alsh": ("L2ALSH",),
    "linear.unsupervised": ("ITQHasher", "PCAHasher"),
    "linear.ridge": ("RidgeHasher",),
    "deep.supervised": ("DeepSupervisedHasher",),
    "deep.geometric": ("GeometricHasher", "UnitNorm"),
    "autoencoders.dense": ("WinnerTakeAllAutoencoder",),
    "autoencoders.convolutional": ("ConvWinnerTakeAllAutoencoder",),
    "networks.winner_take_all": ("WinnerTakeAllLayer", "ConvWinnerTakeAllLayer"),
    "networks.trainable": ("ToImages", "ResidualBlock"),
    "networks.encoder": ("FrozenEncoder",),
    "networks.expansion": ("SparseExpansion", "DenseExpansion"),
    "networks.features": ("RandomConvolution", "WhitenedPatchConvolution"),
    "task_geometric.hasher": ("TaskGeometricHasher",),
    "task_geometric.cv": ("TaskGeometricHasherCV",),
    "batches": ("InputScaling",),
    "task_geometric.learner": ("TaskLearner",),
    "task_geometric.codewords": ("Codebook",),
    "task_geometric.codebook": ("ClassProjections",),
    "task_geometric.rows": ("BitLayout",),
    "task_geometric.modulation": ("Modulation",),
    "task_geometric.recognition": ("TaskDensity",),
    "neighbors.hamming": ("HammingNeighbors",),
    "neighbors.shards": ("Shards", "Shard"),
    "neighbors.indexes": ("CodeIndex",),
    "neighbors.distinct": ("DistinctCodes",),
    "neighbors.ids": ("Ids",),
    "neighbors.lsh": ("LSHNeighbors",),
    "neighbors.rescored": ("RescoredNeighbors",),
    "neighbors.vectors": ("Vectors",),
    "neighbors.tables": ("Tables",),
    "neighbors.points": ("DensePoints", "SparsePoints", "CodePoints"),
}
_TORCH = (
    "AdaptiveAvgPool2d AvgPool2d BatchNorm1d BatchNorm2d Conv2d ConvTranspose2d Dropout Flatten "
    "GELU Identity LayerNorm LeakyReLU Linear MaxPool2d ModuleList ReLU Sequential Sigmoid Tanh "
    "Unflatten"
).split()
CLASSES = {name: f"sktgsh.{room}" for room, names in _PACKAGE.items() for name in names}
CLASSES |= dict.fromkeys(_TORCH, "torch.nn") | {"Bunch": "sklearn.utils"}

_SPARSE = {"csr_array": sparse.csr_array, "csr_matrix": sparse.csr_matrix}
# What a module of torch is made of; all other attributes are plain values, or empty hooks.
_MODULE_PARTS = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training")


def _class_of(name: str) -> type:
    if name not in CLASSES:
        raise ValueError(f"the class {name!r} is not one that files of sktgsh may hold")
    return getattr(import_module(CLASSES[name]), name)


def is_known(kind: type) -> bool:
    """Whether objects of a class may be written and made."""
    name = kind.__qualname__
    return name in CLASSES and _class_of(name) is kind


def name_of(kind: type) -> str:
    """Where a class is from, and its name."""
    return f"{kind.__module__}.{kind.__qualname__}"


class Writer:
    """Turns objects into a tree; arrays are collected, equal ones once.

    Attributes
    ----------
    arrays : dict of ndarray
        By the names that the tree mentions.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[tuple, str] = {}

    def encode(self, value: Any) -> Any:
        """The tree of any value."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, np.str_):
            return str(value)
        if isinstance(value, list):
            return [self.encode(item) for item in value]
        if type(value) is dict:
            return {"dict": [[self.encode(key), self.encode(part)] for key, part in value.items()]}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._encode_array(value)
        if isinstance(value, torch.Tensor):
            return self._encode_tensor(value)
        for kind, convert in _CONVERSIONS.items():
            if isinstance(value, kind):
                return {kind.__name__: self.encode(convert(value))}
        if type(value).__name__ in _SPARSE and sparse.issparse(value):
            parts = [value.data, value.indices, value.indptr, tuple(value.shape)]
            return {type(value).__name__: self.encode(parts)}
        if isinstance(value, nn.Module):
            return self._encode_module(value)
        if is_known(type(value)):
            return {"object": [type(value).__name__, self._encode_attributes(value)]}
        return {"foreign": [name_of(value if isinstance(value, type) else type(value)), None]}

    def _encode_attributes(self, value: Any) -> dict:
        state = dict(value) if isinstance(value, dict) else value.__getstate__()
        return {name: self.encode(part) for name, part in state.items()}

    def _encode_array(self, value: np.ndarray | np.generic) -> Any:
        array = np.asarray(value)
        if array.dtype.kind in "OU":
            items = [self.encode(item) for item in array.ravel().tolist()]
            return {"items": [items, list(array.shape), array.dtype.kind]}
        if array.dtype.kind not in "biuf":
            raise TypeError(f"arrays of dtype {array.dtype} cannot be saved")
        columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
        name = self._store(array.T if columns_first else array)
        if isinstance(value, np.generic):
            return {"scalar": name}
        # The order in memory decides how sums run, and so the last digit.
        return {"columns": name} if columns_first else {"array": name}

    def _encode_tensor(self, value: torch.Tensor) -> Any:
        tensor = value.detach().cpu()
        last = tensor.ndim == 4 and not tensor.is_contiguous()
        last = last and tensor.is_contiguous(memory_format=torch.channels_last)
        stored = tensor.permute(0, 2, 3, 1) if last else tensor
        return {"channels_last" if last else "tensor": self._store(stored.numpy())}

    def _store(self, array: np.ndarray) -> str:
        array = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
        digest = hashlib.sha256(array.data if array.size else b"").digest()
        key = (array.dtype.str, array.shape, digest)
        name = self._names.setdefault(key, str(len(self._names)))
        self.arrays[name] = array
        return name

    def _encode_module(self, module: nn.Module) -> Any:
        if not is_known(type(module)):
            weights = {name: self.encode(part) for name, part in module.state_dict().items()}
            return {"foreign": [name_of(type(module)), weights]}
        plain = {
            name: self.encode(part)
            for name, part in vars(module).items()
            if name not in _MODULE_PARTS and not (name.startswith("_") and not part)
        }
        parameters = {
            name: None if part is None else [self.encode(part), part.requires_grad]
            for name, part in module._parameters.items()
        }
        parts = {
            "plain": plain,
            "training": module.training,
            "parameters": parameters,
            "buffers": {name: self.encode(part) for name, part in module._buffers.items()},
            "modules": {name: self.encode(part) for name, part in module._modules.items()},
        }
        return {"module": [type(module).__name__, parts]}


class Reader:
    """Makes objects from a tree.

    Parameters
    ----------
    arrays : dict of ndarray
    given : mapping
        Constructor parameters that the tree does not hold.
    """

    def __init__(self, arrays: dict[str, np.ndarray], given: Mapping[str, Any]):
        self.arrays, self.given = arrays, given

    def decode(self, tree: Any, name: str = "") -> Any:
        """The value of a tree; `name` is the attribute that it will be."""
        if isinstance(tree, list):
            return [self.decode(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        (kind, content), *others = tree.items()
        if others:
            raise ValueError(f"a node of {len(tree)} kinds")
        if kind in ("array", "columns", "scalar", "tensor", "channels_last"):
            return self._decode_array(kind, self.arrays[content])
        if kind == "items":
            items, shape, code = content
            flat = np.empty(len(items), dtype=object)
            flat[:] = [self.decode(item) for item in items]
            return (flat if code == "O" else flat.astype(str)).reshape(shape)
        if kind in _SPARSE:
            *parts, shape = self.decode(content)
            return _SPARSE[kind](tuple(parts), shape=shape)
        if kind in _REVERSIONS:
            return _REVERSIONS[kind](self.decode(content))
        if kind == "dict":
            return {self.decode(key): self.decode(part) for key, part in content}
        if kind == "foreign":
            type_name, weights = content
            return self._decode_foreign(type_name, weights, name)
        if kind == "module":
            return self._decode_module(*content)
        if kind == "object":
            return self._decode_object(*content)
        raise ValueError(f"a node of the unknown kind {kind!r}")

    def _decode_array(self, kind: str, array: np.ndarray) -> Any:
        # A copy: equal arrays were stored once, but are not one.
        array = array.copy()
        if kind == "scalar":
            return array[()]
        if kind == "columns":
            return array.T
        if kind == "array":
            return array
        tensor = torch.from_numpy(array)
        return tensor if kind == "tensor" else tensor.permute(0, 3, 1, 2)

    def _decode_object(self, class_name: str, attributes: dict) -> Any:
        kind = _class_of(class_name)
        state = {name: self.decode(part, name) for name, part in attributes.items()}
        if issubclass(kind, dict):
            return kind(**state)
        value = object.__new__(kind)
        if hasattr(value, "__setstate__"):
            value.__setstate__(state)
        else:
            value.__dict__.update(state)
        return value

    def _decode_module(self, class_name: str, parts: dict) -> nn.Module:
        kind = _class_of(class_name)
        module: nn.Module = object.__new__(kind)
        nn.Module.__init__(module)
        for name, part in parts["plain"].items():
            object.__setattr__(module, name, self.decode(part, name))
        for name, part in parts["parameters"].items():
            parameter = part and nn.Parameter(self.decode(part[0]), requires_grad=part[1])
            module.register_parameter(name, parameter)
        for name, part in parts["buffers"].items():
            module.register_buffer(name, self.decode(part))
        for name, part in parts["modules"].items():
            module.add_module(name, self.decode(part, name))
        module.training = parts["training"]
        return module

    def _decode_foreign(self, type_name: str, weights: dict | None, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        alike = [value for value in self.given.values() if name_of(type(value)) == type_name]
        if weights is None or not alike:
            raise ValueError(
                f"{name} was a {type_name}, which is not the package's and not stored; give it "
                f"again: load(path, {name}=...)"
            )
        module = deepcopy(alike[0])
        module.load_state_dict({key: self.decode(part) for key, part in weights.items()})
        return module.requires_grad_(False).eval()


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    tuple: list,
    np.random.RandomState: lambda value: list(value.get_state()),
    torch.device: str,
    set: sorted,
    range: lambda value: [value.start, value.stop, value.step],
}


def _to_random_state(state: list) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(tuple(state))
    return made


_REVERSIONS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "RandomState": _to_random_state,
    "device": torch.device,
    "set": set,
    "range": lambda bounds: range(*bounds),
}
