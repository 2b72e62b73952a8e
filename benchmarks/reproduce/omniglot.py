"""One example of a character of an alphabet never seen: omniglot, 20 ways, beside pixels.

Dikkala, Kaplun and Panigrahy, arXiv 2103.06875, on the data of Lake et al., Science 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch

from sktgsh import GeometricHasher, GradientSolver
from sktgsh.datasets import fetch_omniglot
from sktgsh.networks import RandomConvolution

from .._common import report, skip_without
from ..omniglot import N_WAYS, Episodes, draw_episodes
from ._pictures import new_figure, save_picture, show_image
from .manifolds import UNTRAINED, sensitivity

N_TRIALS, N_EPOCHS = 20, 5


@skip_without("omniglot.npz")
def run(data: str) -> None:
    known = fetch_omniglot(data)
    new = fetch_omniglot(data, subset="evaluation")
    shape = tuple(new.image_shape)
    hasher = GeometricHasher(
        256,
        n_components=64,
        image_shape=shape,
        solver=GradientSolver(max_epochs=N_EPOCHS),
        random_state=0,
    ).fit(known.data, known.target)
    untrained = GeometricHasher(
        256, n_components=64, image_shape=shape, random_state=0, **UNTRAINED
    ).fit(known.data[::20], known.target[::20])
    convolution = RandomConvolution(shape, 64, 7, 4, images=known.data / 255.0, seed=0)
    frozen = make_pipeline(_features(convolution), StandardScaler()).fit(known.data[::10])
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "pixels": lambda X: X / 255.0,
        "untrained network": untrained.representation,
        "random convolutions": frozen.transform,
        "trained network, 256 bits": lambda X: 1.0 * hasher.transform(X),
        "trained network, representation": hasher.representation,
    }
    episodes, rows, r = draw_episodes(new, N_TRIALS), [], {}
    for name, way in ways.items():
        r[name] = way(new.data)
        scores = episodes.scores(lambda episode, name=name: between(r[name], episodes, episode))
        rows.append(
            dict(
                features=name,
                accuracy=float(scores.mean()),
                standard_error=float(scores.std() / np.sqrt(len(scores))),
                **sensitivity(r[name], new.target),
            )
        )
    report("reproduce_omniglot", rows)
    draw_episode(r["trained network, representation"], new, episodes)


def _features(convolution: RandomConvolution) -> FunctionTransformer:
    @torch.no_grad()
    def features(X: np.ndarray) -> np.ndarray:
        return convolution(torch.from_numpy((X / 255.0).astype(np.float32))).numpy()

    return FunctionTransformer(features)


def between(values: np.ndarray, episodes: Episodes, episode: int) -> np.ndarray:
    """Distances of the queries of an episode from its examples."""
    return pairwise_distances(values[episodes.queries[episode]], values[episodes.examples[episode]])


def draw_episode(values: np.ndarray, new: Bunch, episodes: Episodes) -> None:
    """The first one: examples, queries, and what the queries find."""
    examples, queries = episodes.examples[0], episodes.queries[0]
    nearest = between(values, episodes, 0).argmin(axis=1)
    figure, axes = new_figure(3, N_WAYS, 0.48, 0.6)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    panels = (("example", examples), ("query", queries), ("nearest example", examples[nearest]))
    for row, (title, rows) in zip(axes, panels):
        for position, (ax, index) in enumerate(zip(row, rows)):
            show_image(ax, new.data[index].reshape(new.image_shape))
            wrong = title == "nearest example" and nearest[position] != position
            for spine in ax.spines.values():
                spine.set(color="C3" if wrong else "0.8", linewidth=2 if wrong else 0.5)
        row[0].set_title(title, fontsize="x-small", loc="left")
    save_picture(figure, "omniglot")
