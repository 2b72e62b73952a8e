"""What a script reads is checked, and what it makes is written, here."""

import hashlib
import sys
from pathlib import Path

import numpy as np


def check(folder: Path, checksums: dict[str, str]) -> None:
    """Stop if a file in `folder` is not the one that the figures were measured on.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    checksums : dict
        SHA-256 of each file, by its name.
    """
    for name, expected in checksums.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            sys.exit(f"{folder / name} has the checksum {found}, expected {expected}")


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an npz file, and print what it holds.

    Parameters
    ----------
    path : Path
        Name of the file.
    arrays : dict
        Arrays by their names in the file.
    """
    np.savez_compressed(path, **arrays)
    print(path, {name: array.shape for name, array in arrays.items()})
