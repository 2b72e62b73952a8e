"""Nearest neighbours of codes; faiss does the search."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from ..._sklearn import Interval, StrOptions, check_feature_names, fit_context
from ...arrays import as_numbers
from ...bits import pack_bits
from ...codes import check_codes
from ...persistence import SaveMixin, VersionedMixin, saved
from ...tasks import check_task
from ..checks import name_ids
from .changes import HammingChangesMixin, check_new_ids
from .faiss_index import ALGORITHMS, check_parameters
from .ids import Ids
from .search import HammingSearchMixin
from .shards import Shards


@saved("HammingNeighbors")
class HammingNeighbors(
    VersionedMixin,
    SaveMixin,
    HammingChangesMixin,
    HammingSearchMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Nearest neighbours by Hamming distance, in the manner of ``sklearn.neighbors``.

    Queries are codes, or the real values that a hasher's `decision_function` gives, which rank by
    how sure each bit is.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours of a query, where a call does not say.
    radius : float, default=2
        Radius of a query, where a call does not say. Codes at this distance are included.
    algorithm : {"flat", "hnsw", "multihash"}, default="flat"
        ``"flat"`` is exact. The others are approximate: a graph, and several hash tables of parts
        of the code. The hash tables may find fewer neighbours than asked for; missing ones have
        index -1 and distance infinity.
    index_params : dict, optional
        For ``"hnsw"``: M (2 to 512), ef_construction, ef_search; for ``"multihash"``: n_hashes,
        bits_per_hash (1 to 32), n_flips.
    mode : {"distance", "connectivity"}, default="distance"
        What `transform` puts into the graph.
    packed : bool, default=False
        Whether codes come with eight bits in a byte. All bits count: leave those that fill the last
        byte 0, as :func:`~sktgsh.codes.pack_codes` does.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of codes.
    ids_ : ndarray of shape (n_samples_fit,) or None
        Ids of the user's; None where the row's number is its id.
    tasks_ : list
        Tasks of the codes, where they were given.
    code_version_ : str, dict or None
        Version of the codes, where it was given.

    See Also
    --------
    sktgsh.neighbors.RescoredNeighbors : Search by codes, ranked by vectors.
    sktgsh.neighbors.LSHNeighbors : Search in hash tables.
    sktgsh.neighbors.CodeStore : Codes on disk, or in the cloud.

    Notes
    -----
    Memory of ``"flat"`` is that of the packed codes. Ids take 8 bytes a code (16 more once they are
    looked up), and so do tasks. Where half of the codes or more repeat, a search goes over distinct
    codes, each with the list of its rows: as exact, and faster; that is found out by itself, and
    takes another 8 bytes a code. Approximate indexes always hold distinct codes only.

    Queries of real values are exact, too, unless `oversampling` is given. From 4,096 codes on their
    first search lays the codes out once more, for lookup tables: the memory of the codes doubles.

    A code that is removed is passed over in searches; once a quarter of all are gone they are swept
    away, which costs as much as `fit`.

    Examples
    --------
    >>> from sktgsh.neighbors import HammingNeighbors
    >>> index = HammingNeighbors(n_neighbors=2).fit([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
    >>> distances, ids = index.kneighbors([[0, 0, 1]])
    >>> distances, ids
    (array([[1., 1.]]), array([[0, 1]]))

    A query's values say how sure it is of each bit. The distance is the sum of those that differ:

    >>> index.kneighbors([[-2.0, -0.25, 0.5]])
    (array([[0.25, 0.5 ]]), array([[1, 0]]))
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Real, 0, None, closed="left")],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "index_params": [None, dict],
        "mode": [StrOptions({"distance", "connectivity"})],
        "packed": ["boolean"],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        radius: float = 2,
        algorithm: str = "flat",
        index_params: dict | None = None,
        mode: str = "distance",
        packed: bool = False,
    ):
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.index_params = index_params
        self.mode = mode
        self.packed = packed

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        ids: ArrayLike | None = None,
        task: Any = None,
        code_version: str | Mapping | None = None,
    ) -> HammingNeighbors:
        """Index codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
            Codes, of the latter shape if `packed` is set.
        y : ignored
        ids : array-like of int or str of shape (n_samples,), optional
            Ids, all different, integers below 2**63 or strings; by default the row's number.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks, to search within one of them.
        code_version : str or dict of str by task, optional
            The hasher's `code_version_`. Codes of another version are then refused.

        Returns
        -------
        self : HammingNeighbors

        Raises
        ------
        ValueError
            If codes are not 0 and 1, there are none, ids repeat, or `index_params` are out of
            range.
        """
        check_parameters(self.algorithm, self.index_params)
        packed, width = self._pack(X, None, bool(self.packed))
        slot_ids = None
        if ids is not None:
            slot_ids = Ids(check_new_ids(ids, len(packed)))
        labels = None if task is None else check_task(task, len(packed))
        shards = Shards(task is not None, self.algorithm, self.index_params)
        shards.append(packed, labels)
        check_feature_names(self, X, reset=True)
        self.n_features_in_, self.shards_, self.slot_ids_ = width, shards, slot_ids
        self.packed_, self.code_version_ = bool(self.packed), code_version
        return self

    def __copy__(self) -> HammingNeighbors:
        # A copy that shared its codes would change with the original.
        return deepcopy(self)

    @property
    def n_samples_fit_(self) -> int:  # type: ignore[override]  # others store it
        """Number of codes."""
        return len(self.shards_)

    @property
    def ids_(self) -> np.ndarray | None:
        """Ids of the rows."""
        return None if self.slot_ids_ is None else self.slot_ids_.values[self.shards_.live]

    @property
    def tasks_(self) -> list:
        """Tasks of the codes."""
        return self.shards_.tasks

    # -- checks ----------------------------------------------------------------------------------

    def _slots_of(self, ids: np.ndarray, name: str = "ids") -> np.ndarray:
        if self.slot_ids_ is not None:
            slots = self.slot_ids_.find(ids)
        elif ids.dtype.kind != "i":
            raise ValueError(f"{name} are strings, but the ids of this index are rows' numbers")
        else:
            known = (ids >= 0) & (ids < len(self.shards_))
            slots = np.full(len(ids), -1, np.int64)
            slots[known] = self.shards_.live[ids[known]]
        if (slots < 0).any():
            raise ValueError(f"{name} are unknown: {name_ids(ids[slots < 0])}")
        return slots

    def _pack(self, X: Any, expected: int | None, is_packed: bool) -> tuple[np.ndarray, int]:
        X = np.asarray(as_numbers(X, "X"))
        if is_packed:
            if X.dtype != np.uint8 or X.ndim != 2:
                raise ValueError(
                    f"X has dtype {X.dtype} and {X.ndim} dimensions; packed codes are uint8 of "
                    "shape (n_samples, n_bytes)"
                )
            packed = np.ascontiguousarray(X)
        else:
            packed = pack_bits(check_codes(X, "X"))
        if expected is None and (len(X) == 0 or X.shape[1] == 0):
            raise ValueError(
                f"X has {X.shape[0]} sample(s) and {X.shape[1]} feature(s) (shape={X.shape}); at "
                "least one code of one bit is needed"
            )
        if expected is not None and X.shape[1] != expected:
            raise ValueError(
                f"X has {X.shape[1]} features, but HammingNeighbors is expecting {expected} "
                "features as input"
            )
        return packed, X.shape[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # scikit-learn's checks pass data that are not codes.
        tags._skip_test = True
        return tags
