"""Data sets of several labels a row, read from prepared files."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from .folder import as_asked, check_choice, chosen_rows, load_arrays


def fetch_multilabel(
    name: str = "scene",
    data_home: str | os.PathLike | None = None,
    *,
    subset: str = "train",
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Rows with several labels each: photographs of scenes, or pages by their bookmarks' tags.

    Parameters
    ----------
    name : {"scene", "delicious"}, default="scene"
        2,407 photographs with 294 features and 6 labels, or 16,105 pages with 500 words and 983
        tags.
    data_home : str or path, optional
        Folder with ``multilabel_scene.npz`` or ``multilabel_delicious.npz``: arrays X, Y, split,
        label_names, feature_names; see :func:`fetch_clinc150`.
    subset : {"train", "test", "all"}, default="train"
        Which part.
    return_X_y : bool, default=False
        Return ``(data, target)``.

    Returns
    -------
    multilabel : Bunch
        ``data`` (n_samples, n_features) float32; ``target`` (n_samples, n_labels) uint8, 1 where a
        row has a label; ``split``; ``target_names`` and ``feature_names``.

    Raises
    ------
    FileNotFoundError
        If the file is missing; the message says of what it is made.
    ValueError
        If `name` or `subset` is none of the choices.

    See Also
    --------
    sktgsh.datasets.fetch_clinc150 : Intents of sentences.

    References
    ----------
    M. R. Boutell, J. Luo, X. Shen and C. M. Brown, "Learning multi-label scene classification",
    Pattern Recognition 2004. G. Tsoumakas, I. Katakis and I. Vlahavas, "Effective and efficient
    multilabel classification in domains with large number of labels", MMD 2008.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_multilabel
    >>> scenes = fetch_multilabel("scene", "folder")  # doctest: +SKIP
    >>> scenes.data.shape, scenes.target.shape  # doctest: +SKIP
    ((1211, 294), (1211, 6))
    """
    check_choice("name", name, ("scene", "delicious"))
    source = (
        f"the data set {name} of the Mulan collection (github.com/tsoumakas/mulan), as arrays; "
        "benchmarks/data_scripts/multilabel.py of the repository makes it"
    )
    arrays = load_arrays(f"multilabel_{name}.npz", data_home, source=source)
    rows = chosen_rows(subset, arrays["split"], ("train", "test"))
    bunch = Bunch(
        data=arrays["X"][rows].astype(np.float32),
        target=arrays["Y"][rows],
        split=arrays["split"][rows],
        target_names=arrays["label_names"],
        feature_names=arrays["feature_names"],
    )
    return as_asked(bunch, return_X_y)
