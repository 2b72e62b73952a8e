"""Bit codes: packing, hexadecimal form and Hamming distance.

A code is either *unpacked*, a uint8 array of 0 and 1 of shape (n_samples, n_bits), or *packed*, a
uint8 array of shape (n_samples, ceil(n_bits / 8)) in the bit order of :func:`numpy.packbits`, as
:mod:`sktgsh.bits` lays it out. Unused bits of the last byte are 0: other ones are refused where the
number of bits is known, and count as bits where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from .arrays import as_numbers
from .bits import as_words, pack_bits, unpack_bits
from .targets import check_targets

__all__ = [
    "codes_to_hex",
    "hamming_distances",
    "modal_codes",
    "pack_codes",
    "unpack_codes",
    "asymmetric_hamming_distances",
]

# Rows of a distance block are chosen so that the block's distances fill about this many bytes.
_BLOCK_BYTES = 32 * 2**20


def as_bytes(codes: ArrayLike, name: str = "codes") -> np.ndarray:
    """Codes as an array of bytes, packed or not: whole numbers from 0 to 255 of any type."""
    codes = np.asarray(as_numbers(codes, name))
    if codes.ndim != 2:
        raise ValueError(f"{name} has {codes.ndim} dimensions; expected 2: (n_samples, n_bits)")
    if codes.dtype == np.uint8:
        return codes
    if codes.dtype == bool:
        return codes.view(np.uint8)
    if codes.dtype.kind not in "iuf" or not np.isfinite(codes).all():
        raise ValueError(f"{name} has dtype {codes.dtype}; expected the numbers 0 and 1")
    as_bytes = codes.astype(np.uint8)
    if not np.array_equal(as_bytes, codes):
        signs = np.isin(codes, (-1, 1)).all()
        hint = f"; of signs -1 and 1, give {name} > 0" if signs else ""
        raise ValueError(f"{name} holds values that are not whole numbers from 0 to 255{hint}")
    return as_bytes


def check_codes(codes: ArrayLike, name: str = "codes") -> np.ndarray:
    """Codes as an array, if they are unpacked ones.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits)
        Values 0 and 1.
    name : str, default="codes"
        What errors call them.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If there are other values, or another number of dimensions.
    """
    codes = as_bytes(codes, name)
    if codes.size and codes.max() > 1:
        raise ValueError(
            f"{name} holds the value {codes.max()}; unpacked codes are 0 and 1 only. "
            "Pass packed=True if each byte holds eight bits"
        )
    return codes


def check_values(values: ArrayLike, name: str = "values") -> np.ndarray:
    """Values before a threshold as an array.

    Parameters
    ----------
    values : array-like of shape (n_samples, n_bits)
        Real numbers.
    name : str, default="values"
        What errors call them.

    Returns
    -------
    values : ndarray of shape (n_samples, n_bits), dtype float32
        In rows.

    Raises
    ------
    ValueError
        If there are not 2 dimensions of numbers, or values are NaN, infinite or beyond float32.
    """
    values = as_numbers(values, name)
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} has {values.ndim} dimensions and dtype {values.dtype}; expected numbers of "
            "shape (n_samples, n_bits)"
        )
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has real values that are NaN, infinite or beyond float32")
    return values


def pack_codes(codes: ArrayLike) -> np.ndarray:
    """Pack eight bits into each byte.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits)
        Values 0 and 1, any integer, float or boolean dtype.

    Returns
    -------
    packed : ndarray of shape (n_samples, ceil(n_bits / 8)), dtype uint8
        In the bit order of :func:`numpy.packbits`, which faiss reads as it is.

    Raises
    ------
    ValueError
        If `codes` is not two-dimensional or holds anything but 0 and 1.

    See Also
    --------
    sktgsh.codes.unpack_codes : Bytes into bits.

    Examples
    --------
    >>> from sktgsh.codes import pack_codes
    >>> pack_codes([[1, 0, 0, 0, 0, 0, 0, 1, 1]])
    array([[129, 128]], dtype=uint8)
    """
    return pack_bits(check_codes(codes))


def unpack_codes(packed: ArrayLike, n_bits: int | None = None) -> np.ndarray:
    """Undo :func:`~sktgsh.codes.pack_codes`.

    Parameters
    ----------
    packed : array-like of shape (n_samples, n_bytes), dtype uint8
        Packed codes.
    n_bits : int, optional
        Number of bits of a code; by default ``8 * n_bytes``.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_bits), dtype uint8
        Values 0 and 1.

    Raises
    ------
    ValueError
        If `n_bits` does not fit into the number of bytes, or bits beyond it are set.

    See Also
    --------
    sktgsh.codes.pack_codes : Eight bits into each byte.

    Examples
    --------
    >>> from sktgsh.codes import unpack_codes
    >>> unpack_codes([[129, 128]], n_bits=9)
    array([[1, 0, 0, 0, 0, 0, 0, 1, 1]], dtype=uint8)
    """
    packed = as_bytes(packed, "packed")
    n_bytes = packed.shape[1]
    if n_bits is not None and -(-n_bits // 8) != n_bytes:
        raise ValueError(
            f"n_bits={n_bits} needs {-(-n_bits // 8)} bytes a code, but packed has {n_bytes}"
        )
    spare = 0 if n_bits is None else 8 * n_bytes - n_bits
    if spare and (packed[:, -1] & ((1 << spare) - 1)).any():
        raise ValueError(
            f"packed has bits set beyond the {n_bits} of a code; they must be 0, as pack_codes "
            "leaves them"
        )
    return unpack_bits(packed, n_bits)


def codes_to_hex(codes: ArrayLike, *, packed: bool = False) -> np.ndarray:
    """Write each code as a hexadecimal string, first bit first.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits) or (n_samples, n_bytes)
        Codes, packed if `packed` says so.
    packed : bool, default=False
        Whether each byte holds eight bits.

    Returns
    -------
    text : ndarray of shape (n_samples,), dtype str
        Two characters a byte; a last byte that is not full is filled with zero bits.

    See Also
    --------
    sktgsh.codes.modal_codes : The most frequent code of each class.

    Examples
    --------
    >>> from sktgsh.codes import codes_to_hex
    >>> codes_to_hex([[1, 0, 1, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 1]])
    array(['af', '01'], dtype='<U2')
    """
    packed_codes = as_bytes(codes, "codes") if packed else pack_codes(codes)
    width = max(1, 2 * packed_codes.shape[1])
    return np.array([row.tobytes().hex() for row in packed_codes], dtype=f"<U{width}")


def _as_words(codes: ArrayLike, packed: bool, name: str) -> np.ndarray:
    """Codes as rows of the widest unsigned integer that wastes no more than its own padding."""
    return as_words(as_bytes(codes, name) if packed else pack_bits(check_codes(codes, name)))


def _word_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    distances = np.zeros((len(left), len(right)), dtype=np.uint16)
    for word in range(left.shape[1]):
        distances += np.bitwise_count(left[:, word, None] ^ right[None, :, word])
    return distances


def iter_hamming_distances(
    codes: ArrayLike, other: ArrayLike, *, packed: bool = False, block_bytes: int = _BLOCK_BYTES
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``(rows, distances[rows])`` in blocks of bounded size.

    Parameters
    ----------
    codes, other : array-like of shape (n_codes, width) and (n_other, width)
        Codes of the same width, both packed or both not.
    packed : bool, default=False
        Whether each byte holds eight bits.
    block_bytes : int, default=33554432
        A bound on the bytes of a block of distances (one row is the least).

    Yields
    ------
    rows : slice
        The rows of `codes` that the block is about.
    distances : ndarray of shape (n_rows, n_other), dtype uint16
        Hamming distances.
    """
    left, right = _as_words(codes, packed, "codes"), _as_words(other, packed, "other")
    width, other_width = np.shape(codes)[1], np.shape(other)[1]
    if width != other_width:
        raise ValueError(f"codes are {width} wide but other codes are {other_width} wide")
    step = max(1, block_bytes // (2 * max(1, len(right))))
    for start in range(0, len(left), step):
        rows = slice(start, min(start + step, len(left)))
        yield rows, _word_distances(left[rows], right)


def hamming_distances(
    codes: ArrayLike, other: ArrayLike | None = None, *, packed: bool = False
) -> np.ndarray:
    """Number of differing bits between every two codes.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_bits) or (n_codes, n_bytes)
        Codes, packed if `packed` says so.
    other : array-like of shape (n_other, n_bits) or (n_other, n_bytes), optional
        By default `codes` itself.
    packed : bool, default=False
        Whether each byte holds eight bits.

    Returns
    -------
    distances : ndarray of shape (n_codes, n_other), dtype uint16
        Usable as a precomputed metric, for example in
        ``KNeighborsClassifier(metric="precomputed")``.

    See Also
    --------
    sktgsh.codes.asymmetric_hamming_distances : Distances of real values to codes.

    Examples
    --------
    >>> from sktgsh.codes import hamming_distances
    >>> hamming_distances([[0, 1, 1], [1, 1, 1]], [[0, 0, 0]])
    array([[2],
           [3]], dtype=uint16)
    """
    other = codes if other is None else other
    blocks = [block for _, block in iter_hamming_distances(codes, other, packed=packed)]
    return np.concatenate(blocks) if blocks else np.zeros((0, len(np.asarray(other))), np.uint16)


def asymmetric_hamming_distances(
    values: ArrayLike, codes: ArrayLike, *, packed: bool = False
) -> np.ndarray:
    """Distance of each code from values before a threshold: the sizes of those whose bit differs.

    A positive value expects a 1, a negative one a 0. Values of -1 and 1 give the Hamming distance.

    Parameters
    ----------
    values : array-like of shape (n_values, n_bits)
        As a hasher's `decision_function` gives them.
    codes : array-like of shape (n_codes, n_bits) or (n_codes, n_bytes)
        Codes, packed if `packed` says so.
    packed : bool, default=False
        Whether each byte holds eight bits.

    Returns
    -------
    distances : ndarray of shape (n_values, n_codes), dtype float32

    See Also
    --------
    sktgsh.codes.hamming_distances : Bits that differ.

    Examples
    --------
    >>> from sktgsh.codes import asymmetric_hamming_distances
    >>> asymmetric_hamming_distances([[2.0, -0.5]], [[1, 0], [1, 1], [0, 1]])
    array([[0. , 0.5, 2.5]], dtype=float32)
    """
    values = check_values(values)
    bits = unpack_codes(codes, values.shape[1]) if packed else check_codes(codes)
    if bits.shape[1] != values.shape[1]:
        raise ValueError(f"values are {values.shape[1]} wide but codes are {bits.shape[1]} wide")
    # A code of zeros misses the positive values; each 1 subtracts its value from the distance.
    missed = np.maximum(values, 0).sum(axis=1, keepdims=True)
    return np.maximum(missed - values @ bits.astype(np.float32).T, 0)


def modal_codes(codes: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent code of each class.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_bits)
        Unpacked codes.
    y : array-like of shape (n_samples,)
        Class labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    modal : ndarray of shape (n_classes, n_bits), dtype uint8
        Of codes that are equally frequent, the first in lexical order.

    See Also
    --------
    sktgsh.codes.codes_to_hex : Codes as text.

    Examples
    --------
    >>> from sktgsh.codes import modal_codes
    >>> modal_codes([[0, 1], [1, 1], [1, 1]], [7, 7, 7])[1]
    array([[1, 1]], dtype=uint8)
    """
    codes = check_codes(codes)
    y = check_targets(y, len(codes), multilabel=False)
    classes, modal = np.unique(y), []
    for label in classes:
        different, counts = np.unique(codes[y == label], axis=0, return_counts=True)
        modal.append(different[counts.argmax()])
    return classes, np.array(modal, np.uint8).reshape(len(classes), codes.shape[1])
