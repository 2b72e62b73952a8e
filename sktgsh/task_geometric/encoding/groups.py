"""Rows without a label: what became of them, and groups of those that belong to no class."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from ...persistence import saved


@saved("UnlabelledRows")
@dataclass(frozen=True)
class UnlabelledRows:
    """What became of the rows of a task that had no label.

    Where a part of many rows stands for all, these are estimates.

    Attributes
    ----------
    n_known : float
        Rows that their neighbours gave a class.
    n_grouped : float
        Rows of no class, which got a code from the mean of their neighbours.
    n_left_out : float
        Rows that nothing was learned from: they lie among several classes, or beside those of a
        task whose classes all have labels.
    """

    n_known: float = 0.0
    n_grouped: float = 0.0
    n_left_out: float = 0.0

    def __add__(self, other: UnlabelledRows) -> UnlabelledRows:
        return UnlabelledRows(
            self.n_known + other.n_known,
            self.n_grouped + other.n_grouped,
            self.n_left_out + other.n_left_out,
        )

    @property
    def total(self) -> int:
        """Number of all of them."""
        return round(self.n_known + self.n_grouped + self.n_left_out)


@saved("Groups")
@dataclass(frozen=True)
class Groups:
    """Groups of the unlabelled rows of a task.

    Attributes
    ----------
    codewords : ndarray of shape (n_groups, n_codebook_bits), dtype int8
        Code in the middle of each group, -1 and +1.
    shares : ndarray of shape (n_groups,), dtype float64
        Share of the task's rows that each group has, estimated from a sample of them.
    examples : ndarray of shape (n_groups, n_examples), dtype int64
        Rows nearest to the middle of each group: positions in the X that the groups were found in,
        the nearest first. -1 where a group has fewer rows.
    nearest_classes : tuple
        Label of the class whose codeword is nearest to each group; empty without classes.
    numbers : tuple of int
        Number of each group, which it keeps when others are named.
    named : dict of ndarray
        Codewords of the groups that were named, by label.
    """

    codewords: np.ndarray
    shares: np.ndarray
    examples: np.ndarray
    nearest_classes: tuple
    numbers: tuple
    named: dict

    def __len__(self) -> int:
        return len(self.numbers)

    def naming(self, number: int, label: Hashable) -> Groups:
        """The groups without one that gets a name; ValueError if there is no such group."""
        if number not in self.numbers:
            raise ValueError(
                f"group={number!r} is unknown or has a name already; groups without a name are "
                f"{', '.join(map(str, self.numbers[:20]))}{'...' if len(self) > 20 else ''}"
            )
        place = self.numbers.index(number)
        kept = np.arange(len(self)) != place
        return replace(
            self,
            codewords=self.codewords[kept],
            shares=self.shares[kept],
            examples=self.examples[kept],
            nearest_classes=_without(self.nearest_classes, place),
            numbers=_without(self.numbers, place),
            named=self.named | {label: self.codewords[place]},
        )


def _without(items: tuple, place: int) -> tuple:
    return items[:place] + items[place + 1 :]
