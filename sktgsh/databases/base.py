"""A table of codes in a database, by SQL that all of them understand."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..neighbors.checks import name_ids
from .about import VERSION, About, check_table_name, version_notes
from .search import DatabaseSearchMixin

# How often, and how many seconds apart, a table is tried to be made that others are making.
_TURNS, _PAUSE = 40, 0.05


class DatabaseCodes(DatabaseSearchMixin):
    """Codes with ids and tasks, in a table of the user's own database.

    Searches are exact, and of equal distances the smaller id comes first. Each call of :meth:`add`
    or :meth:`remove` is one transaction: all of it happens or nothing. The table has the columns
    ``id``, ``task`` and those of the code, to be joined with others; what else it takes is the
    database's: concurrency, backup, rights. One object is one connection, for one thread.

    A subclass says how to connect, and in what types and by which expressions of SQL codes are
    kept and compared.
    """

    _mark = "?"
    _begin = "begin"
    _types = {"int": "bigint", "str": "text"}
    _exists = "select count(*) from information_schema.tables where table_name = ?"
    # Errors of the driver that mean: an id is there already.
    _conflicts: tuple[type[Exception], ...]

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
        self.address, self.table, self.packed = str(address), check_table_name(table), packed
        version_notes(code_version)
        self.code_version = code_version
        self._connection = self._connect()
        asked = dict(n_bits=n_bits, id_type=id_type, task_type=task_type)
        given = {name: value for name, value in asked.items() if value is not None}
        self._about = self._open(given)
        for name, value in given.items():
            if value != getattr(self._about, name):
                there = getattr(self._about, name)
                raise ValueError(f"{name}={value!r}, but the table {table} has {name}={there!r}")
        with self._transaction() if code_version is not None else nullcontext():
            self._check_version(code_version, writing=True)

    # -- dialect ---------------------------------------------------------------------------------

    def _connect(self) -> Any:
        raise NotImplementedError

    def _code_columns(self) -> str:
        raise NotImplementedError

    def _insert(self, ids: np.ndarray, tasks: np.ndarray | None, packed: np.ndarray) -> None:
        raise NotImplementedError

    def _among(self, ids: np.ndarray) -> tuple[str, list]:
        """The condition that an id is one of these, and its parameters."""
        raise NotImplementedError

    def _is_conflict(self, error: Exception) -> bool:
        """Whether an error of these classes is about ids, where they stand for others, too."""
        return True

    def _run(self, statement: str, parameters: Sequence = ()) -> Any:
        return self._connection.execute(statement, parameters)

    # -- opening ---------------------------------------------------------------------------------

    def _open(self, given: dict) -> About:
        if not self._is_there():
            if "n_bits" not in given:
                raise ValueError(
                    f"there is no table of codes {self.table} in the database; give n_bits to make "
                    "one"
                )
            self._make(About(**given))
        return About.of_notes(self._notes(), self.table)

    def _make(self, about: About) -> None:
        """Create the table, unless another writer does at the same moment and is faster."""
        for turn in range(_TURNS, 0, -1):
            try:
                with self._transaction():
                    if not self._is_there():
                        self._create(about)
                return
            except self._conflicts:
                if turn == 1:
                    raise
                time.sleep(_PAUSE)

    def _is_there(self) -> bool:
        return self._run(self._exists, [f"{self.table}_about"]).fetchone()[0] > 0

    def _create(self, about: About) -> None:
        self._about = about
        types = {name: self._types[getattr(about, f"{name}_type")] for name in ("id", "task")}
        self._run(f'create table "{self.table}_about" (name text primary key, value text not null)')
        self._run(
            f'create table "{self.table}" (id {types["id"]} primary key not null, '
            f"task {types['task']}, {self._code_columns()})"
        )
        self._run(f'create index "{self.table}_task" on "{self.table}" (task)')
        for note in about.notes():
            self._note(*note)

    def _notes(self) -> dict[str, str]:
        return dict(self._run(f'select name, value from "{self.table}_about"').fetchall())

    def _note(self, name: str, value: str) -> None:
        self._run(
            f'insert into "{self.table}_about" (name, value) values ({self._mark}, {self._mark}) '
            "on conflict (name) do update set value = excluded.value",
            [name, value],
        )

    def _hold_version(self, alone: bool) -> None:
        """Keep the version as it is until the transaction ends, where transactions overlap."""

    def _check_version(self, version: str | Mapping | None, *, writing: bool = False) -> None:
        """Raise ValueError unless codes of this version belong to those that are there."""
        asked, there = version_notes(version), self._version_notes()
        if asked.items() <= there.items():
            return
        if writing:
            self._hold_version(alone=True)
            there = self._version_notes()
            if not len(self):
                for name in there.keys() - asked.keys():
                    self._run(f'delete from "{self.table}_about" where name = {self._mark}', [name])
                there = asked
        # Where each task has a version, tasks may come that are not there yet.
        may_come = bool(there) and VERSION not in there and VERSION not in asked
        if any(
            there[name] != one if name in there else not may_come for name, one in asked.items()
        ):
            state = ", ".join(f"{name.removeprefix('code_')} {there[name]!r}" for name in there)
            raise ValueError(
                f"code_version={version!r}, but the table {self.table} holds codes of "
                f"{state or 'no version'}: distances between them mean nothing. Encode the rows "
                "again into another table, or remove those that are there first"
            )
        if writing:
            for name, value in asked.items():
                self._note(name, value)

    def _version_notes(self) -> dict[str, str]:
        return {name: one for name, one in self._notes().items() if name.startswith(VERSION)}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run(self._begin)
        try:
            yield
            self._run("commit")
        except BaseException:
            with suppress(Exception):  # the database may have ended it by itself
                self._run("rollback")
            raise

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self,
        codes: ArrayLike,
        *,
        ids: ArrayLike,
        task: Any = None,
        code_version: str | Mapping | None = None,
    ) -> None:
        """Add codes, all of them or none.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
            Codes.
        ids : array-like of int or str of shape (n_samples,)
            Ids, none of them in the table.
        task : int, str or array-like of shape (n_samples,), optional
            One task label for all rows, or one per row; NULL where it is not given.
        code_version : str or dict of str by task, optional
            Of which version the codes are; by default that of the object. An empty table takes it
            over, one with codes must have it.

        Raises
        ------
        ValueError
            If the width, a type or the version differs, or ids repeat or are there already.
        """
        packed = self._about.codes(codes, self.packed)
        names = self._about.ids(ids, len(packed))
        tasks = self._about.tasks(task, len(packed))
        version = self.code_version if code_version is None else code_version
        try:
            with self._transaction():
                self._hold_version(alone=False)
                self._check_version(version, writing=True)
                if len(packed):
                    self._insert(names, tasks, packed)
        except self._conflicts as error:
            if not self._is_conflict(error):
                raise
            raise ValueError(self._why_not(names)) from error

    def _why_not(self, ids: np.ndarray) -> str:
        condition, parameters = self._among(ids)
        select = f'select id from "{self.table}" where {condition} order by id'
        known = [row[0] for row in self._run(select, parameters).fetchall()]
        if known:
            return f"ids are there already: {name_ids(np.array(known, dtype=object))}"
        return "ids were being added by another writer; nothing of this call was added"

    def remove(self, ids: ArrayLike | None = None, *, task: int | str | None = None) -> None:
        """Remove codes by id, or all codes of a task; all of them or none.

        Parameters
        ----------
        ids : int, str or array-like of them, optional
            Of the codes.
        task : int or str, optional
            In place of ids.

        Raises
        ------
        ValueError
            If an id or the task is unknown, or not exactly one of the two is given.
        """
        if (ids is None) == (task is None):
            raise ValueError("remove takes ids or a task; give one of the two")
        if ids is None:
            labels = np.asarray(self._about.tasks([task], 1))
            condition, parameters = f"task = {self._mark}", labels.tolist()
        else:
            names = self._about.ids(ids)
            condition, parameters = self._among(names)
        with self._transaction():
            delete = f'delete from "{self.table}" where {condition} returning id'
            gone = {row[0] for row in self._run(delete, parameters).fetchall()}
            if ids is None and not gone:
                raise ValueError(f"task={task!r}, and no code in the table is of this task")
            if ids is not None and len(gone) < len(names):
                unknown = [name for name in names.tolist() if name not in gone]
                raise ValueError(f"ids are unknown: {name_ids(np.array(unknown, dtype=object))}")

    # -- the object ------------------------------------------------------------------------------

    @property
    def n_bits(self) -> int:
        """Length of a code."""
        return self._about.n_bits

    @property
    def id_type(self) -> str:
        """Whether ids are ``"int"`` or ``"str"``."""
        return self._about.id_type

    @property
    def task_type(self) -> str:
        """Whether tasks are ``"int"`` or ``"str"``."""
        return self._about.task_type

    def __len__(self) -> int:
        return int(self._run(f'select count(*) from "{self.table}"').fetchone()[0])

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> DatabaseCodes:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __getstate__(self) -> dict:
        return {
            name: getattr(self, name) for name in ("address", "table", "packed", "code_version")
        }

    def __setstate__(self, state: dict) -> None:
        type(self).__init__(self, **state)
