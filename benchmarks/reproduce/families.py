"""The published recipe on other families: ShiftMNIST, AugmentMNIST, PermutedMNIST, split classes.

The first two were announced by arXiv 2401.02437 and never posted. The other two are of the
architecture's own paper, arXiv 2204.04297.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from sktgsh.datasets import make_image_tasks

from .._common import Images, load_images, report
from ._pictures import new_figure, save_picture
from ._published import Learned, Task, draw_reconstructions, learn
from ._representations import compare_representations

N_ROWS = 20_000
N_TASKS = {"shift": 13, "augment": 10, "permuted": 10}
SHOWN = {"shift": [0, 1, 5, 9], "augment": ["identity", "inverted", "mirrored", "thickened"]}


def run(data: str | None) -> None:
    images = load_images(data)
    images = replace(images, X=images.X[:N_ROWS], y=images.y[:N_ROWS])
    rows, by_task, pairs = [], [], []
    figure, axes = new_figure(2, 4, 3.0, 3.0)
    for (above, below), family in zip(axes.T, (*N_TASKS, "split")):
        *_, learned = learn(tasks_of(images, family), 10 * images.X.shape[1], n_epochs=1)
        rows.append(summary(family, learned))
        by_task.append(
            dict(family=family, **{str(t): a for t, a in enumerate(learned.accuracy.values())})
        )
        draw_similarity(above, f"{family}, before training", learned, 0)
        shown = draw_similarity(below, f"{family}, after", learned, -1)
        if family == "shift":
            report(f"reproduce_shift_{images.name}", similarity_by_distance(learned, images))
        if family in SHOWN:
            picture = f"{family}_reconstructions_{images.name}"
            draw_reconstructions(learned, SHOWN[family], images.shape, picture)
            pairs += representations(learned, images, family)
    figure.colorbar(shown, ax=axes, label="cosine similarity", shrink=0.7)
    save_picture(figure, f"families_similarity_{images.name}")
    report(f"reproduce_families_{images.name}", rows)
    report(f"reproduce_families_accuracy_{images.name}", by_task)
    report(f"reproduce_families_representations_{images.name}", pairs)


def tasks_of(images: Images, family: str) -> Iterator[Task]:
    """(label, X, y, Q, q) of each task."""
    if family == "split":
        for first in range(0, 10, 2):
            own, own_queries = (labels // 2 == first // 2 for labels in (images.y, images.q))
            yield (
                f"{first}-{first + 1}",
                images.X[own],
                images.y[own],
                images.Q[own_queries],
                images.q[own_queries],
            )
        return
    drawn = dict(kind=family, n_tasks=N_TASKS[family], random_state=0)
    X, y, task = make_image_tasks(images.X, images.y, **drawn)
    Q, q, query_task = make_image_tasks(images.Q, images.q, **drawn)
    for label in dict.fromkeys(task.tolist()):
        own, own_queries = task == label, query_task == label
        yield label, X[own], y[own], Q[own_queries], q[own_queries]


def summary(family: str, learned: Learned) -> dict:
    accuracy = np.array(list(learned.accuracy.values()))
    others = ~np.eye(len(accuracy), dtype=bool)
    after = np.where(others, learned.similarity(-1), -np.inf)
    labels = list(learned.steps)
    first, second = np.unravel_index(after.argmax(), after.shape)
    return dict(
        family=family,
        tasks=len(labels),
        mean_accuracy=float(accuracy.mean()),
        worst_accuracy=float(accuracy.min()),
        bits_changed=learned.bits_changed,
        similarity_before=float(learned.similarity(0)[others].mean()),
        similarity_after=float(after[others].mean()),
        most_similar=f"{labels[first]}, {labels[second]}: {after.max():.2f}",
    )


def similarity_by_distance(learned: Learned, images: Images) -> list[dict]:
    """Similarity of two shifts by the distance between them, in pixels."""
    # Where a single bright pixel goes says what a task's shift is.
    dot = np.zeros((1, *images.shape))
    dot[0, images.shape[0] // 2, images.shape[1] // 2] = 1
    moved, *_ = make_image_tasks(dot, [0], "shift", n_tasks=len(learned.steps))
    place = np.stack(np.unravel_index(moved.argmax(axis=1), images.shape), axis=1)
    distance = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)).round(2)
    before, after = learned.similarity(0), learned.similarity(-1)
    return [
        dict(
            pixels=float(d),
            before=float(before[distance == d].mean()),
            after=float(after[distance == d].mean()),
        )
        for d in np.unique(distance)[1:]
    ]


def representations(learned: Learned, images: Images, family: str) -> list[dict]:
    """Pairs of images of the first two tasks that are shown."""
    tasks = SHOWN[family][:2]
    views = [(t, Q, q) for t, _, _, Q, q in tasks_of(images, family) if t in tasks]
    found = compare_representations(learned, *views, f"{family}_representations_{images.name}")
    return [dict(family=family, **row) for row in found]


def draw_similarity(ax: Any, title: str, learned: Learned, epoch: int) -> Any:
    """The matrix of an epoch; returns what a colour bar needs."""
    drawn = ax.imshow(learned.similarity(epoch), vmin=-1, vmax=1, cmap="RdBu_r")
    labels = list(learned.steps)
    ax.set_yticks(range(len(labels)), labels, fontsize="x-small")
    ax.set(xticks=[])
    ax.set_title(title, fontsize="medium")
    return drawn
