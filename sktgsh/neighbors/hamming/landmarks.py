"""Codes around the most frequent ones, most of which a query need not be compared with.

Learned codes lie in clusters: a class has one code that many of its rows have, and others around
it. These frequent codes are landmarks. The nearest one with `k` rows says how far the `k` nearest
rows are at most, and a code that lies `e` from its landmark is at least ``|d - e|`` from a query at
distance `d` from that landmark (the triangle inequality). What that leaves is compared: the answer
is exact.
"""

from __future__ import annotations

import faiss
import numpy as np

# Landmarks for each square root of the number of codes.
_LANDMARKS = 4
# Rows that a landmark has at least.
_LEAST_ROWS = 8
# A query for which more than this share of the codes is left is better answered by a scan.
_LARGEST_SHARE = 1 / 8
# Distances from queries that are held at once, to landmarks and to codes.
_MOST_DISTANCES = 2**20


def _words(packed: np.ndarray) -> np.ndarray:
    """Codes as numbers of 64 bits, (n_codes, n_words)."""
    if packed.shape[1] % 8:
        packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(packed).view(np.uint64)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bits in which words differ, over the last axis."""
    counts = np.bitwise_count(first ^ second)
    return counts[..., 0].astype(np.int16) if counts.shape[-1] == 1 else counts.sum(-1, np.int16)


def positions_in_spans(begin: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``begin, begin + 1, ...``, so many as each span counts, one span after another."""
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begin, counts) + within


def number_of_landmarks(n_codes: int) -> int:
    """How many landmarks so many codes have at most."""
    return int(_LANDMARKS * n_codes**0.5)


class Landmarks:
    """Distinct codes, sorted by the landmark that is nearest to each, and by the distance from it.

    Parameters
    ----------
    packed : ndarray of shape (n_codes, n_bytes), dtype uint8
        Distinct codes.
    sizes : ndarray of int of shape (n_codes,)
        Rows that have each code.
    """

    def __init__(self, packed: np.ndarray, sizes: np.ndarray):
        n_codes, self.n_bits = len(packed), 8 * packed.shape[1]
        frequent = np.argsort(-sizes, kind="stable")[: number_of_landmarks(n_codes)]
        self.landmarks = frequent[sizes[frequent] >= _LEAST_ROWS]
        self.sizes = sizes[self.landmarks]
        self.words = _words(packed)
        self._sort_others(packed)

    def _sort_others(self, packed: np.ndarray) -> None:
        if not len(self):
            return
        others = np.setdiff1d(np.arange(len(packed)), self.landmarks)
        index = faiss.IndexBinaryFlat(self.n_bits)
        index.add(packed[self.landmarks])
        near, own = (part[:, 0].astype(np.int64) for part in index.search(packed[others], 1))
        # Position in the sorted order by landmark and distance, as one number.
        n_steps = self.n_bits + 2
        keys = own * n_steps + near
        order = np.argsort(keys, kind="stable")
        self.order = others[order]
        starts = np.searchsorted(keys[order], np.arange(len(self) * n_steps))
        # [landmark, e]: where codes at distance e or more from it begin.
        self.starts = starts.reshape(-1, n_steps)
        # One more than the distance of the code that is farthest from each landmark.
        self.reach = np.ones(len(self), np.int16)
        np.maximum.at(self.reach, own, near.astype(np.int16) + 1)

    def __len__(self) -> int:
        return len(self.landmarks)

    def nearest(self, packed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The codes that the `k` nearest rows of each query have.

        Parameters
        ----------
        packed : ndarray of shape (n_queries, n_bytes), dtype uint8
        k : int

        Returns
        -------
        answered : ndarray of bool of shape (n_queries,)
            The other queries must be answered by a scan.
        distances : ndarray of shape (n_answered, min(k, n_codes))
        places : ndarray of shape (n_answered, min(k, n_codes))
            Positions of codes, nearest first; infinity and -1 after the last.
        """
        n_compared = max(len(self), int(_LARGEST_SHARE * len(self.words)), 1)
        at_once = max(1, _MOST_DISTANCES // (n_compared * self.words.shape[1]))
        parts = [
            self._nearest(packed[start : start + at_once], k)
            for start in range(0, len(packed), at_once)
        ]
        answered, distances, places = (np.concatenate(part) for part in zip(*parts))
        return answered, distances, places

    def _nearest(self, packed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        enough, n_codes = self.sizes >= k, min(k, len(self.words))
        if not enough.any():
            none = np.zeros(len(packed), bool)
            return none, np.empty((0, n_codes)), np.empty((0, n_codes), np.int64)
        queries = _words(packed)
        to_landmarks = _distances(queries[:, None], self.words[self.landmarks])
        radius = to_landmarks[:, enough].min(axis=1)
        # A landmark matters if it is within the radius, or a code around it may be.
        query_of, landmark = np.nonzero(to_landmarks < radius[:, None] + self.reach)
        distances = to_landmarks[query_of, landmark]
        begin, end = self._spans(landmark, distances, radius[query_of])
        n_left = np.bincount(query_of, end - begin, minlength=len(queries))
        answered = n_left <= _LARGEST_SHARE * len(self.words)
        kept = answered[query_of]
        own = kept & (distances <= radius[query_of])
        others, places = self._codes_in(query_of[kept], begin[kept], end[kept])
        nearer = _distances(queries[others], self.words[places])
        near = nearer < radius[others]
        nearest, found = _best(
            np.concatenate([query_of[own], others[near]]),
            np.concatenate([distances[own], nearer[near]]),
            np.concatenate([self.landmarks[landmark[own]], places[near]]),
            len(queries),
            n_codes,
        )
        return answered, nearest[answered], found[answered]

    def _spans(
        self, landmark: np.ndarray, distances: np.ndarray, radius: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the codes around a landmark begin and end that may be within a radius."""
        last = self.n_bits + 1
        begin = self.starts[landmark, np.clip(distances - radius + 1, 0, last)]
        end = self.starts[landmark, np.clip(distances + radius, 0, last)]
        return begin, np.maximum(begin, end)

    def _codes_in(
        self, query_of: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Query and place of each code in the spans."""
        counts = end - begin
        return np.repeat(query_of, counts), self.order[positions_in_spans(begin, counts)]


def _best(
    query_of: np.ndarray, distances: np.ndarray, places: np.ndarray, n_queries: int, n_best: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of each query's pairs, (n_queries, n_best)."""
    # One number a pair sorts faster than two keys; of equal distances, any comes first.
    order = np.argsort(query_of * (int(distances.max(initial=0)) + 1) + distances, kind="stable")
    query_of = query_of[order]
    rank = np.arange(len(order)) - np.searchsorted(query_of, query_of)
    kept = rank < n_best
    at, order = (query_of[kept], rank[kept]), order[kept]
    near, found = np.full((n_queries, n_best), np.inf), np.full((n_queries, n_best), -1, np.int64)
    near[at], found[at] = distances[order], places[order]
    return near, found
