"""Arrays of numbers from what was given, and what to do where it holds texts."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

TEXTS = (
    "X holds texts. Give sentences as the vectors of an embedding (of a sentence encoder, or by "
    "TfidfVectorizer), categories by an encoder such as OneHotEncoder, and name a column of tasks "
    "by task_column, where the hasher has it"
)


def has_texts(X: Any) -> bool:
    """Whether the first of the rows is a text."""
    first = next(iter(X), None) if isinstance(X, (list, tuple)) else None
    if getattr(X, "ndim", None) == 1 and len(X):
        first = np.asarray(X)[0]
    return isinstance(first, str)


def as_numbers(values: ArrayLike, name: str) -> np.ndarray:
    """As an array, memory-mapped or not; of objects, as nullable columns are, in float64."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked values; fill them, or leave their rows out")
    texts = has_texts(values)
    values = np.asanyarray(np.ma.getdata(values) if np.ma.isMaskedArray(values) else values)
    if texts or values.dtype.kind in "UST":
        raise ValueError(f"{name} has dtype {values.dtype}; expected numbers\n{TEXTS}")
    if values.dtype != object:
        return values
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        hint = f"\n{TEXTS}" if "could not convert string" in str(error) else ""
        raise ValueError(f"{name} has dtype object; expected numbers ({error}){hint}") from error


def has_floats(X: Any) -> bool:
    """Whether an array holds floating point numbers: of arrays of objects, whether any entry is."""
    X = np.asanyarray(X)
    if X.dtype == object:
        return any(isinstance(one, Real) and not isinstance(one, Integral) for one in X.flat)
    return X.dtype.kind == "f"


def are_values(X: Any, name: str = "X", stacklevel: int = 4) -> bool:
    """Whether queries are real values, one for each bit, and not codes: their type alone says so.

    Integers and booleans are codes, floating point numbers are values. In arrays of objects, as
    nullable columns give, the type of the entries counts.

    Parameters
    ----------
    X : array-like
        Queries.
    name : str, default="X"
        What the warning calls them.
    stacklevel : int, default=4
        Of the warning that values which are all 0 or 1 get.
    """
    X = np.asanyarray(X)
    if X.dtype.kind == "f" and X.size and X.flat[0] in (0, 1) and np.isin(X, (0, 1)).all():
        warnings.warn(
            f"{name} has floating point numbers that are all 0 or 1; they are taken as real "
            f"values, of which 0 is unsure. Give codes as integers, as in {name}.astype('uint8')",
            stacklevel=stacklevel,
        )
    return has_floats(X)
