"""DSH: codes of classes in 8 bits, maps of codes, and CIFAR-10 with the paper's network.

Liu et al., CVPR 2016, and a public variant in PyTorch (three residual blocks, one random partner an
image). CIFAR-10 as far as about 20 minutes on one thread go.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from sktgsh import DeepSupervisedHasher
from sktgsh.codes import codes_to_hex, hamming_distances, modal_codes
from sktgsh.datasets import fetch_cifar10
from sktgsh.inspection import CodeMapDisplay
from sktgsh.metrics import mean_average_precision

from .._common import Images, load_images, report, seconds
from .._reference import train_reference
from ._pictures import new_figure, save_picture

N_ROWS, N_BITS = 5_000, 8
# Bits, training images of a class (None: all), epochs.
CIFAR_RUNS = ((24, None, 5), (24, 500, 15))
Codes = tuple[np.ndarray, np.ndarray]


def run(data: str | None) -> None:
    eight_bits(load_images(data))
    if data is None:
        print("CIFAR-10: skipped; give --data with a folder that holds cifar10_images.npz")
        return
    cifar10(data)


# -- codes of classes --------------------------------------------------------------------------


def eight_bits(images: Images) -> None:
    """Three networks of 8 bits on the same 5,000 images."""
    X, y = images.X[:N_ROWS], images.y[:N_ROWS]
    Q, q = images.Q[:1000], images.q[:1000]
    rows, hexes = [], []
    methods = ("ours", "the paper's", "public variant")
    figure, axes = new_figure(1, 3, 3.4, 3.2)
    maps, map_axes = new_figure(1, 3, 3.4, 3.0)
    for ax, map_ax, method in zip(axes[0], map_axes[0], methods):
        spent, (database, queries) = seconds(lambda: _codes(method, images.shape, X, y, Q))
        classes, modal = modal_codes(database, y)
        distances = hamming_distances(modal)
        apart = distances[np.triu_indices(len(classes), 1)]
        rows.append(
            dict(
                network=method,
                map=mean_average_precision(queries, q, database, y),
                least_distance=int(apart.min()),
                mean_distance=float(apart.mean()),
                seconds=spent,
            )
        )
        hexes.append(dict(network=method, **dict(zip(map(str, classes), codes_to_hex(modal)))))
        _draw_distances(ax, f"{method}", classes, codes_to_hex(modal), distances)
        _draw_map(map_ax, method, queries, q)
    map_axes[0, -1].legend(
        markerscale=2, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
    )
    save_picture(figure, "deep_codes")
    save_picture(maps, "deep_maps")
    report(f"reproduce_deep_{images.name}", rows)
    report(f"reproduce_deep_hex_{images.name}", hexes)


def _codes(
    method: str, shape: tuple[int, int], X: np.ndarray, y: np.ndarray, Q: np.ndarray
) -> Codes:
    """Codes of the training images and of the queries."""
    n_epochs = 5 if len(X) >= N_ROWS else 20
    if method == "public variant":
        found: list[Codes] = []

        def after_epoch(encode, spent: float) -> bool:
            found.append((encode(X).astype(np.uint8), encode(Q).astype(np.uint8)))
            return False

        train_reference(X, y, shape[0], N_BITS, n_epochs, after_epoch)
        return found[-1]
    params = {} if method == "ours" else dict(module="convnet", margin=2.0 * N_BITS)
    hasher = DeepSupervisedHasher(
        N_BITS, image_shape=shape, max_epochs=n_epochs, random_state=0, **params
    ).fit(X, y)
    if method == "ours":
        return hasher.transform(X), hasher.transform(Q)
    # The paper's bits are signs: no thresholds between clusters, no rotation.
    hasher.rotation_, hasher.thresholds_ = None, np.zeros(N_BITS, np.float32)
    return hasher.transform(X), hasher.transform(Q)


def _draw_distances(ax, title: str, classes: np.ndarray, hexes, distances: np.ndarray) -> None:
    ax.imshow(distances, cmap="viridis", vmin=0, vmax=N_BITS)
    for (row, column), value in np.ndenumerate(distances):
        ax.text(column, row, int(value), ha="center", va="center", color="w", fontsize="small")
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), [f"{c}  {text}" for c, text in zip(classes, hexes)])
    ax.set_title(f"{title}: bits between classes", fontsize="medium")


def _draw_map(ax, title: str, codes: np.ndarray, y: np.ndarray) -> None:
    method = "umap" if find_spec("umap") else "tsne"
    display = CodeMapDisplay.from_predictions(codes, y, method=method, max_rows=600, ax=ax)
    ax.set_title(f"{title} ({display.method})", fontsize="medium")
    ax.get_legend().remove()


# -- CIFAR-10 ----------------------------------------------------------------------------------


def cifar10(data: str) -> None:
    """The paper's network on all 20,000 images at hand, and on 500 of each class."""
    train, test = (fetch_cifar10(data, kind="images", subset=part) for part in ("train", "test"))
    rng, rows = np.random.RandomState(0), []
    queries = _of_each_class(test.target, 100, rng)
    for n_bits, n_of_class, n_epochs in CIFAR_RUNS:
        used = np.arange(len(train.target))
        if n_of_class:
            used = _of_each_class(train.target, n_of_class, rng)
        # Training images are not searched where only some are trained on.
        rest = np.setdiff1d(np.arange(len(train.target)), used) if n_of_class else used
        hasher = DeepSupervisedHasher(
            n_bits,
            module="convnet",
            image_shape=train.image_shape,
            margin=2.0 * n_bits,
            max_epochs=n_epochs,
            random_state=0,
        )
        spent, _ = seconds(lambda: hasher.fit(train.data[used], train.target[used]))
        score = mean_average_precision(
            hasher.transform(test.data[queries]),
            test.target[queries],
            hasher.transform(train.data[rest]),
            train.target[rest],
        )
        rows.append(
            dict(
                trained_on=len(used),
                database=len(rest),
                bits=n_bits,
                epochs=n_epochs,
                map=score,
                minutes=spent / 60,
            )
        )
        report("reproduce_deep_cifar10", rows)


def _of_each_class(y: np.ndarray, n_rows: int, rng: np.random.RandomState) -> np.ndarray:
    chosen = [rng.permutation(np.flatnonzero(y == label))[:n_rows] for label in np.unique(y)]
    return np.sort(np.concatenate(chosen))
