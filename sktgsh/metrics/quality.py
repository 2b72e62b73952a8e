"""Quality of codes that can be told without queries, and mostly without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..codes import check_codes
from ..targets import check_targets

# Pairs of columns that agree or disagree in all but this share of the rows count as correlated.
_NEARLY = 0.05


@dataclass(frozen=True)
class CodeReport:
    """Quality of codes; printed as a table.

    Attributes
    ----------
    n_codes, n_bits : int
        Number of codes, and their length.
    n_distinct_codes : int
        Number of different codes.
    n_distinct_columns : int
        Number of bits that differ from each other, and from each other's opposites, in some row.
    dead_bits : ndarray of int
        Bits that are the same in all rows.
    balance : ndarray of shape (n_bits,)
        Share of ones in each bit.
    correlated_bits : ndarray of shape (n_pairs, 2)
        Pairs of bits, neither of them dead, that agree, or disagree, in at least 95 % of the rows.
    collisions : float
        Share of the pairs of equal codes whose rows have different classes; nan without labels, or
        if no two codes are equal.
    class_collisions : dict of float
        By class, share of its rows that have a code in common with a row of another class.

    See Also
    --------
    sktgsh.metrics.code_report : Makes the report of codes.

    Examples
    --------
    >>> from sktgsh.metrics import code_report
    >>> report = code_report([[0, 1, 1], [1, 0, 1], [1, 0, 1]])
    >>> report.n_distinct_codes, report.dead_bits.tolist()
    (2, [2])
    """

    n_codes: int
    n_bits: int
    n_distinct_codes: int
    n_distinct_columns: int
    dead_bits: np.ndarray
    balance: np.ndarray
    correlated_bits: np.ndarray
    collisions: float
    class_collisions: dict

    def __str__(self) -> str:
        lines = [
            f"codes               {self.n_codes} of {self.n_bits} bits",
            f"distinct codes      {self.n_distinct_codes}",
            f"distinct columns    {self.n_distinct_columns}",
            f"dead bits           {len(self.dead_bits)}",
            f"share of ones       {self.balance.min():.2f} to {self.balance.max():.2f}",
            f"correlated pairs    {len(self.correlated_bits)}",
        ]
        if self.class_collisions:
            worst = max(self.class_collisions, key=self.class_collisions.__getitem__)
            lines += [
                f"equal codes of different classes  {self.collisions:.3f}",
                f"most shared class   {worst!r}, {self.class_collisions[worst]:.3f} of its rows",
            ]
        return "\n".join(lines)


def code_report(codes: ArrayLike, y: ArrayLike | None = None) -> CodeReport:
    """Tell whether bits are used, without queries.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits), values 0 and 1
        Codes, not packed.
    y : array-like of shape (n_samples,), optional
        Class labels.

    Returns
    -------
    report : CodeReport

    See Also
    --------
    sktgsh.metrics.mean_average_precision : Quality of codes for retrieval.

    Examples
    --------
    >>> from sktgsh.metrics import code_report
    >>> report = code_report([[0, 1, 1], [0, 0, 1], [0, 1, 1]], y=["a", "b", "b"])
    >>> report.n_distinct_codes, report.n_distinct_columns, report.dead_bits.tolist()
    (2, 2, [0, 2])
    >>> report.collisions
    1.0
    """
    codes = check_codes(codes)
    n_codes, n_bits = codes.shape
    if not n_codes:
        raise ValueError("codes has no rows; give at least one code")
    distinct, place, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    place = place.ravel()
    balance = codes.mean(axis=0)
    dead = np.flatnonzero((balance == 0) | (balance == 1))
    columns = np.unique((codes ^ codes[:1]).T, axis=0)
    signs = 2.0 * codes - 1
    agreement = np.abs(signs.T @ signs) / n_codes
    agreement[dead] = agreement[:, dead] = 0
    pairs = np.argwhere(np.triu(agreement, 1) >= 1 - 2 * _NEARLY)
    collisions, by_class = np.nan, {}
    if y is not None:
        labels = check_targets(y, n_codes)
        if labels.ndim != 1:
            raise ValueError("y holds label indicators; expected one class label a row")
        classes, index = np.unique(labels, return_inverse=True)
        table = np.zeros((len(distinct), len(classes)), np.int64)
        np.add.at(table, (place, index), 1)
        equal = (counts * (counts - 1)).sum()
        if equal:
            collisions = float(1 - (table * (table - 1)).sum() / equal)
        mixed = (table > 0).sum(axis=1)[place] > 1
        by_class = {c: float(mixed[index == i].mean()) for i, c in enumerate(classes.tolist())}
    return CodeReport(
        n_codes, n_bits, len(distinct), len(columns), dead, balance, pairs, collisions, by_class
    )
