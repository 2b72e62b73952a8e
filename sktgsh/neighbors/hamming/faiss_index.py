"""faiss's indexes of codes behind one small interface, and queries of bits or of real values."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from numbers import Integral
from typing import Any

import faiss
import numpy as np

from ...persistence import saved
from .. import ranking
from . import lookup, weighted

ALGORITHMS = ("flat", "hnsw", "multihash")
# Default, least and greatest value of an algorithm's parameters; faiss does not check them.
PARAMETERS = {
    "flat": {},
    "hnsw": {"M": (16, 2, 512), "ef_construction": (80, 1, 2**20), "ef_search": (64, 1, 2**20)},
    "multihash": {"n_hashes": (8, 1, 2**20), "bits_per_hash": (16, 1, 32), "n_flips": (1, 0, 32)},
}

# Candidates of a graph or of hash tables among which ties are looked for, at first and at last.
_FIRST_TIES, _MOST_TIES = 64, 4096
# faiss's scan sorts distances by counting instead of a heap from these numbers of neighbours on,
# for each code and at all; and the most counters and places a query that it may take for it.
_COUNTED_SHARE, _LEAST_COUNTED, _MOST_COUNTED = 1 / 400, 9, 2**18


def check_parameters(algorithm: str, given: dict | None) -> dict[str, int]:
    """All parameters of an algorithm.

    Raises
    ------
    ValueError
        If there is an unknown one, or one is not an integer in its range.
    """
    known, given = PARAMETERS[algorithm], dict(given or {})
    unknown = sorted(set(given) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"index_params has unknown entries {unknown} for {algorithm!r}, "
            f"which takes {sorted(known) or 'none'}"
        )
    chosen = {}
    for name, (default, least, most) in known.items():
        value = given.get(name, default)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            raise ValueError(
                f"index_params has {name}={value!r}; expected an integer from {least} to {most}"
            )
        chosen[name] = int(value)
    return chosen


def _empty(algorithm: str, n_bits: int, params: dict | None) -> faiss.IndexBinary:
    params = check_parameters(algorithm, params)
    if algorithm == "hnsw":
        index = faiss.IndexBinaryHNSW(n_bits, params["M"])
        index.hnsw.efConstruction = params["ef_construction"]
        index.hnsw.efSearch = params["ef_search"]
        return index
    if algorithm == "multihash":
        bits = min(params["bits_per_hash"], n_bits)
        index = faiss.IndexBinaryMultiHash(n_bits, min(params["n_hashes"], n_bits // bits), bits)
        index.nflip = min(params["n_flips"], bits)
        return index
    return faiss.IndexBinaryFlat(n_bits)


@dataclass
class Queries:
    """Queries: codes, or real values with the codes of their signs.

    Attributes
    ----------
    packed : ndarray of shape (n_queries, n_bytes), dtype uint8
    values : ndarray of shape (n_queries, n_bits), dtype float32, or None
        Distances are weighted by these.
    oversampling : float, optional
        With values: how many candidates by code are ranked, for each neighbour asked for. None
        ranks all codes.
    """

    packed: np.ndarray
    values: np.ndarray | None = None
    oversampling: float | None = None

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, rows: Any) -> Queries:
        values = None if self.values is None else self.values[rows]
        return Queries(self.packed[rows], values, self.oversampling)


@saved("CodeIndex")
class FaissIndex:
    """Codes in an index of faiss; a code's position is its number in the order of adding.

    Parameters
    ----------
    packed : ndarray of shape (n_codes, n_bytes), dtype uint8
    algorithm, params
        Of :class:`.HammingNeighbors`.
    by_tables : bool
        Search a flat index of short codes by lookup tables: as exact, and faster; the codes are
        held twice.
    """

    def __init__(
        self,
        packed: np.ndarray,
        algorithm: str = "flat",
        params: dict | None = None,
        *,
        by_tables: bool = False,
    ):
        self.index = _empty(algorithm, 8 * packed.shape[1], params)
        self.by_tables = by_tables and self.is_flat and lookup.can_count_bits(packed.shape[1])
        self._lookup: lookup.LookupScan | None = None  # made when it is needed
        self.add(packed)

    @property
    def is_flat(self) -> bool:
        """Whether all codes are compared."""
        return isinstance(self.index, faiss.IndexBinaryFlat)

    def __len__(self) -> int:
        return self.index.ntotal

    def add(self, packed: np.ndarray) -> None:
        """Codes after those that are there."""
        if len(packed):  # a graph of faiss 1.9 reads beyond an array without rows
            self.index.add(np.ascontiguousarray(packed))

    def codes(self) -> np.ndarray:
        """The packed codes, as a view of the index's own memory."""
        flat = self._exact()
        n_bytes = flat.ntotal * flat.code_size
        if not n_bytes:
            return np.empty((0, flat.code_size), np.uint8)
        return faiss.rev_swig_ptr(flat.xb.data(), n_bytes).reshape(flat.ntotal, flat.code_size)

    def _exact(self) -> Any:
        graph: Any = self.index
        return graph if self.is_flat else faiss.downcast_IndexBinary(graph.storage)

    def subset(self, positions: np.ndarray) -> FaissIndex:
        """An exact index of some of the codes."""
        return FaissIndex(self.codes()[positions])

    def nearest(self, queries: Queries, k: int) -> ranking.Found:
        """Distances and positions of the `k` nearest, (n_queries, k); infinity and -1 if missing.

        There must be `k` codes.
        """
        if queries.values is None:
            return self._nearest_codes(queries.packed, k)
        if queries.oversampling is None:
            return self._nearest_values(queries.values, k)
        n_candidates = min(ceil(k * queries.oversampling), len(self))
        found = self._nearest_codes(queries.packed, n_candidates)[1]
        return weighted.nearest_among(queries.values, self.codes(), found, k)

    def _nearest_codes(self, packed: np.ndarray, k: int) -> ranking.Found:
        if self.is_flat:
            # Both ways keep the smaller position of a tie, and order so.
            flat: Any = self.index
            flat.use_heap = not self._is_counted(k)
            return flat.search(packed, k)
        return ranking.proven_nearest(
            lambda asked, n: self._proposed(packed[asked], n),
            lambda asked, k: self._searched(packed[asked], k),
            len(packed),
            len(self),
            k,
            n_first=_FIRST_TIES,
        )

    def _is_counted(self, k: int) -> bool:
        """Whether a scan for `k` neighbours is faster by counting."""
        is_faster = k >= max(_LEAST_COUNTED, _COUNTED_SHARE * len(self))
        return is_faster and (self.index.d + 1) * k <= _MOST_COUNTED

    def can_propose(self, queries: Queries) -> bool:
        """Whether lookup tables can answer, instead of a scan."""
        if queries.values is None:
            return self.by_tables
        is_all = self.is_flat and queries.oversampling is None
        return is_all and lookup.is_worthwhile(self.codes())

    def proposed(self, queries: Queries, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances and positions of `n` codes, and a floor: no other code is nearer."""
        scan, codes = self._lookup_scan(), self.codes()
        if queries.values is None:
            return scan.nearest_codes(queries.packed, codes, n)
        return scan.nearest_values(queries.values, codes, n)

    def _proposed(self, packed: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Results of a graph or of hash tables; ties come in any order."""
        distances, found = self.index.search(packed, n)
        # Empty slots hold the position -1, and a distance without meaning.
        distances = np.where(found < 0, np.inf, distances)
        return distances, found, distances[:, -1]

    def _searched(self, packed: np.ndarray, k: int) -> ranking.Found:
        distances, found, _ = self._proposed(packed, min(len(self), max(k, _MOST_TIES)))
        return ranking.nearest(distances, found, k)

    def _nearest_values(self, values: np.ndarray, k: int) -> ranking.Found:
        packed = self.codes()
        if not lookup.is_worthwhile(packed):
            return weighted.nearest(values, packed, k)
        return self._lookup_scan().nearest(values, packed, k)

    def _lookup_scan(self) -> lookup.LookupScan:
        if self._lookup is None:
            self._lookup = lookup.LookupScan(self.index.code_size)
        return self._lookup

    def within(self, queries: Queries, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All codes up to a distance: the query, the distance and the position of each pair."""
        if queries.values is not None:
            return weighted.within(queries.values, self.codes(), radius)
        # A graph has no radius search; its exact storage has.
        is_graph = isinstance(self.index, faiss.IndexBinaryHNSW)
        index = self._exact() if is_graph else self.index
        # faiss excludes the radius itself.
        limit = int(min(radius, self.index.d)) + 1
        limits, distances, found = index.range_search(queries.packed, limit)
        query_of = np.repeat(np.arange(len(queries)), np.diff(limits).astype(np.int64))
        return query_of, distances, found

    def __getstate__(self) -> dict:
        # faiss's own serialisation; pickle knows nothing of C++ objects.
        return {
            "index": faiss.serialize_index_binary(self.index),
            "by_tables": self.by_tables,
        }

    def __setstate__(self, state: dict) -> None:
        self.index = faiss.deserialize_index_binary(state["index"])
        self.by_tables = state.get("by_tables", False)
        self._lookup = None
