"""The codes of an index, one shard for each task, and codes that are gone.

A code keeps its *slot*, its number in the order of adding. A removed code leaves a tombstone, which
searches pass over; once a quarter of the slots are tombstones, slots are numbered anew. *Rows*
number the codes that are left, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...persistence import saved
from ...tasks import iter_tasks
from .. import ranking
from .distinct import build_index
from .faiss_index import Queries

# Rebuild once this share of slots is deleted.
_MOST_DEAD = 0.25
# Extra neighbours that are fetched where there are tombstones.
_SPARE = 16

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


@saved("Shard")
class Shard:
    """The codes of one task."""

    def __init__(self, packed: np.ndarray, slots: np.ndarray | None, settings: dict):
        self.settings = settings
        self.slots = slots  # of each position, ascending; None: position i is slot i
        self._build(packed)
        self.n_dead = 0

    def _build(self, packed: np.ndarray) -> None:
        self.index = build_index(packed, **self.settings)
        self.n_at_build = len(packed)

    def __len__(self) -> int:
        return len(self.index) - self.n_dead

    def add(self, packed: np.ndarray, slots: np.ndarray | None) -> None:
        """Codes after those that are there, with their slots."""
        self.index.add(packed)
        if self.slots is not None:
            self.slots = np.concatenate([self.slots, slots])
        if self.settings["algorithm"] == "flat" and len(self.index) >= 2 * self.n_at_build:
            self._build(self.index.codes())  # by now codes may repeat, or no longer

    def to_slots(self, positions: np.ndarray) -> np.ndarray:
        """The slot of each position; -1 stays -1."""
        if self.slots is None:
            return positions
        return np.where(positions < 0, -1, self.slots[positions])

    def chosen(self, mask: np.ndarray) -> np.ndarray:
        """Positions of the codes that a mask over slots holds."""
        return np.flatnonzero(mask if self.slots is None else mask[self.slots])

    def sweep(self, alive: np.ndarray, new_slots: np.ndarray) -> None:
        """Drop what is gone, and number slots anew."""
        kept = self.chosen(alive)
        if self.slots is not None:
            self.slots = new_slots[self.slots[kept]]
        if self.n_dead:
            self._build(self.index.codes()[kept])
            self.n_dead = 0

    def nearest(
        self, queries: Queries, k: int, alive: np.ndarray | None, mask: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distances and slots of the `k` nearest codes that are left; there must be `k`."""
        if mask is not None:
            positions = self.chosen(mask)
            distances, found = self.index.subset(positions).nearest(queries, k)
            found = np.where(found < 0, -1, positions[found])
            return distances, self.to_slots(found)
        if not self.n_dead or alive is None:
            distances, found = self.index.nearest(queries, k)
            return distances, self.to_slots(found)
        wanted = min(len(self.index), k + min(self.n_dead, k + _SPARE))
        distances, found = self.index.nearest(queries, wanted)
        slots = self.to_slots(found)
        is_dead = (slots >= 0) & ~alive[slots]
        first = np.argsort(is_dead, axis=1, kind="stable")[:, :k]
        short = np.take_along_axis(is_dead, first, axis=1).any(axis=1)
        distances = np.take_along_axis(distances, first, axis=1).astype(np.float64)
        slots = np.take_along_axis(slots, first, axis=1)
        if short.any():
            distances[short], slots[short] = self.nearest(queries[short], k, alive, alive)
        return distances, slots

    def within(
        self, queries: Queries, radius: float, alive: np.ndarray | None, mask: np.ndarray | None
    ) -> Pairs:
        """Query, distance and slot of all pairs up to a distance."""
        if mask is not None:
            positions = self.chosen(mask)
            query_of, distances, found = self.index.subset(positions).within(queries, radius)
            return query_of, distances, self.to_slots(positions[found])
        query_of, distances, found = self.index.within(queries, radius)
        slots = self.to_slots(found)
        if not self.n_dead or alive is None:
            return query_of, distances, slots
        left = alive[slots]
        return query_of[left], distances[left], slots[left]


