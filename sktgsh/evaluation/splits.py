"""Splits that hold classes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from ..targets import check_targets


def _classes(y: np.ndarray) -> np.ndarray:
    """Class labels, or the columns of an indicator that some row has."""
    return np.unique(y) if y.ndim == 1 else np.flatnonzero(y.any(axis=0))


def has_label(y: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mask of rows that have any of these class labels, or of these columns of an indicator."""
    return np.isin(y, labels) if y.ndim == 1 else np.any(y[:, labels], axis=1)


class ClassHoldOut:
    """Cross-validator that holds classes out: test rows are of classes never trained on.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits. Classes are dealt out so that each is held out once, where
        ``n_splits * n_held_out`` is the number of classes; else at random.
    n_held_out : int, optional
        Classes that a split holds out; by default the number of classes by `n_splits`, at least 2:
        with a single class there would be nothing to tell apart.
    random_state : int, RandomState instance or None, default=None
        Of the order of classes.

    See Also
    --------
    sktgsh.evaluation.retrieval_report : Several hashers side by side.

    Examples
    --------
    >>> from sktgsh.evaluation import ClassHoldOut
    >>> y = [0, 0, 1, 1, 2, 2, 3, 3]
    >>> for train, test in ClassHoldOut(n_splits=2, random_state=0).split(y, y):
    ...     print(train, test)
    [0 1 2 3] [4 5 6 7]
    [4 5 6 7] [0 1 2 3]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        n_held_out: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_splits = n_splits
        self.n_held_out = n_held_out
        self.random_state = random_state

    def split(
        self, X: Any, y: ArrayLike, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, test) rows.

        Parameters
        ----------
        X : ignored
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels; or an indicator, whose labels are held out: test rows have any of them,
            training rows none.
        groups : ignored

        Yields
        ------
        train, test : ndarray of int
            Numbers of rows.

        Raises
        ------
        ValueError
            If fewer than two classes would be left to train on or to test with, or no row.
        """
        y = check_targets(y)
        classes = check_random_state(self.random_state).permutation(_classes(y))
        n_held_out = self.n_held_out or max(2, len(classes) // self.n_splits)
        if n_held_out < 2 or len(classes) - n_held_out < 2:
            raise ValueError(
                f"n_held_out={n_held_out} of {len(classes)} classes; at least 2 must be held out, "
                "and at least 2 left"
            )
        for split in range(self.n_splits):
            held_out = np.take(classes, split * n_held_out + np.arange(n_held_out), mode="wrap")
            test = has_label(y, held_out)
            if test.all():
                raise ValueError(
                    f"n_held_out={n_held_out} of {len(classes)} labels leaves no row to train on: "
                    "every row has one of them. Hold fewer out"
                )
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits.

        Parameters
        ----------
        X, y, groups : ignored
            For the common interface.

        Returns
        -------
        n_splits : int
            As in the constructor.
        """
        return self.n_splits
