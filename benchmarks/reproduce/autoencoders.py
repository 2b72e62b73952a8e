"""Winner-take-all autoencoders: one layer and two, few labels, atoms that look like strokes.

Makhzani and Frey, NIPS 2015, arXiv 1409.2752. Smaller than in the paper: 10,000 images, fewer units
and epochs. The sizes of the paper's single layers are in ``python -m benchmarks autoencoders``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import ConvWinnerTakeAllAutoencoder, GradientSolver, WinnerTakeAllAutoencoder

from .._common import Images, load_images, report, seconds
from ..autoencoders import best_params, svm_error
from ._pictures import mosaic, new_figure, save_picture, show_image

N_ROWS = 10_000
FEW, N_CHOOSING = (100, 300, 1000, 3000), 3000
SEEDS = (0, 1, 2)
GRID = {"scale": ["passthrough"], "svm__C": np.logspace(-4, 0, 5)}


def run(data: str | None) -> None:
    images = load_images(data)
    models, rows = make_models(images), []
    few = slice(N_ROWS)
    X, y, Q = images.X[few].astype(np.float32), images.y[few], images.Q.astype(np.float32)
    for name, model in ({"pixels": None} | models).items():
        spent, features, queries = 0.0, X, Q
        if model is not None:
            spent, _ = seconds(lambda: model.fit(X))
            features, queries = model.transform(X), model.transform(Q)
        errors = errors_by_labels(features, y, queries, images.q)
        rows.append(dict(features=name, width=features.shape[1], **errors, fit_seconds=spent))
        report(f"reproduce_autoencoders_{images.name}", rows)
    draw(models, images)


def make_models(images: Images) -> dict[str, Any]:
    large = images.name == "MNIST"
    units, maps, side, pool = (1000, 64, 7, 4) if large else (128, 16, 5, 2)
    epochs = dict(solver=GradientSolver(max_epochs=5 if large else 30), random_state=0)
    conv = dict(n_filters=(maps,), filter_size=side, sparsity=0.1, **epochs)
    conv["decoder_size"] = 11 if large else 5
    return {
        "dense": WinnerTakeAllAutoencoder(units, **epochs),
        "dense, second layer": WinnerTakeAllAutoencoder(
            units, hidden_layer_sizes=(units,), **epochs
        ),
        "convolutional": ConvWinnerTakeAllAutoencoder(images.shape, pool=pool, **conv),
        # Maps of half the side: a cell of the second layer is as large as one of the first.
        "convolutional, second layer": ConvWinnerTakeAllAutoencoder(
            images.shape, stacked_filters=(2 * maps,), pool=pool // 2, **conv
        ),
    }


def errors_by_labels(
    X: np.ndarray, y: np.ndarray, Q: np.ndarray, q: np.ndarray
) -> dict[str, float]:
    """Test error in percent of a linear SVM by number of labels; few labels are drawn three times.

    The penalty is chosen once, on training rows.
    """
    scale = X.std()
    X, Q = X / scale, Q / scale
    params, found = best_params(X[:N_CHOOSING], y[:N_CHOOSING], GRID), {}
    for n_labels in (n for n in FEW if n < len(X)):
        drawn = [np.random.RandomState(seed).permutation(len(X))[:n_labels] for seed in SEEDS]
        errors = [svm_error(params, X[few], y[few], Q, q) for few in drawn]
        found[f"{n_labels} labels"] = float(np.mean(errors))
    return {**found, f"{len(X)} labels": svm_error(params, X, y, Q, q)}


def draw(models: dict[str, Any], images: Images) -> None:
    """Atoms of the dense and of the convolutional autoencoder."""
    figure, axes = new_figure(1, 2, 3.6, 3.8)
    dense = models["dense"].components_[:64].reshape(-1, *images.shape)
    convolutional = models["convolutional"].components_[:64, :, :, 0]
    for ax, title, atoms in zip(
        axes[0], ("dense atoms", "convolutional atoms"), (dense, convolutional)
    ):
        side = int(len(atoms) ** 0.5)
        rows = [list(atoms[row * side : (row + 1) * side]) for row in range(side)]
        show_image(ax, mosaic(rows), title)
    save_picture(figure, f"autoencoders_{images.name}")
