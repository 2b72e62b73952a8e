"""Objects as trees of JSON beside arrays: what :mod:`sktgsh.persistence` writes.

Plain values stand for themselves. Everything else is a JSON object with one key that names its
kind: an array by its name, a tuple, a dict as pairs, or an object of a known class as its
attributes. An object of any other class is foreign: its class is named, and a module's weights are
stored.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .._version import __version__
from .pickles import VERSION, VersionedMixin
from .registry import class_of, name_of, saved_name
from .upgrades import FORMAT, former_fingerprint, upgrade

if TYPE_CHECKING:
    import torch
    from torch import nn

_SPARSE = {"csr_array": sparse.csr_array, "csr_matrix": sparse.csr_matrix}
# The parts that a module of torch has; all other attributes are plain values, or empty hooks.
_MODULE_PARTS = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training")


def _is_torch(value: Any, name: str) -> bool:
    """Whether a value is of a class of torch; where torch is not imported, none is."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return isinstance(value, torch.nn.Module if name == "Module" else getattr(torch, name))


class Writer:
    """Turns objects into a tree; arrays are collected, equal ones once.

    Parameters
    ----------
    root : estimator, optional
        Its constructor parameters, nested ones too, may be foreign: ``load`` is given them again.

    Attributes
    ----------
    arrays : dict of ndarray
        By the names that the tree mentions.
    """

    def __init__(self, root: Any = None) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[tuple, str] = {}
        self._params = {} if root is None else root.get_params(deep=True)
        self._can_be_given = {_kind_of(value) for value in _flat(self._params.values())}

    def encode(self, value: Any, place: str = "") -> Any:
        """The tree of any value.

        Parameters
        ----------
        value : object
        place : str, default=""
            Where the value was found, as errors say it.

        Raises
        ------
        TypeError
            If the value holds an object of a foreign class that ``load`` could not be given.
        """
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, np.str_):
            return str(value)
        if isinstance(value, list):
            return [self.encode(item, place) for item in value]
        if type(value) is dict:
            pairs = [[self.encode(key), self.encode(part, place)] for key, part in value.items()]
            return {"dict": pairs}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._encode_array(value, place)
        if _is_torch(value, "Tensor"):
            return self._encode_tensor(value)
        if _is_torch(value, "device"):
            return {"device": str(value)}
        if isinstance(value, type) and issubclass(value, np.generic):
            return {"numpy_type": value.__name__}
        for kind, convert in _CONVERSIONS.items():
            if isinstance(value, kind):
                return {kind.__name__: self.encode(convert(value), place)}
        if type(value).__name__ in _SPARSE and sparse.issparse(value):
            parts = [value.data, value.indices, value.indptr, tuple(value.shape)]
            return {type(value).__name__: self.encode(parts, place)}
        if _is_torch(value, "Module"):
            return self._encode_module(value, place)
        name = saved_name(type(value))
        if name is not None:
            return {"object": [name, self._encode_attributes(value, place)]}
        return self._encode_foreign(value, None, place)

    def _encode_attributes(self, value: Any, place: str) -> dict:
        state = dict(value) if isinstance(value, dict) else value.__getstate__()
        return {
            name: self.encode(part, f"{place}.{name}")
            for name, part in (state or {}).items()
            if name != VERSION  # the file says it
        }

    def _encode_foreign(self, value: Any, weights: dict | None, place: str) -> Any:
        type_name = _type_name(value)
        keys = [
            key
            for key, param in self._params.items()
            if param is value or (isinstance(param, (list, tuple)) and _is_in(value, param))
        ]
        if weights is not None:
            # A module that was learned with is a copy of the parameter with weights of its own,
            # or the same object with the weights of that time.
            attribute = place.rpartition(".")[2]
            keys = [key for key in keys if key.rpartition("__")[2] == attribute]
        # Another estimator of the same class would not be fitted as this one is.
        if not keys and (_kind_of(value) not in self._can_be_given or hasattr(value, "fit")):
            raise TypeError(
                f"{place} is a {type_name}, which files cannot hold and load cannot be given "
                "again; use joblib.dump, or classes of sktgsh and scikit-learn that files hold"
            )
        return {"foreign": [type_name, weights, keys[0] if keys else None]}

    def _encode_array(self, value: np.ndarray | np.generic, place: str) -> Any:
        array = np.asarray(value)
        if array.dtype.kind in "OU":
            items = [self.encode(item, place) for item in array.ravel().tolist()]
            return {"items": [items, list(array.shape), array.dtype.kind]}
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{place}: arrays of dtype {array.dtype} cannot be saved")
        columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
        name = self._store(array.T if columns_first else array)
        if isinstance(value, np.generic):
            return {"scalar": name}
        # The order in memory decides in which order sums run, and so the last digit.
        return {"columns": name} if columns_first else {"array": name}

    def _encode_tensor(self, value: torch.Tensor) -> Any:
        import torch

        tensor = value.detach().cpu()
        last = tensor.ndim == 4 and not tensor.is_contiguous()
        last = last and tensor.is_contiguous(memory_format=torch.channels_last)
        stored = tensor.permute(0, 2, 3, 1) if last else tensor
        return {"channels_last" if last else "tensor": self._store(stored.numpy())}

    def _store(self, array: np.ndarray) -> str:
        # safetensors writes the memory of any other array as if it were in row order.
        array = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
        digest = hashlib.sha256(array.data if array.size else b"").digest()
        key = (array.dtype.str, array.shape, digest)
        name = self._names.setdefault(key, str(len(self._names)))
        self.arrays[name] = array
        return name

    def _encode_module(self, module: nn.Module, place: str) -> Any:
        name = saved_name(type(module))
        if name is None or not self._can_be_made(module):
            weights = {key: self.encode(part, place) for key, part in module.state_dict().items()}
            return self._encode_foreign(module, weights, place)
        plain = {
            key: self.encode(part, f"{place}.{key}")
            for key, part in vars(module).items()
            if key not in _MODULE_PARTS and not (key.startswith("_") and not part)
        }
        parameters = {
            key: None if part is None else [self.encode(part), part.requires_grad]
            for key, part in module._parameters.items()
        }
        content = {
            "plain": plain,
            "training": module.training,
            "parameters": parameters,
            "buffers": {key: self.encode(part) for key, part in module._buffers.items()},
            "modules": {
                key: self.encode(part, f"{place}.{key}") for key, part in module._modules.items()
            },
        }
        return {"module": [name, content]}

    def _can_be_made(self, module: nn.Module) -> bool:
        """Whether a module is of known classes throughout, but for modules that are given again.

        A container of torch's that holds a layer of the user's is given as a whole.
        """
        if saved_name(type(module)) is None:
            return False
        if not type(module).__module__.startswith("torch."):
            return True
        return all(
            self._can_be_made(part) or _kind_of(part) in self._can_be_given
            for part in module.children()
        )


