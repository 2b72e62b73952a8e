"""Winner-take-all autoencoder of photographs, by patches, and as frozen encoder of the flagship.

Makhzani and Frey, NIPS 2015, arXiv 1409.2752, section 3, on 5,000 whitened images of CIFAR-10.
"""

from __future__ import annotations

import numpy as np

from sktgsh import (
    ConvEncoder,
    ConvWinnerTakeAllAutoencoder,
    GradientSolver,
    TaskGeometricHasher,
)
from sktgsh.datasets import fetch_cifar10

from .._common import Images, report, seconds, skip_without
from ._pictures import new_figure, save_picture, show_image

N_ROWS, N_QUERIES, N_SHOWN = 5000, 1000, 64
# Of the covariance's eigenvalues, added to each: values lie in 0 to 1.
SMOOTHING = 0.02


@skip_without("cifar10_images.npz")
def run(data: str) -> None:
    train, test = (fetch_cifar10(data, kind="images", subset=part) for part in ("train", "test"))
    shape = tuple(train.image_shape)
    X, Q = (train.data[:N_ROWS] / 255.0, test.data[:N_QUERIES] / 255.0)
    pixels = Images("CIFAR-10", X, train.target[:N_ROWS], Q, test.target[:N_QUERIES], shape)
    white = whiten(pixels)
    autoencoder = ConvWinnerTakeAllAutoencoder(
        shape,
        n_filters=(64,),
        filter_size=7,
        decoder_size=7,
        sparsity=0.1,
        pool=11,
        patch_size=16,
        n_patches=30_000,
        solver=GradientSolver(max_epochs=5),
        random_state=0,
    )
    spent, _ = seconds(lambda: autoencoder.fit(white.X))
    draw(autoencoder.components_[:N_SHOWN])
    rows = []
    for name, encoder, images in (
        ("none: pixels", "differences", pixels),
        ("random patches", ConvEncoder(shape), pixels),
        ("winner-take-all, 64 maps", autoencoder.as_module(), white),
    ):
        hasher = TaskGeometricHasher(encoder=encoder, random_state=0).fit(images.X, images.y)
        rows.append(
            dict(
                encoder=name,
                map=images.retrieval(hasher.transform(images.Q), hasher.transform(images.X)),
                accuracy=float((hasher.predict_class(images.Q) == images.q).mean()),
                autoencoder_seconds=spent if images is white else 0.0,
            )
        )
        report("reproduce_autoencoder_photographs", rows)


def whiten(images: Images) -> Images:
    """The images along their principal axes at equal variance, turned back into images."""
    mean = images.X.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(images.X - mean, rowvar=False))
    matrix = (axes / np.sqrt(np.maximum(variance, 0) + SMOOTHING)) @ axes.T
    X, Q = (((rows - mean) @ matrix).astype(np.float32) for rows in (images.X, images.Q))
    return Images(images.name, X, images.y, Q, images.q, images.shape)


def draw(atoms: np.ndarray) -> None:
    low, high = (f(atoms, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    tiles = np.pad((atoms - low) / (high - low), ((0, 0), (0, 1), (0, 1), (0, 0)))
    n_rows, side = int(len(tiles) ** 0.5), tiles.shape[1]
    tiles = tiles.reshape(n_rows, -1, side, side, 3).transpose(0, 2, 1, 3, 4)
    figure, axes = new_figure(1, 1, 3.8, 4.0)
    show_image(axes[0, 0], tiles.reshape(n_rows * side, -1, 3), "atoms of photographs")
    save_picture(figure, "autoencoder_photographs")
