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

from sktgsh import GeometricHasher
from sktgsh.datasets import fetch_omniglot
from sktgsh.networks import RandomConvolution

from .._common import report, skip_without
from ._pictures import new_figure, save_picture, show_image
from .manifolds import UNTRAINED, sensitivity

N_WAYS, N_TRIALS, N_EPOCHS = 20, 20, 5


@skip_without("omniglot.npz")
def run(data: str) -> None:
    known = fetch_omniglot(data)
    new = fetch_omniglot(data, subset="evaluation")
    shape = tuple(new.image_shape)
    hasher = GeometricHasher(
        256, n_components=64, image_shape=shape, max_epochs=N_EPOCHS, random_state=0
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
    rows, r = [], {}
    for name, way in ways.items():
        r[name] = way(new.data)
        accuracy, spread = twenty_ways(r[name], new)
        rows.append(
            dict(
                features=name,
                accuracy=accuracy,
                standard_error=spread,
                **sensitivity(r[name], new.target),
            )
        )
    report("reproduce_omniglot", rows)
    draw_trial(r["trained network, representation"], new)


def _features(convolution: RandomConvolution) -> FunctionTransformer:
    @torch.no_grad()
    def features(X: np.ndarray) -> np.ndarray:
        return convolution(torch.from_numpy((X / 255.0).astype(np.float32))).numpy()

    return FunctionTransformer(features)


def trials(new: Bunch) -> list[tuple[np.ndarray, np.ndarray]]:
    """(examples, queries) of each trial: 20 characters of an alphabet, two drawers."""
    rng, found = np.random.RandomState(0), []
    for alphabet in np.unique(new.task):
        characters = np.unique(new.target[new.task == alphabet])
        for _ in range(N_TRIALS if len(characters) >= N_WAYS else 0):
            chosen = rng.choice(characters, N_WAYS, replace=False)
            one, other = rng.choice(np.unique(new.drawer), 2, replace=False)
            place = [
                [np.flatnonzero((new.target == c) & (new.drawer == d))[0] for c in chosen]
                for d in (one, other)
            ]
            found.append((np.array(place[0]), np.array(place[1])))
    return found


def twenty_ways(values: np.ndarray, new: Bunch) -> tuple[float, float]:
    """Mean accuracy over the trials, and its standard error."""
    found = []
    for examples, queries in trials(new):
        distances = pairwise_distances(values[queries], values[examples])
        found.append((distances.argmin(axis=1) == np.arange(N_WAYS)).mean())
    return float(np.mean(found)), float(np.std(found) / np.sqrt(len(found)))


def draw_trial(values: np.ndarray, new: Bunch) -> None:
    examples, queries = trials(new)[0]
    nearest = pairwise_distances(values[queries], values[examples]).argmin(axis=1)
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
