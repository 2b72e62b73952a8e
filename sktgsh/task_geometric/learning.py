"""How tasks are learned one after another: on a draft, which replaces what was known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from ..base import draft_of
from ..tasks import check_known, check_task, iter_tasks
from .checks import check_classes
from .steps import LearningStepsMixin


class LearningMixin(LearningStepsMixin):
    """Sets `modulations_` and `learner_`, which :class:`LearnedTasksMixin` reads."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn a modulation for each task in the data, one task after another.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or label indicators: a row's target is then the mean codeword of its
            labels, and rows without a label are left out.
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
        Memory of the closed form does not grow with the number of rows. It is about five Gram
        matrices of ``8 * n_hidden_ ** 2`` bytes while a task is learned, and one for each task that
        is kept open: 36 MB where 64 features stand beside 2,048 units, 210 MB where there are more
        than 6,144 columns, which are summed into 4,096. Sums of classes take 8 bytes for each
        class and unit, three times. Rows are read in chunks; sparse ones are dense a thousand at a
        time at most.
        """
        fresh = not (self.warm_start and hasattr(self, "modulations_"))
        return self._learn(X, y, task, sample_weight, fresh=fresh, renew=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn new tasks, or go on with known ones: more rows, new classes.

        With ``solver="ridge"`` a task is then as if all its rows had come at once. The codes of
        tasks that are not in the data stay as they are, to the bit.

        Parameters
        ----------
        X, y, task, sample_weight
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), optional
            Classes that the tasks of this chunk have or will have, for a first chunk that lacks
            some of them, all but one maybe. Those without rows get codewords, too. Later chunks
            need not name them, and may bring others.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            As in :meth:`fit`; if `classes` lacks a label of y; if a task was closed that the closed
            form has to go on with; or if a parameter of the frozen network (`n_bits`, `encoder`,
            `head` and the like) was changed since it was made.
        """
        fresh = not hasattr(self, "modulations_")
        return self._learn(
            X, y, task, sample_weight, fresh=fresh, renew=False, classes=check_classes(classes)
        )

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_codes(
        self,
        X: ArrayLike,
        codes: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn to give the codes that rows have elsewhere.

        A new embedding model can so take the place of an old one whose database of codes stays as
        it is: give the new model's embeddings of some rows, and the codes that the old one gave
        them.

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
        fresh = not (self.warm_start and hasattr(self, "modulations_"))
        return self._learn(X, codes, task, sample_weight, fresh=fresh, renew=True, given=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit_codes(
        self,
        X: ArrayLike,
        codes: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn given codes in chunks: ``fit_codes``, as ``partial_fit`` is ``fit``.

        Parameters
        ----------
        X, codes, task, sample_weight
            As in :meth:`fit_codes`.

        Returns
        -------
        self : TaskGeometricHasher
        """
        fresh = not hasattr(self, "modulations_")
        return self._learn(X, codes, task, sample_weight, fresh=fresh, renew=False, given=True)

    def close_task(self, task: int | str) -> Self:
        """Free the sums of a task that will not get more rows; its codes stay.

        Parameters
        ----------
        task : int or str
            Label of the task.

        Returns
        -------
        self : TaskGeometricHasher
        """
        check_is_fitted(self)
        check_known(check_task(task, 1), list(self.modulations_))
        self.statistics_.pop(task, None)
        return self

    def _learn(
        self,
        X: Any,
        y: Any,
        task: Any,
        sample_weight: Any,
        *,
        fresh: bool,
        renew: bool,
        given: bool = False,
        classes: Sequence = (),
    ) -> Any:
        """Learn each task in the data; `given`: y holds codes in place of classes."""
        # The draft replaces this estimator's state task by task: Ctrl-C keeps those finished.
        draft = draft_of(self, fresh=fresh)
        rows, labels = draft._check_training_rows(X, y, task, sample_weight, fresh, given)
        rows = rows.with_classes(classes)
        draft._check_tasks(rows, labels, {} if fresh else draft.modulations_, renew)
        if fresh:
            draft._build(rows, np.flatnonzero(labels == labels[0]))
        for label, positions in self._bar(list(iter_tasks(labels)), "task"):
            with draft.learner_.threads():
                draft._learn_task(label, rows.take(positions), renew)
            self.__dict__ = dict(draft.__dict__)
        return self
