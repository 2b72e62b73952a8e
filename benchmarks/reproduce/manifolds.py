"""GSH: how tight manifolds are, how far apart, and what one example of a new class is good for.

Dikkala, Kaplun and Panigrahy, arXiv 2103.06875. Synthetic manifolds, MNIST by class and by task,
and characters of alphabets never seen (omniglot, 20 ways), beside pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sktgsh import GeometricHasher, TaskGeometricHasher
from sktgsh.datasets import fetch_omniglot, make_image_tasks, make_manifolds
from sktgsh.evaluation import identifier_recovery
from sktgsh.metrics import geometric_sensitivity
from sktgsh.networks import RandomConvolution

from .._common import Images, load_images, report
from ..deep import one_shot_nearest
from ._pictures import new_figure, save_picture, show_image
from ._published import learn, rotations

# A step this small leaves the network as it was drawn.
UNTRAINED = dict(max_epochs=1, lr=1e-9)
N_ROWS = 20_000
N_WAYS, N_TRIALS = 20, 20


def run(data: str | None) -> None:
    synthetic()
    images = load_images(data)
    by_class(images)
    by_task(images)
    if data is None:
        print("omniglot: skipped; give --data with a folder that holds omniglot.npz")
        return
    omniglot(data)


def _sensitivity(values: np.ndarray, y: np.ndarray, task: np.ndarray | None = None) -> dict:
    found = geometric_sensitivity(values, y, task=task)
    row = dict(mean_variance=float(found.variance.mean()), epsilon=found.epsilon)
    if task is None:
        return dict(**row, rho=found.rho)
    return dict(**row, rho_within=found.rho_within_task, rho_across=found.rho_across_tasks)


def synthetic() -> None:
    """Manifolds held out: 1,000 to train on, 300 to measure."""
    drawn = make_manifolds(1300, 50, random_state=0)
    held_out = drawn.target >= 1000
    X, y = drawn.data[held_out], drawn.target[held_out]
    gamma = drawn.gamma[y]
    few = y < 1010
    rows = []

    def add(name: str, r: np.ndarray) -> None:
        rows.append(
            dict(
                representation=name,
                **_sensitivity(r, y),
                gamma_r2=identifier_recovery(r, gamma, y, random_state=0),
                one_shot_of_10=one_shot_nearest(r[few], y[few]),
            )
        )

    add("inputs", X / np.linalg.norm(X, axis=1).mean())
    for name, params in (("untrained network", UNTRAINED), ("trained network", {})):
        hasher = GeometricHasher(256, random_state=0, **params)
        hasher.fit(drawn.data[~held_out], drawn.target[~held_out])
        add(name, hasher.representation(X))
    report("reproduce_manifolds_synthetic", rows)


def by_class(images: Images) -> None:
    """The ten digits as manifolds; then five digits that the network never saw."""
    rows, Q, q = [], images.Q[:5000], images.q[:5000]
    new, n_epochs = q >= 5, 3 if len(images.X) > 5000 else 30
    for classes, known in (("all", images.y >= 0), ("0 to 4", images.y < 5)):
        used = np.flatnonzero(known)
        for name, params, n_rows in (
            ("untrained", UNTRAINED, 500),
            ("trained", dict(max_epochs=n_epochs), N_ROWS),
        ):
            hasher = GeometricHasher(256, image_shape=images.shape, random_state=0, **params)
            hasher.fit(images.X[used[:n_rows]], images.y[used[:n_rows]])
            r = hasher.representation(Q)
            row = dict(network=name, trained_on=classes, **_sensitivity(r, q))
            if classes != "all":
                row["one_shot_5_to_9"] = one_shot_nearest(r[new][:1000], q[new][:1000])
            rows.append(row)
    pixels = Q.astype(np.float64)
    one_shot = one_shot_nearest(pixels[new][:1000], q[new][:1000])
    rows.append(dict(network="pixels", **_sensitivity(pixels, q), one_shot_5_to_9=one_shot))
    report(f"reproduce_manifolds_{images.name}", rows)


def by_task(images: Images) -> None:
    """Four rotations as tasks: representations of FlyNet, and codes of both codebooks."""
    n_rows, rows = 500, []
    Q, q, task = make_image_tasks(images.Q[:n_rows], images.q[:n_rows], n_tasks=4)
    few = replace(images, X=images.X[:N_ROWS], y=images.y[:N_ROWS])
    *_, learned = learn(rotations(few, 4, 90), 10 * images.X.shape[1], n_epochs=1)
    trained = learned.hasher.representation(Q, task=task)
    last, drawn = (np.stack([learned.steps[t][i] for t in task.tolist()]) for i in (-1, 0))
    for name, values in (
        ("pixels", Q.astype(np.float64)),
        ("FlyNet before", trained / last * drawn),
        ("FlyNet after", trained),
    ):
        rows.append(dict(representation=name, **_sensitivity(values, q, task)))
    for codebook in ("shared", "per_task"):
        hasher = TaskGeometricHasher(64, codebook=codebook, random_state=0)
        for label, X, y, _, _ in rotations(few, 4, 90):
            hasher.partial_fit(X, y, task=label)
        codes = 2.0 * hasher.transform(Q, task=task) - 1
        rows.append(
            dict(representation=f"64 bits, codebook {codebook}", **_sensitivity(codes, q, task))
        )
    report(f"reproduce_manifolds_tasks_{images.name}", rows)


# -- omniglot ----------------------------------------------------------------------------------


def omniglot(data: str) -> None:
    """One example of each of 20 characters of an alphabet never seen, by one drawer; the rest of
    another drawer are classified by the nearest."""
    known = fetch_omniglot(data)
    turned, y, turn = make_image_tasks(known.data, known.target, n_tasks=4)
    # A turned character is another character: four times as many manifolds.
    y = y * 4 + turn // 90
    new = fetch_omniglot(data, subset="evaluation")
    shape = tuple(new.image_shape)
    hasher = GeometricHasher(
        256, n_components=64, image_shape=shape, max_epochs=5, random_state=0
    ).fit(turned, y)
    untrained = GeometricHasher(
        256, n_components=64, image_shape=shape, random_state=0, **UNTRAINED
    ).fit(known.data[::20], known.target[::20])
    convolution = RandomConvolution(shape, 64, 7, 4, images=known.data / 255.0, seed=0)
    frozen = make_pipeline(_features(convolution), StandardScaler()).fit(known.data)
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
                **_sensitivity(r[name], new.target),
            )
        )
    report("reproduce_omniglot", rows)
    draw_trial(r["trained network, representation"], new)


def _features(convolution: RandomConvolution) -> FunctionTransformer:
    @torch.no_grad()
    def features(X: np.ndarray) -> np.ndarray:
        return convolution(torch.from_numpy((X / 255.0).astype(np.float32))).numpy()

    return FunctionTransformer(features)


def trials(new: dict) -> list[tuple[np.ndarray, np.ndarray]]:
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


def twenty_ways(values: np.ndarray, new: dict) -> tuple[float, float]:
    """Mean accuracy over the trials, and its standard error."""
    found = []
    for examples, queries in trials(new):
        distances = pairwise_distances(values[queries], values[examples])
        found.append((distances.argmin(axis=1) == np.arange(N_WAYS)).mean())
    return float(np.mean(found)), float(np.std(found) / np.sqrt(len(found)))


def draw_trial(values: np.ndarray, new: dict) -> None:
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
