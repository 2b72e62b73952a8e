"""What is checked before a task is learned: the estimator is not touched where it fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight
from torch import nn
from torch.optim import Optimizer

from ..base import check_samples
from ..codes import check_codes, unpack_codes
from ..targets import check_targets
from ..tasks import INFER, check_same_kind, check_task, iter_tasks, name_some
from .modulation import Modulation
from .ridge import RidgeStatistics
from .rows import Rows, in_order


def check_class_number(label: Any, classes: Collection, n_samples: int) -> None:
    """Raise ValueError for a task of a single class."""
    if len(classes) < 2:
        raise ValueError(
            f"task {label!r} has one class only, {name_some(list(classes))} "
            f"(n_samples={n_samples}); at least 2 are needed to learn what tells them apart. Where "
            "later chunks bring more, name all in partial_fit(..., classes=...)"
        )


def check_classes(classes: Any) -> list:
    """Labels of classes that may have no row yet, all different."""
    if classes is None:
        return []
    if np.ndim(classes) != 1:
        raise ValueError(f"classes={classes!r}; expected a list of the labels that y will have")
    return in_order(check_targets(classes, name="classes").tolist())


class TrainingChecksMixin:
    """Checks of rows, tasks and parameters, for :class:`LearningMixin`."""

    # What all steps of learning read: parameters, and what was learned.
    n_bits: int
    encoder: str | nn.Module
    n_hidden: int | None
    n_inputs: int | None
    image_shape: tuple[int, ...] | None
    head: str
    skip: bool
    codebook: str
    codewords: str
    structure_bits: float
    solver: str
    alpha: float | Sequence[float]
    loss: str
    max_epochs: int
    lr: float
    lr_schedule: str | None
    batch_size: int
    optimizer: str | type[Optimizer]
    callbacks: list | None
    warm_start: bool
    open_tasks: int
    packed: bool
    device: str
    random_state: int | np.random.RandomState | None
    verbose: int
    frozen_parameters_: dict[str, Any]
    modulations_: dict[Hashable, Modulation]
    statistics_: dict[Hashable, RidgeStatistics]
    history_: dict[Hashable, list[dict]]
    _split_task: Callable[[Any, Any], tuple[Any, Any]]
    _validate_params: Callable[[], None]

    def _check_training_rows(
        self, X: Any, y: Any, task: Any, sample_weight: Any, fresh: bool, given: bool
    ) -> tuple[Rows, np.ndarray]:
        self._check_combination()
        X, task = self._split_task(X, task)
        X, y = check_samples(self, X, y, accept_sparse="csr", reset=fresh, multi_output=True)
        labels = check_task(task, X.shape[0])
        if not fresh:
            check_same_kind(labels.tolist(), list(self.modulations_))
            self._check_frozen()
        if INFER in labels.tolist():
            raise ValueError(f"task has the label {INFER!r}, which is reserved; rename that task")
        codes = self._check_given(y) if given else None
        y = np.zeros(X.shape[0], dtype=int) if given else check_targets(y, X.shape[0])
        if y.ndim == 1:
            check_classification_targets(y)
        keep = np.ones(X.shape[0], dtype=bool)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            keep = weight > 0
        if y.ndim == 2:
            # A row without a label says nothing of any label's code.
            keep &= y.any(axis=1)
        kept = np.flatnonzero(keep)
        if not len(kept):
            raise ValueError("y has no label in any row; at least 2 labels are needed")
        rows = Rows(X, np.arange(X.shape[0]), y, weight, codes)
        return rows.take(kept), labels[kept]

    def _check_given(self, codes: np.ndarray) -> np.ndarray:
        n_bits = int(self.n_bits)
        width = -(-n_bits // 8) if self.packed else n_bits
        if codes.ndim != 2 or codes.shape[1] != width:
            raise ValueError(
                f"codes has shape {codes.shape}; expected (n_samples, {width}) for n_bits={n_bits}"
                + (" in packed bytes" if self.packed else "")
            )
        return unpack_codes(codes, n_bits) if self.packed else check_codes(codes)

    def _check_tasks(self, rows: Rows, labels: np.ndarray, known: dict, renew: bool) -> None:
        """Raise ValueError for a task that cannot be learned from its rows."""
        for label, positions in iter_tasks(labels):
            previous = None if renew else known.get(label)
            part = rows.take(positions)
            if previous is not None and bool(previous.classes) == (part.codes is not None):
                raise ValueError(
                    f"task {label!r} was learned from "
                    f"{'classes' if previous.classes else 'codes'}; go on with the same, or fit it "
                    "again from all its rows"
                )
            others = [m.classes for task, m in known.items() if task != label or previous]
            check_same_kind(
                part.classes, [c for classes in others for c in classes], "y", "classes"
            )
            classes = set(part.classes) | set(previous.classes if previous else ())
            if part.codes is None:
                check_class_number(label, classes, len(positions))
            if previous and "ridge" in self.solver and label not in self.statistics_:
                raise ValueError(
                    f"task {label!r} is closed: the sums that solver={self.solver!r} needs to take "
                    f"more rows were dropped. Fit it again from all its rows, keep more tasks open "
                    f"(open_tasks={self.open_tasks}), or use solver='sgd'"
                )

    def _check_combination(self) -> None:
        """Raise ValueError for parameters that do not go together."""
        if self.head in ("dense", "readout") and self.solver != "sgd":
            raise ValueError(
                f"head={self.head!r} has no closed form; use solver='sgd', or head='shared' or "
                f"'block' (got solver={self.solver!r})"
            )
        if self.head != "shared" and self.n_hidden is not None and self.n_hidden < self.n_bits:
            raise ValueError(
                f"n_hidden={self.n_hidden} is less than n_bits={self.n_bits}; each bit needs at "
                "least one hidden unit"
            )
        if self.encoder == "conv" and self.image_shape is None:
            raise ValueError("encoder='conv' needs image_shape=(height, width[, channels])")
        try:
            alphas = np.asarray(self.alpha, dtype=np.float64)
        except (ValueError, TypeError):
            alphas = np.array([np.nan])
        if not alphas.size or not (alphas >= 0).all():
            raise ValueError(f"alpha={self.alpha!r}; expected numbers that are not negative")

    def _frozen_parameters(self) -> dict[str, Any]:
        """The parameters that the frozen network was made with, and that no task can change."""
        names = ("n_bits", "encoder", "n_hidden", "n_inputs", "image_shape", "head", "skip")
        values = {name: getattr(self, name) for name in (*names, "structure_bits")}
        if not isinstance(self.encoder, str):
            values["encoder"] = type(self.encoder).__name__
        if self.image_shape is not None:
            values["image_shape"] = [int(size) for size in self.image_shape]
        return values

    def _check_frozen(self) -> None:
        """Raise ValueError for a parameter that came too late to count."""
        for name, value in self._frozen_parameters().items():
            before = self.frozen_parameters_[name]
            if value != before:
                raise ValueError(
                    f"{name}={value!r}, but the network that all tasks share was made with "
                    f"{name}={before!r}; set it back, or fit afresh with warm_start=False"
                )
