"""DSH: codes of classes in 8 bits, distances between them, and maps, of three networks.

Liu et al., CVPR 2016, and a public variant in PyTorch (three residual blocks, one random partner an
image), all trained on the same 5,000 images.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from sktgsh import DeepSupervisedHasher, GradientSolver
from sktgsh.codes import codes_to_hex, hamming_distances, modal_codes
from sktgsh.inspection import CodeMapDisplay
from sktgsh.metrics import mean_average_precision

from .._common import load_images, report, seconds
from .._reference import train_reference
from ._pictures import new_figure, save_picture

N_ROWS, N_BITS = 5_000, 8
Codes = tuple[np.ndarray, np.ndarray]


def run(data: str | None) -> None:
    images = load_images(data)
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
    save_picture(figure, f"deep_codes_{images.name}")
    save_picture(maps, f"deep_maps_{images.name}")
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
    paper = dict(module="convnet", margin=2.0 * N_BITS, pair_balance=0.0, solver__lr=3e-3)
    hasher = DeepSupervisedHasher(
        N_BITS,
        image_shape=shape,
        solver=GradientSolver(max_epochs=n_epochs),
        random_state=0,
    )
    hasher.set_params(**{} if method == "ours" else paper).fit(X, y)
    if method == "ours":
        return hasher.transform(X), hasher.transform(Q)
    # The paper's bits are signs: no thresholds between clusters, no rotation.
    hasher.rotation_, hasher.thresholds_ = None, np.zeros(N_BITS, np.float32)
    return hasher.transform(X), hasher.transform(Q)


def _draw_distances(ax, title: str, classes: np.ndarray, hexes, distances: np.ndarray) -> None:
    ax.imshow(distances, cmap="viridis", vmin=0, vmax=N_BITS)
    for (row, column), value in np.ndenumerate(distances):
        # Dark on the bright end of the colours.
        color = "k" if value > 0.6 * N_BITS else "w"
        ax.text(column, row, int(value), ha="center", va="center", color=color, fontsize="small")
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), [f"{c}  {text}" for c, text in zip(classes, hexes)])
    ax.set_title(f"{title}: bits between classes", fontsize="medium")


def _draw_map(ax, title: str, codes: np.ndarray, y: np.ndarray) -> None:
    method = "umap" if find_spec("umap") else "tsne"
    display = CodeMapDisplay.from_predictions(codes, y, method=method, max_rows=600, ax=ax)
    for points in ax.collections:
        # Most codes of a class are one point.
        points.set(sizes=[30], alpha=0.7)
    ax.set_title(f"{title} ({display.method})", fontsize="medium")
    ax.get_legend().remove()
