"""Columns of a store: made from arrays, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import as_numbers
from ..checks import check_ids

_FORMAT = "1"
# Share of a feature's extent by which vectors may be rounded when they are stored.
_MOST_ROUNDED = 1e-3
# LanceDB then never inserts an id twice, even when several processes merge at once.
_PRIMARY_KEY = {b"lance-schema:unenforced-primary-key:position": b"1"}


def text_of(label: Any) -> str | None:
    """A task as it is stored: JSON, in which 1 and "1" differ; None for a row without a task."""
    if label is None:
        return None
    if isinstance(label, (str, np.str_)):
        return json.dumps(str.__str__(label), ensure_ascii=False)
    if isinstance(label, Integral) and not isinstance(label, (bool, np.bool_)):
        return json.dumps(int(label))
    raise ValueError(f"task has the label {label!r}; expected integers, strings or None")


def label_of(text: str | None) -> int | str | None:
    """The task that a text stands for."""
    return None if text is None else json.loads(text)


def _version_text(version: str | Mapping) -> str:
    """A version as it is stored: JSON, of a string or of pairs of a task's text and a string."""
    if isinstance(version, str):
        return json.dumps(version)
    return json.dumps([[text_of(label), one] for label, one in version.items()])


def _version_of(text: str) -> str | Mapping:
    version = json.loads(text)
    if isinstance(version, str):
        return version
    return {label_of(label): one for label, one in version}