def _is_in(value: Any, items: Iterable) -> bool:
    """Whether a value is one of the items, or inside of one."""
    return any(
        item is value or (isinstance(item, (list, tuple)) and _is_in(value, item)) for item in items
    )


class Reader:
    """Makes objects from a tree.

    Parameters
    ----------
    arrays : dict of ndarray
    given : mapping
        Constructor parameters that the tree does not hold, by their names in ``get_params``.
    written : int, default=FORMAT
        The format that the tree was written in.

    Attributes
    ----------
    used : set of str
        Names of the parameters that took their places.
    """

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        given: Mapping[str, Any] | None = None,
        written: int = FORMAT,
    ):
        self.arrays, self.given, self.written = arrays, given or {}, written
        self.used: set[str] = set()

    def decode(self, tree: Any, name: str = "") -> Any:
        """The value of a tree; `name` is the attribute that it will be."""
        if isinstance(tree, list):
            return self._decode_list(tree, name)
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
            return _REVERSIONS[kind](self.decode(content, name))
        if kind == "dict":
            return {self.decode(key): self.decode(part) for key, part in content}
        if kind == "foreign":
            return self._decode_foreign(*content, name=name)
        if kind == "module":
            return self._decode_module(*content)
        if kind == "object":
            return self._decode_object(*content)
        raise ValueError(f"a node of the unknown kind {kind!r}")

    def _decode_list(self, tree: list, name: str) -> list:
        for item in tree:
            if isinstance(item, dict) and "foreign" in item:
                # A list that holds something foreign is given again as a whole.
                key = (*item["foreign"][2:], name)[0]
                if key in self.given:
                    self.used.add(key)
                    return self.given[key]
        return [self.decode(item, name) for item in tree]

    def _decode_array(self, kind: str, array: np.ndarray) -> Any:
        # A copy: arrays of equal content share one entry of the file.
        array = array.copy()
        if kind == "scalar":
            return array[()]
        if kind == "columns":
            return array.T
        if kind == "array":
            return array
        import torch

        tensor = torch.from_numpy(array)
        return tensor if kind == "tensor" else tensor.permute(0, 3, 1, 2)

    def _decode_object(self, class_name: str, attributes: dict) -> Any:
        state = {name: self.decode(part, name) for name, part in attributes.items()}
        if self.written == 1 and class_name == "TaskLearner":
            tree = {"object": [class_name, attributes]}
            state["former_fingerprint"] = former_fingerprint(tree, self.arrays)
        class_name, state = upgrade(class_name, state, self.written)
        kind = class_of(class_name)
        if issubclass(kind, dict):
            return kind(**state)
        if hasattr(kind, "get_params"):
            state = _later_parameters(kind) | state
        if issubclass(kind, VersionedMixin):
            state[VERSION] = __version__  # the format tells what has changed, and it is upgraded
        value = object.__new__(kind)
        if hasattr(value, "__setstate__"):
            value.__setstate__(state)
        else:
            value.__dict__.update(state)
        return value

    def _decode_module(self, class_name: str, parts: dict) -> nn.Module:
        from torch import nn

        state = {
            "plain": {name: self.decode(part, name) for name, part in parts["plain"].items()},
            "training": parts["training"],
            "parameters": {
                name: part and nn.Parameter(self.decode(part[0]), requires_grad=part[1])
                for name, part in parts["parameters"].items()
            },
            "buffers": {name: self.decode(part) for name, part in parts["buffers"].items()},
            "modules": {name: self.decode(part, name) for name, part in parts["modules"].items()},
        }
        class_name, state = upgrade(class_name, state, self.written)
        module: nn.Module = object.__new__(class_of(class_name))
        nn.Module.__init__(module)
        for name, part in state["plain"].items():
            object.__setattr__(module, name, part)
        for name, part in state["parameters"].items():
            module.register_parameter(name, part)
        for name, part in state["buffers"].items():
            module.register_buffer(name, part)
        for name, part in state["modules"].items():
            module.add_module(name, part)
        module.training = state["training"]
        return module

    def _decode_foreign(
        self, type_name: str, weights: dict | None, key: str | None = None, *, name: str
    ) -> Any:
        key = key or name
        if key in self.given:
            self.used.add(key)
            return self.given[key]
        kind = (type_name, *sorted(weights or ()))
        alike = [part for part in _flat(self.given.values()) if _kind_of(part) == kind]
        if not alike:
            raise ValueError(
                f"{key} was a {type_name}, which is not the package's and not stored; give it "
                f"again: load(path, {key}=...)"
            )
        if weights is None:
            return deepcopy(alike[0])
        module = deepcopy(alike[0])
        module.load_state_dict({part: self.decode(array) for part, array in weights.items()})
        return module.requires_grad_(False).eval()


