"""Samples that are none, and samples that are odd but sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse
from sklearn.base import clone

from sktgsh.metrics import mean_average_precision

from .harness import N_FEATURES, N_ROWS, NAMES, Case, Subject, X, Y, with_value

BAD_SAMPLES: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "NaN": (lambda X: with_value(np.nan, samples=X), "X contains NaN"),
    "NaN in float32": (lambda X: with_value(np.nan, np.float32, X), "X contains NaN"),
    "infinity": (lambda X: with_value(np.inf, samples=X), "X contains infinity"),
    "minus infinity": (lambda X: with_value(-np.inf, samples=X), "X contains infinity"),
    "too large for float32": (lambda X: with_value(1e300, samples=X), "X .*too large"),
    "None among numbers": (lambda X: with_value(None, object, X), "X contains NaN"),
    "text among numbers": (lambda X: with_value("a", object, X), "could not convert string"),
    "text": (lambda X: np.full(X.shape, "ä"), "convert string|could not convert"),
    "bytes": (lambda X: np.full(X.shape, b"a"), "convert|bytes"),
    "complex": (lambda X: X + 1j, "[Cc]omplex"),
    "moments": (lambda X: X.astype("datetime64[s]"), "datetime64"),
    "spans of time": (lambda X: X.astype("timedelta64[s]"), "timedelta64"),
    "records": (lambda X: np.zeros(N_ROWS, "f8,i4"), "dtype|[Vv]oid|array"),
    "masked values": (lambda X: np.ma.array(X, mask=X == X[3, 5]), "X .*masked"),
    "pandas with a missing value": (
        lambda X: pd.DataFrame(with_value(np.nan, samples=X)),
        "X contains NaN",
    ),
    "pandas Int64 with NA": (
        lambda X: pd.DataFrame(with_value(np.nan, samples=X)).astype("Int64"),
        "X contains NaN",
    ),
    "pandas with text": (lambda X: pd.DataFrame(X).assign(**{"3": "a"}), "[Ff]eature|convert"),
    "pandas with a column of moments": (
        lambda X: pd.DataFrame(X[:, 1:]).assign(when=pd.Timestamp("2020-01-01")),
        "X has values of type datetime64",
    ),
    "one dimension": (lambda X: X[0], "Expected 2D array|inconsistent numbers of samples"),
    "three dimensions": (lambda X: X[:, :, None], "dim 3|3 dim"),
    "a number": (lambda X: 3.0, "Expected 2D array"),
    "nothing": (lambda X: None, "Expected 2D array|None"),
    "a string": (lambda X: "samples", "Expected 2D array|could not convert"),
    "a list of texts": (lambda X: ["a b c"] * len(X), "X holds texts|Expected 2D array"),
    "an array of texts": (
        lambda X: np.array(["a b c"] * len(X)),
        "X holds texts|Expected 2D array",
    ),
    "a dict": (lambda X: {"a": X}, "dict|Expected 2D"),
    "a generator": (lambda X: (row for row in X), "generator|Expected 2D|must be"),
    "ragged rows": (lambda X: [[1.0, 2.0], [1.0]], "inhomogeneous|sequence"),
    "no rows": (lambda X: X[:0], "0 sample|inconsistent numbers of samples"),
    "no columns": (lambda X: X[:, :0], "0 feature"),
    "a column too few": (lambda X: X[:, 1:], "15 features"),
    "a column too many": (lambda X: np.hstack([X, X[:, :1]]), "17 features"),
}
# Right for some: an index is asked for its own rows where no queries are given, no codes have no
# neighbours, and what a transformer does not mind passes beside a task column.
NO_FAULT = {
    "HammingNeighbors": ("nothing", "no rows", "too large for float32"),
    "LSHNeighbors": ("nothing",),
    "RescoredNeighbors": ("nothing",),
    "FeaturesOnly": ("too large for float32", "masked values", "moments", "spans of time"),
}


def bad_sample_cases() -> Iterator[Case]:
    for name, (make, error) in BAD_SAMPLES.items():
        yield Case(
            "samples",
            name,
            lambda m, s, make=make: s.ask(m, make(s.samples)),
            error,
            where=lambda s, name=name: name not in NO_FAULT.get(s.name, ()),
        )
    for name in ("NaN", "infinity", "text", "complex", "moments", "one dimension", "no rows"):
        yield _refused_by_fit(name)
    for name in ("no columns", "masked values", "pandas with a missing value", "nothing"):
        yield _refused_by_fit(name)
    yield Case(
        "fit",
        "other names, then NaN",
        lambda m, s: m.fit(pd.DataFrame(with_value(np.nan, samples=s.samples), columns=NAMES), Y),
        "X contains NaN",
        where=lambda s: True,
    )
    yield Case(
        "fit",
        "polars with null",
        lambda m, s: m.fit(
            pl.DataFrame(with_value(None, object, s.samples).tolist(), orient="row"), Y
        ),
        "X contains NaN",
        where=lambda s: True,
    )
    yield Case(
        "samples",
        "not fitted",
        lambda m, s: s.ask(clone(s.estimator), s.samples),
        "not fitted",
        where=lambda s: True,
    )
    yield Case(
        "samples",
        "sparse with NaN",
        lambda m, s: s.ask(m, sparse.csr_array(with_value(np.nan))),
        "X contains NaN",
        where=lambda s: s.is_sparse,
    )


def _refused_by_fit(name: str) -> Case:
    make, error = BAD_SAMPLES[name]
    return Case(
        "fit",
        name,
        lambda m, s: m.fit(make(s.samples), Y),
        error,
        where=lambda s: not (s.name == "FeaturesOnly" and name in NO_FAULT[s.name]),
    )


# Sound samples that some estimators cannot take: so large that no interval of a fixed length can be
# told from the next, so small that a network of float32 sees nothing.
FAR = ("PStableHasher", "X has samples more than .*raise r")
REFUSED = {
    **dict.fromkeys(("huge", "one huge value", "columns of very different size"), FAR),
    "a constant column far from 0": FAR,
    "below the normal floats": ("Autoencoder", "less than float32 holds; scale X up"),
}


# A bit of these is a principal axis, of which there are no more than rows.
HAS_AXES = ("PCAHasher", "ITQHasher")
OFFSET_FREE = ("FlyHasher", "DenseFlyHasher", "DeepSupervisedHasher", "GeometricHasher")


def _told_apart(codes: np.ndarray) -> np.ndarray:
    if mean_average_precision(codes, Y) < 0.9:
        raise AssertionError("classes have the same codes")
    return codes


def odd_sample_cases() -> Iterator[Case]:
    rng = np.random.Generator(np.random.PCG64(1))
    spread = X + rng.normal(size=X.shape)
    odd = {
        "all zero": np.zeros_like(X),
        "constant": np.full_like(X, 7.0),
        "a constant column": np.where(np.arange(N_FEATURES) == 2, 7.0, X),
        "a constant column far from 0": np.where(np.arange(N_FEATURES) == 2, 1e9 / 3, X),
        "each row twice": np.repeat(X[: N_ROWS // 2], 2, axis=0),
        "equal columns": np.repeat(X[:, :1], N_FEATURES, axis=1),
        "huge": spread * 1e30,
        "tiny": spread * 1e-30,
        "below the normal floats": spread * 1e-42,
        "one huge value": with_value(1e30),
        "columns of very different size": spread * 10.0 ** np.linspace(-12, 12, N_FEATURES),
        "negative": -X,
    }
    for name, samples in odd.items():

        def run(m: Any, s: Subject, samples: np.ndarray = samples) -> np.ndarray:
            model = clone(s.estimator).fit(samples, Y)
            codes = model.transform(samples)
            if not np.array_equal(codes[::-1], model.transform(samples[::-1])):
                raise AssertionError("codes depend on the order of rows")
            return codes

        refuses, error = REFUSED.get(name, ("no estimator", ""))
        yield Case(
            "odd samples", name, run, where=lambda s, r=refuses: s.learns and r not in s.name
        )
        if error:
            yield Case(
                "odd samples",
                f"{name}, refused",
                run,
                error,
                where=lambda s, r=refuses: r in s.name,
            )
    for name, n_rows in {"two rows": 2, "three rows": 3, "seventeen rows": 17}.items():
        yield Case(
            "odd samples",
            name,
            lambda m, s, n=n_rows: clone(s.estimator).fit(X[:n], Y[:n]).transform(X[:n]),
            where=lambda s, n=n_rows: (
                s.learns
                and s.name != "TaskGeometricHasherCV"
                and not (s.name in HAS_AXES and n < s.estimator.n_bits)
            ),
        )
    yield Case(
        "odd samples",
        "fewer rows than bits",
        lambda m, s: clone(s.estimator).fit(X[:3], Y[:3]),
        "n_bits=16, but X has 3 sample.* fewer bits",
        where=lambda s: s.name in HAS_AXES,
    )
    yield Case(
        "odd samples",
        "an offset that float32 cannot hold",
        lambda m, s: clone(s.estimator).fit(X + 1.7e9, Y).transform(X + 1.7e9),
        expected=lambda s: s.codes,
        where=lambda s: s.name in OFFSET_FREE,
    )
    yield Case(
        "odd samples",
        "an offset that float32 cannot hold, and what is drawn from the samples",
        lambda m, s: _told_apart(clone(s.estimator).fit(X + 1.7e9, Y).transform(X + 1.7e9)),
        where=lambda s: s.has_tasks,
    )
    yield Case(
        "odd samples",
        "an offset that float32 cannot hold, and no way around it",
        lambda m, s: clone(s.estimator).fit(X + 1.7e9, Y).transform(X + 1.7e9),
        "X .*float32",
        where=lambda s: s.name == "PStableHasher" or "Autoencoder" in s.name,
    )
