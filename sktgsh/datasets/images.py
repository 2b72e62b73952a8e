"""Families of image tasks: the same classes, seen in a different way in each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

from ..targets import check_targets

Images = np.ndarray
KINDS = ("rotation", "shift", "augment", "permuted")


def _rotation(shape: tuple[int, int], degrees: float) -> np.ndarray:
    """Index of the source pixel of each pixel, nearest neighbour; -1 outside of the image."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    turned = ndimage.rotate(index + 1, degrees, reshape=False, order=0, cval=0)
    return turned.ravel() - 1


def _gather(images: Images, source: np.ndarray) -> Images:
    flat = images.reshape(len(images), len(source), -1)
    moved = flat[:, np.maximum(source, 0)]
    moved[:, source < 0] = 0
    return moved.reshape(images.shape)


def _shift_offsets(n_tasks: int, side: int) -> list[tuple[int, int]]:
    """Offsets in pixels, the smallest first."""
    reach = side // 2
    grid = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    grid.sort(key=lambda offset: (np.hypot(*offset), np.arctan2(*offset)))
    if n_tasks > len(grid):
        raise ValueError(f"n_tasks={n_tasks}; images of side {side} have {len(grid)} shifts")
    return grid[:n_tasks]


def _shift(images: Images, offset: tuple[int, int]) -> Images:
    dy, dx = offset
    moved = np.roll(images, offset, axis=(1, 2))
    rows = slice(0, dy) if dy >= 0 else slice(dy, None)
    columns = slice(0, dx) if dx >= 0 else slice(dx, None)
    moved[:, rows] = 0
    moved[:, :, columns] = 0
    return moved


def _noisy(images: Images, rng: np.random.RandomState) -> Images:
    noisy = images + 0.25 * images.max() * rng.standard_normal(images.shape)
    if not np.issubdtype(images.dtype, np.integer):
        return noisy
    # Below 0 and above 255, say, values would wrap around.
    limits = np.iinfo(images.dtype)
    return np.clip(noisy, limits.min, limits.max)


