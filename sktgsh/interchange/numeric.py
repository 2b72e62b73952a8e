"""Codes as numbers: words, signed bytes, floats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..bits import pack_bits
from ..codes import check_codes, unpack_codes
from .checks import bits_of, whole_numbers

_WORD_BYTES = 8
_WORD = 2**64 - 1
# What a byte is exclusive-ored with before its bits are read as a signed byte.
_FLIPPED = {"twos_complement": 0, "offset": 128}


def to_uint64(codes: ArrayLike, *, packed: bool = False) -> np.ndarray:
    """Words of 64 bits, the first bit of a code the most significant of its first word.

    For columns of unsigned integers, one a word. The Hamming distance is the sum of the bit counts
    of the words' exclusive ors; it needs a type that holds the number of bits.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes.
    packed : bool, default=False
        Whether each byte holds eight bits.

    Returns
    -------
    words : ndarray of shape (n_samples, ceil(n_bits / 64)), dtype uint64
        Integers in the machine's own byte order.

    Raises
    ------
    ValueError
        If `codes` are no codes.

    See Also
    --------
    sktgsh.interchange.from_uint64 : The way back.
    sktgsh.interchange.to_bytes : One string of bytes a code.

    Examples
    --------
    >>> from sktgsh.interchange import to_uint64
    >>> [hex(word) for word in to_uint64([[1] * 4 + [0] * 60])[0]]
    ['0xf000000000000000']
    """
    rows = pack_bits(bits_of(codes, packed, None))
    filled = np.pad(rows, ((0, 0), (0, -rows.shape[1] % _WORD_BYTES)))
    return np.ascontiguousarray(filled).view(f">u{_WORD_BYTES}").astype(np.uint64)


def from_uint64(words: ArrayLike, n_bits: int) -> np.ndarray:
    """Undo :func:`~sktgsh.interchange.to_uint64`.

    Parameters
    ----------
    words : array-like of int of shape (n_samples, ceil(n_bits / 64))
        Words; one that a database gave back with a sign stands for the same bits without it.
    n_bits : int
        Number of bits of a code.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If the number of words does not fit `n_bits`, or bits beyond it are set.

    See Also
    --------
    sktgsh.interchange.to_uint64 : Codes into words.

    Examples
    --------
    >>> from sktgsh.interchange import from_uint64
    >>> from_uint64([[0xA << 60]], 4)
    array([[1, 0, 1, 0]], dtype=uint8)
    """
    # NumPy makes floats of a list of integers on both sides of 2**63, and they lose bits.
    given = words if hasattr(words, "dtype") else np.array(words, dtype=object)
    signed = given.dtype.kind in "iO"
    given = whole_numbers(given, "words", -(2**63) if signed else 0, 2**64 - 1)
    given = (given & _WORD if given.dtype == object else given).astype(np.uint64)
    n_words = -(-n_bits // (8 * _WORD_BYTES))
    if given.shape[1] != n_words:
        raise ValueError(f"n_bits={n_bits} needs {n_words} words, but words has {given.shape[1]}")
    rows = given.astype(f">u{_WORD_BYTES}").view(np.uint8)
    n_bytes = -(-n_bits // 8)
    if rows[:, n_bytes:].any():
        raise ValueError(f"words has bits set beyond the {n_bits} of a code; they must be 0")
    return unpack_codes(rows[:, :n_bytes], n_bits)


def _check_convention(convention: str) -> int:
    if convention not in _FLIPPED:
        raise ValueError(f"convention={convention!r}; expected one of {', '.join(_FLIPPED)}")
    return _FLIPPED[convention]


def to_signed(
    codes: ArrayLike, *, convention: str = "twos_complement", packed: bool = False
) -> np.ndarray:
    """Eight bits in each signed byte.

    Two conventions are in use, and codes of one are wrong among codes of the other: each first bit
    of a byte is then flipped.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes.
    convention : {"twos_complement", "offset"}, default="twos_complement"
        Whether a byte keeps its bits, and those from 128 on become negative; or 128 is subtracted,
        as ``precision="binary"`` of sentence-transformers has it.
    packed : bool, default=False
        Whether each byte holds eight bits.

    Returns
    -------
    signed : ndarray of shape (n_samples, ceil(n_bits / 8)), dtype int8

    Raises
    ------
    ValueError
        If `codes` are no codes, or there is no such convention.

    See Also
    --------
    sktgsh.interchange.from_signed : The way back.

    Examples
    --------
    >>> from sktgsh.interchange import to_signed
    >>> to_signed([[1, 0, 0, 0, 0, 0, 0, 1]])
    array([[-127]], dtype=int8)
    >>> to_signed([[1, 0, 0, 0, 0, 0, 0, 1]], convention="offset")
    array([[1]], dtype=int8)
    """
    flipped = np.uint8(_check_convention(convention))
    return (pack_bits(bits_of(codes, packed, None)) ^ flipped).view(np.int8)


def from_signed(
    signed: ArrayLike, n_bits: int | None = None, *, convention: str = "twos_complement"
) -> np.ndarray:
    """Undo :func:`~sktgsh.interchange.to_signed`.

    Parameters
    ----------
    signed : array-like of int of shape (n_samples, n_bytes)
        Values from -128 to 127.
    n_bits : int, optional
        Number of bits of a code; by default those of all bytes.
    convention : {"twos_complement", "offset"}, default="twos_complement"
        As they were made.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If values are out of range, `n_bits` does not fit, or bits beyond it are set: a sign of the
        other convention.

    See Also
    --------
    sktgsh.interchange.to_signed : Codes into signed bytes.

    Examples
    --------
    >>> from sktgsh.interchange import from_signed
    >>> from_signed([[-128]], 2)
    array([[1, 0]], dtype=uint8)
    """
    flipped = np.uint8(_check_convention(convention))
    values = whole_numbers(signed, "signed", -128, 127).astype(np.int8)
    return unpack_codes(values.view(np.uint8) ^ flipped, n_bits)


def to_floats(
    codes: ArrayLike, *, low: float = 0.0, packed: bool = False, n_bits: int | None = None
) -> np.ndarray:
    """One float a bit, for systems that have no Hamming distance.

    Of values 0 and 1, the city-block distance and the squared Euclidean one are the Hamming
    distance. Of values -1 and 1, the cosine is ``1 - 2 * distance / n_bits``. It is 32 times the
    memory of packed codes.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes.
    low : {0.0, -1.0}, default=0.0
        The value of a bit that is 0.
    packed : bool, default=False
        Whether each byte holds eight bits.
    n_bits : int, optional
        Number of bits of a code; by default those of all bytes where codes are packed.

    Returns
    -------
    values : ndarray of shape (n_samples, n_bits), dtype float32

    Raises
    ------
    ValueError
        If `codes` are no codes, or of another width.

    See Also
    --------
    sktgsh.interchange.from_floats : The way back.

    Examples
    --------
    >>> from sktgsh.interchange import to_floats
    >>> to_floats([[1, 0]], low=-1.0)
    array([[ 1., -1.]], dtype=float32)
    """
    if low not in (0, -1):
        raise ValueError(f"low={low!r}; expected 0 or -1")
    bits = bits_of(codes, packed, n_bits).astype(np.float32)
    return bits if low == 0 else 2 * bits - 1


def from_floats(values: ArrayLike) -> np.ndarray:
    """Undo :func:`~sktgsh.interchange.to_floats`, whichever its `low` was.

    Parameters
    ----------
    values : array-like of shape (n_samples, n_bits)
        Of 0 and 1, or of -1 and 1.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If there are other values, NaN among them.

    See Also
    --------
    sktgsh.interchange.to_floats : Codes into floats.

    Examples
    --------
    >>> from sktgsh.interchange import from_floats
    >>> from_floats([[1.0, -1.0]])
    array([[1, 0]], dtype=uint8)
    """
    values = np.asarray(values)
    if values.ndim == 2 and values.dtype.kind in "if" and np.isin(values, (-1, 1)).all():
        return (values > 0).astype(np.uint8)
    return check_codes(values, "values").copy()
