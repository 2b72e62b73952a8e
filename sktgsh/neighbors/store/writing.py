"""Writing to a store: one transaction a call, writers in turn, ids looked up in an index."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...tasks import format_labels
from ..checks import check_code_version
from .rows import StoreRows, label_of

# Files that a compaction replaced stay this long, for processes that still read them.
_KEEP = timedelta(seconds=10)
# LanceDB's name of the index on ids. Rows that came after its last update are scanned, so it is
# updated once there are many; that is looked up after changes of some size.
_INDEX = "id_idx"
_MOST_UNINDEXED = 1 << 14
_LARGE_CHANGE = 1 << 10


def is_remote(path: str) -> bool:
    """Whether a path is the address of an object store."""
    return "://" in path


def index_ids(table: Any) -> None:
    """Let LanceDB find ids without reading all of them."""
    from lancedb.index import BTree

    if any(index.name == _INDEX for index in table.list_indices()):
        return
    # On an object store, another process may make it at the same moment.
    with suppress(RuntimeError, OSError):
        table.create_index("id", config=BTree(), name=_INDEX)


class StoreWritingMixin:
    """Changes of a store with `_table` and `_rows`."""

    path: str
    compact_every: int | None
    _table: Any
    _rows: StoreRows
    _pack: Callable[[Any], np.ndarray]
    _known: Callable[[Any], list]
    _known_tasks: Callable[[], list]

    def add(
        self,
        X: ArrayLike,
        *,
        ids: ArrayLike,
        task: Any = None,
        vectors: ArrayLike | None = None,
        code_version: str | Mapping | None = None,
    ) -> None:
        """Add codes, all of them or none.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
            Codes.
        ids : array-like of int or str of shape (n_samples,)
            Ids, none of them in the store.
        task : int, str or sequence of shape (n_samples,), optional
            Tasks; an entry of None is a row without one. The integer 1 and the string "1" are
            different tasks.
        vectors : array-like of shape (n_samples, n_features), optional
            If and only if the store keeps vectors.
        code_version : str or dict of str by task, optional
            Version of these codes.

        Raises
        ------
        ValueError
            If the width or the version differs, ids repeat or are there already, or vectors would
            lose their digits.
        """
        check_code_version(code_version, self._rows.code_version)
        rows = self._rows.table(self._pack(X), ids, task, vectors)

        def change() -> None:
            known = self._known(rows["id"])
            if known:
                raise ValueError(f"ids are there already: {known[:8]}")
            # On an object store another process may add an id first; its rows stay.
            made = self._table.merge_insert("id").when_not_matched_insert_all().execute(rows)
            if made.num_inserted_rows < len(rows):
                raise ValueError(
                    f"{len(rows) - made.num_inserted_rows} of {len(rows)} ids were added by "
                    "another process at the same moment; the others were added now"
                )

        self._change(change, len(rows))

    def upsert(
        self,
        X: ArrayLike,
        *,
        ids: ArrayLike,
        task: Any = None,
        vectors: ArrayLike | None = None,
        code_version: str | Mapping | None = None,
    ) -> None:
        """Add codes, and replace those whose ids are there already, all of them or none.

        Parameters
        ----------
        X, ids, task, vectors, code_version
            As in :meth:`add`. A replaced row is replaced as a whole, its task too.

        Raises
        ------
        ValueError
            If the width or the version differs, or ids repeat.
        """
        check_code_version(code_version, self._rows.code_version)
        rows = self._rows.table(self._pack(X), ids, task, vectors)
        merge = self._table.merge_insert("id")
        merge = merge.when_matched_update_all().when_not_matched_insert_all()
        self._change(lambda: merge.execute(rows), len(rows))

    def remove(self, ids: ArrayLike | None = None, *, task: Any = None) -> None:
        """Remove codes by id, or all codes of tasks, all of them or none.

        Parameters
        ----------
        ids : int, str or array-like of them, optional
            Of the codes.
        task : int, str or sequence of them, optional
            Tasks, instead of ids. :meth:`compact` deletes their files after ten seconds.

        Raises
        ------
        ValueError
            If an id or a task is unknown, or both or none of them are given.
        """
        from lancedb.expr import col

        if (ids is None) == (task is None):
            raise ValueError("give either ids or task, to say which codes are removed")
        if task is not None:
            self._remove_tasks([task] if np.ndim(task) == 0 else list(task))
            return
        wanted = self._rows.ids(ids, "ids", repeats=True)

        def change() -> None:
            known = set(self._known(wanted))
            unknown = [label for label in wanted.to_pylist() if label not in known]
            if unknown:
                raise ValueError(f"ids are unknown: {unknown[:8]}")
            self._table.delete(col("id").isin(wanted.to_pylist()))

        self._change(change, len(wanted))

    def _remove_tasks(self, labels: list) -> None:
        from lancedb.expr import col

        texts = [text for text in self._rows.tasks(labels, len(labels)) if text is not None]
        if len(texts) < len(labels):
            raise ValueError("task has an entry of None; rows without a task are removed by ids")

        def change() -> None:
            known = self._known_tasks()
            unknown = [label for label, text in zip(labels, texts) if text not in known]
            if unknown:
                raise ValueError(
                    f"task has the unknown label {format_labels(unknown)}; the tasks of the store "
                    f"are {format_labels([label_of(text) for text in known])}"
                )
            self._table.delete(col("task").isin(texts))

        self._change(change, len(labels))

    def compact(self) -> None:
        """Join small files, and delete those that were replaced more than ten seconds ago.

        Happens by itself where `compact_every` is set.
        """
        with self._lock():
            self._table.checkout_latest()
            self._compact()

    def _compact(self) -> None:
        index_ids(self._table)  # a store of an earlier version has no index
        self._table.optimize(cleanup_older_than=_KEEP)

    def _has_many_unindexed(self) -> bool:
        statistics = self._table.index_stats(_INDEX)
        return statistics is None or statistics.num_unindexed_rows >= _MOST_UNINDEXED

    def _change(self, change: Callable[[], Any], n_rows: int) -> None:
        if not n_rows:
            return
        with self._lock():
            self._table.checkout_latest()
            before = self._table.version
            change()
            after = self._table.version
            every = self.compact_every
            if every is None:
                return
            is_large = n_rows >= _LARGE_CHANGE and self._has_many_unindexed()
            if before // every == after // every and not is_large:
                return
            try:
                self._compact()
            except (RuntimeError, OSError) as error:
                # The change itself is on disk: a failed compaction is no error.
                warnings.warn(f"the store in {self.path} was not compacted: {error}", stacklevel=3)

    def _lock(self) -> AbstractContextManager:
        """Writers of a folder take turns; the system ends the turn of one that dies."""
        if is_remote(self.path):
            return nullcontext()
        from filelock import FileLock

        folder = Path(self.path)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / "writer.lock").acquire(poll_interval=0.01)
