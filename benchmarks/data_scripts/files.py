"""The files of a public source are checked before a script reads them."""

import hashlib
import sys
from pathlib import Path


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
