"""Checks of what is asked that all indexes share, and the metrics on vectors."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

# Distances of vectors; an inner product is given as its negative, so that smaller is nearer.
METRICS = ("cosine", "euclidean", "inner_product")


def check_n_neighbors(n_neighbors: Any) -> int:
    """The number of neighbours asked for, or ValueError."""
    integer = isinstance(n_neighbors, Integral) and not isinstance(n_neighbors, bool)
    if not integer or n_neighbors < 1:
        raise ValueError(f"Expected n_neighbors > 0. Got {n_neighbors!r}")
    return int(n_neighbors)


def check_code_version(given: Any, known: Any, *, check: bool = True) -> None:
    """Raise ValueError if codes are of another version than those of the index.

    Parameters
    ----------
    given, known : str, dict of str by task, or None
        Of the codes that come, and of those that are there; None where it is not known.
    check : bool, default=True
        Whether it matters.
    """
    if check and versions_differ(given, known):
        raise ValueError(
            f"codes have code_version={given!r}, but those of the index have {known!r}; encode the "
            "rows of the index again, or give check_version=False where the codes agree"
        )


def versions_differ(given: Any, known: Any) -> bool:
    """Whether two versions of codes are known to differ, in the tasks that both have."""
    if given is None or known is None:
        return False
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        return any(given.get(label, version) != version for label, version in known.items())
    return given != known


def check_available(k: int, available: int, *, own: bool = False) -> None:
    """Raise ValueError if there are fewer rows than neighbours asked for.

    Parameters
    ----------
    k : int
        Neighbours asked for.
    available : int
        Rows that a query is compared with.
    own : bool, default=False
        Whether queries are the rows themselves, none of which is its own neighbour.
    """
    if k > available - own:
        raise ValueError(
            f"Expected n_neighbors {'<' if own else '<='} n_samples_fit, but n_neighbors = {k}, "
            f"n_samples_fit = {available}"
        )


def check_radius(radius: Any, *, negative: bool = False) -> float:
    """The radius asked for, or ValueError; products of vectors may be `negative`."""
    number = isinstance(radius, Real) and not isinstance(radius, (bool, np.bool_))
    if not number or np.isnan(radius) or (radius < 0 and not negative):
        which = "" if negative else " that is not negative"
        raise ValueError(f"radius={radius!r}; expected a number{which}")
    return float(radius)


def check_ids(
    ids: Any, n_rows: int | None = None, name: str = "ids", *, repeats: bool = True
) -> np.ndarray:
    """Ids as an array of int64, or of objects that are plain strings.

    Strings are not put into an array of fixed width, in which a long one would make all long.

    Parameters
    ----------
    ids : int, str or array-like of them of shape (n_ids,)
    n_rows : int, optional
        How many there must be.
    name : str, default="ids"
        What errors call them.
    repeats : bool, default=True
        Whether an id may come more than once.

    Raises
    ------
    ValueError
        If they are neither all integers nor all strings, integers do not fit into 64 bits, ids
        repeat, or the number is wrong.
    """
    given = [ids] if isinstance(ids, (str, Integral)) else ids
    given = np.asarray(given) if hasattr(given, "dtype") else np.asarray(given, dtype=object)
    if given.ndim != 1 or (n_rows is not None and len(given) != n_rows):
        expected = "a list of them" if n_rows is None else f"one id for each of {n_rows} rows"
        raise ValueError(f"{name} has shape {given.shape}; expected {expected}")
    checked = _as_integers(given, name) if given.dtype.kind in "iu" else _plain(given, name)
    if not repeats and len(checked) > 1:
        unique, counts = np.unique(checked, return_counts=True)
        if (counts > 1).any():
            raise ValueError(f"{name} has repeated entries: {name_ids(unique[counts > 1])}")
    return checked


def _plain(ids: np.ndarray, name: str) -> np.ndarray:
    """Integers or strings of any class, members of an Enum among them, as plain ones."""
    listed = ids.tolist()
    if all(isinstance(one, Integral) and not isinstance(one, (bool, np.bool_)) for one in listed):
        return _as_integers(np.array([int(one) for one in listed], dtype=object), name)
    if all(isinstance(one, str) for one in listed):
        strings = np.empty(len(listed), dtype=object)
        strings[:] = [str.__str__(one) for one in listed]
        return strings
    types = sorted({type(one).__name__ for one in listed})
    raise ValueError(
        f"{name} has dtype {ids.dtype} and values of type {' and '.join(types)}; "
        "expected integers only, or strings only"
    )


def _as_integers(ids: np.ndarray, name: str) -> np.ndarray:
    for one in (ids.min(), ids.max()) if len(ids) else ():
        if not -(2**63) <= int(one) < 2**63:
            raise ValueError(f"{name} has {one}; integers from -2**63 to 2**63 - 1 can be ids")
    return ids.astype(np.int64)


def name_ids(ids: np.ndarray) -> str:
    """Ids for an error message, cut where there are many."""
    more = f" and {len(ids) - 8} more" if len(ids) > 8 else ""
    return f"{ids[:8].tolist()}{more}"
