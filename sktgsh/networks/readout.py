"""Frozen weights that bits and classes are read out by."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from ..random import generator


def head_projection(
    head: str, n_bits: int, n_blocks: int, units_per_block: int, *, seed: int
) -> np.ndarray:
    """Draw the frozen readout of a ``"shared"``, ``"block"`` or ``"dense"`` head.

    Parameters
    ----------
    head : {"shared", "block", "dense"}
        How bits see the hidden units.
    n_bits, n_blocks, units_per_block : int
        Sizes; there are ``n_blocks * units_per_block`` hidden units.
    seed : int
        Of the draws.

    Returns
    -------
    projection : ndarray, dtype float32
        Random signs for ``"shared"``, of shape (n_bits, n_hidden), and for ``"block"``, of shape
        (n_bits, units_per_block). Gaussian for ``"dense"``, of shape (n_bits, n_hidden). Scaled so
        that a bit's value does not grow with the number of units.

    See Also
    --------
    sktgsh.networks.class_readout : Readout of classes.
    sktgsh.networks.apply_weights : The product of a readout and hidden activity.

    Examples
    --------
    >>> from sktgsh.networks import head_projection
    >>> head_projection("shared", 3, n_blocks=4, units_per_block=16, seed=0).shape
    (3, 64)
    >>> head_projection("block", 3, n_blocks=3, units_per_block=16, seed=0).shape
    (3, 16)
    """
    width = units_per_block if head == "block" else n_blocks * units_per_block
    rows = []
    for bit in range(n_bits):
        rng = generator(seed, f"head-{head}", bit)
        drawn = rng.standard_normal(width) if head == "dense" else rng.choice([-1.0, 1.0], width)
        rows.append(drawn / np.sqrt(width))
    return np.stack(rows).astype(np.float32)


def class_readout(labels: Sequence, n_hidden: int, *, seed: int) -> np.ndarray:
    """Draw the frozen readout of a class, uniform within ``+-1 / sqrt(n_hidden)``, for each label.

    A class's row depends on its label and the seed alone: later classes do not move it.

    Parameters
    ----------
    labels : sequence
        Class labels.
    n_hidden : int
        Number of hidden units.
    seed : int
        Of the draws.

    Returns
    -------
    readout : ndarray of shape (n_labels, n_hidden), dtype float32
        One row a class.

    See Also
    --------
    sktgsh.networks.head_projection : Readout of bits.

    Examples
    --------
    >>> from sktgsh.networks import class_readout
    >>> class_readout(["cat", "dog"], 100, seed=0).shape
    (2, 100)
    """
    bound = 1 / np.sqrt(n_hidden)
    rows = [
        generator(seed, "readout", crc32(repr(label).encode())).uniform(-bound, bound, n_hidden)
        for label in labels
    ]
    return np.stack(rows).astype(np.float32)
