"""Winner-take-all autoencoders: stacked layers, few labels, dictionaries, photographs.

Makhzani and Frey, NIPS 2015, arXiv 1409.2752. Smaller than in the paper: 20,000 images without
labels, fewer units and epochs. The sizes of the paper are in ``python -m benchmarks autoencoders``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import ConvWinnerTakeAllAutoencoder, TaskGeometricHasher, WinnerTakeAllAutoencoder
from sktgsh.datasets import fetch_cifar10

from .._common import Images, load_images, report, seconds
from ..autoencoders import best_params, svm_error
from ._pictures import mosaic, new_figure, save_picture, show_image

N_ROWS, N_PHOTOGRAPHS = 20_000, 10_000
FEW = (100, 300, 1000, 3000)
SEEDS = (0, 1, 2)


def run(data: str | None) -> None:
    images = load_images(data)
    models = digits(images)
    photographs = None
    if data is None:
        print("photographs: skipped; give --data with a folder that holds cifar10_images.npz")
    else:
        photographs = cifar10(data)
    draw(models, photographs, images.shape)


def _models(shape: tuple[int, int], large: bool) -> dict[str, Any]:
    units, maps = (1000, 64) if large else (128, 16)
    epochs = dict(max_epochs=8 if large else 30, random_state=0)
    conv = dict(n_filters=(maps,), filter_size=7 if large else 5, sparsity=0.1, **epochs)
    conv["decoder_size"] = 11 if large else 5
    return {
        "dense": WinnerTakeAllAutoencoder(units, **epochs),
        "dense, stacked": WinnerTakeAllAutoencoder(units, hidden_layer_sizes=(units,), **epochs),
        "convolutional": ConvWinnerTakeAllAutoencoder(shape, pool=4 if large else 2, **conv),
        "convolutional, stacked": ConvWinnerTakeAllAutoencoder(
            shape, stacked_filters=(2 * maps,), pool=3 if large else 2, **conv
        ),
    }


def digits(images: Images) -> dict[str, Any]:
    """Error of a linear SVM by number of labels, for each model and for pixels."""
    rows_used = min(N_ROWS, len(images.X))
    X, y = images.X[:rows_used].astype(np.float32), images.y[:rows_used]
    Q = images.Q.astype(np.float32)
    models, rows = _models(images.shape, images.name == "MNIST"), []
    for name, model in ({"pixels": None} | models).items():
        spent = 0.0
        features, queries = X, Q
        if model is not None:
            spent, features = seconds(lambda: model.fit(X).transform(X))
            queries = model.transform(Q)
        errors = few_labels(features, y, queries, images.q)
        rows.append(dict(features=name, width=features.shape[1], **errors, fit_seconds=spent))
        report(f"reproduce_autoencoders_{images.name}", rows)
    return models


def few_labels(X: np.ndarray, y: np.ndarray, Q: np.ndarray, q: np.ndarray) -> dict[str, float]:
    """Test error in percent by number of labels, the mean of three draws of them.

    Scaling and penalty are chosen once, on training rows.
    """
    scale = X.std()
    X, Q = X / scale, Q / scale
    params, found = best_params(X[:3000], y[:3000]), {}
    for n_labels in (n for n in FEW if n <= len(X)):
        drawn = [np.random.RandomState(seed).permutation(len(X))[:n_labels] for seed in SEEDS]
        errors = [svm_error(params, X[few], y[few], Q, q) for few in drawn]
        found[f"error, {n_labels} labels"] = float(np.mean(errors))
    return found


def cifar10(data: str) -> Any:
    """A convolutional autoencoder of photographs, and as frozen encoder of the flagship."""
    train, test = (fetch_cifar10(data, kind="images", subset=part) for part in ("train", "test"))
    X, y = train.data[:N_PHOTOGRAPHS], train.target[:N_PHOTOGRAPHS]
    shape = tuple(train.image_shape)
    model = ConvWinnerTakeAllAutoencoder(
        shape,
        n_filters=(64,),
        filter_size=7,
        decoder_size=7,
        sparsity=0.1,
        pool=8,
        max_epochs=4,
        random_state=0,
    )
    # A photograph less its mean, as contrast: atoms need not spell out its brightness.
    centred = X.astype(np.float32) - X.mean(axis=1, keepdims=True)
    queries = test.data[:1000].astype(np.float32) - test.data[:1000].mean(axis=1, keepdims=True)
    spent, _ = seconds(lambda: model.fit(centred))
    rows = []
    for name, encoder in (("winner-take-all", model.as_module()), ("random patches", "conv")):
        hasher = TaskGeometricHasher(
            encoder=encoder,
            image_shape=shape if encoder == "conv" else None,
            random_state=0,
        ).fit(centred, y)
        images = Images("CIFAR-10", centred, y, queries, test.target[:1000], shape)
        score = images.retrieval(hasher.transform(queries), hasher.transform(centred))
        accuracy = float((hasher.predict_class(queries) == test.target[:1000]).mean())
        rows.append(dict(encoder=name, map=score, accuracy=accuracy, autoencoder_seconds=spent))
    report("reproduce_autoencoders_CIFAR-10", rows)
    return model


def draw(models: dict[str, Any], photographs: Any, shape: tuple[int, int]) -> None:
    """Atoms: dense and convolutional of digits, convolutional of photographs."""
    figure, axes = new_figure(1, 3 if photographs is not None else 2, 3.4, 3.2)
    dense = models["dense"].components_[:64].reshape(-1, *shape)
    atoms = models["convolutional"].components_[:, :, :, 0]
    for ax, title, drawn in (
        (axes[0, 0], "dense atoms", dense),
        (axes[0, 1], "convolutional atoms", atoms),
    ):
        side = int(len(drawn) ** 0.5)
        rows = [list(drawn[row * side : (row + 1) * side]) for row in range(side)]
        show_image(ax, mosaic(rows), title)
    if photographs is not None:
        atoms = photographs.components_[:64]
        atoms = (atoms - atoms.min((1, 2, 3), keepdims=True)) / np.ptp(
            atoms, axis=(1, 2, 3), keepdims=True
        )
        padded = np.pad(atoms, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=1)
        side = padded.shape[1]
        tiles = padded.reshape(8, 8, side, side, 3).transpose(0, 2, 1, 3, 4)
        show_image(axes[0, 2], tiles.reshape(8 * side, 8 * side, 3), "atoms of photographs")
    save_picture(figure, "autoencoders")
