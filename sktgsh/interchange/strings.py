"""Codes as strings: of characters, of bytes, and of bytes in the other order of bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..bits import pack_bits, unpack_bits
from ..codes import unpack_codes
from .checks import bits_of, whole_numbers


def to_bit_string(
    codes: ArrayLike, *, packed: bool = False, n_bits: int | None = None
) -> np.ndarray:
    """Text of the characters 0 and 1, as columns of type ``bit(n)`` take it.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes.
    packed : bool, default=False
        Whether each byte holds eight bits.
    n_bits : int, optional
        Number of bits of a code; by default those of all bytes where codes are packed.

    Returns
    -------
    text : ndarray of shape (n_samples,), dtype str
        One character a bit, first bit first.

    Raises
    ------
    ValueError
        If `codes` are no codes, or of another width.

    See Also
    --------
    sktgsh.interchange.from_bit_string : The way back.
    sktgsh.codes.codes_to_hex : Four bits a character.

    Examples
    --------
    >>> from sktgsh.interchange import to_bit_string
    >>> to_bit_string([[1, 0, 1], [0, 0, 1]])
    array(['101', '001'], dtype='<U3')
    """
    bits = bits_of(codes, packed, n_bits)
    characters = np.ascontiguousarray(bits + ord("0"))
    return characters.view(f"S{max(1, bits.shape[1])}").ravel().astype(str)


def from_bit_string(text: Sequence[str] | np.ndarray) -> np.ndarray:
    """Undo :func:`~sktgsh.interchange.to_bit_string`.

    Parameters
    ----------
    text : array-like of str of shape (n_samples,)
        Characters 0 and 1, as many in each.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If there are other characters, or lengths differ.

    See Also
    --------
    sktgsh.interchange.to_bit_string : Codes into text.

    Examples
    --------
    >>> from sktgsh.interchange import from_bit_string
    >>> from_bit_string(["101", "001"])
    array([[1, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    rows = [str(row) for row in text]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise ValueError(f"text has strings of {lengths[0]} to {lengths[-1]} characters")
    wrong = [row for row in rows if row.strip("01")]
    if wrong:
        raise ValueError(f"text has {wrong[0]!r}; expected the characters 0 and 1 only")
    bits = np.frombuffer("".join(rows).encode(), np.uint8) - ord("0")
    return bits.reshape(len(rows), lengths[0] if lengths else 0)


def to_bytes(codes: ArrayLike, *, packed: bool = False) -> list[bytes]:
    """One string of bytes a code, eight bits in each, for columns of type BLOB, BINARY or bytea.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes.
    packed : bool, default=False
        Whether each byte holds eight bits.

    Returns
    -------
    rows : list of bytes
        Of length ``ceil(n_bits / 8)`` each.

    Raises
    ------
    ValueError
        If `codes` are no codes.

    See Also
    --------
    sktgsh.interchange.from_bytes : The way back.

    Examples
    --------
    >>> from sktgsh.interchange import to_bytes
    >>> to_bytes([[0, 1, 0, 0, 0, 0, 0, 1, 1]])
    [b'A\\x80']
    """
    return [row.tobytes() for row in pack_bits(bits_of(codes, packed, None))]


def from_bytes(rows: Sequence[bytes], n_bits: int | None = None) -> np.ndarray:
    """Undo :func:`~sktgsh.interchange.to_bytes`.

    Parameters
    ----------
    rows : sequence of bytes
        As many bytes in each.
    n_bits : int, optional
        Number of bits of a code; by default those of all bytes.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If lengths differ or do not fit `n_bits`, or bits beyond it are set.

    See Also
    --------
    sktgsh.interchange.to_bytes : Codes into bytes.

    Examples
    --------
    >>> from sktgsh.interchange import from_bytes
    >>> from_bytes([b"A"])
    array([[0, 1, 0, 0, 0, 0, 0, 1]], dtype=uint8)
    """
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise ValueError(f"rows has strings of {lengths[0]} to {lengths[-1]} bytes")
    width = lengths[0] if lengths else -(-(n_bits or 0) // 8)
    return unpack_codes(np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), width), n_bits)


def to_lowest_first(codes: ArrayLike, *, packed: bool = False) -> np.ndarray:
    """Packed codes whose first bit is the least significant one of the first byte.

    As faiss's ``IndexLSH`` and sqlite-vec's ``vec_quantize_binary`` write them. Distances among
    such codes are right, and wrong among codes in the order of :func:`numpy.packbits`.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes.
    packed : bool, default=False
        Whether each byte holds eight bits, in the order of :func:`numpy.packbits`.

    Returns
    -------
    rows : ndarray of shape (n_samples, ceil(n_bits / 8)), dtype uint8

    Raises
    ------
    ValueError
        If `codes` are no codes.

    See Also
    --------
    sktgsh.interchange.from_lowest_first : The way back.
    sktgsh.codes.pack_codes : The first bit is the most significant one.

    Examples
    --------
    >>> from sktgsh.interchange import to_lowest_first
    >>> to_lowest_first([[1, 0, 0, 0, 0, 0, 0, 0]])
    array([[1]], dtype=uint8)
    """
    return pack_bits(bits_of(codes, packed, None), lowest_first=True)


def from_lowest_first(rows: ArrayLike, n_bits: int | None = None) -> np.ndarray:
    """Undo :func:`~sktgsh.interchange.to_lowest_first`.

    Parameters
    ----------
    rows : array-like of int of shape (n_samples, n_bytes)
        Values from 0 to 255.
    n_bits : int, optional
        Number of bits of a code; by default those of all bytes.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If values are out of range, `n_bits` does not fit, or bits beyond it are set.

    See Also
    --------
    sktgsh.interchange.to_lowest_first : Codes into such bytes.

    Examples
    --------
    >>> from sktgsh.interchange import from_lowest_first
    >>> from_lowest_first([[6]], 3)
    array([[0, 1, 1]], dtype=uint8)
    """
    values = whole_numbers(rows, "rows", 0, 255).astype(np.uint8)
    mirrored = pack_bits(unpack_bits(values, lowest_first=True))
    return unpack_codes(mirrored, n_bits)
