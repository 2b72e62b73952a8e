"""A store of codes that outlives the process, on a local folder or an object store: LanceDB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..codes import check_codes
from ..tasks import check_task
from .hamming import HammingNeighbors

_TABLE = "codes"


def _quoted(label: Any) -> str:
    return "'" + str(label).replace("'", "''") + "'"


class CodeStore:
    """Codes with ids and tasks, kept in a LanceDB table.

    Each call of :meth:`add` or :meth:`remove` is one transaction: when it has returned, its rows
    are on disk; where the process dies before, none of them is. A store can be opened by other
    processes at the same time. Needs ``pip install sktgsh[store]``.

    Parameters
    ----------
    path : str
        A folder, or the address of an object store (``s3://bucket/folder``).
    n_bits : int, optional
        Length of a code; needed where the store is new.
    packed : bool, default=False
        Whether codes come with eight bits in a byte.
    storage_options : dict, optional
        Given to LanceDB: credentials of an object store.

    Attributes
    ----------
    n_bits : int
        Length of a code.

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
        storage_options: dict | None = None,
    ):
        try:
            import lancedb
        except ImportError as error:
            raise ImportError("CodeStore needs LanceDB: pip install sktgsh[store]") from error
        self.path, self.packed = str(path), packed
        database = lancedb.connect(self.path, storage_options=storage_options)
        try:
            self._table = database.open_table(_TABLE)
        except (ValueError, FileNotFoundError) as error:
            if "not found" not in str(error).lower():
                raise self._unreadable(error) from error
            if n_bits is None:
                raise ValueError(
                    f"there is no store in {self.path}; give n_bits to make one"
                ) from error
            self._table = database.create_table(_TABLE, schema=self._schema(n_bits))
        self.n_bits = self._read_n_bits()
        if n_bits is not None and n_bits != self.n_bits:
            raise ValueError(f"n_bits={n_bits}, but the store holds codes of {self.n_bits} bits")

    @staticmethod
    def _schema(n_bits: int) -> Any:
        import pyarrow as pa

        if n_bits < 1:
            raise ValueError(f"n_bits={n_bits}; expected at least 1")
        return pa.schema(
            [
                pa.field("id", pa.int64(), nullable=False),
                pa.field("task", pa.string()),
                pa.field("code", pa.list_(pa.uint8(), -(-n_bits // 8)), nullable=False),
            ],
            metadata={"n_bits": str(n_bits)},
        )

    def _read_n_bits(self) -> int:
        try:
            return int(self._table.schema.metadata[b"n_bits"])
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"the table in {self.path} is not a store of codes") from error

    def __len__(self) -> int:
        self._table.checkout_latest()
        return self._table.count_rows()

    def add(self, X: ArrayLike, *, ids: ArrayLike, task: Any = None) -> None:
        """Add codes, all of them or none.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
            Codes.
        ids : array-like of int of shape (n_samples,)
            Ids, none of them in the store.
        task : int, str or array-like of shape (n_samples,), optional
            Tasks.

        Raises
        ------
        ValueError
            If the width differs, or ids repeat or are there already.
        """
        import pyarrow as pa

        packed = self._pack(X)
        ids = np.asarray(ids)
        if ids.shape != (len(packed),) or (len(ids) and ids.dtype.kind not in "iu"):
            raise ValueError(f"ids has shape {ids.shape}; expected one integer for each row of X")
        if len(np.unique(ids)) < len(ids):
            raise ValueError("ids has repeated entries")
        known = self._known(ids)
        if len(known):
            raise ValueError(f"ids are there already: {known[:8].tolist()}")
        tasks = [None] * len(ids)
        if task is not None:
            tasks = [str(label) for label in check_task(task, len(packed))]
        codes = pa.FixedSizeListArray.from_arrays(pa.array(packed.ravel()), packed.shape[1])
        columns = [pa.array(ids, pa.int64()), pa.array(tasks, pa.string()), codes]
        self._table.add(pa.table(columns, schema=self._table.schema))

    def remove(self, ids: ArrayLike) -> None:
        """Remove codes by id, all of them or none.

        Raises
        ------
        ValueError
            If an id is unknown.
        """
        ids = np.atleast_1d(np.asarray(ids))
        unknown = np.setdiff1d(ids, self._known(ids))
        if len(unknown):
            raise ValueError(f"ids are unknown: {unknown[:8].tolist()}")
        if len(ids):
            self._table.delete(self._among(ids))

    def kneighbors(
        self, X: ArrayLike, n_neighbors: int = 5, *, task: int | str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest codes of each query; see :meth:`HammingNeighbors.kneighbors`.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), dtype float64
        ids : ndarray of shape (n_queries, n_neighbors), dtype int64
        """
        packed = self._pack(X)
        self._table.checkout_latest()
        available = self._table.count_rows(self._of_task(task))
        if n_neighbors > available:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {n_neighbors}, "
                f"n_samples_fit = {available}, n_samples = {len(packed)}"
            )
        distances = np.empty((len(packed), n_neighbors))
        ids = np.empty((len(packed), n_neighbors), np.int64)
        for row, code in enumerate(packed):
            found = self._nearest(code, n_neighbors, task)
            distances[row] = found["_distance"].to_numpy()
            ids[row] = found["id"].to_numpy()
        return distances, ids

    def _nearest(self, code: np.ndarray, n_neighbors: int, task: Any) -> Any:
        query = self._table.search(code, vector_column_name="code").distance_type("hamming")
        if task is not None:
            query = query.where(self._of_task(task), prefilter=True)
        try:
            return query.select(["id", "_distance"]).limit(n_neighbors).to_arrow()
        except (RuntimeError, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> ValueError:
        return ValueError(
            f"the store in {self.path} cannot be read ({error}); restore its files from a copy"
        )

    def to_index(self, **params: Any) -> HammingNeighbors:
        """All codes, ids and tasks in an index in memory, which is much faster to search.

        Parameters
        ----------
        **params
            Of :class:`HammingNeighbors`.
        """
        self._table.checkout_latest()
        try:
            rows = self._table.to_arrow()
        except (RuntimeError, OSError) as error:
            raise self._unreadable(error) from error
        if not len(rows):
            raise ValueError(f"the store in {self.path} is empty")
        n_bytes = -(-self.n_bits // 8)
        packed = rows["code"].combine_chunks().flatten().to_numpy().reshape(-1, n_bytes)
        tasks = rows["task"].to_pylist()
        task = tasks if all(label is not None for label in tasks) else None
        if not self.packed:
            packed = np.unpackbits(packed, axis=1, count=self.n_bits)
        index = HammingNeighbors(packed=self.packed, **params)
        return index.fit(packed, ids=rows["id"].to_numpy(), task=task)

    def _pack(self, X: Any) -> np.ndarray:
        X = np.asarray(X)
        packed = X if self.packed else np.packbits(check_codes(X, "X"), axis=1)
        width = -(-self.n_bits // 8) if self.packed else self.n_bits
        if X.ndim != 2 or X.shape[1] != width or packed.dtype != np.uint8:
            raise ValueError(f"X has shape {X.shape}; this store takes codes {width} wide")
        return np.ascontiguousarray(packed)

    def _known(self, ids: np.ndarray) -> np.ndarray:
        if not len(ids):
            return ids
        self._table.checkout_latest()
        query = self._table.search().where(self._among(ids)).select(["id"]).limit(len(ids))
        return query.to_arrow()["id"].to_numpy()

    @staticmethod
    def _among(ids: np.ndarray) -> str:
        return f"id IN ({', '.join(map(str, ids.tolist()))})"

    @staticmethod
    def _of_task(task: Any) -> str | None:
        return None if task is None else f"task = {_quoted(task)}"
