"""Winner-take-all autoencoders: a linear SVM on the features, and the features as an encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import LinearSVC

from sktgsh import (
    ConvEncoder,
    ConvWinnerTakeAllAutoencoder,
    FlyEncoder,
    GradientSolver,
    ModuleEncoder,
    TaskGeometricHasher,
    WinnerTakeAllAutoencoder,
)

from ._common import RESULTS, Images, load_images, report, seconds

N_FEW = 1000
GRID = {"scale": [MaxAbsScaler(), "passthrough"], "svm__C": np.logspace(-4, 1, 11)}


def linear_svm() -> Pipeline:
    """Scaled features, one linear SVM a class."""
    return Pipeline(
        [("scale", MaxAbsScaler()), ("svm", LinearSVC(dual=True, max_iter=300, random_state=0))]
    )


def best_params(features: np.ndarray, y: np.ndarray, grid: dict = GRID) -> dict:
    """Scaling and penalty of the SVM that do best on held-out training rows."""
    return search_params(features, y, grid).best_params_


def search_params(features: np.ndarray, y: np.ndarray, grid: dict) -> GridSearchCV:
    """Scalings and penalties of the SVM, tried on held-out training rows."""
    n_held_out = min(3000, len(y) // 3)
    n_fitted = min(5000, len(y) - n_held_out)
    held_out = ShuffleSplit(1, train_size=n_fitted, test_size=n_held_out, random_state=0)
    return GridSearchCV(linear_svm(), grid, cv=held_out, refit=False).fit(features, y)


def svm_error(
    params: dict, features: np.ndarray, y: np.ndarray, queries: np.ndarray, q: np.ndarray
) -> float:
    """Test error of a linear SVM, in percent."""
    model = linear_svm().set_params(**params)
    return 100 * (1 - model.fit(features, y).score(queries, q))


def run(data: str | None) -> None:
    images = load_images(data)
    mnist = images.name == "MNIST"
    X, Q = images.X.astype(np.float32), images.Q.astype(np.float32)
    dense = WinnerTakeAllAutoencoder(
        2000 if mnist else 256,
        solver=GradientSolver(max_epochs=15 if mnist else 60),
        random_state=0,
    )
    conv = ConvWinnerTakeAllAutoencoder(
        images.shape,
        n_filters=(128,) if mnist else (32,),
        filter_size=11 if mnist else 5,
        decoder_size=11 if mnist else 5,
        sparsity=0.1,
        pool=4 if mnist else 2,
        solver=GradientSolver(max_epochs=6 if mnist else 20),
        random_state=0,
    )
    rows, few = [], np.random.RandomState(0).permutation(len(X))[:N_FEW]
    feature_sets: dict[str, tuple[np.ndarray, np.ndarray, float]] = {"pixels": (X, Q, 0.0)}
    time, pca = seconds(lambda: PCA(min(X.shape[1], 2000), random_state=0).fit(X[:20_000]))
    feature_sets[f"PCA, {pca.n_components_}"] = (pca.transform(X), pca.transform(Q), time)
    for name, model in (("winner-take-all", dense), ("convolutional", conv)):
        time, _ = seconds(lambda: model.fit(X))
        feature_sets[name] = (model.transform(X), model.transform(Q), time)
        rows.append(_encoder_row(name, model, images))
    figures = []
    for name, (features, queries, time) in feature_sets.items():
        # One scale for all features of a set: those of high variance keep their weight.
        scale = features.std()
        features, queries = features / scale, queries / scale
        params = best_params(features, images.y)
        figures.append(
            dict(
                features=name,
                width=features.shape[1],
                error_percent=svm_error(params, features, images.y, queries, images.q),
                error_1000_labels=svm_error(
                    params, features[few], images.y[few], queries, images.q
                ),
                svm=f"C={params['svm__C']:.3g}, {params['scale']}",
                fit_seconds=time,
                dead=getattr(
                    {"winner-take-all": dense, "convolutional": conv}.get(name), "n_dead_units_", ""
                ),
            )
        )
        report(f"autoencoders_{images.name}", figures)
    for encoder, kind in (("fly", FlyEncoder()), ("conv", ConvEncoder(images.shape))):
        hasher = TaskGeometricHasher(head="block", n_hidden=8192, encoder=kind, random_state=0).fit(
            images.X, images.y
        )
        score = images.retrieval(hasher.transform(images.Q), hasher.transform(images.X))
        rows.append(dict(encoder=f"random, {encoder}", map=score))
    report(f"autoencoder_encoders_{images.name}", rows)
    draw(dense, conv, images)


def _encoder_row(name: str, model: Any, images: Images) -> dict:
    """mAP of the flagship over the frozen features."""
    hasher = TaskGeometricHasher(
        head="block",
        n_hidden=8192,
        encoder=ModuleEncoder(model.as_module(), n_inputs=3),
        random_state=0,
    )
    hasher.fit(images.X, images.y)
    score = images.retrieval(hasher.transform(images.Q), hasher.transform(images.X))
    return dict(encoder=f"{name} autoencoder", map=score)


def draw(dense: Any, conv: Any, images: Images) -> None:
    """Dictionary atoms, and reconstructions beside their inputs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(6, 16, figsize=(12, 4.8), layout="constrained")
    again = (
        dense.inverse_transform(dense.transform(images.Q[:16])),
        conv.reconstruct(images.Q[:16]),
    )
    panels = [
        dense.components_[:32].reshape(-1, *images.shape),
        conv.components_[:16, :, :, 0],
        images.Q[:16].reshape(-1, *images.shape),
        *(part.reshape(-1, *images.shape) for part in again),
    ]
    for ax, image in zip(axes.ravel(), [image for panel in panels for image in panel]):
        ax.imshow(image, cmap="gray")
        ax.axis("off")
    figure.suptitle(
        "Dense atoms, convolutional atoms, inputs, dense and convolutional reconstructions"
    )
    figure.savefig(RESULTS / f"autoencoders_{images.name}.png", dpi=120)