def _type_name(value: Any) -> str:
    return name_of(value if isinstance(value, type) else type(value))


def _kind_of(value: Any) -> tuple[str, ...]:
    """The name of a class, and those of the weights of a module: containers have one class."""
    weights = value.state_dict() if _is_torch(value, "Module") else ()
    return (_type_name(value), *sorted(weights))


def _flat(values: Iterable) -> Iterable:
    """The values, and those inside of lists and tuples."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value


def _later_parameters(kind: type) -> dict[str, Any]:
    """Defaults of an estimator's parameters, for those that its file was written without."""
    parameters = signature(kind).parameters.values()
    return {part.name: part.default for part in parameters if part.default is not part.empty}


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    tuple: list,
    np.random.RandomState: lambda value: list(value.get_state()),
    np.dtype: str,
    set: sorted,
    range: lambda value: [value.start, value.stop, value.step],
    slice: lambda value: [value.start, value.stop, value.step],
}


def _to_random_state(state: list) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(tuple(state))
    return made


def _to_device(name: str) -> torch.device:
    import torch

    return torch.device(name)


def _to_numpy_type(name: str) -> type:
    kind = np.dtype(name).type
    if kind.__name__ != name:
        raise ValueError(f"{name!r} is not a type of NumPy")
    return kind


_REVERSIONS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "RandomState": _to_random_state,
    "device": _to_device,
    "dtype": np.dtype,
    "numpy_type": _to_numpy_type,
    "set": set,
    "range": lambda bounds: range(*bounds),
    "slice": lambda bounds: slice(*bounds),
}
