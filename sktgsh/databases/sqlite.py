"""Codes in SQLite: bytes in a plain table, compared by sqlite-vec's function."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..interchange import to_bytes
from .base import DatabaseCodes

# Seconds that a writer waits for another one.
_PATIENCE = 60


class SQLiteCodes(DatabaseCodes):
    """Codes in a table of an SQLite database, searched exactly.

    The column ``code`` is a BLOB. Needs ``pip install sktgsh[sqlite]``, which brings sqlite-vec,
    and where Python's own SQLite cannot load extensions another one.

    Parameters
    ----------
    address : str
        A file, or ``":memory:"``. Writers of several processes take turns.
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

    Attributes
    ----------
    n_bits, id_type, task_type
        As the table was made.

    See Also
    --------
    sktgsh.databases.DuckDBCodes : Faster over all rows of a large table.
    sktgsh.databases.PostgresCodes : Many writers, and indexes.

    Notes
    -----
    The table is a plain one: sqlite-vec's virtual tables scan about four times as fast, but take at
    most 4,096 neighbours, cannot order equal distances by id, and do not take part in a condition
    over other tables. Each blob goes through ``vec_bit``: sqlite-vec reads a bare one as floats.
    Where two processes make one new file in the same moment, one of them may have to wait.

    Examples
    --------
    >>> from sktgsh.databases import SQLiteCodes
    >>> with SQLiteCodes(":memory:", n_bits=8) as codes:
    ...     codes.add([[0] * 8, [1] * 8, [1] * 8], ids=[7, 9, 5], task=[1, 1, 2])
    ...     codes.kneighbors([[1] * 7 + [0]], n_neighbors=2)
    ...     codes.kneighbors([[1] * 7 + [0]], n_neighbors=1, task=1)
    (array([[1., 1.]]), array([[5, 9]]))
    (array([[1.]]), array([[9]]))
    """

    _begin = "begin immediate"
    _types = {"int": "integer", "str": "text"}
    _exists = "select count(*) from sqlite_master where name = ?"

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
    ):
        chosen: dict = dict(id_type=id_type, task_type=task_type, code_version=code_version)
        super().__init__(address, n_bits, table=table, packed=packed, **chosen)

    def _connect(self) -> Any:
        try:
            import sqlite_vec

            driver = _driver()
        except ImportError as error:
            raise ImportError(
                "SQLiteCodes needs sqlite-vec, and an SQLite that loads extensions: "
                "pip install sktgsh[sqlite]"
            ) from error
        self._conflicts = (driver.IntegrityError,)
        connection = driver.connect(self.address, timeout=_PATIENCE, isolation_level=None)
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
        return connection

    def _code_columns(self) -> str:
        return "code blob not null"

    def _insert(self, ids: np.ndarray, tasks: np.ndarray | None, packed: np.ndarray) -> None:
        labels = [None] * len(ids) if tasks is None else tasks.tolist()
        rows = zip(ids.tolist(), labels, to_bytes(packed, packed=True))
        insert = f'insert into "{self.table}" (id, task, code) values (?, ?, ?)'
        self._connection.executemany(insert, rows)

    def _distance(self) -> str:
        return "cast(vec_distance_hamming(vec_bit(code), vec_bit(?)) as integer)"

    def _query(self, row: np.ndarray) -> list:
        return [row.tobytes()]

    def _among(self, ids: np.ndarray) -> tuple[str, list]:
        return "id in (select value from json_each(?))", [json.dumps(ids.tolist())]


def _driver() -> Any:
    """Python's own SQLite if it loads extensions, or the one that is built to."""
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    import pysqlite3

    return pysqlite3
