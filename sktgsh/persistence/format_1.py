"""From format 1 to format 2: parameters got new names, and one model owns what was learned.

Files of format 1 were written by the versions before 0.1.0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .registry import class_of

State = dict[str, Any]

_SOLVER = ("max_epochs", "lr", "lr_schedule", "batch_size", "optimizer", "callbacks")
_PARAMETERS = {
    "skip": "passthrough",
    "structure_bits": "structure_fraction",
    "codewords": "codebook",
    "open_tasks": "max_open_tasks",
}
_MODEL = {
    "learner_": "network",
    "modulations_": "modulations",
    "shared_codebook_": "codebook",
    "statistics_": "statistics",
    "history_": "history",
}


def task_hasher(state: State) -> State:
    """The flagship: parameters, and the parts of its model."""
    state = dict(state)
    old = {name: state.pop(name) for name in ("loss", *_SOLVER)}
    solver = state["solver"]
    if solver != "ridge":
        start = "random" if solver == "sgd" else "ridge"
        state["solver"] = class_of("GradientSolver")(start=start, **old)
    state["share_codebook"] = state.pop("codebook") == "shared"
    state = {_PARAMETERS.get(name, name): value for name, value in state.items()}
    state["encoder"] = _encoder(state["encoder"], state.pop("n_inputs"), state.pop("image_shape"))
    if "learner_" in state:
        parts = {new: state.pop(name) for name, new in _MODEL.items()}
        state["model_"] = class_of("TaskModel")(**parts)
        state.pop("n_hidden_")
        state["frozen_parameters_"] = _frozen(state["frozen_parameters_"])
    return state


def _frozen(values: State) -> State:
    """The parameters that the frozen network was made with."""
    values = {_PARAMETERS.get(name, name): value for name, value in values.items()}
    shape = values.pop("image_shape")
    encoder = values["encoder"]
    if encoder not in ("samples", "gaussian", "fly", "conv"):
        made = class_of("ModuleEncoder")(encoder, shape and tuple(shape), values.pop("n_inputs"))
    else:
        made = _encoder(encoder, values.pop("n_inputs"), shape and tuple(shape))
    return values | {"encoder": made if isinstance(made, str) else repr(made)}


def _encoder(encoder: Any, n_inputs: int | None, image_shape: tuple[int, ...] | None) -> Any:
    """Today's name of a kind of encoder, or the object that its parameters make."""
    if not isinstance(encoder, str):
        if n_inputs is None and image_shape is None:
            return encoder
        return class_of("ModuleEncoder")(encoder, image_shape, n_inputs)
    if encoder == "conv":
        return class_of("ConvEncoder")(image_shape, n_inputs)
    if n_inputs is not None and encoder == "fly":
        return class_of("FlyEncoder")(n_inputs)
    if n_inputs is not None and encoder == "samples":
        return class_of("SparseEncoder")(n_inputs)
    return "differences" if encoder == "samples" else encoder


def trained(state: State) -> State:
    """Deep hashers and autoencoders: parameters of the gradient steps in one object."""
    state = dict(state)
    old = {name: state.pop(name) for name in _SOLVER if name in state}
    if "balanced_batches" in state:
        state["class_weight"] = "balanced" if state.pop("balanced_batches") else None
    return state | {"solver": class_of("GradientSolver")(**old)}


def encoder_module(state: State) -> State:
    """The frozen encoder: an attribute has another name."""
    plain = {"passthrough" if k == "skip" else k: v for k, v in state["plain"].items()}
    return state | {"plain": plain}


CLASSES = {"TaskLearner": "TaskNetwork"}


def hamming_index(state: State) -> State:
    """An index keeps how its codes came, and has no version of them."""
    if "shards_" in state:
        state = {**state, "packed_": state["packed"], "code_version_": None}
    return state


def hash_tables(state: State) -> State:
    """Hash tables have no version of their codes."""
    return {**state, "code_version_": None} if "hasher_" in state else state


def rescored(state: State) -> State:
    """Rows were hashed as they came."""
    return {**state, "centre_": None} if "hasher_" in state else state


def classifier(state: State) -> State:
    """The hasher of a classifier's answers."""
    return {"multilabel_" if name == "several_" else name: part for name, part in state.items()}


STATES: dict[str, Callable[[State], State]] = {
    "ClassifierHasher": classifier,
    "HammingNeighbors": hamming_index,
    "LSHNeighbors": hash_tables,
    "RescoredNeighbors": rescored,
    "TaskGeometricHasher": task_hasher,
    "FrozenEncoder": encoder_module,
    **dict.fromkeys(
        (
            "DeepSupervisedHasher",
            "GeometricHasher",
            "WinnerTakeAllAutoencoder",
            "ConvWinnerTakeAllAutoencoder",
        ),
        trained,
    ),
}


def former_fingerprint(tree: Any, arrays: Mapping[str, np.ndarray]) -> str:
    """The fingerprint that format 1 gave a network: of the tree and the arrays of its file.

    Task files of format 1 name the network that they belong to by it.

    Parameters
    ----------
    tree : object
        The node of the network in the tree of a file.
    arrays : mapping of str to ndarray
        All arrays of the file.

    Returns
    -------
    digest : str
        64 hexadecimal digits.
    """
    names: dict[str, str] = {}

    def renumbered(node: Any) -> Any:
        """Arrays by the numbers that they had in a file of the network alone."""
        if isinstance(node, list):
            return [renumbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((kind, name),) = node.items()
            if kind in ("array", "columns", "scalar", "tensor", "channels_last"):
                return {kind: names.setdefault(name, str(len(names)))}
        return {key: renumbered(part) for key, part in node.items()}

    digest = hashlib.sha256(json.dumps(renumbered(tree)).encode())
    for name in names:
        digest.update(f"{arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
