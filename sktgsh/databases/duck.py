"""Codes in DuckDB: words of 64 bits in columns of unsigned integers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ..interchange import to_uint64
from .base import DatabaseCodes


class DuckDBCodes(DatabaseCodes):
    """Codes in a table of a DuckDB database, searched exactly.

    The columns ``code0``, ``code1``, ... are UBIGINT. Needs ``pip install sktgsh[duckdb]``.

    Parameters
    ----------
    address : str
        A file, or ``":memory:"``. One process at a time may write to a file.
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
    sktgsh.databases.SQLiteCodes : Another file without a server.
    sktgsh.databases.PostgresCodes : Many writers, and indexes.
    sktgsh.neighbors.HammingNeighbors : Much faster, in memory.

    Notes
    -----
    Sums of bit counts are wide integers: ``bit_count`` itself gives a byte with a sign, so that two
    counts of 64 overflow, and 128 differing bits of a HUGEINT come out as -128, the nearest of all
    (DuckDB 2.0). In DuckDB's SQL ``^`` is a power, and ``xor`` is exclusive or.

    Examples
    --------
    >>> from sktgsh.databases import DuckDBCodes
    >>> with DuckDBCodes(":memory:", n_bits=8) as codes:
    ...     codes.add([[0] * 8, [1] * 8, [1] * 8], ids=[7, 9, 5], task=[1, 1, 2])
    ...     codes.kneighbors([[1] * 7 + [0]], n_neighbors=2)
    ...     codes.kneighbors([[1] * 7 + [0]], n_neighbors=1, filter="id > ?", parameters=[5])
    (array([[1., 1.]]), array([[5, 9]]))
    (array([[1.]]), array([[9]]))
    """

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
            import duckdb
        except ImportError as error:
            raise ImportError("DuckDBCodes needs DuckDB: pip install sktgsh[duckdb]") from error
        self._conflicts = (duckdb.ConstraintException, duckdb.TransactionException)
        return duckdb.connect(self.address)

    def _is_conflict(self, error: Exception) -> bool:
        # A commit that finds the disk full is a TransactionException as well.
        return any(word in str(error).lower() for word in ("conflict", "constraint"))

    def _words(self) -> list[str]:
        return [f"code{word}" for word in range(-(-self.n_bits // 64))]

    def _code_columns(self) -> str:
        return ", ".join(f"{word} ubigint not null" for word in self._words())

    def _insert(self, ids: np.ndarray, tasks: np.ndarray | None, packed: np.ndarray) -> None:
        words = to_uint64(packed, packed=True)
        columns = {"id": ids, **dict(zip(self._words(), words.T.copy()))}
        if tasks is not None:
            columns["task"] = tasks
        names = ", ".join(columns)
        self._connection.register("sktgsh_rows", columns)
        try:
            self._run(f'insert into "{self.table}" ({names}) select {names} from sktgsh_rows')
        finally:
            with suppress(Exception):  # of a failed transaction nothing can be unregistered
                self._connection.unregister("sktgsh_rows")

    def _distance(self) -> str:
        return " + ".join(f"bit_count(xor({word}, ?::ubigint))::integer" for word in self._words())

    def _query(self, row: np.ndarray) -> list:
        return to_uint64(row[None], packed=True)[0].tolist()

    def _among(self, ids: np.ndarray) -> tuple[str, list]:
        return f"id in (select unnest(?::{self._types[self.id_type]}[]))", [ids.tolist()]
