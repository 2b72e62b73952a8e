"""Data: families of related tasks, and loaders of public data sets."""

from .images import load_digits_tasks, make_image_tasks
from .manifolds import make_manifolds
from .multilabel import fetch_multilabel
from .prepared import (
    fetch_amazon_reviews,
    fetch_cifar10,
    fetch_clinc150,
    fetch_office_caltech,
    fetch_omniglot,
)
from .public import fetch_mnist, fetch_movielens

__all__ = [
    "fetch_amazon_reviews",
    "fetch_cifar10",
    "fetch_clinc150",
    "fetch_mnist",
    "fetch_movielens",
    "fetch_multilabel",
    "fetch_office_caltech",
    "fetch_omniglot",
    "load_digits_tasks",
    "make_image_tasks",
    "make_manifolds",
]
