"""Codes in the forms that databases and libraries take, and back, exact for codes of any length.

A function ``to_...`` takes codes as the package has them, unpacked or packed, and gives one form;
``from_...`` takes the form and gives unpacked codes. Bits are in the order of
:func:`numpy.packbits` unless a form says otherwise, and places beyond the last bit are 0, so that
they add nothing to a Hamming distance.
"""

from .numeric import from_floats, from_signed, from_uint64, to_floats, to_signed, to_uint64
from .strings import (
    from_bit_string,
    from_bytes,
    from_lowest_first,
    to_bit_string,
    to_bytes,
    to_lowest_first,
)

__all__ = [
    "from_bit_string",
    "from_bytes",
    "from_floats",
    "from_lowest_first",
    "from_signed",
    "from_uint64",
    "to_bit_string",
    "to_bytes",
    "to_floats",
    "to_lowest_first",
    "to_signed",
    "to_uint64",
]
