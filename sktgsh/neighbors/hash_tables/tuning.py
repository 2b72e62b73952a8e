"""Parameters of hash tables for a recall: proposed by theory, tried on rows held out."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import Bunch, check_array, check_random_state

from ...lsh import PStableHasher, SignedRandomProjectionHasher, SimpleLSH
from ...norms import norms_of
from ..checks import METRICS
from ..distances import check_directions

# Nanoseconds on one core: only their ratios matter. The last two are for each feature.
COST_NS = {"find a bucket": 300, "meet a row": 25, "compare a code": 15, "rank": 0.5, "hash": 0.03}
# Values of `max_candidates` that are tried, in multiples of the neighbours asked for.
CANDIDATE_FACTORS = (4, 8, 16, 32, 64)
# Values of `max_bucket_size` that are tried leave these shares of the rows that queries meet.
BUCKET_LOADS = (0.4, 0.6, 0.8, 0.9)
# Above this share of all rows as candidates, hashing saves nothing.
MAX_CANDIDATE_SHARE = 0.5
# Share of the allowed loss of recall that the two caps may use.
RECALL_RESERVE = 0.1
# One-sided 95 % quantile of the standard normal distribution.
Z_95 = 1.645
# Sample size for the distribution of distances.
N_SAMPLED_ROWS = 1000
# Distances of a block.
BLOCK_SIZE = 1 << 24


class TuningMixin:
    """The choice of parameters of :class:`.LSHNeighbors`."""

    tuned: Bunch

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
        verbose: int = 0,
    ) -> Any:
        """Choose the parameters that reach a recall at the least cost.

        The family's collision probability proposes K, L and probes; they are then tried on queries
        that are not in the index, with more tables where the recall falls short, and buckets'
        sizes and candidates are bounded as far as it does not suffer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            The rows that will be searched, or a sample of them.
        target_recall : float, default=0.9
            Share of the true neighbours that must be found. The lower end of a one-sided 95 %
            interval over the queries must reach it.
        n_neighbors : int, default=10
            Neighbours that count.
        hasher : estimator, optional
            With `collision_probability`. By default the family of the metric:
            :class:`~sktgsh.SignedRandomProjectionHasher`, :class:`~sktgsh.PStableHasher` of several
            interval lengths, or :class:`~sktgsh.SimpleLSH`.
        metric : {"cosine", "euclidean", "inner_product"}, default="cosine"
            As in the constructor.
        queries : array-like of shape (n_queries, n_features), optional
            Typical queries, none of them a row of X; by default rows of X are held out. Where
            queries will not be drawn like the rows, give some: the recall is that of these.
        max_tables : int, default=128
            Bound on L.
        n_samples : int, default=200
            Queries that are looked at; at most a quarter of X is held out.
        random_state : int, RandomState instance or None, default=None
            Of the sample, and of the hasher.
        verbose : int, default=0
            1 shows a progress bar over the trials.

        Returns
        -------
        index : LSHNeighbors
            Not fitted. Its attribute ``tuned`` holds ``expected_recall`` and ``expected_share``,
            as measured: the share of the rows that are candidates.

        Raises
        ------
        ValueError
            If no parameters reach the target, the hasher has no collision probability, or there
            are too few rows, or zero or not finite ones.
        """
        parameters, tuned = tuned_parameters(
            cls,
            X,
            target=target_recall,
            n_neighbors=n_neighbors,
            hasher=hasher,
            metric=metric,
            queries=queries,
            max_tables=max_tables,
            n_samples=n_samples,
            random_state=random_state,
            verbose=verbose,
        )
        index = cls(**parameters)
        index.tuned = tuned
        return index


def tuned_parameters(
    make: Any,
    X: Any,
    *,
    target: float,
    n_neighbors: int,
    hasher: Any,
    metric: str,
    queries: Any,
    max_tables: int,
    n_samples: int,
    random_state: Any,
    verbose: int = 0,
) -> tuple[dict, Bunch]:
    """Parameters for :meth:`LSHNeighbors.tune`, and the recall and share that it measured."""
    if not 0 < target < 1:
        raise ValueError(f"target_recall={target}; expected a number between 0 and 1")
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r}; tune takes one of {METRICS}")
    counts = dict(n_neighbors=n_neighbors, max_tables=max_tables, n_samples=n_samples)
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r}; expected a positive integer")
    if hasher is not None and not hasattr(hasher, "collision_probability"):
        raise ValueError(f"{type(hasher).__name__} has no collision_probability to tune by")
    rng = check_random_state(random_state)
    rows, asked = _held_out(X, queries, n_samples, n_neighbors, metric, rng)
    near, everyone = _pairs(metric, rows, asked, n_neighbors, rng)
    fixed = dict(metric=metric, n_neighbors=int(n_neighbors), random_state=random_state)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    from tqdm.auto import tqdm  # takes long to import

    with tqdm(desc="tune", unit="trial", disable=not verbose) as bar:
        trial = _Trial(make, rows, asked, near.distances.max(axis=1), fixed, bar)
        for parameters in _proposals(hasher, near, everyone, rows, target, int(max_tables)):
            index = trial.reaching(parameters, target, int(max_tables))
            if index is not None:
                return trial.bounded(index, target, n_rows)
    raise ValueError(
        f"target_recall={target} is not reached with max_tables={max_tables}; allow "
        "more tables or a lower recall"
    )


def _held_out(
    X: Any, queries: Any, n_samples: int, n_neighbors: int, metric: str, rng: np.random.RandomState
) -> tuple[Any, Any]:
    """Rows to index, and queries that are not among them."""
    kind = dict(accept_sparse="csr", dtype=[np.float32, np.float64])
    X = check_array(X, input_name="X", **kind)
    if queries is None:
        order = rng.permutation(X.shape[0])
        n_held = min(int(n_samples), X.shape[0] // 4)
        rows, asked = X[np.sort(order[n_held:])], X[order[:n_held]]
    else:
        asked = check_array(queries, input_name="queries", **kind)
        if asked.shape[1] != X.shape[1]:
            raise ValueError(f"queries have {asked.shape[1]} features, but X has {X.shape[1]}")
        rows, asked = X, asked[rng.permutation(asked.shape[0])[:n_samples]]
    if rows.shape[0] <= n_neighbors or not asked.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows, and holding out queries leaves {rows.shape[0]} to search; "
            f"n_neighbors={n_neighbors} needs more of them"
        )
    if metric == "cosine":
        check_directions(rows, "X", metric)
    if metric != "euclidean":
        check_directions(asked, "X" if queries is None else "queries", metric)
    return rows, asked


@dataclass
class _Pairs:
    """Distances of each query to some rows, and what else a collision depends on."""

    metric: str
    distances: np.ndarray
    query_norms: np.ndarray  # of shape (n_queries, 1)
    norms: np.ndarray  # of the rows, as a share of the largest

    def collisions(self, hasher: Any, largest: float) -> np.ndarray:
        if self.metric != "inner_product":
            # Some families integrate numerically, so they are evaluated on a grid.
            grid = np.linspace(self.distances.min(), self.distances.max(), 500)
            angle = np.arccos(np.clip(1 - grid, -1, 1)) if self.metric == "cosine" else grid
            return np.interp(self.distances, grid, hasher.collision_probability(angle))
        inner = -self.distances / (self.query_norms * largest)
        return hasher.collision_probability(np.clip(inner, -self.norms, self.norms), self.norms)


def _pairs(
    metric: str, rows: Any, asked: Any, n_neighbors: int, rng: np.random.RandomState
) -> tuple[_Pairs, _Pairs]:
    """Each query with its true neighbours, and with rows drawn from all."""
    if metric == "euclidean" and not sparse.issparse(rows):
        centre = rows.mean(axis=0, dtype=np.float64)
        rows, asked = rows - centre, asked - centre
    drawn = rng.choice(rows.shape[0], min(N_SAMPLED_ROWS, rows.shape[0]), replace=False)
    norms, query_norms = norms_of(rows), norms_of(asked)[:, None]
    share = norms / (norms.max() or 1)
    step = max(1, BLOCK_SIZE // rows.shape[0])
    near, near_norms, everyone = [], [], []
    for start in range(0, asked.shape[0], step):
        block = _all_distances(metric, asked[start : start + step], rows)
        nearest = np.argpartition(block, n_neighbors - 1, axis=1)[:, :n_neighbors]
        near.append(np.take_along_axis(block, nearest, axis=1))
        near_norms.append(share[nearest])
        everyone.append(block[:, drawn])
    every = np.concatenate(everyone)
    shares = np.broadcast_to(share[drawn], every.shape)
    return (
        _Pairs(metric, np.concatenate(near), query_norms, np.concatenate(near_norms)),
        _Pairs(metric, every, query_norms, shares),
    )


def _all_distances(metric: str, queries: Any, rows: Any) -> np.ndarray:
    if metric != "inner_product":
        from sklearn.metrics import pairwise_distances  # takes long to import

        return pairwise_distances(queries, rows, metric=metric)
    products = queries @ rows.T
    return -(products.toarray() if sparse.issparse(products) else products)


def _families(hasher: Any, near: _Pairs) -> list:
    if hasher is not None:
        return [clone(hasher)]
    if near.metric == "cosine":
        return [SignedRandomProjectionHasher()]
    if near.metric == "inner_product":
        return [SimpleLSH()]
    unit = float(np.median(near.distances)) or 1.0
    return [PStableHasher(r=factor * unit) for factor in (1.0, 2.0, 4.0)]


def _proposals(
    hasher: Any, near: _Pairs, everyone: _Pairs, rows: Any, target: float, max_tables: int
) -> list[dict]:
    """Parameters that should reach the target, the cheapest first."""
    largest = float(norms_of(rows).max()) or 1.0
    goal = target + RECALL_RESERVE * (1 - target)
    width = rows.nnz / rows.shape[0] if sparse.issparse(rows) else rows.shape[1]
    priced = []
    for family in _families(hasher, near):
        of_near = near.collisions(family, largest)
        of_all = everyone.collisions(family, largest)
        for probing in (False,) if hasattr(family, "hash_values") else (False, True):
            for n_bits in range(1, 65):
                collision = _table_collision(of_near, n_bits, probing)
                n_tables = _fewest_tables(collision, goal, max_tables)
                if n_tables is None:
                    break
                met = _table_collision(of_all, n_bits, probing)
                n_probes = n_bits * probing
                share = float((1 - (1 - met) ** n_tables).mean())
                if share > MAX_CANDIDATE_SHARE:
                    continue
                once = share * rows.shape[0]
                cost = (
                    COST_NS["find a bucket"] * n_tables * (1 + n_probes)
                    + COST_NS["meet a row"] * n_tables * rows.shape[0] * float(met.mean())
                    + COST_NS["compare a code"] * once
                    + COST_NS["rank"] * width * min(once, 32 * near.distances.shape[1])
                    + COST_NS["hash"] * width * n_bits * n_tables
                )
                parameters = dict(
                    hasher=family, n_bits=n_bits, n_tables=n_tables, n_probes=n_probes
                )
                priced.append((cost, parameters))
    priced.sort(key=lambda pair: pair[0])
    return [parameters for _, parameters in priced[:3]]


def _table_collision(collision: np.ndarray, n_bits: int, probing: bool) -> np.ndarray:
    """Probability of meeting in one table, where all hashes agree, or all but one."""
    every = collision**n_bits
    if not probing:
        return every
    return every + n_bits * (1 - collision) * collision ** (n_bits - 1)


def _fewest_tables(collision: np.ndarray, goal: float, most: int) -> int | None:
    """The least L whose recall is surely at least the goal, if at most `most`."""

    def surely(n_tables: int) -> float:
        return _lower_end((1 - (1 - collision) ** n_tables).mean(axis=1))

    if surely(most) < goal:
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if surely(middle) >= goal else (middle + 1, high)
    return low


def _lower_end(recalls: np.ndarray) -> float:
    return float(recalls.mean() - Z_95 * recalls.std() / np.sqrt(len(recalls)))


class _Trial:
    """Indexes of the rows, tried on the queries."""

    def __init__(self, make: Any, rows: Any, asked: Any, last: np.ndarray, fixed: dict, bar: Any):
        self.make, self.rows, self.asked, self.fixed, self.bar = make, rows, asked, fixed, bar
        # A row as near as the last true neighbour counts as one.
        self.last = last + 1e-5 * np.abs(last) + 1e-9

    def recalls(self, index: Any) -> np.ndarray:
        self.bar.update()
        distances = index.kneighbors(self.asked)[0]
        return (distances <= self.last[:, None]).mean(axis=1)

    def reaching(self, parameters: dict, target: float, max_tables: int) -> Any:
        """A fitted index that reaches the target, with more tables if needed, or None."""
        goal = target + RECALL_RESERVE * (1 - target)
        while True:
            index = self.make(**self.fixed, **parameters).fit(self.rows)
            reached, n_tables = _lower_end(self.recalls(index)), parameters["n_tables"]
            if reached >= goal or n_tables == max_tables:
                return index if reached >= target else None
            parameters = parameters | {"n_tables": min(max_tables, 1 + n_tables * 5 // 4)}

    def bounded(self, index: Any, target: float, n_rows: int) -> tuple[dict, Bunch]:
        """The index's parameters, with bounds that keep the target, and what was measured."""
        self._first_that_keeps(index, target, "max_bucket_size", self._sizes(index))
        enough = [factor * index.n_neighbors for factor in CANDIDATE_FACTORS]
        enough = [most for most in enough if most < index.candidate_share_ * self.rows.shape[0]]
        self._first_that_keeps(index, target, "max_candidates", enough)
        recall = float(self.recalls(index).mean())
        tuned = Bunch(expected_recall=recall, expected_share=index.candidate_share_)
        if index.max_bucket_size is not None:
            grown = -(-index.max_bucket_size * n_rows // self.rows.shape[0])
            index.set_params(max_bucket_size=grown)
        return index.get_params(deep=False), tuned

    def _first_that_keeps(self, index: Any, target: float, name: str, values: list[int]) -> None:
        for value in values:
            if _lower_end(self.recalls(index.set_params(**{name: value}))) >= target:
                return
        index.set_params(**{name: None})

    @staticmethod
    def _sizes(index: Any) -> list[int]:
        """Bounds on buckets that leave some shares of the rows that queries meet."""
        tables = range(len(index.tables_.keys))
        sizes = np.sort(np.concatenate([index.tables_.sizes(table) for table in tables]))
        load = np.cumsum(sizes.astype(float) ** 2)
        places = np.searchsorted(load, np.multiply(BUCKET_LOADS, load[-1]))
        return sizes[places].tolist()
