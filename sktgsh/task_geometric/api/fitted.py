"""The fitted state of the hasher, and the checks of new rows; every chapter reads it."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...base import HasherMixin, check_samples
from ...tasks import (
    INFER,
    check_known,
    check_not_scaled,
    check_same_kind,
    check_task,
    format_labels,
    split_task_column,
)
from ..encoding.groups import Groups, UnlabelledRows
from ..encoding.modulation import Modulation
from ..model import TaskModel
from ..parameters import TaskParameters


class FittedTasks(HasherMixin, TaskParameters):
    """The fitted state: `model_` owns what was learned, and properties show it."""

    model_: TaskModel
    n_bits_: int

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_") and bool(self.model_.modulations)

    # -- state -----------------------------------------------------------------------------------

    @property
    def modulations_(self) -> dict[Any, Modulation]:
        """Learned part of each task, by label."""
        return self.model_.modulations

    @property
    def groups_(self) -> dict[Any, Groups]:
        """Groups of the rows that belong to no class, for tasks that have some."""
        return {task: m.groups for task, m in self.modulations_.items() if m.groups is not None}

    @property
    def unlabelled_rows_(self) -> dict[Any, UnlabelledRows]:
        """What became of the rows without a label, for tasks that had some."""
        found = {task: m.unlabelled for task, m in self.modulations_.items()}
        return {task: rows for task, rows in found.items() if rows is not None}

    @property
    def history_(self) -> dict[Any, list[dict]]:
        """Epochs of the gradient steps of each task."""
        return self.model_.history

    @property
    def n_hidden_(self) -> int:
        """Number of hidden units, with the features beside them."""
        return self.model_.network.encoder.n_hidden

    @property
    def tasks_(self) -> np.ndarray:
        """Labels of the tasks."""
        return np.array(self.model_.tasks)

    @property
    def classes_(self) -> np.ndarray:
        """Class labels of all tasks, sorted."""
        return self.model_.class_labels()

    @property
    def contexts_(self) -> np.ndarray:
        """Contexts of the tasks, (n_tasks, n_bits, n_hidden) or (n_tasks, n_hidden)."""
        return np.stack([m.context for m in self.modulations_.values()])

    @property
    def strengths_(self) -> np.ndarray:
        """Strengths of the tasks, (n_tasks,)."""
        return np.array([m.strength for m in self.modulations_.values()], dtype=np.float32)

    @property
    def biases_(self) -> np.ndarray:
        """Biases of the tasks' bits, (n_tasks, n_bits)."""
        return np.stack([m.bias for m in self.modulations_.values()])

    @property
    def codebook_(self) -> np.ndarray:
        """Target codes of the classes."""
        tables = self.model_.codeword_tables()
        if not self.share_codebook:
            return tables
        # A class has the same codeword in every task that has the class, and 0 in the others.
        return np.where(tables.max(axis=0) > 0, 1, tables.min(axis=0)).astype(np.int8)

    @property
    def code_version_(self) -> dict[Any, str]:
        """Digest of everything that decides a code, for each task."""
        return dict(self.model_.code_versions)

    @property
    def task_gain_(self) -> np.ndarray:
        """Share of what each task has learned that the other tasks did not know, (n_tasks,)."""
        gains = [m.task_gain for m in self.modulations_.values()]
        return np.array([np.nan if gain is None else gain.share for gain in gains])

    # -- checks of new rows ----------------------------------------------------------------------

    def _split_task(self, X: Any, task: Any) -> tuple[Any, Any]:
        """Take the task column out of X, if there is one."""
        if self.task_column is None:
            return X, task
        if task is not None:
            raise ValueError(
                f"task was given beside task_column={self.task_column!r}; give one of them"
            )
        features, labels = split_task_column(X, self.task_column)
        check_not_scaled(labels, self.task_column)
        return features, labels

    def _check_prefix(self, n_bits: int | None) -> int:
        """Check the number of bits that are asked for."""
        check_is_fitted(self)
        if n_bits is None:
            return self.n_bits_
        if isinstance(n_bits, bool) or not isinstance(n_bits, Integral):
            raise ValueError(f"n_bits={n_bits!r}; expected an integer")
        if not 1 <= n_bits <= self.n_bits_:
            raise ValueError(f"n_bits={n_bits}; the code has 1 to {self.n_bits_} bits to give")
        return int(n_bits)

    def _check_samples(self, X: Any) -> Any:
        """Check samples without a task column."""
        return check_samples(self, X, accept_sparse="csr", reset=False)

    def _check_new_rows(self, X: Any, task: Any) -> tuple[Any, np.ndarray]:
        """Check samples, and find the task of each row."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # raises
        X, task = self._split_task(X, task)
        X = self._check_samples(X)
        if isinstance(task, str) and task == INFER:
            return X, self.tasks_[self.model_.infer(X, progress=self._progress("predict_task"))[0]]
        labels = self._check_labels(task, X.shape[0], self.unknown_task)
        may_be_unknown = task is not None and self.unknown_task != "raise"
        return X, self._resolve_unknown(X, labels) if may_be_unknown else labels

    def _resolve_unknown(self, X: Any, labels: np.ndarray) -> np.ndarray:
        """Give rows of unknown tasks another label, or leave it for the model of all tasks."""
        unknown = ~np.isin(labels, self.tasks_)
        if not unknown.any():
            return labels
        if self.unknown_task == "infer":
            found = self.model_.infer(X[unknown], progress=self._progress("predict_task"))[0]
            labels = labels.astype(np.result_type(labels.dtype, self.tasks_.dtype))
            labels[unknown] = self.tasks_[found]
        elif self.model_.general is None:
            raise ValueError(
                "unknown_task='pool' needs what all tasks learned together, which is made in fit: "
                "fit with unknown_task='pool', share_codebook=True and a closed form"
            )
        return labels

    def _check_labels(self, task: Any, n_samples: int, unknown_task: str = "raise") -> np.ndarray:
        """Check that tasks were learned, if unknown ones are to raise; one label per row."""
        known = self.model_.tasks
        if task is None:
            if len(known) > 1:
                raise ValueError(
                    f"task is missing, and {len(known)} tasks were learned: {format_labels(known)};"
                    f" give one label per row, a single label for all, or task={INFER!r}"
                )
            return np.array(known[:1]).repeat(n_samples)
        labels = check_task(task, n_samples)
        if unknown_task == "raise":
            check_known(labels, known)
        else:
            check_same_kind(labels.tolist(), known)
        return labels

    def _progress(self, title: str) -> str:
        """Title of a progress bar, empty if `verbose` asks for none."""
        return title if self.verbose else ""
