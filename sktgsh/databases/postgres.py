"""Codes in PostgreSQL: a column of type bit(n), and pgvector's indexes on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..interchange import to_bit_string
from .base import DatabaseCodes
from .postgres_index import DistinctIndex
from .search import Found


class PostgresCodes(DatabaseCodes):
    """Codes in a table of a PostgreSQL database, searched exactly or by an index.

    The column ``code`` is of type ``bit(n_bits)``. Needs ``pip install sktgsh[postgres]``; exact
    search needs no extension of the server, an index needs pgvector.

    Parameters
    ----------
    address : str
        The server and database, as libpq takes them: ``"postgresql://user@host/name"``.
    n_bits : int, optional
        Length of a code; needed where the table is new.
    table : str, default="codes"
        Its name. What was chosen when it was made is kept in a table beside it, ``codes_about``.
    packed : bool, default=False
        Whether codes come with eight bits in a byte.
    id_type, task_type : {"int", "str"}, optional
        What ids and tasks are: integers of 64 bits, by default, or strings. Fixed when the table is
        made.
    code_version : str or dict of str by task, optional
        Of which version the codes are that this object adds and asks for: the name of a model, say.
        Kept with the table; another one is an error.
    index : {None, "hnsw", "ivfflat"}, default=None
        Search by an approximate index, which is made if it is not there: of the distinct codes,
        since an index of codes that repeat loses whole groups of copies. Make it when the rows are
        in: ``"ivfflat"`` learns its lists from them, and a graph grows slowly row by row. Without
        an index all rows are read.

    Attributes
    ----------
    n_bits, id_type, task_type
        As the table was made.

    See Also
    --------
    sktgsh.databases.DuckDBCodes : A file, without a server.
    sktgsh.neighbors.CodeStore : Files on an object store.

    Notes
    -----
    The distinct codes stand in a table of their own, ``codes_distinct``, which a trigger fills
    whoever writes. A search asks the index for a few of the nearest, and then for all rows that
    have these codes, by distance and id; where a filter leaves too few it asks for more, and at
    last reads all rows. Strings are ordered by their bytes, whatever the database's collation is.

    Examples
    --------
    >>> from sktgsh.databases import PostgresCodes
    >>> codes = PostgresCodes("postgresql:///shop", n_bits=64)  # doctest: +SKIP
    >>> codes.add(hasher.transform(X), ids=numbers, task="shoes")  # doctest: +SKIP
    >>> codes.kneighbors(hasher.transform(Q), 10, task="shoes")  # doctest: +SKIP
    """

    _mark = "%s"
    _types = {"int": "bigint", "str": 'text collate "C"'}
    _exists = (
        "select count(*) from information_schema.tables "
        "where table_name = %s and table_schema = any(current_schemas(false))"
    )

    def __init__(
        self,
        address: str,
        n_bits: int | None = None,
        *,
        table: str = "codes",
        packed: bool = False,
        id_type: str | None = None,
        task_type: str | None = None,
        code_version: str | Mapping | None = None,
        index: str | None = None,
    ):
        chosen: dict = dict(id_type=id_type, task_type=task_type, code_version=code_version)
        super().__init__(address, n_bits, table=table, packed=packed, **chosen)
        self.index = index
        self._index = None
        if index is not None:
            self._index = DistinctIndex(self._run, table, index, self.n_bits)
            with self._transaction():
                self._index.make()

    def _connect(self) -> Any:
        try:
            import psycopg
        except ImportError as error:
            raise ImportError(
                "PostgresCodes needs psycopg: pip install sktgsh[postgres]"
            ) from error
        errors = psycopg.errors
        # Which one comes depends on how far the other writer of the same table is.
        self._conflicts = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject)
        return psycopg.connect(self.address, autocommit=True)

    def _hold_version(self, alone: bool) -> None:
        how = "update" if alone else "share"
        self._run(f"select 1 from \"{self.table}_about\" where name = 'format' for {how}")

    def _code_columns(self) -> str:
        return f"code bit({self.n_bits}) not null"

    def _insert(self, ids: np.ndarray, tasks: np.ndarray | None, packed: np.ndarray) -> None:
        labels = [None] * len(ids) if tasks is None else tasks.tolist()
        text = to_bit_string(packed, packed=True, n_bits=self.n_bits).tolist()
        copy = f'copy "{self.table}" (id, task, code) from stdin'
        with self._connection.cursor().copy(copy) as rows:
            for row in zip(ids.tolist(), labels, text):
                rows.write_row(row)

    def _distance(self) -> str:
        return f"bit_count(code # %s::bit({self.n_bits}))::integer"

    def _query(self, row: np.ndarray) -> list:
        return to_bit_string(row[None], packed=True, n_bits=self.n_bits).tolist()

    def _among(self, ids: np.ndarray) -> tuple[str, list]:
        return f"id = any(%s::{self._types[self.id_type].split()[0]}[])", [ids.tolist()]

    def _nearest(self, row: np.ndarray, k: int, where: str, values: list) -> Found:
        if self._index is None:
            return super()._nearest(row, k, where, values)
        with self._transaction():
            for codes, farthest in self._index.nearest(self._query(row)[0], k):
                among = f"{where} and code = any(%s::bit({self.n_bits})[])"
                found = super()._nearest(row, k, among, [*values, codes])
                # Of codes at the last distance, the index may not have given all.
                if len(found) == k and found[-1][1] < farthest:
                    return found
            return super()._nearest(row, k, where, values)

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "index": self.index}
