"""Hash tables as one sparse matrix."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy import sparse

from ...bits import as_words, pack_bits
from ...persistence import saved
from ...threads import parallel_map

# Odd multipliers of a 64-bit mixing step (the finaliser of SplitMix64).
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mixed(keys: np.ndarray) -> np.ndarray:
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX[0]
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX[1]
    return keys ^ (keys >> np.uint64(31))


def bits_to_words(bits: np.ndarray) -> np.ndarray:
    """Bits (n_rows, n_bits) as 64-bit words (n_rows, ceil(n_bits / 64)), filled with zeros."""
    return as_words(pack_bits(bits), 8)


def bucket_keys(values: np.ndarray) -> np.ndarray:
    """One 64-bit key for each row of hash values, (n_rows, n_hashes) integers."""
    keys = np.zeros(len(values), np.uint64)
    if values.dtype == np.uint8 and values.shape[1] <= 64:
        for column in values.T:
            keys = (keys << np.uint64(1)) | column
        return keys
    for column in values.T:
        keys = _mixed(keys + column.astype(np.int64).view(np.uint64) + np.uint64(1))
    return keys


def probe_steps(n_hashes: int, n_probes: int, *, is_bits: bool) -> np.ndarray:
    """Changes of a key's values for multi-probe: none, then one hash, then two.

    Parameters
    ----------
    n_hashes, n_probes : int
    is_bits : bool
        Steps are then to be taken by exclusive or, else by addition.

    Returns
    -------
    steps : ndarray of shape (n_steps, n_hashes)
        The key itself, and at most `n_probes` others.
    """
    steps = [np.zeros(n_hashes, np.int64)]
    for n_changed in (1, 2):
        for columns in combinations(range(n_hashes), n_changed):
            for sign in (1,) if is_bits else (1, -1):
                if len(steps) > n_probes:
                    break
                step = np.zeros(n_hashes, np.int64)
                step[list(columns)] = sign
                steps.append(step)
    return np.array(steps).astype(np.uint8 if is_bits else np.int64)


@saved("Tables")
class Tables:
    """L hash tables: each one's sorted keys, and a sparse matrix of all buckets by rows.

    What queries collide with is then a product of sparse matrices: queries by buckets, times
    buckets by rows. It finds each row once, however many tables it is met in.

    Parameters
    ----------
    keys : ndarray of shape (n_rows, n_tables), dtype uint64
        The key of each row in each table.
    """

    def __init__(self, keys: np.ndarray):
        tables = parallel_map(_grouped, list(keys.T))
        self._join([table[0] for table in tables], [table[1:] for table in tables], len(keys))

    def _join(self, keys: list, groups: list, n_rows: int) -> None:
        self.keys = keys
        self.offsets = np.concatenate([[0], np.cumsum([len(own) for own in keys])])
        starts = [counts for _, counts in groups]
        indptr = np.concatenate([[0], np.cumsum(np.concatenate(starts))])
        rows = np.concatenate([rows for rows, _ in groups])
        ones = np.ones(len(rows), np.uint16)
        self.buckets = sparse.csr_array((ones, rows, indptr), (self.offsets[-1], n_rows))

    def added(self, keys: np.ndarray) -> Tables:
        """These tables and some more rows; a copy."""
        n_rows = self.buckets.shape[1]
        merged = []
        for table, (old, new) in enumerate(zip(self.keys, keys.T)):
            first, last = self.buckets.indptr[self.offsets[table : table + 2]]
            every = np.repeat(old, self.sizes(table))
            order = np.argsort(new)
            place = np.searchsorted(every, new[order], side="right")
            every = np.insert(every, place, new[order])
            rows = np.insert(self.buckets.indices[first:last], place, n_rows + order)
            merged.append((*_counted(every), rows))
        grown = object.__new__(Tables)
        grown._join(
            [own for own, _, _ in merged],
            [(rows, counts) for _, counts, rows in merged],
            n_rows + len(keys),
        )
        return grown

    def sizes(self, table: int) -> np.ndarray:
        """Number of rows of each bucket of a table."""
        return np.diff(self.buckets.indptr[self.offsets[table] : self.offsets[table + 1] + 1])

    def lookup(self, keys: np.ndarray, most: float) -> sparse.csr_array:
        """Look up the buckets of keys; overfull buckets are left out.

        Parameters
        ----------
        keys : ndarray of shape (n_queries, n_tables, n_keys), dtype uint64
        most : float
            Largest number of rows of a bucket.

        Returns
        -------
        hits : csr_array of shape (n_queries, n_buckets)
        """
        found = np.empty(keys.shape, np.int64)
        for table, own in enumerate(self.keys):
            place = np.minimum(np.searchsorted(own, keys[:, table]), len(own) - 1)
            hit = own[place] == keys[:, table]
            found[:, table] = np.where(hit, place + self.offsets[table], -1)
        sizes = np.diff(self.buckets.indptr)
        hit = (found >= 0) & (sizes[found] <= most)
        indptr = np.concatenate([[0], np.cumsum(hit.sum(axis=(1, 2)))])
        ones = np.ones(indptr[-1], np.uint16)
        return sparse.csr_array((ones, found[hit], indptr), (len(keys), len(sizes)))

    def load(self, hits: sparse.csr_array) -> np.ndarray:
        """Number of rows in the buckets of each query, rows counted as often as they are met."""
        sizes = np.diff(self.buckets.indptr).astype(np.int64)
        total = np.concatenate([[0], np.cumsum(sizes[hits.indices])])
        return np.diff(total[hits.indptr])


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct keys, rows sorted by key, and how many rows each key has."""
    order = np.argsort(keys)
    distinct, counts = _counted(keys[order])
    return distinct, order.astype(np.int32), counts


def _counted(in_order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1]))
    return in_order[starts], np.diff(np.append(starts, len(in_order)))
