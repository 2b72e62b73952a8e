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

BAD_SAMPLES: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (lambda: with_value(np.nan), "X contains NaN"),
    "NaN in float32": (lambda: with_value(np.nan, np.float32), "X contains NaN"),
    "infinity": (lambda: with_value(np.inf), "X contains infinity"),
    "minus infinity": (lambda: with_value(-np.inf), "X contains infinity"),
    "too large for float32": (lambda: with_value(1e300), "X .*too large"),
    "None among numbers": (lambda: with_value(None, object), "X contains NaN"),
    "text among numbers": (lambda: with_value("a", object), "could not convert string"),
    "text": (lambda: np.full((N_ROWS, N_FEATURES), "ä"), "convert string|could not convert"),
    "bytes": (lambda: np.full((N_ROWS, N_FEATURES), b"a"), "convert|bytes"),
    "complex": (lambda: X + 1j, "[Cc]omplex"),
    "moments": (lambda: X.astype("datetime64[s]"), "datetime64"),
    "spans of time": (lambda: X.astype("timedelta64[s]"), "timedelta64"),
    "records": (lambda: np.zeros(N_ROWS, "f8,i4"), "dtype|[Vv]oid|array"),
    "masked values": (
        lambda: np.ma.array(X, mask=X == X[3, 5]),
        "X .*masked",
    ),
    "pandas with a missing value": (lambda: pd.DataFrame(with_value(np.nan)), "X contains NaN"),
    "pandas Int64 with NA": (
        lambda: pd.DataFrame(with_value(np.nan)).astype("Int64"),
        "X contains NaN",
    ),
    "pandas with text": (lambda: pd.DataFrame(X).assign(text="a"), "[Ff]eature|convert"),
    "pandas with a column of moments": (
        lambda: pd.DataFrame(X).assign(when=pd.Timestamp("2020-01-01")),
        "X has values of type datetime64",
    ),
    "one dimension": (lambda: X[0], "Expected 2D array|inconsistent numbers of samples"),
    "three dimensions": (lambda: X[:, :, None], "dim 3|3 dim"),
    "a number": (lambda: 3.0, "Expected 2D array"),
    "nothing": (lambda: None, "Expected 2D array|None"),
    "a string": (lambda: "samples", "Expected 2D array|could not convert"),
    "a dict": (lambda: {"a": X}, "dict|Expected 2D"),
    "a generator": (lambda: (row for row in X), "generator|Expected 2D|must be"),
    "ragged rows": (lambda: [[1.0, 2.0], [1.0]], "inhomogeneous|sequence"),
    "no rows": (lambda: X[:0], "0 sample|inconsistent numbers of samples"),
    "no columns": (lambda: X[:, :0], "0 feature"),
    "a column too few": (lambda: X[:, 1:], "15 features"),
    "a column too many": (lambda: np.hstack([X, X[:, :1]]), "17 features"),
}


def bad_sample_cases() -> Iterator[Case]:
    for name, (make, error) in BAD_SAMPLES.items():
        yield Case("samples", name, lambda m, s, make=make: m.transform(make()), error)
    for name in ("NaN", "infinity", "text", "complex", "moments", "one dimension", "no rows"):
        make, error = BAD_SAMPLES[name]
        yield Case("fit", name, lambda m, s, make=make: m.fit(make(), Y), error)
    for name in ("no columns", "masked values", "pandas with a missing value", "nothing"):
        make, error = BAD_SAMPLES[name]
        yield Case("fit", name, lambda m, s, make=make: m.fit(make(), Y), error)
    yield Case(
        "fit",
        "other names, then NaN",
        lambda m, s: m.fit(pd.DataFrame(with_value(np.nan), columns=NAMES), Y),
        "X contains NaN",
    )
    yield Case(
        "fit",
        "polars with null",
        lambda m, s: m.fit(pl.DataFrame(with_value(None, object).tolist(), orient="row"), Y),
        "X contains NaN",
    )
    yield Case(
        "samples",
        "not fitted",
        lambda m, s: clone(s.estimator).transform(X),
        "not fitted",
    )
    yield Case(
        "samples",
        "sparse with NaN",
        lambda m, s: m.transform(sparse.csr_array(with_value(np.nan))),
        "X contains NaN",
        where=lambda s: s.is_sparse,
    )


# Sound samples that some estimators cannot take: so large that no interval of a fixed length can be
# told from the next, so small that a network of float32 sees nothing.
FAR = ("PStableHasher", "X has samples more than .*raise r")
REFUSED = {
    **dict.fromkeys(("huge", "one huge value", "columns of very different size"), FAR),
    "a constant column far from 0": FAR,
    "below the normal floats": ("Autoencoder", "less than float32 holds; scale X up"),
}


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
        yield Case("odd samples", name, run, where=lambda s, r=refuses: r not in s.name)
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
            where=lambda s: s.name != "TaskGeometricHasherCV",
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
