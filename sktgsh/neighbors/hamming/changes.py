"""Changes of an index of codes: rows that come, are replaced, or go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ..._sklearn import check_feature_names
from ...tasks import check_known, check_same_kind, check_task
from ..checks import check_code_version, check_ids, name_ids
from .ids import Ids
from .shards import Shards


class HammingChangesMixin:
    """Changes of :class:`.HammingNeighbors`."""

    n_features_in_: int
    packed_: bool
    code_version_: str | Mapping | None
    shards_: Shards
    slot_ids_: Ids | None
    _pack: Callable[[Any, int | None, bool], tuple[np.ndarray, int]]
    _slots_of: Callable[[np.ndarray], np.ndarray]

    def add(
        self,
        X: ArrayLike,
        *,
        ids: ArrayLike | None = None,
        task: Any = None,
        code_version: str | Mapping | None = None,
    ) -> Any:
        """Add codes.

        Parameters
        ----------
        X, ids, task, code_version
            As in :meth:`fit`; with ids or tasks if and only if `fit` had them.

        Returns
        -------
        self : HammingNeighbors

        Raises
        ------
        ValueError
            If an id is already there, or the width or the version of codes differs. The index
            then stays as it was.
        """
        check_is_fitted(self)
        check_code_version(code_version, self.code_version_)
        packed, ids, labels = self._check_rows(X, ids, task)
        if ids is not None and self.slot_ids_ is not None:
            known = self.slot_ids_.find(ids) >= 0
            if known.any():
                raise ValueError(f"ids are already there: {name_ids(ids[known])}")
        self._append(packed, ids, labels)
        self._extend_version(code_version)
        return self

    def upsert(
        self,
        X: ArrayLike,
        *,
        ids: ArrayLike,
        task: Any = None,
        code_version: str | Mapping | None = None,
    ) -> Any:
        """Add codes, and replace those whose ids are there already.

        Parameters
        ----------
        X, ids, task, code_version
            As in :meth:`fit`; the index must have ids, and tasks if and only if `fit` had them.

        Returns
        -------
        self : HammingNeighbors
            New and renewed codes are its last rows.

        Raises
        ------
        ValueError
            If ids repeat, the index has none, or the width or the version of codes differs. The
            index then stays as it was.
        """
        check_is_fitted(self)
        check_code_version(code_version, self.code_version_)
        packed, ids, labels = self._check_rows(X, ids, task)
        if ids is None or self.slot_ids_ is None:
            raise ValueError("the index has no ids of its own, by which codes could be renewed")
        slots = self.slot_ids_.find(ids)
        self._drop(slots[slots >= 0])
        self._append(packed, ids, labels)
        self._extend_version(code_version)
        return self

    def remove(self, ids: ArrayLike | None = None, *, task: Any = None) -> Any:
        """Remove codes by id, or all codes of tasks.

        Where rows' numbers are ids, the rows after a removed one move up, as in ``numpy.delete``.
        Of a task that is removed, nothing stays in memory.

        Parameters
        ----------
        ids : array-like of int or str of shape (n_removed,), optional
            Ids, all known and all different.
        task : int, str or array-like of them, optional
            Tasks, all known; instead of ids.

        Returns
        -------
        self : HammingNeighbors

        Raises
        ------
        ValueError
            If an id is unknown or repeated, a task is unknown, or both or none of them are given.
            The index then stays as it was.
        """
        check_is_fitted(self)
        if (ids is None) == (task is None):
            raise ValueError("give either ids or task, to say which codes are removed")
        if task is None:
            self._drop(self._slots_of(check_ids(ids, repeats=False)))
            return self
        labels = check_task([task] if np.ndim(task) == 0 else task, np.size(task))
        if not self.shards_.has_tasks:
            raise ValueError(f"task={task!r} was given, but codes were indexed without tasks")
        check_known(labels, self.shards_.tasks)
        self._drop(self.shards_.slots_of(labels.tolist()), sweep=True)
        return self

    def _extend_version(self, code_version: Any) -> None:
        """Tasks that come have versions of their own."""
        if isinstance(code_version, Mapping) and isinstance(self.code_version_, Mapping):
            self.code_version_ = {**code_version, **self.code_version_}

    def _append(
        self, packed: np.ndarray, ids: np.ndarray | None, labels: np.ndarray | None
    ) -> None:
        self.shards_.append(packed, labels)
        if ids is not None and self.slot_ids_ is not None:
            self.slot_ids_.append(ids)

    def _drop(self, slots: np.ndarray, *, sweep: bool = False) -> None:
        if self.slot_ids_ is not None:
            self.slot_ids_.release(slots)
        kept = self.shards_.remove(slots, sweep=sweep)
        if kept is not None and self.slot_ids_ is not None:
            self.slot_ids_.compact(kept)

    def _check_rows(self, X: Any, ids: Any, task: Any) -> tuple[np.ndarray, Any, Any]:
        """Packed codes, ids and tasks of rows that come to those that are there."""
        check_is_fitted(self)
        check_feature_names(self, X, reset=False)
        packed, _ = self._pack(X, self.n_features_in_, self.packed_)
        if (ids is None) != (self.slot_ids_ is None):
            state = "has" if self.slot_ids_ is not None else "has no"
            raise ValueError(f"the index {state} ids of its own; give ids in fit and add, or never")
        if (task is None) == self.shards_.has_tasks:
            state = "" if self.shards_.has_tasks else "no "
            raise ValueError(f"the index has {state}tasks; give task in fit and add, or never")
        if ids is not None and self.slot_ids_ is not None:
            ids = check_new_ids(ids, len(packed))
            self.slot_ids_.check_kind(ids)
        labels = None if task is None else check_task(task, len(packed))
        if labels is not None:
            check_same_kind(labels.tolist(), list(self.shards_.by_task))
        return packed, ids, labels


def check_new_ids(ids: Any, n_rows: int) -> np.ndarray:
    """Ids of rows that come, all different."""
    ids = check_ids(ids, n_rows, repeats=False)
    if ids.dtype == object and (ids == "").any():
        raise ValueError("ids has an empty string, which stands for a missing neighbour")
    return ids
