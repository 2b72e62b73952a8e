"""Trees of JSON and arrays into objects; nothing is called that a file names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .._version import __version__
from .foreign import flat, kind_of
from .format_1 import former_fingerprint
from .modules import StoredModule
from .pickles import VERSION, VersionedMixin
from .registry import class_of
from .upgrades import FORMAT, name_today, upgrade

if TYPE_CHECKING:
    import torch

_SPARSE = {"csr_array": sparse.csr_array, "csr_matrix": sparse.csr_matrix}


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
        if kind in ("array", "columns", "scalar"):
            return self._decode_array(kind, self.arrays[content])
        if kind in ("tensor", "channels_last"):
            return _to_tensor(self._decode_array(kind, self.arrays[content]))
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
            return self._decode_module(*content).made()
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
        if kind == "channels_last":
            return array.transpose(0, 3, 1, 2)
        return array.T if kind == "columns" else array

    def _decode_later(self, tree: Any, name: str = "") -> Any:
        """The value of a tree without torch: arrays, and the name of a device."""
        for kind, content in tree.items() if isinstance(tree, dict) else ():
            if kind in ("tensor", "channels_last"):
                return self._decode_array(kind, self.arrays[content])
            if kind == "module":
                return self._decode_module(*content)
            if kind == "device":
                return content
        return self.decode(tree, name)

    def _decode_object(self, class_name: str, attributes: dict) -> Any:
        # The home of an object's class is where those of its attributes are, too.
        later = getattr(class_of(name_today(class_name, self.written)), "made_later", ())
        state = {
            name: self._decode_later(part, name) if name in later else self.decode(part, name)
            for name, part in attributes.items()
        }
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

    def _decode_module(self, class_name: str, parts: dict) -> StoredModule:
        later = self._decode_later
        state = {
            "plain": {name: self.decode(part, name) for name, part in parts["plain"].items()},
            "training": parts["training"],
            "parameters": {
                name: part and (later(part[0]), part[1])
                for name, part in parts["parameters"].items()
            },
            "buffers": {name: later(part) for name, part in parts["buffers"].items()},
            "modules": {name: later(part, name) for name, part in parts["modules"].items()},
        }
        return StoredModule(*upgrade(class_name, state, self.written))

    def _decode_foreign(
        self, of_type: str, weights: dict | None, key: str | None = None, *, name: str
    ) -> Any:
        key = key or name
        if key in self.given:
            self.used.add(key)
            return self.given[key]
        kind = (of_type, *sorted(weights or ()))
        alike = [part for part in flat(self.given.values()) if kind_of(part) == kind]
        if not alike:
            raise ValueError(
                f"{key} was a {of_type}, which is not the package's and not stored; give it "
                f"again: load(path, {key}=...)"
            )
        if weights is None:
            return deepcopy(alike[0])
        module = deepcopy(alike[0])
        module.load_state_dict({part: self.decode(array) for part, array in weights.items()})
        return module.requires_grad_(False).eval()


def _later_parameters(kind: type) -> dict[str, Any]:
    """Defaults of an estimator's parameters, for those that its file was written without."""
    parameters = signature(kind).parameters.values()
    return {part.name: part.default for part in parameters if part.default is not part.empty}


def _to_random_state(state: list) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(tuple(state))
    return made


def _to_tensor(array: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(array)


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
