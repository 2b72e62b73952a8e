"""Objects into trees of JSON beside arrays.

Plain values stand for themselves. Everything else is a JSON object with one key that names its
kind: an array by its name, a tuple, a dict as pairs, or an object of a known class as its
attributes. An object of any other class is foreign: its class is named, and a module's weights are
stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .._torch import is_torch
from .foreign import flat, is_in, kind_of, type_name
from .pickles import VERSION
from .registry import saved_name

if TYPE_CHECKING:
    import torch
    from torch import nn

_SPARSE = ("csr_array", "csr_matrix")
# The parts that a module of torch has; all other attributes are plain values, or empty hooks.
_MODULE_PARTS = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training")
_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    tuple: list,
    np.random.RandomState: lambda value: list(value.get_state()),
    np.dtype: str,
    set: sorted,
    range: lambda value: [value.start, value.stop, value.step],
    slice: lambda value: [value.start, value.stop, value.step],
}


# The version, which a file states by itself, and callbacks of scikit-learn, which belong to a fit.
_LEFT_OUT = (VERSION, "_skl_callbacks")


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
        self._can_be_given = {kind_of(value) for value in flat(self._params.values())}

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
        if is_torch(value, "Tensor"):
            return self._encode_tensor(value)
        if is_torch(value, "device"):
            return {"device": str(value)}
        if isinstance(value, type) and issubclass(value, np.generic):
            return {"numpy_type": value.__name__}
        for kind, convert in _CONVERSIONS.items():
            if isinstance(value, kind):
                return {kind.__name__: self.encode(convert(value), place)}
        if type(value).__name__ in _SPARSE and sparse.issparse(value):
            parts = [value.data, value.indices, value.indptr, tuple(value.shape)]
            return {type(value).__name__: self.encode(parts, place)}
        if is_torch(value, "Module"):
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
            if name not in _LEFT_OUT
        }

    def _encode_foreign(self, value: Any, weights: dict | None, place: str) -> Any:
        of_type = type_name(value)
        keys = [
            key
            for key, param in self._params.items()
            if param is value or (isinstance(param, (list, tuple)) and is_in(value, param))
        ]
        if weights is not None:
            # A module that was learned with is a copy of the parameter with weights of its own,
            # or the same object with the weights of that time.
            attribute = place.rpartition(".")[2]
            keys = [key for key in keys if key.rpartition("__")[2] == attribute]
        # Another estimator of the same class would not be fitted as this one is.
        if not keys and (kind_of(value) not in self._can_be_given or hasattr(value, "fit")):
            raise TypeError(
                f"{place} is a {of_type}, which files cannot hold and load cannot be given "
                "again; use joblib.dump, or classes of sktgsh and scikit-learn that files hold"
            )
        return {"foreign": [of_type, weights, keys[0] if keys else None]}

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
            self._can_be_made(part) or kind_of(part) in self._can_be_given
            for part in module.children()
        )
