"""Locality sensitive hash tables over any hasher of the package."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import HasMethods, Interval, StrOptions, fit_context
from ...base import working_copy
from ...persistence import SaveMixin, VersionedMixin, saved
from ...tasks import check_same_kind, check_task, unique_in_order
from ..checks import METRICS
from ..distances import CodePoints, points_of, stacked
from ..graphs import NeighborGraphsMixin
from .families import default_family
from .search import HashSearchMixin
from .tables import Tables
from .tuning import TuningMixin


@saved("LSHNeighbors")
class LSHNeighbors(
    VersionedMixin, SaveMixin, TuningMixin, NeighborGraphsMixin, HashSearchMixin, BaseEstimator
):
    """Approximate neighbours: K hashes a key, L tables, candidates ranked by a metric.

    Parameters
    ----------
    hasher : estimator, optional
        Any hasher of the package; an asymmetric one serves ``metric="inner_product"``. Its `n_bits`
        is set to ``n_bits * n_tables``. Those with integer values (:class:`~sktgsh.PStableHasher`,
        :class:`~sktgsh.L2ALSH`) are keyed by these. By default
        :class:`~sktgsh.PStableHasher` for ``metric="euclidean"``, with an interval that suits the
        distances of near rows, else :class:`~sktgsh.SignedRandomProjectionHasher`.
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
    max_candidates : int or None, default=None
        Rank by the metric only this many candidates of a query, those whose codes (the first 256
        bits) differ least from the query's, and those that tie with the last. None ranks all.
        A search by radius always ranks all.
    random_state : int, RandomState instance or None, default=None
        Given to the hasher, if not None.

    Attributes
    ----------
    hasher_ : estimator
        The fitted hasher.
    code_version_ : object
        The hasher's `code_version_` in fit, where it has one.
    n_samples_fit_ : int
        Number of rows.
    tasks_ : list
        Tasks of the rows, where they were given.
    candidate_share_ : float
        Mean share of all rows that were candidates of a query in the last call.
    tuned : Bunch
        What :meth:`tune` measured, where it chose the parameters; a clone keeps it.

    See Also
    --------
    sktgsh.neighbors.HammingNeighbors : Search by Hamming distance, in memory.
    sktgsh.neighbors.RescoredNeighbors : Search by codes, ranked by vectors.

    Notes
    -----
    Rows in float32 are ranked in float32, by differences and not by expanded squares; the nearest
    of rows in float64 are measured once more in float64. Sparse rows stay sparse. Tables take 6
    bytes for each row and table, keys at most 12 more. Threads are those that torch and
    ``OMP_NUM_THREADS`` allow.

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
        "metric": [StrOptions({*METRICS, "hamming"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Real],
        "n_probes": [Interval(Integral, 0, None, closed="left")],
        "max_bucket_size": [None, Interval(Integral, 1, None, closed="left")],
        "max_candidates": [None, Interval(Integral, 1, None, closed="left")],
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
        max_candidates: int | None = None,
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
        self.max_candidates = max_candidates
        self.random_state = random_state

    # -- building --------------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, task: Any = None) -> LSHNeighbors:
        """Hash the rows into the tables.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows (keys, for inner products); sparse where the hasher takes them.
        y : array-like of shape (n_samples,), optional
            Given to the hasher; supervised ones need it.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks, to search within one of them; given to the hasher too.

        Returns
        -------
        self : LSHNeighbors

        Raises
        ------
        ValueError
            If a row is zero and the metric is the cosine.
        """
        draft = working_copy(self)
        draft._fit(X, y, task)
        self.__dict__ = draft.__dict__
        return self

    def _fit(self, X: Any, y: Any, task: Any) -> None:
        X = self._check(X, reset=True)
        hasher = self.hasher
        if hasher is None:
            hasher = default_family(self.metric, X, int(self.n_bits), int(self.n_tables))
        hasher = clone(hasher)
        hasher.set_params(n_bits=int(self.n_bits) * int(self.n_tables))
        if self.random_state is not None:
            hasher.set_params(random_state=self.random_state)
        labels = None if task is None else check_task(task, X.shape[0])
        self.hasher_ = hasher.fit(X, y) if task is None else hasher.fit(X, y, task=labels)
        self.code_version_ = getattr(self.hasher_, "code_version_", None)
        self.tasks_: list = []
        self.task_of_ = None if labels is None else self._encoded(labels)
        keys, codes = self._hash(X, labels)
        self.tables_ = Tables(keys[:, :, 0])
        self.codes_ = CodePoints(codes)
        self.X_ = X
        self.points_ = self.codes_ if self.metric == "hamming" else points_of(X, self.metric)
        self.n_samples_fit_ = X.shape[0]

    def add(self, X: ArrayLike, *, task: Any = None) -> LSHNeighbors:
        """Hash more rows into the tables; the hasher stays as it is.

        Each call copies the tables: add many rows at once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; sparse if and only if those in `fit` were.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks, if and only if `fit` had them.

        Returns
        -------
        self : LSHNeighbors

        Raises
        ------
        ValueError
            If the width or the kind of rows differs. The index then stays as it was.
        """
        check_is_fitted(self)
        self._check_version(True)
        X = self._check(X, reset=False)
        if sparse.issparse(X) != sparse.issparse(self.X_):
            kind = "sparse" if sparse.issparse(self.X_) else "dense"
            raise ValueError(f"X is of another kind than the rows in fit; those are {kind}")
        if (task is None) != (self.task_of_ is None):
            state = "no " if self.task_of_ is None else ""
            raise ValueError(f"the index has {state}tasks; give task in fit and add, or never")
        draft = working_copy(self, fresh=False)
        labels = None if task is None else check_task(task, X.shape[0])
        if labels is not None:
            check_same_kind(labels.tolist(), self.tasks_)
            draft.tasks_ = list(self.tasks_)
            draft.task_of_ = np.concatenate([self.task_of_, draft._encoded(labels)])
        keys, codes = self._hash(X, labels)
        draft.tables_ = self.tables_.added(keys[:, :, 0])
        draft.codes_ = self.codes_.added(codes)
        is_hamming = self._metric == "hamming"
        draft.points_ = draft.codes_ if is_hamming else self.points_.added(X)
        draft.X_ = stacked(self.X_, X) if is_hamming else draft.points_.X
        draft.n_samples_fit_ += X.shape[0]
        self.__dict__ = draft.__dict__
        return self

    def _encoded(self, labels: np.ndarray) -> np.ndarray:
        """The place of each label in `tasks_`, which grows by those that are new."""
        known = set(self.tasks_)
        self.tasks_ += [label for label in unique_in_order(labels) if label not in known]
        return self._places(labels)

    def bucket_statistics(self) -> Bunch:
        """Sizes of the buckets.

        Returns
        -------
        statistics : Bunch
            ``n_buckets``, ``mean_size``, ``median_size``, ``max_size`` of shape (n_tables,), and
            ``expected_size``: the size of the bucket that a fitted row is in, on average; and
            ``ignored_share``: the share of rows in buckets above `max_bucket_size`.
        """
        check_is_fitted(self)
        sizes = [self.tables_.sizes(table) for table in range(len(self.tables_.keys))]
        most = np.inf if self.max_bucket_size is None else self.max_bucket_size
        return Bunch(
            n_buckets=np.array([len(s) for s in sizes]),
            mean_size=np.array([s.mean() for s in sizes]),
            median_size=np.array([np.median(s) for s in sizes]),
            max_size=np.array([s.max() for s in sizes]),
            expected_size=np.array([(s.astype(float) ** 2).sum() / s.sum() for s in sizes]),
            ignored_share=np.array([s[s > most].sum() / s.sum() for s in sizes]),
        )

    def __sklearn_clone__(self) -> LSHNeighbors:
        # The measurements of `tune` describe the parameters, and a clone has the same ones.
        made = super().__sklearn_clone__()
        if hasattr(self, "tuned"):
            made.tuned = self.tuned
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