def _erased(images: Images, rng: np.random.RandomState) -> Images:
    kept = images.copy()
    side = max(1, images.shape[1] // 3)
    corners = rng.randint(0, images.shape[1] - side + 1, size=(len(images), 2))
    for image, (top, left) in zip(kept, corners):
        image[top : top + side, left : left + side] = 0
    return kept


def _spatially(function: Callable, **params: Any) -> Callable:
    def augment(images: Images, rng: np.random.RandomState) -> Images:
        size = (1, 3, 3) + (1,) * (images.ndim - 3)
        return function(images, size=size, **params)

    return augment


AUGMENTATIONS: dict[str, Callable[[Images, np.random.RandomState], Images]] = {
    "identity": lambda images, rng: images,
    "inverted": lambda images, rng: images.max() - images,
    "mirrored": lambda images, rng: images[:, :, ::-1],
    "upside_down": lambda images, rng: images[:, ::-1],
    "transposed": lambda images, rng: np.swapaxes(images, 1, 2),
    "noisy": _noisy,
    "erased": _erased,
    "blurred": _spatially(ndimage.uniform_filter),
    "thickened": _spatially(ndimage.grey_dilation),
    "thinned": _spatially(ndimage.grey_erosion),
}


def _views(
    images: Images,
    kind: str,
    n_tasks: int,
    step: float | None,
    rng: np.random.RandomState,
) -> list[tuple[int | str, Images]]:
    """(task label, images) of each task."""
    if kind == "rotation":
        degrees = np.arange(n_tasks) * (360 / n_tasks if step is None else step)
        whole = np.allclose(degrees, np.rint(degrees))
        labels = np.rint(degrees).astype(int).tolist() if whole else list(range(n_tasks))
        return [
            (label, _gather(images, _rotation(images.shape[1:3], angle)))
            for label, angle in zip(labels, degrees)
        ]
    if kind == "shift":
        offsets = _shift_offsets(n_tasks, min(images.shape[1:3]))
        return [(label, _shift(images, offset)) for label, offset in enumerate(offsets)]
    if kind == "permuted":
        n_pixels = images.shape[1] * images.shape[2]
        orders = [np.arange(n_pixels), *(rng.permutation(n_pixels) for _ in range(n_tasks - 1))]
        return [(label, _gather(images, order)) for label, order in enumerate(orders)]
    if n_tasks > len(AUGMENTATIONS):
        raise ValueError(f"n_tasks={n_tasks}; kind='augment' has {len(AUGMENTATIONS)} tasks")
    names = list(AUGMENTATIONS)[:n_tasks]
    return [(name, AUGMENTATIONS[name](images, rng).astype(images.dtype)) for name in names]


def make_image_tasks(
    images: ArrayLike,
    y: ArrayLike,
    kind: str = "rotation",
    n_tasks: int = 12,
    *,
    image_shape: Sequence[int] | None = None,
    step: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a family of tasks from labelled images: every image is in every task.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width[, channels]) or (n_images, n_pixels)
        Images; if flat, of `image_shape`, or square with one channel.
    y : array-like of shape (n_images,)
        Class labels.
    kind : {"rotation", "shift", "augment", "permuted"}, default="rotation"
        - ``"rotation"``: turned by a multiple of `step` degrees (nearest neighbour); a task's label
          is the angle, where angles are whole degrees.
        - ``"shift"``: moved by a few pixels, the smallest shifts first; labels count from 0.
        - ``"augment"``: one kind of change a task (noise, blur, mirror, ...); labels are its name.
        - ``"permuted"``: pixels in a random order, the same for all images of a task; task 0 keeps
          them as they are.
    n_tasks : int, default=12
        Number of tasks.
    image_shape : sequence of int, optional
        (height, width) or (height, width, channels), for flat images.
    step : float, optional
        Degrees between two rotations; by default ``360 / n_tasks``.
    random_state : int, RandomState instance or None, default=None
        Of the noise and the erased squares of ``"augment"``, and of the orders of ``"permuted"``.

    Returns
    -------
    X : ndarray of shape (n_tasks * n_images, n_pixels)
        Flattened images, of the dtype of `images`, task after task.
    y : ndarray of shape (n_tasks * n_images,)
        Class labels.
    task : ndarray of shape (n_tasks * n_images,)
        Task labels.

    Raises
    ------
    ValueError
        If `kind` is unknown, sizes do not fit, or there are not as many tasks of this kind.

    See Also
    --------
    sktgsh.datasets.load_digits_tasks : Tasks from the digits, without a download.
    sktgsh.datasets.fetch_mnist : Handwritten digits.

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh.datasets import make_image_tasks
    >>> X, y, task = make_image_tasks(np.eye(3)[None], [7], n_tasks=4)
    >>> X.shape, y, task
    ((4, 9), array([7, 7, 7, 7]), array([  0,  90, 180, 270]))
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}; expected one of {KINDS}")
    if n_tasks < 1:
        raise ValueError(f"n_tasks={n_tasks}; expected at least 1")
    images = np.asarray(images)
    y = check_targets(y, len(images))
    if images.ndim == 2:
        side = round(images.shape[1] ** 0.5)
        shape = (side, side) if image_shape is None else tuple(image_shape)
        if int(np.prod(shape)) != images.shape[1]:
            raise ValueError(
                f"images have {images.shape[1]} pixels, which is not {shape}; give image_shape"
            )
        images = images.reshape(-1, *shape)
    views = _views(images, kind, n_tasks, step, check_random_state(random_state))
    X = np.concatenate([view.reshape(len(images), -1) for _, view in views])
    task = np.repeat(np.array([label for label, _ in views]), len(images))
    return X, np.concatenate([y] * n_tasks), task


def load_digits_tasks(
    kind: str = "rotation",
    n_tasks: int = 12,
    *,
    step: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 handwritten digits (8 x 8 pixels) as a family of tasks.

    Parameters
    ----------
    kind, n_tasks, step, random_state
        As in :func:`make_image_tasks`.

    Returns
    -------
    X : ndarray of shape (n_tasks * 1797, 64), dtype float32
        Pixels, 0 to 16.
    y : ndarray of shape (n_tasks * 1797,)
        Digits.
    task : ndarray of shape (n_tasks * 1797,)
        Task labels.

    See Also
    --------
    sktgsh.datasets.make_image_tasks : Tasks from any images.

    Examples
    --------
    >>> from sktgsh.datasets import load_digits_tasks
    >>> X, y, task = load_digits_tasks("augment", n_tasks=3)
    >>> X.shape, sorted(set(task.tolist()))
    ((5391, 64), ['identity', 'inverted', 'mirrored'])
    """
    images, y = load_digits(return_X_y=True)
    return make_image_tasks(
        images.astype(np.float32), y, kind, n_tasks, step=step, random_state=random_state
    )
