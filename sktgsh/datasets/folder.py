"""Files of data sets, in a folder of the user's or in scikit-learn's data home."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

DATA_VARIABLE = "SKTGSH_DATA"


def load_arrays(
    file_name: str,
    data_home: str | os.PathLike | None,
    download: Callable | None = None,
    *,
    source: str | None = None,
) -> dict[str, np.ndarray]:
    """Arrays of an npz file: from a folder, or made by `download` and kept there.

    Where nothing can be downloaded, `source` says what the file holds and where it comes from.
    """
    folder = Path(data_home or os.environ.get(DATA_VARIABLE) or get_data_home()).expanduser()
    path = folder / file_name
    if not path.exists():
        if download is None:
            other = f"It is made of {source}" if source else "Or allow download=True"
            raise FileNotFoundError(
                f"{file_name} is not in {folder}; put it there, or name its folder with data_home "
                f"or the environment variable {DATA_VARIABLE}. {other}"
            )
        try:
            arrays = download()
        except Exception as error:
            raise OSError(
                f"{file_name} is not in {folder}, and the download failed ({error}). Without a "
                "network: put the file there, or name its folder with data_home or the "
                f"environment variable {DATA_VARIABLE}"
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)
    with np.load(path) as stored:
        return dict(stored)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a ValueError that names the argument and its choices."""
    if value not in choices:
        expected = ", ".join(map(repr, choices[:-1])) + f" or {choices[-1]!r}"
        raise ValueError(f"{name}={value!r}; expected {expected}")


def as_asked(bunch: Bunch, return_X_y: bool) -> Bunch | tuple:
    """The data set as a Bunch, or its samples and targets alone."""
    return (bunch.data, bunch.target) if return_X_y else bunch


def chosen_rows(subset: str, split: np.ndarray, parts: tuple[str, ...]) -> np.ndarray:
    """Mask of the rows of a subset."""
    check_choice("subset", subset, (*parts, "all"))
    return np.ones(len(split), bool) if subset == "all" else split == subset
