"""Codes of rows, their classes, and the task that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import wrap_data_with_container
from ..._torch import has_torch
from ...bits import pack_bits
from ...tasks import iter_tasks
from ..encoding.short import MOST_ROWS, WORTH_TORCH
from .fitted import FittedTasks


# scikit-learn has no types; its classes take this argument.
class TransformingMixin(FittedTasks, auto_wrap_output_keys=()):  # type: ignore[call-arg]
    """Chapter on codes: `transform` may give a prefix, and names the columns by itself."""

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
        short = self
        if n_bits is not None:
            # The copy has the length of the prefix, so that a data frame gets as many names.
            short = copy(self)
            short.n_bits_ = self._check_prefix(n_bits)
        samples, labels = self._check_new_rows(X, task)
        codes = self._codes(samples, labels, short.n_bits_)
        return wrap_data_with_container("transform", codes, X, short)

    def _codes(self, X: Any, labels: np.ndarray, n_bits: int) -> np.ndarray:
        """Codes of checked rows, packed if `packed` is set."""
        n_rows = X.shape[0]
        if n_rows <= MOST_ROWS or n_rows > WORTH_TORCH or has_torch():
            return self._codes_at_once(X, labels, n_bits)
        parts = [self._codes_at_once(X[s], labels[s], n_bits) for s in _iter_spans(n_rows)]
        return np.concatenate(parts)

    def _codes_at_once(self, X: Any, labels: np.ndarray, n_bits: int) -> np.ndarray:
        if X.shape[0] <= MOST_ROWS:
            bits = self.model_.short_codes(X, labels)
            if bits is not None:
                bits = bits[:, :n_bits]
                return pack_bits(bits) if self.packed else bits.astype(np.uint8)
        codes = np.empty((X.shape[0], -(-n_bits // 8) if self.packed else n_bits), np.uint8)

        def store(rows: slice | np.ndarray, scores: np.ndarray) -> None:
            bits = scores > 0
            codes[rows] = pack_bits(bits) if self.packed else bits

        self.model_.map_scores(store, X, labels, n_bits, self._progress("transform"))
        return codes

    def decision_function(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Scores of the bits, squashed to values between -1 and 1.

        A query by scores ranks a database of codes better than the query's own code does; see
        :meth:`sktgsh.neighbors.HammingNeighbors.kneighbors`. The values are hyperbolic tangents of
        twice the scores, which are trained to be -1 and 1. Uncertain bits keep their order, and
        certain bits count alike however large their scores are.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        values : ndarray of shape (n_samples, n_bits), dtype float32
            Positive where the bit is 1.
        """
        X, labels = self._check_new_rows(X, task)
        values = np.empty((X.shape[0], self.n_bits_), np.float32)

        def store(rows: slice | np.ndarray, scores: np.ndarray) -> None:
            values[rows] = np.tanh(2 * scores)

        self.model_.map_scores(store, X, labels, self.n_bits_, self._progress("transform"))
        return values

    def predict_class(self, X: ArrayLike, *, task: Any = None, unknown: Any = None) -> np.ndarray:
        """The class whose codeword (or readout) fits each row best.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        unknown : int or str, optional
            The answer for rows that a group without a name fits better than every class; see
            `groups_`. By default every row gets a class.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Class labels.

        Raises
        ------
        ValueError
            If no bit spells the codeword of a class, because ``structure_fraction=1``, or if a task
            has no class.
        """
        X, labels = self._check_new_rows(X, task)
        network = self.model_.network
        if network.head != "readout" and not len(network.layout.codebook_bits):
            raise ValueError(
                f"structure_fraction={self.structure_fraction} leaves no bit that spells the "
                "codeword of a class; lower it, and fit again"
            )
        dtype = self.classes_.dtype
        if unknown is not None:
            dtype = np.result_type(dtype, np.asarray(unknown).dtype)
        found = np.empty(X.shape[0], dtype=dtype)
        for label, positions in iter_tasks(labels):
            modulation = self.model_.modulation_of(label)
            classes = np.array(modulation.classes)
            if not len(classes):
                raise ValueError(
                    f"task {label!r} has no class: it was learned from given codes, or without "
                    "labels. Fit it from labels; groups of rows without labels get a class by "
                    "name_group"
                )
            judged = modulation if unknown is None else modulation.with_groups()
            best = network.class_scores(X, positions, judged).argmax(axis=1)
            found[positions] = classes[np.minimum(best, len(classes) - 1)]
            if unknown is not None:
                found[positions[best >= len(classes)]] = unknown
        return found

    def novelty_scores(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """How far the scores of each row are from the codeword that they fit best.

        Rows of a class that was learned have scores near -1 and +1, in the pattern of its codeword.
        Rows of other classes have uncertain scores, or patterns of no class. Groups of unlabelled
        rows count as classes.

        Parameters
        ----------
        X, task
            As in :meth:`transform`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float32
            Mean squared difference of the squashed scores (:meth:`decision_function`) from the
            nearest codeword: 0 for a row that has all bits of a class, about 1 for a row whose bits
            are all uncertain. A threshold is a quantile of the scores of held-out rows.

        Raises
        ------
        ValueError
            If a task has neither classes nor groups.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from sktgsh import TaskGeometricHasher
        >>> X, y = load_digits(return_X_y=True)
        >>> known = y < 8
        >>> hasher = TaskGeometricHasher(random_state=0).fit(X[known][:900], y[known][:900])
        >>> threshold = np.quantile(hasher.novelty_scores(X[known][900:]), 0.95)
        >>> bool((hasher.novelty_scores(X[~known]) > threshold).mean() > 0.7)
        True
        """
        X, labels = self._check_new_rows(X, task)
        found = np.empty(X.shape[0], np.float32)
        for label, positions in iter_tasks(labels):
            modulation = self.model_.modulation_of(label)
            words = modulation.with_groups().codewords.astype(np.float32)
            spelled = words.any(axis=0)
            if not spelled.any():
                raise ValueError(f"task {label!r} has no codewords that rows could be far from")
            words, bits = words[:, spelled], self.model_.network.layout.codebook_bits[spelled]
            read = partial(_least_squares, bits=bits, words=words)
            parts = self.model_.network.map_scores(read, X, positions, modulation)
            found[positions] = np.concatenate(parts)
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

        Each task has a density of its own samples in the frozen feature space. The answer is the
        task under which a row is most likely.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        groups : array-like of shape (n_samples,), optional
            Rows of one group are known to share their task, and get one answer.
        return_score : bool, default=False
            Also return the calibrated probability of the answer.
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
        best, scores, is_unknown = self.model_.infer(X, groups, self._progress("predict_task"))
        tasks = self.tasks_[best]
        if unknown is not None:
            tasks = tasks.astype(np.result_type(tasks.dtype, np.asarray(unknown).dtype))
            tasks[is_unknown] = unknown
        return (tasks, scores) if return_score else tasks


def _iter_spans(n_rows: int) -> Iterator[slice]:
    """Yield spans of a few rows until one of them has torch imported, then one of all the rest."""
    done = 0
    while done < n_rows:
        stop = n_rows if has_torch() else done + MOST_ROWS
        yield slice(done, stop)
        done = stop


def _least_squares(
    rows: np.ndarray, scores: np.ndarray, bits: np.ndarray, words: np.ndarray
) -> np.ndarray:
    """Mean square of each row by which squashed scores of bits miss the nearest codeword."""
    values, n_bits = np.tanh(2 * scores[:, bits]), words.shape[1]
    apart = (values**2).sum(axis=1)[:, None] - 2 * values @ words.T + n_bits
    return np.maximum(apart.min(axis=1), 0) / n_bits
