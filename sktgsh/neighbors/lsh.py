"""Locality sensitive hash tables over any hasher of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ..base import draft_of
from ..codes import unpack_codes
from ..lsh import SignedRandomProjectionHasher
from .tables import Table, bucket_keys

METRICS = ("cosine", "euclidean", "inner_product", "hamming")


class LSHNeighbors(BaseEstimator):
    """Approximate neighbours: K hashes a key, L tables, candidates ranked by a metric.

    Parameters
    ----------
    hasher : estimator, optional
        Any hasher of the package; an asymmetric one serves ``metric="inner_product"``. Its `n_bits`
        is set to ``n_bits * n_tables``. Those with integer values (:class:`~sktgsh.PStableHasher`,
        :class:`~sktgsh.L2ALSH`) are keyed by these. By default signed random projections.
    n_bits : int, default=16
        Hashes of a key (K).
    n_tables : int, default=16
        Tables (L).
    metric : {"cosine", "euclidean", "inner_product", "hamming"}, default="cosine"
        What candidates are ranked by. ``"cosine"`` is the distance 1 - cosine;
        ``"inner_product"`` is given as its negative, so that smaller is nearer; ``"hamming"`` is
        between the codes of the hasher.
    n_neighbors : int, default=5
        Neighbours of a query, where a call does not say.
    radius : float, default=1.0
        Radius of a query, where a call does not say.
    n_probes : int, default=0
        Further buckets to look into in each table: keys that differ in one hash, then in two.
    max_bucket_size : int or None, default=None
        Buckets with more rows are ignored (Capsule's rule): they say little and cost much.
    random_state : int, RandomState instance or None, default=None
        Given to the hasher, if not None.

    Attributes
    ----------
    hasher_ : estimator
        The fitted hasher.
    n_samples_fit_ : int
        Number of rows.
    candidate_share_ : float
        Mean share of all rows that the last call ranked.

    References
    ----------
    P. Indyk and R. Motwani, "Approximate nearest neighbors", STOC 1998; Q. Lv et al., "Multi-probe
    LSH", VLDB 2007; US patent 10,996,060 (the cap on buckets).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh.neighbors import LSHNeighbors
    >>> X = load_digits().data
    >>> index = LSHNeighbors(n_bits=8, n_tables=8, random_state=0).fit(X)
    >>> distances, rows = index.kneighbors(X[:2], n_neighbors=3)
    >>> rows[:, 0]
    array([0, 1])
    """

    _parameter_constraints: dict = {
        "hasher": [None, HasMethods(["fit", "transform"])],
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "n_tables": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(set(METRICS))],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Real, None, None, closed="neither")],
        "n_probes": [Interval(Integral, 0, None, closed="left")],
        "max_bucket_size": [None, Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hasher: Any = None,
        *,
        n_bits: int = 16,
        n_tables: int = 16,
        metric: str = "cosine",
        n_neighbors: int = 5,
        radius: float = 1.0,
        n_probes: int = 0,
        max_bucket_size: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.hasher = hasher
        self.n_bits = n_bits
        self.n_tables = n_tables
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.n_probes = n_probes
        self.max_bucket_size = max_bucket_size
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> LSHNeighbors:
        """Hash the rows into the tables.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows (keys, for inner products).
        y : array-like of shape (n_samples,), optional
            Given to the hasher; supervised ones need it.

        Returns
        -------
        self : LSHNeighbors

        Raises
        ------
        ValueError
            If a row is zero and the metric is the cosine.
        """
        draft = draft_of(self)
        draft._fit(X, y)
        self.__dict__ = draft.__dict__
        return self

    def _fit(self, X: Any, y: Any) -> None:
        X = self._check(X, reset=True)
        hasher = SignedRandomProjectionHasher() if self.hasher is None else clone(self.hasher)
        hasher.set_params(n_bits=self.n_bits * self.n_tables)
        if self.random_state is not None:
            hasher.set_params(random_state=self.random_state)
        self.hasher_ = hasher.fit(X, y)
        values = self._hash(X, queries=False)
        self.tables_ = [Table(bucket_keys(part)) for part in self._by_table(values)]
        self.n_samples_fit_ = len(X)
        self.X_ = X
        self.codes_ = values if self.metric == "hamming" else None

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """The nearest candidates of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries; by default the fitted rows, none of which is its own neighbour.
        n_neighbors : int, optional
            By default as in the constructor.
        return_distance : bool, default=True
            Whether to return distances.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
            Only if `return_distance` is set; infinity where there were too few candidates.
        rows : ndarray of shape (n_queries, n_neighbors), dtype int64
            Nearest first; -1 where there were too few candidates.

        Raises
        ------
        ValueError
            If there are fewer rows than neighbours asked for.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
            raise ValueError(f"Expected n_neighbors > 0. Got {k!r}")
        available = self.n_samples_fit_ - (X is None)
        if k > available:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {available}"
            )
        n_queries = self.n_samples_fit_ if X is None else len(X)
        distances = np.full((n_queries, k), np.inf)
        rows = np.full((n_queries, k), -1, np.int64)
        for query, near, found in self._iter_ranked(X):
            if len(found) > k:
                nearest = np.argpartition(near, k - 1)[:k]
                near, found = near[nearest], found[nearest]
            order = np.argsort(near, kind="stable")
            distances[query, : len(order)] = near[order]
            rows[query, : len(order)] = found[order]
        return (distances, rows) if return_distance else rows

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | None = None,
        return_distance: bool = True,
    ) -> Any:
        """All candidates within a radius of each query, nearest first.

        Parameters
        ----------
        X, return_distance
            As in :meth:`kneighbors`.
        radius : float, optional
            By default as in the constructor.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of arrays
            Only if `return_distance` is set.
        rows : ndarray of shape (n_queries,) of arrays
        """
        check_is_fitted(self)
        radius = self.radius if radius is None else radius
        n_queries = self.n_samples_fit_ if X is None else len(X)
        distances, rows = np.empty(n_queries, dtype=object), np.empty(n_queries, dtype=object)
        for query, near, found in self._iter_ranked(X):
            inside = near <= radius
            order = np.argsort(near[inside], kind="stable")
            distances[query], rows[query] = near[inside][order], found[inside][order]
        return (distances, rows) if return_distance else rows

    def bucket_statistics(self) -> Bunch:
        """How full the buckets are.

        Returns
        -------
        statistics : Bunch
            ``n_buckets``, ``mean_size``, ``median_size``, ``max_size`` of shape (n_tables,), and
            ``expected_size``: the size of the bucket that a fitted row is in, on average; and
            ``ignored_share``: the share of rows in buckets above `max_bucket_size`.
        """
        check_is_fitted(self)
        sizes = [table.sizes for table in self.tables_]
        most = self._most()
        return Bunch(
            n_buckets=np.array([len(s) for s in sizes]),
            mean_size=np.array([s.mean() for s in sizes]),
            median_size=np.array([np.median(s) for s in sizes]),
            max_size=np.array([s.max() for s in sizes]),
            expected_size=np.array([(s**2).sum() / s.sum() for s in sizes]),
            ignored_share=np.array([s[s > most].sum() / s.sum() for s in sizes]),
        )

    @classmethod
    def tune(
        cls,
        X: ArrayLike,
        *,
        target_recall: float = 0.9,
        n_neighbors: int = 10,
        hasher: Any = None,
        metric: str = "cosine",
        queries: ArrayLike | None = None,
        max_tables: int = 128,
        n_samples: int = 200,
        random_state: int | np.random.RandomState | None = None,
    ) -> LSHNeighbors:
        """Choose K and L for a target recall, from the family's collision probability.

        The true neighbours of a sample of queries give the distances that must collide, and their
        distances to all rows give the share of rows that will. Among the K that reach the target
        with at most `max_tables` tables, the one is taken that is expected to cost least: ranking
        candidates, and computing hashes.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            The rows that will be searched, or a sample of them.
        target_recall : float, default=0.9
            Share of the true neighbours that must be among the candidates.
        n_neighbors : int, default=10
            Neighbours that count.
        hasher : estimator, optional
            With `collision_probability`; by default signed random projections.
        metric : {"cosine", "euclidean", "inner_product"}, default="cosine"
            As in the constructor.
        queries : array-like of shape (n_queries, n_features), optional
            Typical queries; by default rows of X.
        max_tables : int, default=128
            Bound on L.
        n_samples : int, default=200
            Queries that are looked at.
        random_state : int, RandomState instance or None, default=None
            Of the sample, and of the hasher.

        Returns
        -------
        index : LSHNeighbors
            Not fitted. Its attribute ``tuned`` holds ``expected_recall`` and ``expected_share``,
            the share of rows that will be ranked.

        Raises
        ------
        ValueError
            If no K reaches the target, or the hasher has no collision probability.
        """
        if not 0 < target_recall < 1:
            raise ValueError(f"target_recall={target_recall}; expected a number between 0 and 1")
        hasher = SignedRandomProjectionHasher() if hasher is None else clone(hasher)
        if not hasattr(hasher, "collision_probability"):
            raise ValueError(f"{type(hasher).__name__} has no collision_probability to tune by")
        rng = check_random_state(random_state)
        X = np.asarray(X, dtype=np.float64)
        given = queries is not None
        queries = np.asarray(queries, dtype=np.float64) if given else X
        chosen = rng.permutation(len(queries))[:n_samples]
        distances = _rank_all(metric, queries[chosen], X)
        if not given:
            distances[np.arange(len(chosen)), chosen] = np.inf
        probability = _collisions(hasher, metric, distances, queries[chosen], X)
        nearest = np.argpartition(distances, n_neighbors - 1, axis=1)[:, :n_neighbors]
        near = np.take_along_axis(probability, nearest, axis=1).ravel()
        everyone = rng.choice(probability[np.isfinite(distances)], 50_000)
        best = None
        for n_bits in range(1, 65):
            n_tables = _fewest_tables(near**n_bits, target_recall, max_tables)
            if n_tables is None:
                break
            share = float((1 - (1 - everyone**n_bits) ** n_tables).mean())
            cost = share * len(X) + n_bits * n_tables
            if best is None or cost < best[0]:
                best = cost, n_bits, n_tables, share
        if best is None:
            raise ValueError(
                f"target_recall={target_recall} is not reached with max_tables={max_tables}; allow "
                "more tables or a lower recall"
            )
        _, n_bits, n_tables, share = best
        index = cls(
            hasher,
            n_bits=n_bits,
            n_tables=n_tables,
            metric=metric,
            n_neighbors=n_neighbors,
            random_state=random_state,
        )
        recall = float((1 - (1 - near**n_bits) ** n_tables).mean())
        index.tuned = Bunch(expected_recall=recall, expected_share=share)
        return index

    # -- candidates ------------------------------------------------------------------------------

    def _iter_ranked(self, X: Any) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (query, distances, rows) of the candidates of each query."""
        queries = self.X_ if X is None else self._check(X, reset=False)
        values = self._hash(queries, queries=True)
        keys = np.stack([bucket_keys(part) for part in self._by_table(values)], axis=1)
        parts = list(self._by_table(values)) if self.n_probes else []
        rank = _ranker(self.metric, self.X_, self.codes_)
        total, most = 0, self._most()
        seen = np.zeros(self.n_samples_fit_, bool)
        for query in range(len(queries)):
            for position, table in enumerate(self.tables_):
                wanted = keys[query, position : position + 1]
                if self.n_probes:
                    probes = self._probes(parts[position][query])
                    wanted = np.concatenate([wanted, bucket_keys(probes)])
                for rows in table.lookup(wanted, most):
                    seen[rows] = True
            if X is None:
                seen[query] = False
            found = np.flatnonzero(seen)
            seen[found] = False
            total += len(found)
            source = values if self.metric == "hamming" else queries
            yield query, rank(source[query], found), found
        self.candidate_share_ = total / max(1, len(queries) * self.n_samples_fit_)

    def _probes(self, values: np.ndarray) -> np.ndarray:
        """The nearest keys beside a key, as hash values: one hash changed, then two."""
        n_hashes, probes = len(values), []
        is_bits = values.dtype == np.uint8
        steps = (1,) if is_bits else (1, -1)
        for n_changed in (1, 2):
            for columns in combinations(range(n_hashes), n_changed):
                for step in steps:
                    if len(probes) == self.n_probes:
                        return np.array(probes)
                    probe = values.copy()
                    for column in columns:
                        probe[column] = 1 - probe[column] if is_bits else probe[column] + step
                    probes.append(probe)
        return np.array(probes).reshape(-1, n_hashes)

    def _most(self) -> float:
        return np.inf if self.max_bucket_size is None else self.max_bucket_size

    def _by_table(self, values: np.ndarray) -> list[np.ndarray]:
        return np.array_split(values, self.n_tables, axis=1)

    def _hash(self, X: np.ndarray, queries: bool) -> np.ndarray:
        hasher = self.hasher_
        asymmetric = hasattr(hasher, "transform_queries")
        if hasattr(hasher, "hash_values"):
            method = "hash_query_values" if queries and asymmetric else "hash_values"
            return getattr(hasher, method)(X)
        codes = np.asarray(
            (hasher.transform_queries if queries and asymmetric else hasher.transform)(X)
        )
        return unpack_codes(codes, hasher.n_bits_) if hasher.packed else codes

    def _check(self, X: Any, reset: bool) -> np.ndarray:
        X = validate_data(self, X, dtype=[np.float32, np.float64], reset=reset)
        if self.metric == "cosine" or (self.metric == "inner_product" and not reset):
            zero = np.flatnonzero(~X.any(axis=1))
            if len(zero):
                raise ValueError(
                    f"X has a zero vector (row {zero[0]}), which has no direction; "
                    f"metric={self.metric!r} needs one. Remove such rows"
                )
        return X


def _fewest_tables(collision: np.ndarray, target: float, most: int) -> int | None:
    """The least L with mean ``1 - (1 - p)^L`` of at least the target, if at most `most`."""

    def recall(n_tables: int) -> float:
        return float((1 - (1 - collision) ** n_tables).mean())

    if recall(most) < target:
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if recall(middle) >= target else (middle + 1, high)
    return low


def _ranker(
    metric: str, X: np.ndarray, codes: np.ndarray | None
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function from a query and candidate rows to their distances."""
    if metric == "hamming":
        return lambda query, rows: (codes[rows] != query).sum(axis=1).astype(np.float64)
    if metric == "inner_product":
        return lambda query, rows: -(X[rows] @ query).astype(np.float64)
    squares = np.einsum("ij,ij->i", X, X)
    if metric == "cosine":
        norms = np.sqrt(squares)
        return lambda query, rows: np.maximum(
            1 - X[rows] @ query / (norms[rows] * np.linalg.norm(query)), 0
        ).astype(np.float64)
    return lambda query, rows: np.sqrt(
        np.maximum(squares[rows] - 2 * (X[rows] @ query) + query @ query, 0)
    ).astype(np.float64)


def _rank_all(metric: str, queries: np.ndarray, X: np.ndarray) -> np.ndarray:
    if metric not in METRICS[:3]:
        raise ValueError(f"metric={metric!r}; tune takes one of {METRICS[:3]}")
    rank, rows = _ranker(metric, X, None), np.arange(len(X))
    return np.stack([rank(query, rows) for query in queries])


def _collisions(
    hasher: Any, metric: str, distances: np.ndarray, queries: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """The family's collision probability for every query and row."""
    finite = np.where(np.isfinite(distances), distances, 0)
    if metric == "cosine":
        return hasher.collision_probability(np.arccos(np.clip(1 - finite, -1, 1)))
    if metric == "euclidean":
        return hasher.collision_probability(finite)
    largest = np.linalg.norm(X, axis=1).max()
    inner = -finite / (np.linalg.norm(queries, axis=1)[:, None] * largest)
    norm = np.broadcast_to(np.linalg.norm(X, axis=1) / largest, inner.shape)
    return hasher.collision_probability(np.clip(inner, -norm, norm), norm)
