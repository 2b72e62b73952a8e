"""Similarity of the representations of pairs of images, by class and task, and by position."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from ._pictures import new_figure, save_picture
from ._published import Learned

N_PAIRED = 1000
WHEN = {"before training": 0, "after": -1}
# Label of a task, its images and their classes.
View = tuple[Any, np.ndarray, np.ndarray]


def compare_representations(learned: Learned, first: View, second: View, name: str) -> list[dict]:
    """Mean similarity of each group of pairs before and after training; draws histograms."""
    rng = np.random.RandomState(0)
    taken = [rng.permutation(len(y))[:N_PAIRED] for _, _, y in (first, second)]
    views = [(t, Q[rows], y[rows]) for (t, Q, y), rows in zip((first, second), taken)]
    trained = [learned.hasher.representation(Q, task=task) for task, Q, _ in views]
    figure, axes = new_figure(1, 2, height=3)
    table = []
    for ax, (when, epoch) in zip(axes[0], WHEN.items()):
        one, other = (
            values / learned.steps[task][-1] * learned.steps[task][epoch]
            for values, (task, _, _) in zip(trained, views)
        )
        groups = pairs_by_label(one, other, views[0][2], views[1][2])
        table.append(dict(when=when, **{group: float(v.mean()) for group, v in groups.items()}))
        for group, values in groups.items():
            ax.hist(values, np.linspace(-1, 1, 61), density=True, histtype="step", label=group)
        title = f"Tasks {first[0]} and {second[0]}, {when}"
        ax.set(title=title, xlabel="cosine similarity of representations", yscale="log")
    axes[0, 0].legend(fontsize="x-small", loc="upper left")
    save_picture(figure, name)
    return table


def pairs_by_label(
    one: np.ndarray, other: np.ndarray, y: np.ndarray, other_y: np.ndarray
) -> dict[str, np.ndarray]:
    """Similarities of all pairs of each kind."""
    within, across = cosine_similarity(one), cosine_similarity(one, other)
    pairs = np.triu(np.ones(within.shape, bool), 1)
    return {
        "same task, same class": within[pairs & (y[:, None] == y)],
        "same task, other class": within[pairs & (y[:, None] != y)],
        "other task, same class": across[y[:, None] == other_y],
        # As the source pairs.
        "other task, by position": np.diag(across),
    }
