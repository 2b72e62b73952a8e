"""Additive sufficient statistics of one task: everything that the closed form needs is a sum."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from copy import copy, deepcopy

import numpy as np
from scipy import sparse

from ...persistence import saved
from ..encoding.groups import UnlabelledRows
from .gram import CHEAP_PRODUCT, GramSums
from .neighbourhoods import Neighbourhoods

# Share of all rows below which a class has none: rounding errors of sums and differences.
NO_ROW = 1e-12


@saved("RidgeStatistics")
class RidgeStatistics:
    """Additive sufficient statistics of one task.

    Parameters
    ----------
    n_blocks, units_per_block : int
        Sizes. Memory is at most about ``8 * n_blocks * units_per_block ** 2`` bytes, whatever the
        number of rows.
    n_targets : int, default=0
        Real-valued targets, beside those that classes give: structure bits, or given codes.

    Attributes
    ----------
    gram : GramSums
        Weighted sums of products of a block's units, and of the constant 1 that comes last.
    class_sums : dict of ndarray of shape (n_blocks, units_per_block + 1)
        Weighted sums of a block's units over the rows of each class. A row of several classes
        counts for each of them by its share.
    overlap : ndarray of shape (n_classes, n_classes), or None
        Weighted sums of products of shares, where rows have several classes.
    target_sums : ndarray of shape (n_targets, n_blocks, units_per_block + 1)
        Weighted sums of products of the real-valued targets with the units.
    target_squares : ndarray of shape (n_targets,)
        Weighted sums of squares of the real-valued targets.
    code_sums : ndarray of shape (n_codebook_bits, n_blocks, units_per_block + 1), or None
        Weighted sums of products of the units with the codes of unlabelled rows, -1 and +1. None
        if there was no such row.
    code_weight : float
        Sum of the weights of the unlabelled rows.
    neighbourhoods : Neighbourhoods or None
        What gives unlabelled rows their targets.
    unlabelled : UnlabelledRows
        What became of the unlabelled rows; a part of them may stand for all.
    weight_squares : float
        Sum of squares of the weights.
    """

    # Files of before do not say what became of unlabelled rows.
    unlabelled = UnlabelledRows()

    def __init__(self, n_blocks: int, units_per_block: int, n_targets: int = 0):
        width = units_per_block + 1
        self.units_per_block = units_per_block
        self.gram = GramSums(n_blocks, width)
        self.class_sums: dict[Hashable, np.ndarray] = {}
        self.overlap: np.ndarray | None = None
        self.target_sums = np.zeros((n_targets, n_blocks, width))
        self.target_squares = np.zeros(n_targets)
        self.code_sums: np.ndarray | None = None
        self.code_weight = 0.0
        self.neighbourhoods: Neighbourhoods | None = None
        self.unlabelled = UnlabelledRows()
        self.weight_squares = 0.0

    def __add__(self, other: RidgeStatistics) -> RidgeStatistics:
        """Sums of the rows of both."""
        total = self.copy()
        total.increase(other)
        if other.overlap is not None:
            total.overlap = other.overlap + (0.0 if self.overlap is None else self.overlap)
        total.unlabelled += other.unlabelled
        total.neighbourhoods = common_neighbourhoods(self.neighbourhoods, other.neighbourhoods)
        return total

    def __sub__(self, other: RidgeStatistics) -> RidgeStatistics:
        """Sums of the rows that the other lacks; it may only have rows that are here."""
        rest = self.copy()
        rest.increase(other, -1.0)
        weights = {label: sums[0, -1] for label, sums in rest.class_sums.items()}
        # What rounding leaves of a class that only the other has is no row.
        least = NO_ROW * max(self.total, 1e-300)
        rest.class_sums = {c: sums for c, sums in rest.class_sums.items() if weights[c] > least}
        if rest.code_weight <= least:
            rest.code_sums, rest.code_weight = None, 0.0
        return rest

    def increase(self, other: RidgeStatistics, sign: float = 1.0) -> None:
        """Add the rows of another task, in place; whether rows share classes is dropped."""
        self.gram.increase(other.gram, sign)
        for label, sums in other.class_sums.items():
            self.class_sums[label] = self.class_sums.get(label, 0.0) + sign * sums
        self.target_sums += sign * other.target_sums
        self.target_squares += sign * other.target_squares
        self.weight_squares += sign * other.weight_squares
        if other.code_sums is not None:
            known = 0.0 if self.code_sums is None else self.code_sums
            self.code_sums = known + sign * other.code_sums
        self.code_weight += sign * other.code_weight
        self.overlap = None

    def copy(self) -> RidgeStatistics:
        """A copy that can be added to without changing this one."""
        return deepcopy(self)

    def for_pool(self) -> RidgeStatistics:
        """The same sums without what decides on unlabelled rows of their task."""
        found = copy(self)
        found.neighbourhoods, found.unlabelled = None, UnlabelledRows()
        return found

    def without_rows(self) -> RidgeStatistics:
        """The same sums, from which no hidden activity of a single row can be read."""
        found = copy(self)
        found.gram = self.gram.without_rows()
        return found

    @property
    def nbytes(self) -> int:
        """Memory of the statistics, in bytes."""
        sums = sum(sums.nbytes for sums in self.class_sums.values())
        codes = 0 if self.code_sums is None else self.code_sums.nbytes
        return self.gram.nbytes + self.target_sums.nbytes + sums + codes

    @property
    def kind(self) -> str:
        """What rows have: "classes", given "codes", or codes of their neighbourhoods.

        The last are "partial" where some rows have classes, and "unlabelled" where none has.
        """
        if self.code_sums is None:
            return "classes" if self.class_sums else "codes"
        return "partial" if self.class_sums else "unlabelled"

    @property
    def classes(self) -> list:
        """Labels of the classes that have rows."""
        return list(self.class_sums)

    def weight_of(self, label: Hashable) -> float:
        """Sum of the weights of a class's rows; 0 where it has none."""
        return float(self.class_sums[label][0, -1]) if label in self.class_sums else 0.0

    @property
    def n_labelled(self) -> float:
        """Sum of the weights of the rows that have classes."""
        return float(sum(sums[0, -1] for sums in self.class_sums.values()))

    @property
    def total(self) -> float:
        """Sum of the weights of all rows."""
        return self.gram.total

    def add(
        self,
        units: np.ndarray,
        shares: sparse.csr_array,
        classes: Sequence[Hashable],
        sample_weight: np.ndarray | None = None,
        targets: np.ndarray | None = None,
        multilabel: bool = False,
        codes: np.ndarray | None = None,
    ) -> None:
        """Add a batch of rows.

        Parameters
        ----------
        units : ndarray of shape (n_blocks, batch, units_per_block + 1), dtype float32
            Hidden activity by block; the last unit of each block is the constant 1.
        shares : csr_array of shape (batch, n_classes)
            How much of a row belongs to each class; rows sum to 1, those of unlabelled rows to 0.
        classes : sequence
            Class labels.
        sample_weight : ndarray of shape (batch,), optional
            By default 1 for every row.
        targets : ndarray of shape (batch, n_targets), optional
            Real-valued targets.
        multilabel : bool, default=False
            Whether a row may have several classes; `classes` is then the same in every call.
        codes : ndarray of shape (batch, n_codebook_bits), dtype int8, optional
            Codes of the unlabelled rows, -1 and +1; 0 for all other rows.
        """
        n_blocks, batch, width = units.shape
        exact = n_blocks * width**2 * batch < CHEAP_PRODUCT
        values = units.astype(np.float64 if exact else np.float32, copy=False)
        weight = np.ones(batch) if sample_weight is None else np.asarray(sample_weight, float)
        self.weight_squares += float((weight**2).sum())
        if sample_weight is None:
            self.gram.add(units)
        else:
            self.gram.add(values * np.sqrt(weight).astype(values.dtype)[:, None])
        weighted = sparse.csr_array(sparse.diags_array(weight) @ shares)
        present = np.unique(weighted.indices) if not multilabel else np.arange(len(classes))
        members = sparse.csr_array(weighted[:, present].T.astype(values.dtype))
        sums = np.stack([members @ block for block in values], axis=1)
        for index, rows in zip(present, sums):
            known = self.class_sums.get(classes[index], 0.0)
            self.class_sums[classes[index]] = known + rows.astype(np.float64)
        if multilabel:
            overlap = (weighted.T @ shares).toarray()
            self.overlap = overlap if self.overlap is None else self.overlap + overlap
        if targets is not None and targets.shape[1]:
            scaled = (weight[:, None] * targets).astype(values.dtype)
            self.target_sums += np.stack([scaled.T @ block for block in values], axis=1)
            self.target_squares += (weight[:, None] * targets.astype(float) ** 2).sum(axis=0)
        if codes is not None:
            scaled = (weight[:, None] * codes).astype(values.dtype)
            sums = np.stack([scaled.T @ block for block in values], axis=1).astype(np.float64)
            self.code_sums = sums if self.code_sums is None else self.code_sums + sums
            self.code_weight += float(weight[codes.any(axis=1)].sum())


def common_neighbourhoods(
    first: Neighbourhoods | None, second: Neighbourhoods | None
) -> Neighbourhoods | None:
    """The neighbourhoods of two sums; raises ValueError if they give rows different targets."""
    if first is None or second is None:
        return first or second
    if not first.is_equal(second):
        raise ValueError(
            "unlabelled rows of one task were learned in two places that did not start alike, so "
            "their sums cannot be added. Start both from a hasher that has learned some rows of "
            "the task, or put some rows of each task in the first chunk"
        )
    return first
