"""The layout of a code in memory, which no other module spells out.

Bits are packed in the order of :func:`numpy.packbits`: the first bit is the most significant one of
the first byte, and unused bits of the last byte are 0. Nothing is checked in here; codes of a user
come in through :mod:`sktgsh.codes`.
"""

from __future__ import annotations

import numpy as np


def pack_bits(bits: np.ndarray, lowest_first: bool = False) -> np.ndarray:
    """Bits (n_rows, n_bits) in bytes (n_rows, ceil(n_bits / 8)), dtype uint8.

    `lowest_first` takes the order of other systems, which start a byte at its least significant
    bit.
    """
    return np.packbits(bits, axis=1, bitorder="little" if lowest_first else "big")


def unpack_bits(
    packed: np.ndarray, n_bits: int | None = None, lowest_first: bool = False
) -> np.ndarray:
    """Bytes (n_rows, n_bytes) as bits (n_rows, n_bits) of 0 and 1, all of them by default."""
    return np.unpackbits(packed, axis=1, count=n_bits, bitorder="little" if lowest_first else "big")


def as_words(packed: np.ndarray, word: int | None = None) -> np.ndarray:
    """Bytes as rows of unsigned integers, filled up with zeros; a view where there is no need to.

    Parameters
    ----------
    packed : ndarray of shape (n_rows, n_bytes), dtype uint8
    word : {1, 2, 4, 8}, optional
        Bytes of an integer; by default as many as make a row one integer, at most 8.

    Returns
    -------
    words : ndarray of shape (n_rows, n_words)
        At least one word a row.
    """
    n_bytes = packed.shape[1]
    if word is None:
        word = next((size for size in (1, 2, 4) if n_bytes <= size), 8)
    if n_bytes and n_bytes % word == 0:
        return np.ascontiguousarray(packed).view(f"u{word}")
    padded = np.zeros((len(packed), max(1, -(-n_bytes // word)) * word), np.uint8)
    padded[:, :n_bytes] = packed
    return padded.view(f"u{word}")
