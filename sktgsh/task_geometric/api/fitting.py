"""Learning from rows: on a working copy, which replaces the estimator's state task by task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from ..._sklearn import fit_context, safe_indexing
from ...base import check_samples, working_copy
from ...callbacks import (
    CallbackSupportMixin,
    has_progress_bar,
    learned_state,
    whole_fit,
)
from ...targets import split_missing
from ...tasks import iter_tasks
from ..checks import (
    check_classes,
    check_given_codes,
    check_not_frozen,
    check_rows,
    check_task_labels,
    check_tasks,
    warn_of_few_codes,
    with_class_weight,
)
from ..learning.rows import Rows
from ..learning.settings import LearningSettings
from .fitted import FittedTasks

if TYPE_CHECKING:
    from ...training import EpochTasks


class FittingMixin(CallbackSupportMixin, FittedTasks):
    """Chapter on learning: `fit`, `partial_fit`, and the same for given codes."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn a modulation for each task in the data, one task after another.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels), optional
            Class labels, or label indicators: a row's target is then the mean codeword of its
            labels, and rows of zeros are left out. Labels may be missing (None, nan, pandas.NA or
            `missing_label`), and so may all of `y`: rows without a label follow their neighbours.
        task : int, str or array-like of shape (n_samples,), optional
            One task label for all rows, or one per row.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, not negative.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If X, y or task are malformed, or a task has a single class. The estimator then stays
            as it was. After Ctrl-C it keeps the tasks that were finished.

        Notes
        -----
        The memory of the closed form does not grow with the number of rows. It is about five Gram
        matrices of ``8 * n_hidden_ ** 2`` bytes while a task is learned, and one for each open
        task: 36 MB for 64 features beside 2,048 units, 210 MB for more than 6,144 columns, which
        are summed into 4,096. Class sums take three times 8 bytes for each class and unit. Rows are
        read in chunks; at most a thousand sparse rows are dense at a time.
        """
        return self._learn(X, y, task, sample_weight, reset=not self._is_warm(), relearn=True)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn new tasks, or more rows and classes of known ones.

        A first call leaves bits that its classes do not fill to classes that may come; `fit` gives
        them to the structure of the data.
        Classes keep their codewords, and new classes get codewords beside them, so that stored
        codes stay of use: few of their bits would change if the rows were encoded again. With
        ``solver="ridge"`` the weights are the same as if all rows of a task had come at once, with
        these codewords and with the prior that the task's first rows gave it. The codes of tasks
        that are not in the data stay bit-identical.

        Parameters
        ----------
        X, y, task, sample_weight
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), optional
            All classes that the tasks of this chunk have or will have. A first chunk needs it if
            it lacks some of them. Classes without rows get codewords, too. Later chunks need not
            name the classes, and may bring others.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            As in :meth:`fit`; if `classes` lacks a label of y; if the closed form needs the sums
            of a closed task; or if a parameter of the frozen network (`n_bits`, `encoder`, `head`
            and the like) was changed since it was made.
        """
        known = check_classes(classes)
        return self._learn(
            X, y, task, sample_weight, reset=not hasattr(self, "model_"), classes=known
        )

    @fit_context(prefer_skip_nested_validation=True)
    def fit_codes(
        self,
        X: ArrayLike,
        codes: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn codes that rows have elsewhere (backward-compatible codes).

        A new embedding model can then replace an old one while the database keeps its codes: give
        the new model's embeddings of some rows, and the codes that the rows have in the database.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        codes : array-like of shape (n_samples, n_bits), values 0 and 1
            Target code of each row; packed if `packed` is set.
        task, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If X, codes or task are malformed. The estimator then stays as it was.
        """
        return self._learn(
            X, codes, task, sample_weight, reset=not self._is_warm(), relearn=True, codes_given=True
        )

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit_codes(
        self,
        X: ArrayLike,
        codes: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn given codes in chunks: as ``partial_fit``, for ``fit_codes``.

        Parameters
        ----------
        X, codes, task, sample_weight
            As in :meth:`fit_codes`.

        Returns
        -------
        self : TaskGeometricHasher
        """
        reset = not hasattr(self, "model_")
        return self._learn(X, codes, task, sample_weight, reset=reset, codes_given=True)

    def _is_warm(self) -> bool:
        """Whether `fit` keeps the network and the tasks learned before."""
        return self.warm_start and hasattr(self, "model_")

    def _learn(
        self,
        X: Any,
        y: Any,
        task: Any,
        sample_weight: Any,
        *,
        reset: bool,
        relearn: bool = False,
        codes_given: bool = False,
        classes: Sequence = (),
    ) -> Self:
        """Learn each task in the data.

        `reset` draws a new network, `relearn` forgets what a task has learned before, and with
        `codes_given` y holds codes.
        """
        from ...training import EpochTasks

        # Bits that split the classes of a first chunk alike may tell later classes apart.
        settings = replace(self._settings(), fill=relearn)
        self._warn_of_unused(settings)
        if reset:
            self._check_kept_codes()
        draft = working_copy(self, fresh=reset)
        rows, labels = draft._check_training_rows(
            X, y, task, sample_weight, reset=reset, codes_given=codes_given
        )
        rows = with_class_weight(
            rows.with_classes(classes), labels, self.class_weight, in_chunks=not relearn
        )
        check_tasks(rows, labels, None if reset else self.model_, settings, relearn)
        if reset:
            draft._start(rows, labels)
        check_not_frozen(np.unique(labels).tolist(), draft.model_, self.freeze_codes)
        parts = {label: rows.take(positions) for label, positions in iter_tasks(labels)}
        epochs, most_rows = EpochTasks(), max(len(part.positions) for part in parts.values())
        learned = draft.model_.learn_together(parts, self._watched(settings, epochs), relearn)
        n_epochs = settings.gradient.max_epochs if settings.gradient else 0
        given = X, None if codes_given else y
        with whole_fit(self, draft, len(parts), **_data_of(rows, *given, task)) as fit:
            for label, own in self._bar(parts.items(), "task"):
                data = _data_of(own, *given, None if task is None else label)
                part = fit.subtask(f"task {label}", n_epochs, lambda: learned_state(draft), data)
                epochs.task = part
                with part, draft.model_.threads(most_rows, settings):
                    draft.model_ = next(learned)
                if self.unknown_task == "pool" and len(draft.model_.tasks) >= len(parts):
                    draft.model_ = draft.model_.with_general()
                # The state is replaced after each task: Ctrl-C keeps the finished ones.
                self.__dict__ = dict(draft.__dict__)
                if part.stopped:
                    break
        warn_of_few_codes(self.model_, parts)
        return self

    def _watched(self, settings: LearningSettings, epochs: EpochTasks) -> LearningSettings:
        """The settings, with a callback that reports each epoch of gradient steps."""
        if settings.gradient is None:
            return settings
        gradient = replace(settings.gradient, callbacks=[*settings.gradient.callbacks, epochs])
        shown = settings.verbose == 1 and has_progress_bar(self)
        return replace(settings, gradient=gradient, verbose=0 if shown else settings.verbose)

    def _check_kept_codes(self) -> None:
        """Raise ValueError if a new network would take the place of codes that are frozen."""
        if hasattr(self, "model_"):
            check_not_frozen(self.model_.tasks, self.model_, self.freeze_codes)

    def _start(self, rows: Rows, labels: np.ndarray) -> None:
        """Make the frozen network from the rows of all tasks; of the first without a prior."""
        self.n_bits_ = int(self.n_bits)
        self.frozen_parameters_ = self._frozen_parameters()
        first = rows.take(np.flatnonzero(labels == labels[0]))
        settings = self._settings()
        self.model_ = self._new_model(
            rows if settings.share_prior and settings.closed_form else first
        )

    def _check_training_rows(
        self,
        X: Any,
        y: Any,
        task: Any,
        sample_weight: Any,
        *,
        reset: bool,
        codes_given: bool = False,
    ) -> tuple[Rows, np.ndarray]:
        """Check rows, and find the task of each; sets the number and the names of features."""
        X, task = self._split_task(X, task)
        missing, checks = None, dict(accept_sparse="csr", reset=reset)
        if y is None and not codes_given:
            X = check_samples(self, X, **checks)
            y, missing = np.zeros(X.shape[0], int), np.ones(X.shape[0], bool)
        else:
            if not codes_given:
                y, missing = split_missing(y, self.missing_label)
            X, y = check_samples(self, X, y, multi_output=True, **checks)
        labels = check_task_labels(task, X.shape[0], None if reset else self.model_)
        if not reset:
            self._check_frozen()
        codes = check_given_codes(y, int(self.n_bits), self.packed) if codes_given else None
        return check_rows(X, y, labels, sample_weight, codes, missing)

    def _bar(self, items: Iterable, unit: str, total: int | None = None) -> Iterable:
        """Iterate under a progress bar if `verbose` is set."""
        hidden = not self.verbose or has_progress_bar(self)
        return tqdm(items, desc=f"{unit}s", unit=unit, total=total, disable=hidden)


def _data_of(rows: Rows, X: Any, y: Any, task: Any) -> dict[str, Any]:
    """X, y and tasks of the rows that have a label, once a callback asks for them."""
    kept = rows.positions if rows.unlabelled is None else rows.positions[~rows.unlabelled]
    tasks = task if task is None or np.ndim(task) == 0 else np.asarray(task)[kept]
    return {
        "X": lambda: safe_indexing(X, kept),
        "y": None if y is None else lambda: safe_indexing(y, kept),
        "metadata": None if task is None else {"task": tasks},
    }
