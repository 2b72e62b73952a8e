"""Hash tables as sorted arrays."""

from __future__ import annotations

import numpy as np

# Odd multipliers of a 64-bit mixing step (the finaliser of SplitMix64).
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mixed(keys: np.ndarray) -> np.ndarray:
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX[0]
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX[1]
    return keys ^ (keys >> np.uint64(31))


def bucket_keys(values: np.ndarray) -> np.ndarray:
    """One 64-bit key for each row of hash values, (n_rows, n_hashes) integers."""
    if values.dtype == np.uint8 and values.shape[1] <= 64:
        weights = np.uint64(1) << np.arange(values.shape[1], dtype=np.uint64)
        return (values.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    keys = np.zeros(len(values), np.uint64)
    for column in values.T:
        keys = _mixed(keys + column.astype(np.int64).view(np.uint64) + np.uint64(1))
    return keys


class Table:
    """Rows grouped by key: sorted keys, and where each key's rows begin."""

    def __init__(self, keys: np.ndarray):
        self.rows = np.argsort(keys, kind="stable").astype(np.int32)
        self.keys, self.starts = np.unique(keys[self.rows], return_index=True)
        self.stops = np.append(self.starts[1:], len(keys))

    @property
    def sizes(self) -> np.ndarray:
        """Number of rows of each bucket."""
        return self.stops - self.starts

    def lookup(self, keys: np.ndarray, most: float) -> list[np.ndarray]:
        """Rows of the buckets of some keys; overfull buckets are left out."""
        place = np.searchsorted(self.keys, keys)
        place[place == len(self.keys)] = 0
        hit = place[self.keys[place] == keys]
        return [
            self.rows[self.starts[bucket] : self.stops[bucket]]
            for bucket in hit
            if self.stops[bucket] - self.starts[bucket] <= most
        ]
