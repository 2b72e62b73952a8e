"""Samples of all types, in all containers, and rows of all sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.fixes import parse_version

from .harness import N_ROWS, NAMES, Case, Subject, Y, quietly, read_only, refit


class Readable:
    """Only what NumPy asks for."""

    def __init__(self, values: np.ndarray):
        self.values, self.shape = values, values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype)

    def __len__(self) -> int:
        return len(self.values)


class Named(np.ndarray):
    """A subclass of ndarray."""


FOLDER = TemporaryDirectory()


def memory_mapped(values: np.ndarray) -> np.ndarray:
    path = Path(FOLDER.name) / f"{abs(hash(values.tobytes()))}.npy"
    if not path.exists():
        np.save(path, values)
    return np.load(path, mmap_mode="r")


def strided(values: np.ndarray) -> np.ndarray:
    wide = np.full((2 * len(values), 3 * values.shape[1]), 77.0)
    wide[::2, ::3] = values
    return wide[::2, ::3]


def backwards(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[::-1, ::-1])[::-1, ::-1]


def unaligned(values: np.ndarray) -> np.ndarray:
    raw = np.zeros(values.nbytes + 1, np.uint8)
    moved = raw[1:].view(values.dtype).reshape(values.shape)
    moved[:] = values
    return moved


DENSE: dict[str, Callable[[np.ndarray], Any]] = {
    **{
        name: lambda v, name=name: v.astype(name)
        for name in "float16 float32 longdouble int8 int16 int32 int64".split()
    },
    **{name: lambda v, name=name: v.astype(name) for name in "uint8 uint16 uint32 uint64".split()},
    "object": lambda v: v.astype(object),
    "list of lists": lambda v: v.tolist(),
    "tuple of arrays": lambda v: tuple(v),
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "negative strides": backwards,
    "unaligned": unaligned,
    "read-only": read_only,
    "read-only float32": lambda v: read_only(v.astype(np.float32)),
    "memory-mapped": memory_mapped,
    "byte-swapped float64": lambda v: v.astype(">f8"),
    "byte-swapped float32": lambda v: v.astype(">f4"),
    "byte-swapped int32": lambda v: v.astype(">i4"),
    "masked array without a mask": np.ma.array,
    "subclass of ndarray": lambda v: v.view(Named),
    "object with __array__": Readable,
    "torch": torch.from_numpy,
    "torch float32": lambda v: torch.from_numpy(v).float(),
    "torch with gradient": lambda v: (
        torch.from_numpy(v.astype(np.float64))
        .requires_grad_()
        .detach()
        .to(torch.from_numpy(v).dtype)
    ),
    "pandas": pd.DataFrame,
    "pandas of several types": lambda v: pd.DataFrame(v).astype({0: "int8", 1: "float32"}),
    "pandas Int64": lambda v: pd.DataFrame(v).astype("Int64"),
    "pandas Float64": lambda v: pd.DataFrame(v).astype("Float64"),
    "pandas with an index of its own": lambda v: pd.DataFrame(v, index=list("a" * len(v))),
}
SPARSE: dict[str, Callable[[np.ndarray], Any]] = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "lil_matrix": sparse.lil_matrix,
    "csr of int8": lambda v: sparse.csr_array(v.astype(np.int8)),
    "csr of float32": lambda v: sparse.csr_array(v.astype(np.float32)),
}


def container_cases() -> Iterator[Case]:
    for name, make in DENSE.items():
        yield _asked(name, make, where=_any)
    for name, make in SPARSE.items():
        yield _asked(name, make, where=lambda s: s.is_sparse)
        yield _asked(f"{name}, not supported", make, "[Ss]parse", lambda s: not s.is_sparse)
    named = {"pandas with names": pd.DataFrame, "polars": pl.DataFrame}
    for name, frame in named.items():

        def with_names(m: Any, s: Subject, frame: Any = frame) -> np.ndarray:
            data = frame(dict(zip(NAMES, s.samples.T)))
            return s.ask(quietly(lambda: clone(s.estimator).fit(data, Y)), data)

        yield Case("transform", name, with_names, expected=_same, where=_any)
    for name in ("float32", "uint8", "list of lists", "Fortran order", "read-only", "strided"):
        yield _refitted(name)
    for name in ("memory-mapped", "torch", "byte-swapped int32", "pandas Int64", "object"):
        yield _refitted(name)


def _any(subject: Subject) -> bool:
    return True


def _takes_numbered_columns(subject: Subject) -> bool:
    """ColumnTransformer of scikit-learn 1.8 names columns without names twice, and refuses them."""
    return subject.name != "FeaturesOnly" or parse_version(sklearn.__version__) >= parse_version(
        "1.9"
    )


def _same(subject: Subject) -> np.ndarray:
    return subject.codes


def _asked(name: str, make: Callable, error: str | None = None, where: Callable = _any) -> Case:
    def run(model: Any, subject: Subject) -> Any:
        return subject.ask(model, make(subject.samples))

    return Case("transform", name, run, error, None if error else _same, where)


def _refitted(name: str) -> Case:
    where = _takes_numbered_columns if name == "pandas Int64" else _any
    return Case(
        "fit", name, lambda m, s: refit(s, DENSE[name](s.samples)), expected=_same, where=where
    )


def row_cases() -> Iterator[Case]:
    chosen = {
        "one row": np.array([4]),
        "the same row many times": np.full(7, 4),
        "backwards": np.arange(N_ROWS)[::-1],
        "one row more than a batch": np.arange(129) % N_ROWS,
        "several batches": np.arange(300) % N_ROWS,
    }
    for name, rows in chosen.items():
        yield Case(
            "rows",
            name,
            lambda m, s, rows=rows: s.ask(m, s.samples[rows]),
            expected=lambda s, rows=rows: s.codes[rows],
            where=_any,
        )
