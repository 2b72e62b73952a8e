"""The nearest of rows that are read block by block."""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np

from .. import ranking

Nearest = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def nearest_codes(queries: np.ndarray, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and rows of the `k` nearest packed codes of packed queries."""
    return faiss.knn_hamming(np.ascontiguousarray(queries), np.ascontiguousarray(codes), k)


class NearestSoFar:
    """The nearest ids of each query, of all rows that were offered; ties by id.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, width)
        What `nearest` takes.
    k : int
        Neighbours to keep.
    nearest : callable
        Distances and rows of a query's nearest among some codes.
    ids : type
        Type of ids.
    """

    def __init__(self, queries: np.ndarray, k: int, nearest: Nearest, ids: type):
        self.queries, self.k, self.nearest = queries, k, nearest
        self.distances = np.full((len(queries), k), np.inf)
        self.ids: np.ndarray = np.full((len(queries), k), "" if ids is object else 0, ids)
        self.seen = np.zeros(len(queries), np.int64)

    def offer(self, asking: np.ndarray, codes: np.ndarray, ids: np.ndarray) -> None:
        """Take the rows that are nearer than those held.

        Parameters
        ----------
        asking : ndarray of int
            Which queries the rows are for.
        codes : ndarray of shape (n_rows, n_bytes), dtype uint8
        ids : ndarray of shape (n_rows,)
            Ascending.
        """
        if not len(codes) or not len(asking):
            return
        self.seen[asking] += len(codes)
        found, rows = self.nearest(self.queries[asking], codes, min(self.k, len(codes)))
        distances = np.concatenate([self.distances[asking], found], axis=1)
        every = np.concatenate([self.ids[asking], ids[rows]], axis=1)
        self.distances[asking], self.ids[asking] = ranking.nearest(distances, every, self.k)
