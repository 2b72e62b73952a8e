"""Ids of the user's, integers or strings, and the slots that they have.

An index numbers its codes by *slots*, in the order in which they came. This module is the only
place that knows which id a slot has.
"""

from __future__ import annotations

import numpy as np

from ...persistence import saved

_KINDS = {"i": "integers", "O": "strings"}


@saved("Ids")
class Ids:
    """The id of each slot, and the slot of each id that is in use.

    Parameters
    ----------
    values : ndarray of int64, or of object (strings), of shape (n_slots,)
        As :func:`~.checks.check_ids` gives them.
    """

    def __init__(self, values: np.ndarray):
        self.values = values
        self._sorted: np.ndarray | None = None  # made when ids are first looked up
        self._slots: np.ndarray | None = None

    def __setstate__(self, state: dict) -> None:
        # Files of format 1 hold strings as arrays of fixed width.
        for name, part in state.items():
            is_fixed = isinstance(part, np.ndarray) and part.dtype.kind == "U"
            setattr(self, name, part.astype(object) if is_fixed else part)

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
        self._sorted = np.insert(self._sorted, place, ids[order]) if first else ids[order]
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
        missing = "" if self.values.dtype == object else -1
        if not len(self.values):
            return np.full(slots.shape, missing, self.values.dtype)
        return np.where(slots < 0, missing, self.values[slots])
