"""Checks of what is asked that all indexes share."""

from __future__ import annotations

from numbers import Integral
from typing import Any


def check_n_neighbors(n_neighbors: Any) -> int:
    """The number of neighbours asked for, or ValueError."""
    integer = isinstance(n_neighbors, Integral) and not isinstance(n_neighbors, bool)
    if not integer or n_neighbors < 1:
        raise ValueError(f"Expected n_neighbors > 0. Got {n_neighbors!r}")
    return int(n_neighbors)
