"""Search over distinct codes, each with the list of its rows.

Learned codes of a class are often equal. Comparing a query with each distinct code once is exact,
and faster by the mean number of rows a code has; a graph of distinct codes has no clumps at
distance 0, in which a search loses its way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...persistence import saved
from .. import ranking
from .faiss_index import FaissIndex, Queries
from .landmarks import Landmarks, Pairs, number_of_landmarks, positions_in_spans

# Distinct codes are counted up to this number of rows, and estimated beyond it.
_FEW_ROWS = 2**16
# An exact index of distinct codes is used up to this ratio of distinct codes to rows.
_WORTHWHILE = 0.5
# Mean number of rows of a code above which codes farther than enough others are left out, and the
# others are sorted before their rows are.
_MANY_ROWS = 4
# Pairs of a query and a row that are ranked at once, at most.
_MOST_PAIRS = 2**22
# Codes that are proposed beyond half of the number of neighbours.
_SPARE = 12
# Proposals beyond which faiss's own scan is faster than its tables, and comparisons up to which.
_MOST_BY_TABLES, _FEW_COMPARED = 256, 2**17
# An estimate up to this factor too high still leads to an exact count.
_MARGIN = 1.3


def _as_keys(packed: np.ndarray) -> np.ndarray:
    """One value a row, equal where rows are equal."""
    n_bytes = packed.shape[1]
    kind = f"u{n_bytes}" if n_bytes in (1, 2, 4, 8) else f"S{n_bytes}"
    return np.ascontiguousarray(packed).view(kind).ravel()


def _in_order_of(first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order that sorts distinct numbers, and the rank of each."""
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return order, rank


def _may_repeat(packed: np.ndarray) -> bool:
    """Whether there may be so few distinct codes that lists are worthwhile; judged by a sample.

    The number of distinct values is estimated from below by those seen once and twice (A. Chao,
    "Nonparametric estimation of the number of classes in a population", 1984).
    """
    if len(packed) <= _FEW_ROWS:
        return True
    # If half of the rows are duplicates, such a sample holds about 64 equal pairs.
    n_looked_at = int(8 * len(packed) ** 0.5)
    rows = np.unique(np.random.default_rng(0).integers(len(packed), size=n_looked_at))
    counts = np.unique(_as_keys(packed[rows]), return_counts=True)[1]
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    n_distinct = len(counts) + once * (once - 1) / (2 * (twice + 1))
    return n_distinct <= _MARGIN * _WORTHWHILE * len(packed)


def build_index(
    packed: np.ndarray, algorithm: str = "flat", params: dict | None = None
) -> FaissIndex | DistinctCodes:
    """The index that suits the codes: of distinct ones if many are equal, or it is approximate."""
    if algorithm != "flat":
        return DistinctCodes(packed, algorithm, params)
    if _may_repeat(packed):
        keys = np.unique(_as_keys(packed))
        if len(keys) <= _WORTHWHILE * len(packed):
            return DistinctCodes(packed)
    return FaissIndex(packed)