@dataclass(frozen=True)
class StoreRows:
    """Columns of a store, as they were chosen when it was made."""

    n_bits: int
    id_type: str = "int"
    n_features: int | None = None
    code_version: str | Mapping | None = None
    vector_type: str = "float32"

    def __post_init__(self) -> None:
        for name in ("n_bits", "n_features"):
            value = getattr(self, name)
            if name == "n_features" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name}={value!r}; expected an integer of at least 1")
        if self.vector_type not in ("float32", "float64"):
            raise ValueError(f"vector_type={self.vector_type!r}; expected 'float32' or 'float64'")
        versions = self.code_version
        versions = versions.values() if isinstance(versions, Mapping) else [versions]
        if not all(isinstance(one, (str, type(None))) for one in versions):
            raise ValueError(
                f"code_version={self.code_version!r}; expected a string, a dict of strings by "
                "task, or None"
            )
        if self.id_type not in ("int", "str"):
            raise ValueError(f"id_type={self.id_type!r}; expected 'int' or 'str'")

    @property
    def n_bytes(self) -> int:
        """Bytes of a code."""
        return -(-int(self.n_bits) // 8)

    def schema(self) -> Any:
        """Columns of the table, and what is noted beside them."""
        import pyarrow as pa

        fields = [
            pa.field("id", self._id_type(), nullable=False, metadata=_PRIMARY_KEY),
            pa.field("task", pa.string()),
            pa.field("code", pa.list_(pa.uint8(), self.n_bytes), nullable=False),
        ]
        if self.n_features is not None:
            number = pa.float32() if self.vector_type == "float32" else pa.float64()
            kind = pa.list_(number, int(self.n_features))
            fields.append(pa.field("vector", kind, nullable=False))
        metadata = {"format": _FORMAT, "n_bits": str(self.n_bits)}
        if self.code_version is not None:
            metadata["code_version"] = _version_text(self.code_version)
        return pa.schema(fields, metadata=metadata)

    @classmethod
    def of_schema(cls, schema: Any, path: str) -> StoreRows:
        """The columns of a table; ValueError if it is not a store."""
        metadata = schema.metadata or {}
        if metadata.get(b"format") != _FORMAT.encode() or b"n_bits" not in metadata:
            raise ValueError(f"the table in {path} is not a store of codes")
        id_type = "int" if str(schema.field("id").type) == "int64" else "str"
        kept = "vector" in schema.names
        kind = schema.field("vector").type if kept else None
        n_features = None if kind is None else kind.list_size
        is_double = kind is not None and str(kind.value_type) == "double"
        vector_type = "float64" if is_double else "float32"
        version = metadata.get(b"code_version")
        version = None if version is None else _version_of(version.decode())
        return cls(int(metadata[b"n_bits"]), id_type, n_features, version, vector_type)

    # -- into the table --------------------------------------------------------------------------

    def table(self, packed: np.ndarray, ids: Any, task: Any, vectors: Any) -> Any:
        """Rows to be written."""
        import pyarrow as pa

        id_column = self.ids(ids, "ids", n_rows=len(packed))
        tasks = [None] * len(packed) if task is None else self.tasks(task, len(packed))
        columns = [id_column, pa.array(tasks, pa.string()), _lists(packed)]
        if (vectors is None) != (self.n_features is None):
            state = "no vectors" if self.n_features is None else "vectors"
            raise ValueError(f"the store keeps {state}; give vectors always or never")
        if vectors is not None:
            columns.append(_lists(self._stored(self.vectors(vectors, len(packed)))))
        return pa.table(columns, schema=self.schema())

    def ids(self, ids: Any, name: str, n_rows: int | None = None, repeats: bool = False) -> Any:
        """Ids as a column of their type, all different."""
        import pyarrow as pa

        checked = check_ids(ids, n_rows, name, repeats=repeats)
        expected = "int" if checked.dtype.kind == "i" else "str"
        if len(checked) and expected != self.id_type:
            kinds = {"int": "integers", "str": "strings"}
            raise ValueError(
                f"{name} are {kinds[expected]}, but this store's ids are {kinds[self.id_type]}"
            )
        return pa.array(checked, self._id_type())

    def _id_type(self) -> Any:
        import pyarrow as pa

        return pa.int64() if self.id_type == "int" else pa.string()

    def tasks(self, task: Any, n_rows: int) -> list[str | None]:
        """The stored text of each row's task."""
        if task is None or np.ndim(task) == 0:
            return [text_of(task)] * n_rows
        labels = task.tolist() if isinstance(task, np.ndarray) else list(task)
        if len(labels) != n_rows:
            raise ValueError(
                f"task has {len(labels)} labels for {n_rows} rows of X; give one label per row, or "
                "a single label for all"
            )
        return [text_of(label) for label in labels]

    def vectors(self, vectors: ArrayLike, n_rows: int) -> np.ndarray:
        """Checked vectors in float64."""
        if self.n_features is None:
            raise ValueError("the store keeps no vectors; give n_features when it is made")
        vectors = np.asarray(as_numbers(vectors, "vectors"), np.float64)
        if vectors.shape != (n_rows, self.n_features) or not np.isfinite(vectors).all():
            raise ValueError(
                f"vectors has shape {vectors.shape}; expected finite numbers of shape "
                f"{(n_rows, self.n_features)}"
            )
        return vectors

    def _stored(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors in the type of the store; ValueError where that cannot tell them apart."""
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(vectors, self.vector_type)
        if not np.isfinite(stored).all():
            raise ValueError(
                "vectors has numbers beyond float32; scale them, or make the store with "
                "vector_type='float64'"
            )
        off = np.abs(stored - vectors).max(axis=0, initial=0)
        extent = np.ptp(vectors, axis=0) if len(vectors) else off
        if (off > _MOST_ROUNDED * extent).any() and (extent > 0).any():
            feature = int(np.argmax(off - _MOST_ROUNDED * extent))
            raise ValueError(
                f"vectors has numbers near {vectors[0, feature]:g} that differ by "
                f"{extent[feature]:g} at most in feature {feature}, which float32 rounds by "
                f"{off[feature]:.2g}; subtract their mean, or make the store with "
                "vector_type='float64'"
            )
        return stored

    # -- out of the table ------------------------------------------------------------------------

    def ids_of(self, batch: Any) -> np.ndarray:
        """Ids of a batch, (n_rows,)."""
        return batch["id"].to_numpy(zero_copy_only=False)

    def codes_of(self, batch: Any) -> np.ndarray:
        """Packed codes of a batch, (n_rows, n_bytes)."""
        return batch["code"].flatten().to_numpy().reshape(-1, self.n_bytes)

    def vectors_of(self, batch: Any) -> np.ndarray:
        """Vectors of a batch, (n_rows, n_features)."""
        return batch["vector"].flatten().to_numpy().reshape(-1, self.n_features)


def _lists(rows: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
