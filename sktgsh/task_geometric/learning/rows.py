"""Training rows with their targets."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from ...random import generator
from ...tasks import format_labels


def sorted_classes(classes: Iterable[Hashable]) -> list:
    """Distinct class labels, sorted by type and value."""
    return sorted(set(classes), key=lambda label: (str(type(label)), label))


# Fields of a table that have an entry for each row.
ROW_ARRAYS = ("y", "sample_weight", "codes", "unlabelled", "found_codes", "stands_for", "sources")


@dataclass(frozen=True)
class Rows:
    """Training rows: positions in X, and the target and weight of each.

    Attributes
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    positions : ndarray of int
        Rows of X.
    y : ndarray of shape (n_rows,) or (n_rows, n_labels)
        Class labels, or label indicators.
    sample_weight : ndarray of shape (n_rows,), or None
    codes : ndarray of shape (n_rows, n_bits), values 0 and 1, or None
        Given codes; `y` is then ignored.
    unlabelled : ndarray of shape (n_rows,), dtype bool, or None
        Rows without a label; `y` is ignored there. None if every row has one.
    found_codes : ndarray of shape (n_rows, n_codebook_bits), dtype int8, or None
        Codes of the unlabelled rows, -1 and +1, and 0 for all other rows.
    stands_for : ndarray of shape (n_rows,), or None
        Number of rows of the task that each row stands for. None if every row stands for itself.
    sources : ndarray of int, or None
        Rows of the samples, where X holds features.
    extracted : bool
        Whether X holds the encoder's features rather than samples.
    expected_classes : tuple
        Classes of the task that may have no row yet.
    """

    X: Any
    positions: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None = None
    codes: np.ndarray | None = None
    unlabelled: np.ndarray | None = None
    found_codes: np.ndarray | None = None
    stands_for: np.ndarray | None = None
    sources: np.ndarray | None = None
    extracted: bool = False
    expected_classes: tuple = ()

    def with_classes(self, classes: Sequence[Hashable]) -> Rows:
        """Declare the classes of the task; raises ValueError if a row has another class."""
        if not len(classes):
            return self
        if self.multilabel:
            raise ValueError(
                "classes was given, but y is an indicator: its columns are the classes"
            )
        lacking = [label for label in self.classes if label not in classes]
        if lacking:
            raise ValueError(
                f"y has labels that classes lacks, {format_labels(lacking)}; name all of them"
            )
        return replace(self, expected_classes=tuple(classes))

    def take(self, chosen: np.ndarray) -> Rows:
        """Some of the rows."""
        picked: dict[str, Any] = {
            name: None if value is None else value[chosen]
            for name in ("positions", *ROW_ARRAYS)
            for value in [getattr(self, name)]
        }
        return replace(self, **picked)

    def sample(self, n_rows: int, seed: int) -> Rows:
        """Draw at most `n_rows` rows without replacement and keep their order.

        Each row that is drawn stands for as many of the task's rows as every other.
        """
        rng, counts = generator(seed, "sample"), self.stands_for
        if counts is not None:
            kept = np.flatnonzero(rng.random(len(counts)) * counts.max() < counts)
            return replace(self.take(kept), stands_for=None).sample(n_rows, seed)
        if len(self.positions) <= n_rows:
            return self
        return self.take(np.sort(rng.choice(len(self.positions), n_rows, replace=False)))

    def thinned(self, n_kept: int, seed: int) -> Rows:
        """Draw `n_kept` of the unlabelled rows, which stand for all of them, and keep the others.

        Parameters
        ----------
        n_kept : int
        seed : int
        """
        missing = np.flatnonzero(self.lacks_label)
        if n_kept >= len(missing):
            return self
        counts = np.zeros(len(self.y))
        drawn = generator(seed, "thinned").choice(missing, n_kept, replace=False)
        counts[drawn] = len(missing) / n_kept
        counts[~self.lacks_label] = 1
        return replace(self, stands_for=counts).take(np.flatnonzero(counts))

    @property
    def counts(self) -> np.ndarray:
        """Number of rows of the task that each row stands for, (n_rows,)."""
        return np.ones(len(self.y)) if self.stands_for is None else self.stands_for

    @property
    def weights(self) -> np.ndarray | None:
        """Weight of each row in sums, (n_rows,); None for ones."""
        if self.stands_for is None:
            return self.sample_weight
        return self.counts * (1 if self.sample_weight is None else self.sample_weight)

    @property
    def has_unlabelled(self) -> bool:
        """Whether some rows have no label."""
        return bool(self.lacks_label.any())

    @property
    def lacks_label(self) -> np.ndarray:
        """Mask of the unlabelled rows, (n_rows,)."""
        return np.zeros(len(self.y), bool) if self.unlabelled is None else self.unlabelled

    @property
    def multilabel(self) -> bool:
        """Whether rows may have several classes."""
        return self.y.ndim == 2

    @property
    def classes(self) -> list:
        """Labels of the classes that the rows may have."""
        if self.codes is not None:
            return []
        if self.multilabel:
            labelled = self.unlabelled is None or not self.unlabelled.all()
            return list(range(self.y.shape[1])) if labelled else []
        labels = self.y if self.unlabelled is None else self.y[~self.unlabelled]
        return sorted_classes([*np.unique(labels).tolist(), *self.expected_classes])

    def shares(self, classes: Sequence[Hashable]) -> sparse.csr_array:
        """Share of each row that belongs to each class, (n_rows, n_classes); rows sum to 1."""
        n_rows = len(self.positions)
        if self.multilabel:
            counts = self.y.sum(axis=1, dtype=np.float64)
            return sparse.csr_array(self.y / np.maximum(counts, 1)[:, None])
        if self.codes is not None:
            return sparse.csr_array((n_rows, len(classes)))
        index = {label: position for position, label in enumerate(classes)}
        if self.unlabelled is None:
            labels, ends = self.y, np.arange(n_rows + 1)
        else:
            labels = self.y[~self.unlabelled]
            ends = np.concatenate([[0], np.cumsum(~self.unlabelled)])
        columns = np.array([index[label] for label in labels.tolist()], dtype=int)
        return sparse.csr_array((np.ones(len(labels)), columns, ends), shape=(n_rows, len(classes)))

    @property
    def density_groups(self) -> np.ndarray:
        """Group of each row in the task's density: its class, or the first of its classes."""
        if self.codes is not None:
            return np.zeros(len(self.positions), dtype=int)
        return self.y.argmax(axis=1) if self.multilabel else self.y
