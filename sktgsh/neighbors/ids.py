"""Ids of the user's, integers or strings: checked, and found again.

An index numbers its codes by *slots*, in the order in which they came. This module is the only
place that knows which id a slot has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..persistence import saved

_KINDS = {"i": "integers", "U": "strings"}


def check_ids(ids: Any, n_rows: int | None = None, name: str = "ids") -> np.ndarray:
    """Ids as an array of int64 or of strings.

    Parameters
    ----------
    ids : array-like of int or str of shape (n_ids,)
    n_rows : int, optional
        How many there must be.
    name : str, default="ids"
        What errors call them.

    Raises
    ------
    ValueError
        If they are neither all integers nor all strings, integers do not fit into 64 bits, strings
        are empty, or the number is wrong.
    """
    given = ids if hasattr(ids, "dtype") else np.asarray(ids, dtype=object)
    ids = np.asarray(given)
    if ids.ndim != 1 or (n_rows is not None and len(ids) != n_rows):
        expected = "a list of them" if n_rows is None else f"one id for each of {n_rows} rows"
        raise ValueError(f"{name} has shape {ids.shape}; expected {expected}")
    if not len(ids):
        return ids.astype(np.int64) if ids.dtype.kind != "U" else ids
    if ids.dtype.kind in "iu":
        largest = int(ids.max())
    elif all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in ids):
        largest = max(abs(int(one) + (int(one) < 0)) for one in ids)
    elif all(isinstance(one, str) for one in ids):
        ids = ids.astype(str)
        if (ids == "").any():
            raise ValueError(f"{name} has an empty string, which stands for a missing neighbour")
        return ids
    else:
        types = sorted({type(one).__name__ for one in ids.tolist()})
        raise ValueError(
            f"{name} has dtype {ids.dtype} and values of type {' and '.join(types)}; "
            "expected integers only, or strings only"
        )
    if largest >= 2**63:
        raise ValueError(f"{name} has {largest}; integers from -2**63 to 2**63 - 1 can be ids")
    return ids.astype(np.int64)


def name_ids(ids: Sequence | np.ndarray) -> str:
    """Ids for an error message, cut where there are many."""
    more = f" and {len(ids) - 8} more" if len(ids) > 8 else ""
    return f"{np.asarray(ids)[:8].tolist()}{more}"


@saved("Ids")
class Ids:
    """The id of each slot, and the slot of each id that is in use."""

    def __init__(self, values: np.ndarray):
        self.values = values
        self._sorted: np.ndarray | None = None  # made when ids are first looked up
        self._slots: np.ndarray | None = None

    def check_kind(self, ids: np.ndarray) -> None:
        """Raise ValueError if new ids are strings where those here are integers."""
        kind, known = ids.dtype.kind, self.values.dtype.kind
        if len(ids) and len(self.values) and kind != known:
            raise ValueError(f"ids are {_KINDS[kind]}, but those of the index are {_KINDS[known]}")

    def _in_order(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids in use, sorted, and their slots."""
        if self._sorted is None or self._slots is None:
            self._slots = np.argsort(self.values, kind="stable")
            self._sorted = self.values[self._slots]
        return self._sorted, self._slots

    def find(self, ids: np.ndarray) -> np.ndarray:
        """The slot of each id; -1 where it is not in use."""
        self.check_kind(ids)
        known, slots = self._in_order()
        if not len(known) or not len(ids):
            return np.full(len(ids), -1, np.int64)
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[place] == ids, slots[place], -1)

    def append(self, ids: np.ndarray) -> None:
        """Give ids, none of them in use, to the next slots."""
        first = len(self.values)
        self.values = np.concatenate([self.values, ids]) if first else ids
        if self._sorted is None or self._slots is None:
            return
        order = np.argsort(ids, kind="stable")
        place = np.searchsorted(self._sorted, ids[order])
        wide = np.promote_types(self._sorted.dtype, ids.dtype) if first else ids.dtype
        self._sorted = np.insert(self._sorted.astype(wide), place, ids[order])
        self._slots = np.insert(self._slots, place, first + order)

    def release(self, slots: np.ndarray) -> None:
        """The ids of these slots are no longer in use."""
        known, known_slots = self._in_order()
        kept = ~np.isin(known_slots, slots)
        self._sorted, self._slots = known[kept], known_slots[kept]

    def compact(self, alive: np.ndarray) -> None:
        """Keep these slots, numbered anew."""
        self.values = self.values[alive]
        self._sorted = self._slots = None

    def of(self, slots: np.ndarray) -> np.ndarray:
        """The id of each slot; for slot -1, -1 or the empty string."""
        missing = "" if self.values.dtype.kind == "U" else -1
        if not len(self.values):
            return np.full(slots.shape, missing)
        return np.where(slots < 0, missing, self.values[slots])
