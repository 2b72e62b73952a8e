"""Winner-take-all autoencoders of the paper's size, tried in three ways beyond our setting.

A third of the images of MNIST, without labels, so that a try takes minutes; then the test error of
a linear SVM by all 60,000 labels, and the error of one by 5,000 on 3,000 held-out training rows, by
which a try can be chosen. Three times as many epochs are as many steps as on all images. The best
try is repeated on those.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from sktgsh import ConvWinnerTakeAllAutoencoder, GradientSolver, WinnerTakeAllAutoencoder

from .._common import load_images, report, seconds, skip_without
from ..autoencoders import search_params, svm_error
from .autoencoders import GRID

N_ROWS, BEST = 20_000, "convolutional, sparsity 0.05"
DENSE = dict(solver=GradientSolver(max_epochs=15), random_state=0)
CONV = dict(
    n_filters=(128,), sparsity=0.1, pool=4, solver=GradientSolver(max_epochs=6), random_state=0
)


def tries(shape: tuple[int, ...]) -> dict[str, Any]:
    """Name to an autoencoder that learns from N_ROWS images; cheap ones first."""

    def dense(**changed: Any) -> WinnerTakeAllAutoencoder:
        return clone(WinnerTakeAllAutoencoder(2000, **DENSE)).set_params(**changed)

    def conv(**changed: Any) -> ConvWinnerTakeAllAutoencoder:
        return clone(ConvWinnerTakeAllAutoencoder(shape, **CONV)).set_params(**changed)

    return {
        "dense": dense(),
        "dense, sparsity 0.02": dense(sparsity=0.02),
        "dense, step 0.003": dense(solver__lr=3e-3),
        "dense, 45 epochs": dense(solver__max_epochs=45),
        "convolutional": conv(),
        "convolutional, sparsity 0.05": conv(sparsity=0.05),
        "convolutional, 5 x 5 filters": conv(filter_size=5),
        "convolutional, 18 epochs": conv(solver__max_epochs=18),
    }


@skip_without("mnist.npz")
def run(data: str) -> None:
    images, rows = load_images(data), []
    X, Q = images.X.astype(np.float32), images.Q.astype(np.float32)
    models = tries(images.shape)
    jobs = [(name, model, N_ROWS) for name, model in models.items()]
    jobs.append((f"{BEST}, all images", clone(models[BEST]), len(X)))
    for name, model, n_rows in jobs:
        spent, _ = seconds(lambda model=model, n_rows=n_rows: model.fit(X[:n_rows]))
        features = model.transform(X)
        scale = features.std()
        features /= scale
        search = search_params(features, images.y, GRID)
        queries = model.transform(Q) / scale
        error = svm_error(search.best_params_, features, images.y, queries, images.q)
        rows.append(
            dict(
                features=name,
                held_out_percent=100 * (1 - search.best_score_),
                error_percent=error,
                fit_minutes=spent / 60,
            )
        )
        report("reproduce_autoencoder_tries", rows)
