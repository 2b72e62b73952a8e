"""One-shot classification of characters in alphabets never trained on, 20 ways.

An episode takes 20 characters of one evaluation alphabet: one example of each by one drawer, and
one query of each by another. All methods see the same episodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.utils import Bunch

from sktgsh import (
    ConvWinnerTakeAllAutoencoder,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.codes import hamming_distances
from sktgsh.datasets import fetch_omniglot

from ._common import Images, medians, report, seconds, skip_without
from .unseen import frozen_features

N_BITS, N_WAYS, PER_ALPHABET = 128, 20, 10
SEEDS = (0, 1, 2)


@dataclass
class Episodes:
    """Rows of the examples and of the queries, (n_episodes, 20) each; column by column a class."""

    examples: np.ndarray
    queries: np.ndarray

    def scores(self, distances: Callable[[int], np.ndarray]) -> np.ndarray:
        """Share of queries in each episode whose nearest example is right.

        Given distances (queries, examples) of an episode. Among examples at the same distance,
        each counts by its share.
        """
        found = []
        for episode in range(len(self.queries)):
            between = distances(episode)
            nearest = between == between.min(axis=1, keepdims=True)
            found.append((nearest.diagonal() / nearest.sum(axis=1)).mean())
        return np.array(found)

    def accuracy(self, distances: Callable[[int], np.ndarray]) -> float:
        """Their mean."""
        return float(self.scores(distances).mean())

    def of_features(self, features: np.ndarray) -> float:
        """Nearest by cosine."""
        return self.accuracy(
            lambda e: -cosine_similarity(features[self.queries[e]], features[self.examples[e]])
        )

    def of_codes(self, codes: np.ndarray) -> float:
        """Nearest code, of one code a row; or of one a row and episode, (n_episodes, 40, n_bits),
        examples first."""
        if codes.ndim == 3:
            return self.accuracy(lambda e: hamming_distances(codes[e, N_WAYS:], codes[e, :N_WAYS]))
        return self.accuracy(
            lambda e: hamming_distances(codes[self.queries[e]], codes[self.examples[e]])
        )


def draw_episodes(evaluation: Bunch, per_alphabet: int = PER_ALPHABET) -> Episodes:
    rng = np.random.default_rng(0)
    row = {key: position for position, key in enumerate(zip(evaluation.target, evaluation.drawer))}
    examples, queries = [], []
    for alphabet in np.unique(evaluation.task):
        characters = np.unique(evaluation.target[evaluation.task == alphabet])
        for _ in range(per_alphabet):
            chosen = rng.choice(characters, N_WAYS, replace=False)
            first, second = rng.choice(np.unique(evaluation.drawer), 2, replace=False)
            examples.append([row[character, first] for character in chosen])
            queries.append([row[character, second] for character in chosen])
    return Episodes(np.array(examples), np.array(queries))


def nearest_alphabets(background: Bunch, support: np.ndarray) -> np.ndarray:
    """For each episode, the background alphabet whose mean picture is nearest to the support's."""
    tasks = np.unique(background.task)
    means = np.stack([background.data[background.task == t].mean(axis=0) for t in tasks])
    return tasks[cosine_similarity(support.mean(axis=1), means).argmax(axis=1)]


def by_task(
    fitted: TaskGeometricHasher, background: Bunch, evaluation: Bunch, episodes: Episodes, seed: int
) -> dict[str, float]:
    """Accuracy with an episode's task chosen in several ways from its examples alone."""
    tasks = fitted.tasks_
    rows = np.concatenate([episodes.examples, episodes.queries], axis=1)
    used, rows = np.unique(rows, return_inverse=True)
    codes = np.stack([fitted.transform(evaluation.data[used], task=task) for task in tasks])
    support = evaluation.data[episodes.examples]
    groups = np.repeat(np.arange(len(support)), N_WAYS)
    inferred = fitted.predict_task(support.reshape(-1, support.shape[2]), groups=groups)[::N_WAYS]
    any_task = np.random.default_rng(seed).choice(tasks, len(rows))
    position = {task: index for index, task in enumerate(tasks.tolist())}

    def accuracy(chosen: np.ndarray) -> float:
        index = np.array([position[task] for task in chosen.tolist()])
        return episodes.of_codes(codes[index[:, None], rows])

    return {
        "task inferred from the examples": accuracy(inferred),
        "alphabet with the nearest mean": accuracy(nearest_alphabets(background, support)),
        "a task drawn at random": accuracy(any_task),
        "the codes of all tasks side by side": episodes.of_codes(
            np.concatenate(codes, axis=1)[rows]
        ),
    }


def trained(background: Bunch, evaluation: Bunch, episodes: Episodes, seed: int) -> dict[str, dict]:
    """A hasher of the background alphabets, each a task."""
    found = {}
    for name, share in (("", 0.0), (", structure 0.5", 0.5)):
        hasher = TaskGeometricHasher(N_BITS, structure_fraction=share, random_state=seed)
        fit_seconds, fitted = seconds(
            lambda hasher=hasher: hasher.fit(
                background.data, background.target, task=background.task
            )
        )
        for how, value in by_task(fitted, background, evaluation, episodes, seed).items():
            found[f"TaskGeometricHasher{name}, {how}"] = {"accuracy": value, "fit s": fit_seconds}
    return found


def convolved(background: Bunch, evaluation: Bunch) -> tuple[Bunch, Bunch]:
    """The same rows as features of the frozen convolution, computed once for all tasks."""
    images = Images(
        "omniglot",
        background.data,
        background.task,
        evaluation.data,
        evaluation.task,
        background.image_shape,
    )
    some = np.random.default_rng(0).permutation(len(background.data))[:3000]
    known, new = frozen_features(images, some)
    return Bunch(**{**background, "data": known}), Bunch(**{**evaluation, "data": new})


def untrained(
    background: Bunch, evaluation: Bunch, convolution: np.ndarray, episodes: Episodes
) -> list[dict[str, Any]]:
    """Pixels, winner-take-all features and the frozen convolution's, as they are and as codes."""
    images = background.data.astype(np.float32) / 255
    some = np.random.default_rng(0).permutation(len(images))[:5000]
    fit_seconds, autoencoder = seconds(
        lambda: ConvWinnerTakeAllAutoencoder(
            background.image_shape, solver=GradientSolver(max_epochs=3), random_state=0
        ).fit(images[some])
    )
    asked = evaluation.data.astype(np.float32) / 255
    rows = []
    for name, known, new, cost in (
        ("pixels", images[some], asked, 0.0),
        (
            "winner-take-all features",
            autoencoder.transform(images[some]),
            autoencoder.transform(asked),
            fit_seconds,
        ),
        ("features of the frozen convolution", convolution, convolution, 0.0),
    ):
        codes = SignedRandomProjectionHasher(N_BITS, random_state=0).fit(known).transform(new)
        rows.append({"method": name, "accuracy": episodes.of_features(new), "fit s": cost})
        rows.append(
            {
                "method": f"signed projections of {name}",
                "accuracy": episodes.of_codes(np.asarray(codes)),
                "fit s": cost,
            }
        )
    return rows


@skip_without("omniglot.npz")
def run(data: str) -> None:
    background = fetch_omniglot(data)
    evaluation = fetch_omniglot(data, subset="evaluation")
    episodes = draw_episodes(evaluation)
    known, new = convolved(background, evaluation)
    tries = [trained(known, new, episodes, seed) for seed in SEEDS]
    rows = [
        dict(method=method, **medians([found[method] for found in tries])) for method in tries[0]
    ]
    report("omniglot", rows + untrained(background, evaluation, new.data, episodes))
