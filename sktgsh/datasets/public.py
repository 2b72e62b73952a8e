"""Public data sets that are downloaded once and kept."""

from __future__ import annotations

import os
from io import BytesIO
from urllib.request import urlopen
from zipfile import ZipFile

import numpy as np
from scipy import sparse
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from .folder import check_choice, load_arrays

MOVIELENS_ARCHIVE = "https://files.grouplens.org/datasets/movielens/ml-1m.zip"


def _download_mnist() -> dict[str, np.ndarray]:
    X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    X, y = X.astype(np.uint8), y.astype(np.uint8)
    return dict(x_train=X[:60000], y_train=y[:60000], x_test=X[60000:], y_test=y[60000:])


def fetch_mnist(
    data_home: str | os.PathLike | None = None,
    *,
    subset: str = "train",
    return_X_y: bool = False,
    download: bool = True,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28 pixels.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``mnist.npz`` (arrays x_train, y_train, x_test, y_test). By default the folder
        that the environment variable ``SKTGSH_DATA`` names, else scikit-learn's data home. Where
        the file is missing it is made there from OpenML's copy.
    subset : {"train", "test"}, default="train"
        Which part.
    return_X_y : bool, default=False
        Return ``(data, target)``.
    download : bool, default=True
        Whether a missing file may be downloaded.

    Returns
    -------
    mnist : Bunch
        With ``data``, (n_images, 784) uint8, and ``target``, (n_images,) uint8.

    Raises
    ------
    FileNotFoundError
        If the file is missing and `download` is False.
    OSError
        If the download fails.

    See Also
    --------
    sktgsh.datasets.make_image_tasks : Tasks from any images.
    sktgsh.datasets.fetch_omniglot : Characters of many alphabets.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_mnist
    >>> X, y = fetch_mnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (60000, 784)
    """
    check_choice("subset", subset, ("train", "test"))
    arrays = load_arrays("mnist.npz", data_home, _download_mnist if download else None)
    X, y = arrays[f"x_{subset}"], arrays[f"y_{subset}"]
    return (X, y) if return_X_y else Bunch(data=X, target=y, image_shape=(28, 28))


def _download_movielens() -> dict[str, np.ndarray]:
    with urlopen(MOVIELENS_ARCHIVE, timeout=60) as response:
        archive = ZipFile(BytesIO(response.read()))
    lines = archive.read("ml-1m/ratings.dat").decode("latin-1").split()
    columns = np.array([line.split("::")[:3] for line in lines], dtype=np.int64).T
    user, item = (np.unique(ids, return_inverse=True)[1] for ids in columns[:2])
    return dict(
        user=user.astype(np.int32), item=item.astype(np.int32), rating=columns[2].astype(np.uint8)
    )


def fetch_movielens(
    data_home: str | os.PathLike | None = None, *, download: bool = True
) -> sparse.csr_array:
    """MovieLens 1M: 1,000,209 ratings of 3,706 films by 6,040 users.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``movielens_1m.npz`` (arrays user, item, rating); see :func:`fetch_mnist`.
    download : bool, default=True
        Whether a missing file may be made from the public archive.

    Returns
    -------
    ratings : csr_array of shape (n_users, n_items), dtype float32
        1 to 5; what is not stored was not rated.

    Raises
    ------
    FileNotFoundError, OSError
        As in :func:`fetch_mnist`.

    See Also
    --------
    sktgsh.L2ALSH : Inner products, by Euclidean distance.

    References
    ----------
    F. M. Harper and J. A. Konstan, "The MovieLens datasets: history and context", ACM TiiS 2015.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_movielens
    >>> fetch_movielens().shape  # doctest: +SKIP
    (6040, 3706)
    """
    arrays = load_arrays("movielens_1m.npz", data_home, _download_movielens if download else None)
    rows, columns = (np.unique(arrays[key], return_inverse=True)[1] for key in ("user", "item"))
    values = arrays["rating"].astype(np.float32)
    return sparse.csr_array((values, (rows, columns)), shape=(rows.max() + 1, columns.max() + 1))
