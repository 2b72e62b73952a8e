"""Real-valued queries by lookup tables: a coarse scan proposes codes, and a bound proves them.

Four bits of a code take one of 16 sums of a query's values. faiss rounds these sums to whole steps,
255 across the widest table, and adds them up for 32 codes at once ("fast scan": F. André,
A.-M. Kermarrec and N. Le Scouarnec, "Cache locality is not enough", VLDB 2015). Each rounded sum is
at most half a step off, so a code's distance is off by no more than half a step for each table. A
code that was not proposed is hence no nearer than the coarse distance of the last proposal, less
that much: where the `k` best proposals, measured exactly, are not farther, they are the nearest.
"""

from __future__ import annotations

from threading import Lock

import faiss
import numpy as np

from ...bits import unpack_bits
from .. import ranking
from . import weighted

_TABLE_BITS = 4
_N_STEPS = 255
# faiss adds up steps in 16 bits.
_MOST_TABLES = 2**16 // (_N_STEPS + 1)
# Fewer codes are searched without tables, in one block of the plain scan.
_LEAST_CODES = 4096
# Relative error of sums in float32, which comes on top.
_FLOAT_ERROR = 1e-5


class LookupScan:
    """Codes laid out for lookup tables; as many bytes as the codes themselves.

    Parameters
    ----------
    n_bytes : int
        Of a code.
    """

    def __init__(self, n_bytes: int):
        self.n_tables = 2 * n_bytes
        self.index = self._with_codes(np.empty((0, n_bytes), np.uint8))
        self._update_lock = Lock()

    def _with_codes(self, packed: np.ndarray) -> faiss.IndexPQFastScan:
        """faiss's product quantiser, whose cells are the corners of the cube of four bits."""
        n_bits = _TABLE_BITS * self.n_tables
        plain = faiss.IndexPQ(n_bits, self.n_tables, _TABLE_BITS, faiss.METRIC_INNER_PRODUCT)
        numbers = np.arange(2**_TABLE_BITS, dtype=np.uint8)[:, None]
        corners = unpack_bits(numbers)[:, -_TABLE_BITS:].astype(np.float32)
        faiss.copy_array_to_vector(np.tile(corners, (self.n_tables, 1)).ravel(), plain.pq.centroids)
        plain.is_trained = True
        plain.add_sa_codes(packed)
        # faiss's stubs lack the second constructor.
        return faiss.IndexPQFastScan(plain)  # type: ignore[arg-type]

    def update(self, packed: np.ndarray) -> None:
        """Add the codes that are new since the last update.

        Parameters
        ----------
        packed : ndarray of shape (n_codes, n_bytes), dtype uint8
            All codes.
        """
        with self._update_lock:
            added = np.ascontiguousarray(packed[self.index.ntotal :])
            if len(added):
                new = self._with_codes(added)
                if self.index.ntotal:
                    self.index.merge_from(new, 0)
                else:
                    self.index = new

    def nearest(self, values: np.ndarray, packed: np.ndarray, k: int) -> ranking.Found:
        """The `k` nearest codes of each query, exactly; as :func:`.weighted.nearest`."""
        return ranking.proven_nearest(
            lambda asked, n: self.nearest_values(values[asked], packed, n),
            lambda asked, k: weighted.nearest(values[asked], packed, k),
            len(values),
            len(packed),
            k,
        )

    def nearest_codes(
        self, queries: np.ndarray, packed: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Proposals for packed queries, where :func:`can_count_bits`; ties come in any order.

        A query's signs are its values. All sums then are off by less than half a bit, and rounded
        they are the Hamming distances.

        Returns
        -------
        distances, rows : ndarray of shape (n_queries, n), dtype int32 and int64
        floor : ndarray of shape (n_queries,)
            No other code is nearer; -1 where that is not known.
        """
        self.update(packed)
        bits = unpack_bits(queries).astype(np.float32)
        scores, found = self.index.search(self._asked(2 * bits - 1), n)
        distances = np.rint(bits.sum(axis=1, keepdims=True) - scores).astype(np.int32)
        # faiss leaves out codes that differ in every bit.
        distances[found < 0] = queries.shape[1] * 8
        return distances, found, np.where(found[:, -1] < 0, -1, distances[:, -1])

    def nearest_values(
        self, values: np.ndarray, packed: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances and rows of the best proposals, and what no other code is nearer than."""
        self.update(packed)
        scores, found = self.index.search(self._asked(values), n)
        spans = np.abs(self._by_table(values)).sum(axis=2, dtype=np.float64)
        coarse = np.maximum(values, 0).sum(axis=1, keepdims=True, dtype=np.float64) - scores
        exact = weighted.distances_to(values, packed, found)
        most_off = self.n_tables * spans.max(axis=1) / (2 * _N_STEPS)
        most_off += _FLOAT_ERROR * spans.sum(axis=1)
        # The bound holds for the rounding that faiss does today; distances check that it does.
        is_bound = (np.abs(coarse - exact) <= most_off[:, None]).all(axis=1)
        return exact, found, np.where(is_bound, coarse[:, -1] - most_off, -np.inf)

    def _by_table(self, values: np.ndarray) -> np.ndarray:
        """Values of shape (n_queries, n_tables, 4); zeros where a code's last byte is not full."""
        n_missing = _TABLE_BITS * self.n_tables - values.shape[1]
        if n_missing:
            values = np.pad(values, ((0, 0), (0, n_missing)))
        return values.reshape(len(values), self.n_tables, _TABLE_BITS)

    def _asked(self, values: np.ndarray) -> np.ndarray:
        """Values as faiss takes them: the lower half of a byte is its first."""
        by_byte = self._by_table(values).reshape(len(values), -1, 2, _TABLE_BITS)
        return np.ascontiguousarray(by_byte[:, :, ::-1]).reshape(len(values), -1)


def can_count_bits(n_bytes: int) -> bool:
    """Whether rounded sums of signs tell every two Hamming distances of such codes apart."""
    step = _TABLE_BITS / _N_STEPS
    return 2 * n_bytes * step / 2 < 0.5


def is_worthwhile(packed: np.ndarray) -> bool:
    """Whether tables serve these codes: there are many, and they are not too wide for faiss."""
    return len(packed) > _LEAST_CODES and 2 * packed.shape[1] <= _MOST_TABLES


def nearest(values: np.ndarray, packed: np.ndarray, k: int) -> ranking.Found:
    """The `k` nearest codes of each query, by tables where they are worthwhile.

    Parameters and results are those of :func:`.weighted.nearest`.
    """
    if is_worthwhile(packed):
        return LookupScan(packed.shape[1]).nearest(values, packed, k)
    return weighted.nearest(values, packed, k)
