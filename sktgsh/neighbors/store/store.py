"""A store of codes that outlives the process, on a local folder or an object store: LanceDB."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from numbers import Integral
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from numpy.typing import ArrayLike

from ...bits import pack_bits
from ...codes import as_numbers, check_codes, check_values
from ...tasks import format_labels
from ..checks import check_code_version
from .rows import StoreRows, label_of
from .search import StoreSearchMixin

_TABLE = "codes"
# How long files that a compaction replaced stay for those who still read them.
_KEEP = timedelta(seconds=10)
# LanceDB's name of the index on ids. Rows that came after its last update are scanned, so it is
# updated once there are many; that is looked up after changes of some size.
_INDEX = "id_idx"
_MOST_UNINDEXED = 1 << 14
_LARGE_CHANGE = 1 << 10


def _is_remote(path: str) -> bool:
    return "://" in path


def _address(path: Any) -> str:
    """An absolute folder, whose lock is the same for all, or the address of an object store."""
    text = str(path)
    if text.startswith("file://"):
        url = urlsplit(text)
        if url.netloc not in ("", "localhost"):
            raise ValueError(f"path={text!r} is on the host {url.netloc!r}; give file:///folder")
        text = url2pathname(url.path)
    return text if _is_remote(text) else str(Path(text).expanduser().absolute())


def _index_ids(table: Any) -> None:
    """Let LanceDB find ids without reading all of them."""
    from lancedb.index import BTree

    if any(index.name == _INDEX for index in table.list_indices()):
        return
    # On an object store, another process may make it at the same moment.
    with suppress(RuntimeError, OSError):
        table.create_index("id", config=BTree(), name=_INDEX)


class CodeStore(StoreSearchMixin):
    """Codes with ids and tasks, and vectors if wanted, kept in a LanceDB table.

    Each call of :meth:`add`, :meth:`upsert` or :meth:`remove` is one transaction: when it has
    returned, its rows are on disk; where the process dies before, none of them is. Any number of
    processes and threads may use a store at once. Needs ``pip install sktgsh[store]``.

    Parameters
    ----------
    path : str
        A folder (``~`` is the home folder), or the address of an object store
        (``s3://bucket/folder``).
    n_bits : int, optional
        Length of a code; needed where the store is new.
    packed : bool, default=False
        Whether codes come with eight bits in a byte.
    id_type : {"int", "str"}, optional
        What ids are: integers of 64 bits, by default, or strings. Fixed when the store is made.
    n_features : int, optional
        Width of the vectors that are kept beside the codes, to rescore by; by default there are
        none. Fixed when the store is made.
    code_version : str, optional
        The `code_version_` of the hasher whose codes are kept. Codes of another version are then
        refused. Fixed when the store is made.
    vector_type : {"float32", "float64"}, optional
        How vectors are kept, by default in float32. Vectors that this would round by more than a
        thousandth of a feature's extent are refused. Fixed when the store is made.
    compact_every : int or None, default=64
        Number of changes, by whatever process, after which small files are joined. None leaves
        that to :meth:`compact`.
    storage_options : dict, optional
        Given to LanceDB: credentials of an object store. They are part of a pickle.

    Attributes
    ----------
    n_bits, n_features, id_type, code_version
        As the store was made.

    See Also
    --------
    sktgsh.neighbors.HammingNeighbors : Search by Hamming distance, in memory.

    Notes
    -----
    In a folder, writers take turns by a file lock, which the system lets go of when a process dies;
    readers never wait. On an object store there is no such lock: ids are still unique, but of two
    calls of `add` with common ids at the same moment, one raises and may have added the others.

    A search reads all codes of its tasks once, for all its queries: pass many at once, or search in
    memory (:meth:`to_index`).

    Examples
    --------
    >>> import tempfile
    >>> from sktgsh.neighbors import CodeStore
    >>> folder = tempfile.mkdtemp()
    >>> CodeStore(folder, n_bits=8).add([[0] * 8, [1] * 8], ids=[7, 9], task="a")
    >>> distances, ids = CodeStore(folder).kneighbors([[1] * 7 + [0]], n_neighbors=1, task="a")
    >>> distances, ids
    (array([[1.]]), array([[9]]))
    """

    def __init__(
        self,
        path: str,
        n_bits: int | None = None,
        *,
        packed: bool = False,
        id_type: str | None = None,
        n_features: int | None = None,
        code_version: str | None = None,
        vector_type: str | None = None,
        compact_every: int | None = 64,
        storage_options: dict | None = None,
    ):
        try:
            import lancedb
        except ImportError as error:
            raise ImportError("CodeStore needs LanceDB: pip install sktgsh[store]") from error
        self.path, self.packed = _address(path), packed
        self.compact_every, self.storage_options = compact_every, storage_options
        if compact_every is not None and (
            isinstance(compact_every, bool)
            or not isinstance(compact_every, Integral)
            or compact_every < 1
        ):
            raise ValueError(
                f"compact_every={compact_every!r}; expected a positive integer or None"
            )
        database = lancedb.connect(self.path, storage_options=storage_options)
        asked = dict(
            n_bits=n_bits,
            id_type=id_type,
            n_features=n_features,
            code_version=code_version,
            vector_type=vector_type,
        )
        self._table = self._open(database, asked)
        self._rows = StoreRows.of_schema(self._table.schema, self.path)
        for name, value in asked.items():
            there = getattr(self._rows, name)
            if value is not None and value != there:
                raise ValueError(f"{name}={value!r}, but the store has {name}={there!r}")

    def _open(self, database: Any, asked: dict) -> Any:
        try:
            return database.open_table(_TABLE)
        except (ValueError, OSError, RuntimeError) as error:
            if "not found" not in str(error).lower():
                raise self._unreadable(error) from error
            if asked["n_bits"] is None:
                raise ValueError(
                    f"there is no store in {self.path}; give n_bits to make one"
                ) from error
        chosen: dict[str, Any] = {"id_type": "int", "vector_type": "float32"}
        chosen |= {name: value for name, value in asked.items() if value is not None}
        rows = StoreRows(**chosen)
        with self._lock():
            table = database.create_table(_TABLE, schema=rows.schema(), exist_ok=True)
            _index_ids(table)
            return table

    def __getstate__(self) -> dict:
        names = ("path", "packed", "compact_every", "storage_options")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict) -> None:
        CodeStore.__init__(self, **state)

    @property
    def n_bits(self) -> int:
        """Length of a code."""
        return self._rows.n_bits

    @property
    def id_type(self) -> str:
        """Whether ids are ``"int"`` or ``"str"``."""
        return self._rows.id_type

    @property
    def n_features(self) -> int | None:
        """Width of the vectors, or None."""
        return self._rows.n_features

    @property
    def code_version(self) -> str | None:
        """Version of the codes, where it was given."""
        return self._rows.code_version

    def __len__(self) -> int:
        self._table.checkout_latest()
        return self._table.count_rows()

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self,
        X: ArrayLike,
        *,
        ids: ArrayLike,
        task: Any = None,
        vectors: ArrayLike | None = None,
        code_version: str | None = None,
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
        code_version : str, optional
            Version of these codes.

        Raises
        ------
        ValueError
            If the width or the version differs, ids repeat or are there already, or vectors would
            lose their digits.
        """
        check_code_version(code_version, self.code_version)
        rows = self._rows.table(self._pack(X), ids, task, vectors)

        def change() -> None:
            known = self._known(rows["id"])
            if known:
                raise ValueError(f"ids are there already: {known[:8]}")
            # Where another process was faster on an object store, its rows stay.
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
        code_version: str | None = None,
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
        check_code_version(code_version, self.code_version)
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
            Tasks, in place of ids. Their files go at the next compaction after ten seconds:
            :meth:`compact`.

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
        _index_ids(self._table)  # a store of an earlier version has no index
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
                # The change itself is on disk, and that is what the caller asked for.
                warnings.warn(f"the store in {self.path} was not compacted: {error}", stacklevel=3)

    def _lock(self) -> AbstractContextManager:
        """Writers of a folder take turns; the system ends the turn of one that dies."""
        if _is_remote(self.path):
            return nullcontext()
        from filelock import FileLock

        folder = Path(self.path)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / "writer.lock").acquire(poll_interval=0.01)

    # -- checks ----------------------------------------------------------------------------------

    def _pack(self, X: Any) -> np.ndarray:
        X = np.asarray(as_numbers(X, "X"))
        packed = X if self.packed else pack_bits(check_codes(X, "X"))
        width = self._rows.n_bytes if self.packed else self.n_bits
        if X.ndim != 2 or X.shape[1] != width or packed.dtype != np.uint8:
            raise ValueError(
                f"X has shape {X.shape} and dtype {X.dtype}; this store takes codes {width} wide"
            )
        spare = 8 * self._rows.n_bytes - self.n_bits
        if self.packed and (packed[:, -1] & ((1 << spare) - 1)).any():
            raise ValueError(f"X has bits set beyond the {self.n_bits} of a code; they must be 0")
        return np.ascontiguousarray(packed)

    def _values(self, X: Any) -> np.ndarray:
        values = check_values(X, "X")
        if values.shape[1] != self.n_bits:
            raise ValueError(
                f"X has shape {values.shape}; real-valued queries are {self.n_bits} wide"
            )
        return values
