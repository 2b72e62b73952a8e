"""Data: families of related tasks, and loaders of public data sets."""

from .images import load_digits_tasks, make_image_tasks
from .manifolds import make_manifolds
from .public import fetch_mnist, fetch_movielens

__all__ = [
    "fetch_mnist",
    "fetch_movielens",
    "load_digits_tasks",
    "make_image_tasks",
    "make_manifolds",
]
