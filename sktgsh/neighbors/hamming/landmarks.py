"""Search around the most frequent codes, which skips most of the others.

Learned codes lie in clusters: a class has one code that many of its rows have, and others around
it. These frequent codes are landmarks. The nearest one with `k` rows says how far the `k` nearest
rows are at most, and a code that lies `e` from its landmark is at least ``|d - e|`` from a query at
distance `d` from that landmark (the triangle inequality). What that leaves is compared: the answer
is exact. At that distance itself, only codes that came before the landmark's `k`-th row can matter,
since of equal distances the smaller row is nearer.
"""

from __future__ import annotations

import faiss
import numpy as np

from ...bits import as_words
from .. import ranking

# Landmarks for each square root of the number of codes.
_LANDMARKS = 4
# Least number of rows of a landmark.
_LEAST_ROWS = 8
# Above this share of codes left to compare, a scan is faster.
_LARGEST_SHARE = 1 / 8
# Distances from queries that are held at once, to landmarks and to codes.
_MOST_DISTANCES = 2**20


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bits in which words differ, over the last axis."""
    counts = np.bitwise_count(first ^ second)
    return counts[..., 0].astype(np.int16) if counts.shape[-1] == 1 else counts.sum(-1, np.int16)


def positions_in_spans(begin: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``begin, begin + 1, ...``, so many as each span counts, one span after another."""
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begin, counts) + within


def number_of_landmarks(n_codes: int) -> int:
    """Greatest number of landmarks for a number of codes."""
    return int(_LANDMARKS * n_codes**0.5)


class Landmarks:
    """Distinct codes, sorted by the landmark that is nearest to each, and by the distance from it.

    Parameters
    ----------
    packed : ndarray of shape (n_codes, n_bytes), dtype uint8
        Distinct codes, in the order of their first rows.
    sizes, starts : ndarray of int of shape (n_codes,)
        How many rows have each code, and where they begin in `rows`.
    rows : ndarray of int of shape (n_rows,)
        Rows of one code after another, ascending.
    """

    def __init__(self, packed: np.ndarray, sizes: np.ndarray, starts: np.ndarray, rows: np.ndarray):
        n_codes, self.n_bits = len(packed), 8 * packed.shape[1]
        frequent = np.argsort(-sizes, kind="stable")[: number_of_landmarks(n_codes)]
        self.landmarks = frequent[sizes[frequent] >= _LEAST_ROWS]
        self.sizes, self.begins = sizes[self.landmarks], starts[self.landmarks]
        self.rows, self.first_rows = rows, rows[starts]
        self.words = as_words(packed, 8)
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
        # The same with the code's number, by which codes at one distance are sorted.
        self.keys = keys[order] * len(packed) + self.order
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
        queries = as_words(packed, 8)
        to_landmarks = _distances(queries[:, None], self.words[self.landmarks])
        nearest = np.where(enough, to_landmarks, np.iinfo(np.int16).max).argmin(axis=1)
        radius = to_landmarks[np.arange(len(queries)), nearest]
        # A landmark matters if it is within the radius, or a code around it may be.
        query_of, landmark = np.nonzero(to_landmarks < radius[:, None] + self.reach)
        distances = to_landmarks[query_of, landmark]
        n_early = self._numbers_before(k)[nearest]
        spans = self._spans(landmark, distances, radius[query_of], n_early[query_of])
        n_left = np.zeros(len(queries))
        for begin, end in spans:
            n_left += np.bincount(query_of, end - begin, minlength=len(queries))
        answered = n_left <= _LARGEST_SHARE * len(self.words)
        kept = answered[query_of]
        own = kept & (distances <= radius[query_of])
        pairs = [(query_of[own], distances[own], self.landmarks[landmark[own]])]
        for begin, end in spans:
            others, places = self._codes_in(query_of[kept], begin[kept], end[kept])
            nearer = _distances(queries[others], self.words[places])
            near = nearer <= radius[others]
            pairs.append((others[near], nearer[near], places[near]))
        of, near, places = (np.concatenate(part) for part in zip(*pairs))
        found = ranking.nearest_of_pairs(of, near, places, len(queries), n_codes)
        return answered, found[0][answered], found[1][answered]

    def _numbers_before(self, k: int) -> np.ndarray:
        """Number of codes with a row before the `k`-th row of each landmark that has `k` rows."""
        last = self.rows[np.minimum(self.begins + k - 1, len(self.rows) - 1)]
        return np.searchsorted(self.first_rows, last)

    def _spans(
        self, landmark: np.ndarray, distances: np.ndarray, radius: np.ndarray, n_early: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Spans of the codes around a landmark that may be within a radius, or early and at it."""
        last = self.n_bits + 1
        begin = self.starts[landmark, np.clip(distances - radius + 1, 0, last)]
        end = self.starts[landmark, np.clip(distances + radius, 0, last)]
        spans = [(begin, np.maximum(begin, end))]
        for step in (distances - radius, distances + radius):
            step = np.where((step < 0) | (step > last), last, step)  # where there are none
            begin = self.starts[landmark, step]
            end = begin.copy()
            some = np.flatnonzero(begin < self.starts[landmark, np.minimum(step + 1, last)])
            # Codes at one distance are sorted by number: the first tells whether any is early.
            some = some[self.order[begin[some]] < n_early[some]]
            early = (landmark[some] * (last + 1) + step[some]) * len(self.words) + n_early[some]
            end[some] = np.searchsorted(self.keys, early)
            spans.append((begin, end))
        return spans

    def _codes_in(
        self, query_of: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Query and place of each code in the spans."""
        counts = end - begin
        return np.repeat(query_of, counts), self.order[positions_in_spans(begin, counts)]
