"""Checks of what is asked that all indexes share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np


def check_n_neighbors(n_neighbors: Any) -> int:
    """The number of neighbours asked for, or ValueError."""
    integer = isinstance(n_neighbors, Integral) and not isinstance(n_neighbors, bool)
    if not integer or n_neighbors < 1:
        raise ValueError(f"Expected n_neighbors > 0. Got {n_neighbors!r}")
    return int(n_neighbors)


def check_radius(radius: Any, *, negative: bool = False) -> float:
    """The radius asked for, or ValueError; products of vectors may be `negative`."""
    number = isinstance(radius, Real) and not isinstance(radius, (bool, np.bool_))
    if not number or np.isnan(radius) or (radius < 0 and not negative):
        which = "" if negative else " that is not negative"
        raise ValueError(f"radius={radius!r}; expected a number{which}")
    return float(radius)
