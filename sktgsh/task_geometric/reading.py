"""What can be done with tasks that were learned: codes, classes, the task that rows come from."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import check_is_fitted

from ..base import HasherMixin, check_samples
from ..features_only import check_not_scaled
from ..tasks import INFER, check_known, check_task, iter_tasks, name_some, split_task_column
from .recognition import TaskRecognition


# scikit-learn has no types; its classes take this argument.
class LearnedTasksMixin(HasherMixin, auto_wrap_output_keys=()):  # type: ignore[call-arg]
    """Reads `modulations_` and `learner_`, which a subclass learns.

    Its `transform` names the columns of data frames by itself, since it may give fewer of them.
    """

    def transform(self, X: ArrayLike, *, task: Any = None, n_bits: int | None = None) -> np.ndarray:
        """Codes of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        task : int, str or array-like of shape (n_samples,), optional
            One task label for all rows, or one per row. May be left out where a single task was
            fitted. ``"infer"``: the task that :meth:`predict_task` finds for each row.
        n_bits : int, optional
            Give the first `n_bits` bits only.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_bits), dtype uint8
            Values 0 and 1; of shape (n_samples, ceil(n_bits / 8)) if `packed` is set.

        Raises
        ------
        ValueError
            If a task is unknown, or none is given where several were fitted.
        """
        # As if that were the code's length: a data frame has then as many names as columns.
        short = copy(self)
        short.n_bits_ = self._check_prefix(n_bits)
        samples, labels = self._check_new_rows(X, task)
        codes = np.empty((samples.shape[0], short._n_features_out), np.uint8)

        def store(rows: slice | np.ndarray, values: np.ndarray) -> None:
            bits = values > 0
            codes[rows] = np.packbits(bits, axis=1) if self.packed else bits

        self._map_values(store, samples, labels, short.n_bits_)
        return _wrap_data_with_container("transform", codes, X, short)

    def decision_function(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """How sure each bit is: values from -1 to 1, before the threshold at 0.

        A query that keeps them ranks a database of codes better than its own code does; see
        :meth:`sktgsh.neighbors.HammingNeighbors.kneighbors`. They are the hyperbolic tangents of
        twice the scores, which are learned to be -1 and 1: unsure bits keep their order, and sure
        ones count alike however far beyond 1 their scores lie.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        values : ndarray of shape (n_samples, n_bits), dtype float32
            Positive where the bit is 1.
        """
        check_is_fitted(self)
        X, labels = self._check_new_rows(X, task)
        values = np.empty((X.shape[0], self.n_bits_), np.float32)

        def store(rows: slice | np.ndarray, scores: np.ndarray) -> None:
            values[rows] = np.tanh(2 * scores)

        self._map_values(store, X, labels, self.n_bits_)
        return values

    def _map_values(
        self,
        function: Callable[[slice | np.ndarray, np.ndarray], Any],
        X: Any,
        labels: np.ndarray,
        n_bits: int,
    ) -> None:
        """``function(rows, values before the threshold)``, task by task and batch by batch."""
        progress = "transform" if self.verbose else ""
        for label, positions in iter_tasks(labels):
            own = None if len(positions) == X.shape[0] else positions

            def place(batch: np.ndarray, values: np.ndarray, own: Any = own) -> None:
                rows = slice(batch[0], batch[-1] + 1) if own is None else own[batch]
                function(rows, values)

            self.learner_.map_values(
                place, X, own, self.modulations_[label], n_bits, progress=progress
            )

    def predict_class(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """The class whose codeword (or readout) fits each row best.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Class labels.

        Raises
        ------
        ValueError
            If all bits follow the structure of the samples (``structure_bits=1``): none says the
            class then.
        """
        X, labels = self._check_new_rows(X, task)
        if self.learner_.head != "readout" and not len(self.learner_.layout.codebook_bits):
            raise ValueError(
                f"structure_bits={self.structure_bits} leaves no bit that says the class; "
                "lower it, and fit again"
            )
        found = np.empty(X.shape[0], dtype=self.classes_.dtype)
        for label, positions in iter_tasks(labels):
            modulation = self.modulations_[label]
            scores = self.learner_.class_scores(X, positions, modulation)
            found[positions] = np.array(modulation.classes)[scores.argmax(axis=1)]
        return found

    def predict_task(
        self,
        X: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        return_score: bool = False,
        unknown: Any = None,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Infer the task that rows come from.

        Each task knows a density of its own samples in the frozen feature space; the task under
        which rows are most likely is the answer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        groups : array-like of shape (n_samples,), optional
            Rows of one group are known to share their task, and are judged together.
        return_score : bool, default=False
            Also return the calibrated probability of the task that was found.
        unknown : int or str, optional
            The answer for rows that are less likely than nearly all (99 %) training rows of the
            task that fits them best. By default every row gets a known task.

        Returns
        -------
        tasks : ndarray of shape (n_samples,)
            Task labels.
        scores : ndarray of shape (n_samples,)
            Probability of each answer among the known tasks; only if `return_score` is set.
        """
        check_is_fitted(self)
        X = self._check_samples(self._split_task(X, None)[0] if self.task_column is not None else X)
        best, scores, is_unknown = self._recognise(X, groups)
        tasks = self.tasks_[best]
        if unknown is not None:
            tasks = tasks.astype(np.result_type(tasks.dtype, np.asarray(unknown).dtype))
            tasks[is_unknown] = unknown
        return (tasks, scores) if return_score else tasks

    # -- checks ----------------------------------------------------------------------------------

    def _split_task(self, X: Any, task: Any) -> tuple[Any, Any]:
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
        check_is_fitted(self)
        if n_bits is None:
            return self.n_bits_
        if isinstance(n_bits, bool) or not isinstance(n_bits, Integral):
            raise ValueError(f"n_bits={n_bits!r}; expected an integer")
        if not 1 <= n_bits <= self.n_bits_:
            raise ValueError(f"n_bits={n_bits}; the code has 1 to {self.n_bits_} bits to give")
        return int(n_bits)

    def _check_samples(self, X: Any) -> Any:
        return check_samples(self, X, accept_sparse="csr", reset=False)

    def _check_new_rows(self, X: Any, task: Any) -> tuple[Any, np.ndarray]:
        check_is_fitted(self)
        X, task = self._split_task(X, task)
        X = self._check_samples(X)
        if isinstance(task, str) and task == INFER:
            return X, self.tasks_[self._recognise(X)[0]]
        return X, self._check_labels(task, X.shape[0])

    def _recognise(self, X: Any, groups: Any = None) -> tuple[np.ndarray, ...]:
        modulations = list(self.modulations_.values())
        recognition = TaskRecognition([modulation.known_density() for modulation in modulations])
        progress = "predict_task" if self.verbose else ""
        densities = self.learner_.log_densities(X, modulations, progress=progress)
        return recognition.recognise(densities, groups)

    def _check_labels(self, task: Any, n_samples: int) -> np.ndarray:
        known = list(self.modulations_)
        if task is None:
            if len(known) > 1:
                raise ValueError(
                    f"task is missing, and {len(known)} tasks were learned: {name_some(known)}; "
                    f"give one label per row, a single label for all, or task={INFER!r}"
                )
            return np.repeat(np.array(known[:1]), n_samples)
        labels = check_task(task, n_samples)
        check_known(labels, known)
        return labels

    # -- state -----------------------------------------------------------------------------------

    @property
    def tasks_(self) -> np.ndarray:
        """Labels of the tasks."""
        return np.array(list(self.modulations_))

    @property
    def classes_(self) -> np.ndarray:
        """Class labels of all tasks, sorted."""
        return np.unique([c for m in self.modulations_.values() for c in m.classes])

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
        classes, bits = self.classes_.tolist(), self.learner_.layout.codebook_bits
        tables = np.zeros((len(self.modulations_), len(classes), self.n_bits_), np.int8)
        for table, modulation in zip(tables, self.modulations_.values()):
            for label, codeword in zip(modulation.classes, modulation.codewords):
                table[classes.index(label), bits] = codeword
        if self.codebook == "per_task":
            return tables
        # The same in all tasks that have the class; 0 in those that do not.
        return np.where(tables.max(axis=0) > 0, 1, tables.min(axis=0)).astype(np.int8)

    def __sklearn_is_fitted__(self) -> bool:
        return bool(getattr(self, "modulations_", None))
