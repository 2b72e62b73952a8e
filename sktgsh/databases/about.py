"""The description of a table of codes, fixed when it is made, and checks of input against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any

import numpy as np

from ..bits import pack_bits
from ..codes import check_codes, unpack_codes
from ..neighbors.checks import check_ids
from ..tasks import check_task

_FORMAT = "1"
# Name of the note of a version; where each task has one, the task's label follows.
VERSION = "code_version"


def version_notes(version: Any) -> dict[str, str]:
    """Names and values of the notes that say of which version codes are.

    Raises
    ------
    ValueError
        Unless the version is a string, a mapping of strings by task, or None.
    """
    by_task = version if isinstance(version, Mapping) else {}
    single = {} if version is None or isinstance(version, Mapping) else {VERSION: version}
    notes = single | {f"{VERSION} of task {label}": one for label, one in by_task.items()}
    if not all(isinstance(one, str) for one in notes.values()):
        raise ValueError(
            f"code_version={version!r}; expected a string, a dict of strings by task, or None"
        )
    return notes


def check_table_name(table: Any) -> str:
    """A name that needs no care in SQL, or ValueError."""
    if not isinstance(table, str) or not re.fullmatch("[a-z_][a-z0-9_]{0,39}", table):
        raise ValueError(
            f"table={table!r}; expected at most 40 lower-case letters, digits and underscores, no "
            "digit first"
        )
    return table


@dataclass(frozen=True)
class About:
    """Fixed when the table is made.

    Attributes
    ----------
    n_bits : int
    id_type, task_type : {"int", "str"}
    """

    n_bits: int
    id_type: str = "int"
    task_type: str = "int"

    def __post_init__(self) -> None:
        n_bits = self.n_bits
        if isinstance(n_bits, bool) or not isinstance(n_bits, Integral) or n_bits < 1:
            raise ValueError(f"n_bits={n_bits!r}; expected an integer of at least 1")
        for name in ("id_type", "task_type"):
            if getattr(self, name) not in ("int", "str"):
                raise ValueError(f"{name}={getattr(self, name)!r}; expected 'int' or 'str'")

    def notes(self) -> list[tuple[str, str]]:
        """Name and value of each, as text."""
        return [("format", _FORMAT), *((name, str(value)) for name, value in asdict(self).items())]

    @classmethod
    def of_notes(cls, notes: Mapping[str, str], table: str) -> About:
        """Read again; ValueError if a newer version of the package made them."""
        if notes.get("format") != _FORMAT:
            raise ValueError(
                f"the table {table} has the format {notes.get('format')}, and this version reads "
                f"{_FORMAT}; update sktgsh"
            )
        return cls(int(notes["n_bits"]), notes["id_type"], notes["task_type"])

    # -- what comes ------------------------------------------------------------------------------

    def codes(self, codes: Any, packed: bool) -> np.ndarray:
        """Packed codes of the table's width."""
        codes = np.asarray(codes)
        if packed:
            return pack_bits(unpack_codes(codes, self.n_bits))
        bits = check_codes(codes)
        if bits.shape[1] != self.n_bits:
            raise ValueError(
                f"codes are {bits.shape[1]} bits wide, and those of the table {self.n_bits}"
            )
        return pack_bits(bits)

    def ids(self, ids: Any, n_rows: int | None = None) -> np.ndarray:
        """Ids of the table's type, all different."""
        checked = check_ids(ids, n_rows, repeats=False)
        kind = "int" if checked.dtype.kind == "i" else "str"
        if len(checked) and kind != self.id_type:
            raise ValueError(f"ids are {kind}, and those of the table {self.id_type}")
        return checked

    def tasks(self, task: Any, n_rows: int) -> np.ndarray | None:
        """A task of the table's type for each row, or None."""
        if task is None:
            return None
        labels = check_task(task, n_rows)
        kind = "int" if labels.dtype.kind == "i" else "str"
        if len(labels) and kind != self.task_type:
            raise ValueError(
                f"task has the label {labels.tolist()[0]!r} of type {kind}; those of the table are "
                f"{self.task_type}"
            )
        return labels
