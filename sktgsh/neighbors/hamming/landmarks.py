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

# The query, the distance and the place of a code, as three arrays.
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]

# Landmarks for each square root of the number of codes.
_LANDMARKS = 4
# Least number of rows of a landmark.
_LEAST_ROWS = 8
# Above this share of codes left to compare, a scan is faster.
_LARGEST_SHARE = 1 / 8
# Distances from queries that are held at once, to landmarks and to codes.
_MOST_DISTANCES = 2**20


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bits in which words differ, over the last axis; in one byte where sums of three fit in it."""
    counts = np.bitwise_count(first ^ second)
    return counts[..., 0] if counts.shape[-1] == 1 else counts.sum(-1, np.int16)


def positions_in_spans(begin: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``begin, begin + 1, ...``, so many as each span counts, one span after another."""
    ends = np.cumsum(counts)
    return np.repeat(begin - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)


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
        self.own_words = self.words[self.landmarks]
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
        # Codes at one distance from a landmark are sorted by number. The last entry is no code.
        self.order = np.append(others[order], len(packed))
        # [landmark * n_steps + e]: where codes at distance e or more from a landmark begin.
        self.starts = np.searchsorted(keys[order], np.arange(len(self) * n_steps))
        # One more than the distance of the code that is farthest from each landmark.
        self.reach = np.ones(len(self), np.uint8 if self.words.shape[1] == 1 else np.int16)
        np.maximum.at(self.reach, own, (near + 1).astype(self.reach.dtype))

    def __len__(self) -> int:
        return len(self.landmarks)

    def near(self, packed: np.ndarray, k: int) -> tuple[np.ndarray, Pairs]:
        """The codes that the `k` nearest rows of each query have.

        Parameters
        ----------
        packed : ndarray of shape (n_queries, n_bytes), dtype uint8
        k : int

        Returns
        -------
        answered : ndarray of bool of shape (n_queries,)
            The other queries must be answered by a scan.
        pairs : tuple of ndarray of shape (n_pairs,)
            The query, the distance and the place of each code, of answered queries. There may be
            codes that none of the `k` nearest rows has.
        """
        n_compared = max(len(self), int(_LARGEST_SHARE * len(self.words)), 1)
        at_once = max(1, _MOST_DISTANCES // (n_compared * self.words.shape[1]))
        n_enough = int(np.searchsorted(-self.sizes, -k, side="right"))
        if not n_enough:
            none = np.empty(0, np.int64)
            return np.zeros(len(packed), bool), (none, none, none)
        parts = []
        for start in range(0, len(packed), at_once):
            answered, *pairs = self._near(packed[start : start + at_once], k, n_enough)
            parts.append((answered, pairs[0] + start, *pairs[1:]))
        answered, *pairs = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts))
        return answered, (pairs[0], pairs[1], pairs[2])

    def _near(self, packed: np.ndarray, k: int, n_enough: int) -> tuple[np.ndarray, ...]:
        queries = as_words(packed, 8)
        to_landmarks = _distances(queries[:, None], self.own_words)
        # Landmarks are sorted by their number of rows.
        nearest = to_landmarks[:, :n_enough].argmin(axis=1)
        radius = to_landmarks[np.arange(len(queries)), nearest]
        # A landmark matters if it is within the radius, or a code around it may be.
        at = np.flatnonzero(to_landmarks < radius[:, None] + self.reach)
        query_of = at // len(self)
        landmark = at - query_of * len(self)
        distances, reach = to_landmarks.ravel()[at].astype(np.int64), radius[query_of]
        n_early = self._numbers_up_to(k)[nearest][query_of]
        begin, end = self._spans(landmark, distances, reach.astype(np.int64), n_early)
        n_left = np.bincount(query_of, end - begin, minlength=len(queries))
        answered = n_left <= _LARGEST_SHARE * len(self.words)
        if not answered.all():
            kept = np.flatnonzero(answered[query_of])
            query_of, landmark, distances = query_of[kept], landmark[kept], distances[kept]
            reach, n_early, begin, end = reach[kept], n_early[kept], begin[kept], end[kept]
        own = self.landmarks[landmark]
        is_near = distances + (own >= n_early) <= reach
        counts = end - begin
        span_of = np.repeat(np.arange(len(counts)), counts)
        places = self.order[positions_in_spans(begin, counts)]
        words = np.take(queries, query_of, axis=0)
        nearer = _distances(np.take(words, span_of, axis=0), np.take(self.words, places, axis=0))
        (inside,) = np.nonzero(nearer <= np.take(reach, span_of))
        span_of, places, nearer = span_of[inside], places[inside], nearer[inside]
        # At the radius itself, a code must be early.
        inside = nearer + (places >= n_early[span_of]) <= reach[span_of]
        return (
            answered,
            np.concatenate([query_of[is_near], query_of[span_of[inside]]]),
            np.concatenate([distances[is_near], nearer[inside]]),
            np.concatenate([own[is_near], places[inside]]),
        )

    def _numbers_up_to(self, k: int) -> np.ndarray:
        """Number of codes with a row up to the `k`-th row of each landmark that has `k` rows."""
        last = self.rows[np.minimum(self.begins + k - 1, len(self.rows) - 1)]
        return np.searchsorted(self.first_rows, last, side="right")

    def _spans(
        self, landmark: np.ndarray, distances: np.ndarray, radius: np.ndarray, n_early: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where codes around a landmark begin and end that may be nearer than a radius.

        Codes that may be at the radius are among them if one of these is early.
        """
        last = self.n_bits + 1
        first = landmark * (last + 1)
        low, high = distances - radius, np.minimum(distances + radius, last)
        begin = self.starts[first + np.clip(low + 1, 0, last)]
        end = np.maximum(begin, self.starts[first + high])
        # Codes at one distance are sorted by number: the first tells whether any is early.
        at_low = self.starts[first + np.maximum(low, 0)]
        begin = np.where((low >= 0) & (self.order[at_low] < n_early), at_low, begin)
        after = self.starts[first + np.minimum(high + 1, last)]
        end = np.where((end < after) & (self.order[end] < n_early), after, end)
        return begin, end
