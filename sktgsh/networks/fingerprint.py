"""A digest that tells networks apart by their values, whatever classes hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike


def fingerprint(arrays: Mapping[str, ArrayLike], layout: int) -> str:
    """Digest of named arrays: equal for equal names, shapes, types and values.

    Names of classes and attributes take no part in it, so that it outlives changes of the code.

    Parameters
    ----------
    arrays : mapping of str to array-like
        Numbers or strings by name, in any order. An array of no values stands for what is absent.
    layout : int
        Number of the convention that names the arrays. It is raised where the same arrays would
        come to mean another network.

    Returns
    -------
    digest : str
        64 hexadecimal digits.

    Examples
    --------
    >>> from sktgsh.networks.fingerprint import fingerprint
    >>> fingerprint({"weight": [1.0, 2.0]}, layout=1)[:12]
    'f94cb77f4bab'
    """
    digest = hashlib.sha256(f"layout {layout}".encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        if array.dtype.kind == "U":
            array = np.frombuffer("\0".join(map(str, array.ravel())).encode(), np.uint8)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"|{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
