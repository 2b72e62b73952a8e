"""A fitted hasher as one torch module, and as an ONNX file that needs neither torch nor sktgsh."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .networks import (
    RandomConvolution,
    SparseExpansion,
    WhitenedPatchConvolution,
    apply_weights,
)
from .task_geometric import TaskGeometricHasher
from .tasks import check_known, check_task

__all__ = ["as_module", "to_onnx"]


class _Gathered(nn.Module):
    """A sparse expansion in plain operations, which exporters know."""

    indices: Tensor
    signs: Tensor | None
    inhibition: Tensor | None

    def __init__(self, expansion: SparseExpansion):
        super().__init__()
        self.n_hidden = expansion.n_hidden
        self.register_buffer("indices", expansion.indices)
        self.register_buffer("signs", expansion.signs)
        self.register_buffer("inhibition", expansion.inhibition)

    def forward(self, features: Tensor, n_hidden: int | None = None) -> Tensor:
        inputs = features[:, self.indices]
        if self.signs is not None:
            inputs = inputs * self.signs
        hidden = inputs.unflatten(1, (self.n_hidden, -1)).sum(dim=2)
        if self.inhibition is not None:
            hidden = hidden - (features * self.inhibition).sum(dim=1, keepdim=True)
        return hidden.relu().T


class _WholeBatch(nn.Module):
    """A convolution that takes its batch at once: exporters know no loop over a batch."""

    def __init__(self, convolution: RandomConvolution | WhitenedPatchConvolution):
        super().__init__()
        self.convolution = convolution

    def forward(self, samples: Tensor) -> Tensor:
        return self.convolution.respond(samples)


class CodeModule(nn.Module):
    """The way from samples to codes as one frozen module, as `transform` goes it.

    Parameters
    ----------
    hasher : TaskGeometricHasher
        Fitted.
    tasks : sequence of task labels
    """

    shift: Tensor
    scale: Tensor
    sketch: Tensor | None

    def __init__(self, hasher: TaskGeometricHasher, tasks: Sequence):
        super().__init__()
        network = hasher.model_.network
        self.encoder = deepcopy(network.encoder).cpu()
        if isinstance(self.encoder.expansion, SparseExpansion):
            self.encoder.expansion = _Gathered(self.encoder.expansion)
        if isinstance(self.encoder.extractor, (RandomConvolution, WhitenedPatchConvolution)):
            self.encoder.extractor = _WholeBatch(self.encoder.extractor)
        inputs, sketch = network.inputs, network.inputs.sketch
        self.limit = float(inputs.limit)
        self.register_buffer("shift", torch.as_tensor(inputs.shift, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(inputs.scale, dtype=torch.float64))
        sketch = None if sketch is None else torch.from_numpy(sketch.toarray()).double()
        self.register_buffer("sketch", sketch)
        self.n_tasks = len(tasks)
        for position, label in enumerate(tasks):
            weights, bias = network.folded_weights(hasher.modulations_[label])
            self.register_buffer(f"weights_{position}", weights.cpu())
            self.register_buffer(f"bias_{position}", bias.cpu())

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (batch, n_features), float32, to codes (batch, n_tasks, n_bits), uint8."""
        values = samples.double()
        if self.sketch is not None:
            values = (values * self.scale) @ self.sketch - self.shift
        else:
            values = (values - self.shift) * self.scale
        if np.isfinite(self.limit):
            values = values.clamp(-self.limit, self.limit)
        hidden = self.encoder.hidden(self.encoder.features(values.float()))
        codes = [self._read(position, hidden) for position in range(self.n_tasks)]
        return torch.stack(codes, dim=1).to(torch.uint8)

    def _read(self, position: int, hidden: Tensor) -> Tensor:
        weights = getattr(self, f"weights_{position}")
        values = apply_weights(weights, hidden) + getattr(self, f"bias_{position}")[:, None]
        return (values > 0).T


def as_module(hasher: TaskGeometricHasher, *, task: Any = None) -> CodeModule:
    """A fitted hasher as a torch module, for ``torch.export`` and the like.

    Parameters
    ----------
    hasher : TaskGeometricHasher
        Fitted; or a search that has chosen one, whose `best_estimator_` is taken. Of a pipeline,
        give the last step, and let the other steps work on the samples before.
    task : int, str or sequence of labels, optional
        The task, or several; by default all that were learned.

    Returns
    -------
    module : CodeModule
        From samples (batch, n_features), float32, to codes (batch, n_tasks, n_bits), uint8, not
        packed. A bit differs from `transform` where its value is within the last digits of 0.

    Raises
    ------
    TypeError
        If `hasher` is of another class.
    ValueError
        If a task is unknown.

    See Also
    --------
    sktgsh.export.to_onnx : The same as a file.

    Examples
    --------
    >>> import torch
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.datasets import load_digits_tasks
    >>> from sktgsh.export import as_module
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> hasher = TaskGeometricHasher(n_bits=8, random_state=0).fit(X, y, task=task)
    >>> as_module(hasher)(torch.from_numpy(X[:3]).float()).shape
    torch.Size([3, 2, 8])
    """
    hasher = _chosen(hasher)
    known = list(hasher.modulations_)
    labels = known if task is None else np.atleast_1d(np.asarray(task, dtype=object))
    labels = [check_task(label, 1)[0].item() for label in labels]
    check_known(labels, known)
    return CodeModule(hasher, labels).eval().requires_grad_(False)


def to_onnx(hasher: TaskGeometricHasher, path: str | os.PathLike, *, task: Any = None) -> None:
    """Write `transform` to an ONNX file. Needs ``pip install sktgsh[onnx]``.

    The model's input ``samples`` is float32 of shape (batch, n_features), with any batch; its
    output ``codes`` is uint8 of shape (batch, n_tasks, n_bits).

    Parameters
    ----------
    hasher, task
        As in :func:`as_module`.
    path : str or path-like
        The file.

    Raises
    ------
    TypeError
        If `hasher` is of another class.
    ValueError
        If a task is unknown.

    See Also
    --------
    sktgsh.export.as_module : The same as a module of torch.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.export import to_onnx
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = TaskGeometricHasher(n_bits=8, n_hidden=64, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(hasher, Path(folder) / "hasher.onnx")
    ...     Path(folder, "hasher.onnx").stat().st_size > 0
    True
    """
    try:
        import onnxscript  # noqa: F401  (what torch exports with)
    except ImportError as error:
        raise ImportError("to_onnx needs ONNX: pip install sktgsh[onnx]") from error
    hasher = _chosen(hasher)
    module = as_module(hasher, task=task)
    example = torch.zeros(2, hasher.n_features_in_)
    torch.onnx.export(
        module,
        (example,),
        os.fspath(path),
        input_names=["samples"],
        output_names=["codes"],
        dynamic_shapes={"samples": {0: torch.export.Dim("batch")}},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _chosen(hasher: Any) -> TaskGeometricHasher:
    """The fitted hasher to export, which may be what a search has chosen."""
    if hasattr(hasher, "set_params"):
        check_is_fitted(hasher)
    found = getattr(hasher, "best_estimator_", hasher)
    if isinstance(found, TaskGeometricHasher):
        return found
    hint = "fit one, or save the estimator by its method save"
    if isinstance(getattr(found, "steps", None), list):
        hint = (
            "give its last step if that is one, as in pipeline[-1], and transform samples by the "
            "other steps, pipeline[:-1], before"
        )
    raise TypeError(f"hasher is a {type(found).__name__}; expected a TaskGeometricHasher: {hint}")