@saved("DistinctCodes")
class DistinctCodes:
    """An index of the distinct codes, and the rows of each; with the interface of FaissIndex.

    Codes are numbered in the order in which they came, so that of two codes the one with the
    smaller number has the smaller first row. The nearest codes, ties by number, then have among
    their rows the nearest rows, ties by row.
    """

    _keys: Any  # sorted; None in a subset, which serves one call
    _landmarks: Landmarks | None

    def __init__(self, packed: np.ndarray, algorithm: str = "flat", params: dict | None = None):
        _, first, place = np.unique(_as_keys(packed), return_index=True, return_inverse=True)
        order, number = _in_order_of(first)
        self.index = FaissIndex(packed[first[order]], algorithm, params, by_tables=True)
        self._set_keys()
        self._set_lists(number[place])

    def _set_keys(self) -> None:
        keys = _as_keys(self.index.codes())
        self._place_of_key = np.argsort(keys).astype(np.int32)
        self._keys = keys[self._place_of_key]

    def _forget_landmarks(self) -> None:
        """They belong to the codes and lists that were there."""
        self._landmarks, self._n_scanned = None, 0

    def _set_lists(self, place: np.ndarray) -> None:
        self._forget_landmarks()
        self.place = place.astype(np.int32)  # of each row: which distinct code it has
        self.rows = np.argsort(self.place, kind="stable").astype(np.int32)
        self.sizes = np.bincount(self.place, minlength=len(self.index))
        self.starts = np.cumsum(self.sizes) - self.sizes

    def __len__(self) -> int:
        return len(self.place)

    def add(self, packed: np.ndarray) -> None:
        """Rows after those that are there."""
        keys, first, inverse = np.unique(_as_keys(packed), return_index=True, return_inverse=True)
        at = np.searchsorted(self._keys, keys)
        near = np.minimum(at, len(self._keys) - 1)
        is_new = self._keys[near] != keys
        place = np.where(is_new, 0, self._place_of_key[near])
        order, number = _in_order_of(first[is_new])
        place[is_new] = len(self.index) + number
        self.index.add(packed[first[is_new][order]])
        self._keys = np.insert(self._keys, at[is_new], keys[is_new])
        self._place_of_key = np.insert(self._place_of_key, at[is_new], place[is_new])
        self._extend_lists(place[inverse])

    def _extend_lists(self, place: np.ndarray) -> None:
        """Each new row goes to the end of its code's list."""
        self._forget_landmarks()
        sizes = np.zeros(len(self.index), np.int64)
        sizes[: len(self.sizes)] = self.sizes
        order = np.argsort(place, kind="stable")
        ends = np.cumsum(sizes)[place[order]]
        self.rows = np.insert(self.rows, ends, (len(self.place) + order).astype(np.int32))
        self.sizes = sizes + np.bincount(place, minlength=len(sizes))
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.place = np.concatenate([self.place, place.astype(np.int32)])

    def codes(self) -> np.ndarray:
        """The packed code of each row; a copy."""
        return self.index.codes()[self.place]

    def subset(self, positions: np.ndarray) -> DistinctCodes:
        """An exact index of some of the rows."""
        used, first, place = np.unique(
            self.place[positions], return_index=True, return_inverse=True
        )
        order, number = _in_order_of(first)
        part = object.__new__(DistinctCodes)
        part.index, part._keys = self.index.subset(used[order]), None
        part._set_lists(number[place])
        return part

    def nearest(self, queries: Queries, k: int) -> ranking.Found:
        """As in :meth:`.FaissIndex.nearest`."""
        own = self._own_place(queries, k)
        is_there = own >= 0
        distances = np.zeros((len(queries), k))
        found = np.empty((len(queries), k), np.int64)
        found[is_there] = self.rows[self.starts[own[is_there], None] + np.arange(k)]
        others = np.flatnonzero(~is_there)
        step = max(1, _MOST_PAIRS // k**2)
        for start in range(0, len(others), step):
            part = others[start : start + step]
            distances[part], found[part] = self._searched(queries[part], k)
        return distances, found

    def _own_place(self, queries: Queries, k: int) -> np.ndarray:
        """The number of each query's own code, if `k` rows have it; otherwise -1.

        There is nothing nearer, and nothing to be compared.
        """
        if self._keys is None:
            return np.full(len(queries), -1)
        keys = _as_keys(queries.packed)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        place = self._place_of_key[at]
        is_own = (self._keys[at] == keys) & (self.sizes[place] >= k)
        if queries.values is not None:
            # Where a value is 0, other codes are as near.
            is_own &= (queries.values != 0).all(axis=1)
        return np.where(is_own, place, -1)

    def _searched(self, queries: Queries, k: int) -> ranking.Found:
        pairs: list[Pairs] = []
        left = np.arange(len(queries))
        if queries.values is None and self.index.is_flat:
            landmarks = self._landmarks_for(len(queries))
            if landmarks is not None:
                answered, near = landmarks.near(queries.packed, k)
                pairs.append(near)
                left = np.flatnonzero(~answered)
        if len(left):
            pairs += self._scanned(queries[left] if len(left) < len(queries) else queries, k, left)
        query_of, near, places = pairs[0] if len(pairs) == 1 else map(np.concatenate, zip(*pairs))
        taken = np.minimum(self.sizes[places], k)
        if near.dtype.kind != "f" and taken.sum() > _MANY_ROWS * len(taken):
            kept = ranking.best_of_each(query_of, near, len(queries), k, taken)
            order = np.argsort(query_of * (8 * queries.packed.shape[1] + 1) + near)
            order = order[kept[order]]
            query_of, near, places, taken = (
                part[order] for part in (query_of, near, places, taken)
            )
        rows = self.rows[positions_in_spans(self.starts[places], taken)]
        of, distances = np.repeat(query_of, taken), np.repeat(near, taken)
        return ranking.nearest_of_pairs(of, distances, rows, len(queries), k)

    def _scanned(self, queries: Queries, k: int, numbers: np.ndarray) -> list[Pairs]:
        """Codes that the `k` nearest rows of queries have, where all codes are compared."""
        pairs: list[Pairs] = []
        n_codes, left = min(k, len(self.index)), np.arange(len(queries))
        n_proposals = k // 2 + _SPARE
        is_worthwhile = len(queries) * len(self.index) > _FEW_COMPARED
        is_worthwhile &= n_proposals < min(len(self.index), _MOST_BY_TABLES)
        if is_worthwhile and self.index.can_propose(queries):
            # A proposal's rows count: where enough are nearer than any other code, it is proven.
            near, places, floor = self.index.proposed(queries, n_proposals)
            if queries.values is not None:
                near, places = ranking.nearest(near, places, n_proposals)
            sizes = np.where(near < floor[:, None], self.sizes[places], 0)
            is_proven = sizes.sum(axis=1) >= k
            pairs.append(self._needed(near, places, sizes, k, numbers, is_proven))
            left = np.flatnonzero(~is_proven)
        if len(left):
            near, places = self.index.nearest(queries[left], n_codes)
            sizes = np.where(places < 0, 0, self.sizes[places])
            pairs.append(self._needed(near, places, sizes, k, numbers[left]))
        return pairs

    @staticmethod
    def _needed(
        near: np.ndarray,
        places: np.ndarray,
        sizes: np.ndarray,
        k: int,
        numbers: np.ndarray,
        which: Any = slice(None),
    ) -> Pairs:
        """Codes, nearest first, of which fewer than `k` rows are nearer."""
        near, places, sizes, numbers = near[which], places[which], sizes[which], numbers[which]
        # Rows of nearer codes; a tie begins where the distance changes.
        before = np.cumsum(sizes, axis=1) - sizes
        before[:, 1:][near[:, 1:] == near[:, :-1]] = 0
        before = np.maximum.accumulate(before, axis=1)
        at = np.flatnonzero((before < k) & (sizes > 0))
        return numbers[at // near.shape[1]], near.ravel()[at], places.ravel()[at]

    def _landmarks_for(self, n_queries: int) -> Landmarks | None:
        """Landmarks, from when they cost no more than the scans since codes were last added."""
        if self._landmarks is None:
            self._n_scanned += n_queries
            if self._n_scanned < number_of_landmarks(len(self.index)):
                return None
            self._landmarks = Landmarks(self.index.codes(), self.sizes, self.starts, self.rows)
        return self._landmarks

    def within(self, queries: Queries, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As in :meth:`.FaissIndex.within`."""
        query_of, near, places = self.index.within(queries, radius)
        sizes = self.sizes[places]
        rows = self.rows[positions_in_spans(self.starts[places], sizes)].astype(np.int64)
        return np.repeat(query_of, sizes), np.repeat(near, sizes), rows

    def __getstate__(self) -> dict:
        return {name: getattr(self, name) for name in ("index", "place", "rows", "sizes", "starts")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._number_anew()
        self._forget_landmarks()
        self._set_keys()

    def _number_anew(self) -> None:
        """Number the codes of a file of an earlier version, which sorted them by key."""
        order, number = _in_order_of(self.rows[self.starts])
        if self.index.is_flat and (np.diff(order) < 0).any():
            self.index = FaissIndex(self.index.codes()[order], by_tables=True)
            self._set_lists(number[self.place])
