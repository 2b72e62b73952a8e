"""Checks that the forms share."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from ..codes import check_codes, unpack_codes


def bits_of(codes: ArrayLike, packed: bool, n_bits: int | None) -> np.ndarray:
    """Checked codes of 0 and 1, (n_samples, n_bits)."""
    if packed:
        return unpack_codes(codes, n_bits)
    codes = check_codes(codes)
    if n_bits is not None and codes.shape[1] != n_bits:
        raise ValueError(f"codes are {codes.shape[1]} bits wide, but n_bits={n_bits}")
    return codes


def whole_numbers(values: ArrayLike, name: str, least: int, most: int) -> np.ndarray:
    """A table of integers within bounds."""
    values = np.asarray(values)
    whole = values.dtype.kind in "iu" or (
        values.dtype == object and all(isinstance(value, Integral) for value in values.flat)
    )
    if values.ndim != 2 or not whole:
        raise ValueError(
            f"{name} has {values.ndim} dimensions and dtype {values.dtype}; expected integers of 2 "
            "dimensions, a row for each code"
        )
    if values.size and not (least <= int(values.min()) and int(values.max()) <= most):
        outside = int(values.min()) if int(values.min()) < least else int(values.max())
        raise ValueError(f"{name} holds {outside}; expected {least} to {most}")
    return values
