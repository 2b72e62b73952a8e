"""A store of codes that outlives the process, on a local folder or an object store: LanceDB."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from ...arrays import as_numbers
from ...bits import pack_bits
from ...codes import check_codes, check_values
from ..checks import versions_differ
from .rows import StoreRows
from .search import StoreSearchMixin
from .writing import StoreWritingMixin, index_ids, is_remote

_TABLE = "codes"


def _address(path: Any) -> str:
    """An absolute folder, whose lock is the same for all, or the address of an object store."""
    text = str(path)
    if text.startswith("file://"):
        url = urlsplit(text)
        if url.netloc not in ("", "localhost"):
            raise ValueError(f"path={text!r} is on the host {url.netloc!r}; give file:///folder")
        text = url2pathname(url.path)
    return text if is_remote(text) else str(Path(text).expanduser().absolute())


class CodeStore(StoreWritingMixin, StoreSearchMixin):
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
    code_version : str or dict of str by task, optional
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
        code_version: str | Mapping | None = None,
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
            is_other = value is not None and value != there
            if name == "code_version" and there is not None:
                is_other = versions_differ(value, there)
            if is_other:
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
            index_ids(table)
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
    def code_version(self) -> str | Mapping | None:
        """Version of the codes, where it was given."""
        return self._rows.code_version

    def __len__(self) -> int:
        self._table.checkout_latest()
        return self._table.count_rows()

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