@saved("Shards")
class Shards:
    """Codes with tasks or without.

    Parameters
    ----------
    has_tasks : bool
    algorithm, params
        Of :class:`.HammingNeighbors`.
    """

    def __init__(self, has_tasks: bool, algorithm: str, params: dict | None):
        self.has_tasks = has_tasks
        self.settings = {"algorithm": algorithm, "params": params}
        self.by_task: dict[Any, Shard] = {}
        self.n_slots = 0
        self.alive: np.ndarray | None = None  # None: all are
        self._live: np.ndarray | None = None

    def __len__(self) -> int:
        return sum(len(shard) for shard in self.by_task.values())

    def __getstate__(self) -> dict:
        return {**vars(self), "_live": None}

    @property
    def tasks(self) -> list:
        """Tasks that have codes."""
        return [label for label, shard in self.by_task.items() if len(shard) and self.has_tasks]

    # -- changes ---------------------------------------------------------------------------------

    def append(self, packed: np.ndarray, labels: np.ndarray | None) -> None:
        """Codes in the next slots."""
        if labels is None:
            self._append(None, packed, None)
        else:
            for label, rows in iter_tasks(labels):
                self._append(label, packed[rows], rows + self.n_slots)
        self.n_slots += len(packed)
        if self.alive is not None:
            self.alive = np.concatenate([self.alive, np.ones(len(packed), bool)])
        self._live = None

    def _append(self, label: Any, packed: np.ndarray, slots: np.ndarray | None) -> None:
        if not len(packed):
            return
        if label in self.by_task:
            self.by_task[label].add(packed, slots)
        else:
            self.by_task[label] = Shard(packed, slots, self.settings)

    def slots_of(self, labels: list) -> np.ndarray:
        """The slots that codes of tasks have, those that are gone left out."""
        slots = np.concatenate([self.by_task[label].slots for label in dict.fromkeys(labels)])
        return slots if self.alive is None else slots[self.alive[slots]]

    def remove(self, slots: np.ndarray, *, sweep: bool = False) -> np.ndarray | None:
        """Leave tombstones, and sweep them away if there are many, or it is asked for.

        Returns
        -------
        alive : ndarray of bool, or None
            If slots were numbered anew: which of the old ones were kept.
        """
        if not len(slots):
            return None
        alive = np.ones(self.n_slots, bool) if self.alive is None else self.alive
        alive[slots] = False
        self.alive = alive
        gone = np.zeros(self.n_slots, bool)
        gone[slots] = True
        for shard in self.by_task.values():
            shard.n_dead += len(slots) if shard.slots is None else int(gone[shard.slots].sum())
        self._live = None
        if sweep or self.n_slots - len(self) >= _MOST_DEAD * self.n_slots:
            return self._sweep(alive)
        return None

    def _sweep(self, alive: np.ndarray) -> np.ndarray:
        new_slots = np.cumsum(alive) - 1
        self.by_task = {label: shard for label, shard in self.by_task.items() if len(shard)}
        for shard in self.by_task.values():
            shard.sweep(alive, new_slots)
        self.n_slots, self.alive = int(alive.sum()), None
        return alive

    # -- numbers ---------------------------------------------------------------------------------

    @property
    def live(self) -> np.ndarray:
        """The slot of each row."""
        if self._live is None:
            everything = np.arange(self.n_slots)
            self._live = everything if self.alive is None else np.flatnonzero(self.alive)
        return self._live

    def to_rows(self, slots: np.ndarray) -> np.ndarray:
        """The row of each slot that is left; -1 stays."""
        if self.alive is None:
            return slots
        return np.where(slots < 0, -1, (np.cumsum(self.alive) - 1)[slots])

    def codes(self) -> np.ndarray:
        """The packed codes of the rows; a copy."""
        shards = list(self.by_task.values())
        if not shards:
            return np.empty((0, 0), np.uint8)
        if len(shards) == 1 and shards[0].slots is None:
            stored = shards[0].index.codes()
            return stored[self.live] if self.alive is not None else stored.copy()
        packed = np.empty((self.n_slots, shards[0].index.codes().shape[1]), np.uint8)
        for shard in shards:
            packed[shard.slots] = shard.index.codes()
        return packed[self.live]

    # -- searches --------------------------------------------------------------------------------

    def count(self, task: Any, mask: np.ndarray | None) -> int:
        """Number of codes that a query of one task, or of none, is compared with."""
        shards = self._of(task)
        if mask is None:
            return sum(len(shard) for shard in shards)
        return sum(len(shard.chosen(mask)) for shard in shards)

    def _of(self, task: Any) -> list[Shard]:
        shards = self.by_task.values() if task is None else [self.by_task[task]]
        return [shard for shard in shards if len(shard)]

    def _groups(self, queries: Queries, task: Any) -> Iterator[tuple[Any, Any, list[Shard]]]:
        """Yield (which queries, these queries, shards to search)."""
        if not isinstance(task, np.ndarray):
            yield slice(None), queries, self._of(task)
            return
        for label, rows in iter_tasks(task):
            yield rows, queries[rows], self._of(label)

    def nearest(
        self, queries: Queries, k: int, task: Any = None, mask: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distances and slots of the `k` nearest; infinity and -1 where there are fewer.

        Parameters
        ----------
        queries : Queries
        k : int
        task : int, str, ndarray of shape (n_queries,) or None
            A known task for all queries, one for each, or all tasks.
        mask : ndarray of bool of shape (n_slots,), optional
            Slots, all of them in use, that are searched.
        """
        distances = np.full((len(queries), k), np.inf)
        slots = np.full((len(queries), k), -1, np.int64)
        for rows, part, shards in self._groups(queries, task):
            found = [self._nearest(shard, part, k, mask) for shard in shards]
            if not found:
                continue
            near, where = found[0]
            if len(found) > 1:
                near, where = (np.concatenate(both, axis=1) for both in zip(*found))
                near, where = ranking.nearest(near, where, k)
            distances[rows, : near.shape[1]], slots[rows, : near.shape[1]] = near, where
        return distances, slots

    def _nearest(
        self, shard: Shard, queries: Queries, k: int, mask: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        k = min(k, len(shard) if mask is None else len(shard.chosen(mask)))
        if k == 0:
            return np.empty((len(queries), 0)), np.empty((len(queries), 0), np.int64)
        return shard.nearest(queries, k, self.alive, mask)

    def within(
        self, queries: Queries, radius: float, task: Any = None, mask: np.ndarray | None = None
    ) -> Pairs:
        """Query, distance and slot of all pairs up to a distance, in the order of the queries."""
        parts = [(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
        for rows, part, shards in self._groups(queries, task):
            numbers = np.arange(len(queries))[rows]
            for shard in shards:
                if mask is None or len(shard.chosen(mask)):
                    query_of, *found = shard.within(part, radius, self.alive, mask)
                    parts.append((numbers[query_of], *found))
        query_of, distances, slots = (np.concatenate(part) for part in zip(*parts))
        order = np.lexsort((slots, query_of))
        return query_of[order], distances[order], slots[order]
