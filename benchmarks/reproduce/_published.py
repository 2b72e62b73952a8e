"""The published network learned task by task, with everything that its figures need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from skorch.callbacks import Callback

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import make_image_tasks

from .._common import Images
from ._pictures import mosaic, new_figure, save_picture, show_image

N_EPOCHS, N_CHECKED = 3, 1000
Task = tuple[Any, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Contexts(Callback):
    """Keep the context of the task in training: as drawn, and after each epoch."""

    def __init__(self) -> None:
        self.steps: list[np.ndarray] = []
        self.projection = np.zeros(0)

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.steps = [self._vector(net)]
        self.projection = net.module_.projection.numpy().copy()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.steps.append(self._vector(net))

    def _vector(self, net: Any) -> np.ndarray:
        head = net.module_
        return (head.strength * head.context).detach().numpy().copy()


@dataclass
class Learned:
    """A hasher that learned tasks one after another.

    Attributes
    ----------
    hasher : TaskGeometricHasher
    steps : dict of ndarray of shape (1 + n_epochs, n_hidden)
        ``strength * context`` of each task, as drawn and after each epoch.
    projections : dict of ndarray of shape (n_classes, n_hidden)
        Frozen readout of each task's classes.
    accuracy : dict of float
        Of each task, once all were learned.
    bits_changed : int
        Bits of all tasks' codes that differ from those given right after the task was learned.
    """

    hasher: TaskGeometricHasher
    steps: dict[Any, np.ndarray] = field(default_factory=dict)
    projections: dict[Any, np.ndarray] = field(default_factory=dict)
    accuracy: dict[Any, float] = field(default_factory=dict)
    bits_changed: int = 0

    def similarity(self, epoch: int) -> np.ndarray:
        """Cosine similarity of the tasks' modulations after an epoch; 0 is before training."""
        return cosine_similarity([steps[epoch] for steps in self.steps.values()])


def rotations(images: Images, n_tasks: int = 36, step: int = 10) -> Iterator[Task]:
    """(label, X, y, Q, q) of each task; one at a time fits into memory."""
    for angle in range(0, n_tasks * step, step):
        parts = []
        for rows, labels in ((images.X, images.y), (images.Q, images.q)):
            views, *_ = make_image_tasks(rows, labels, n_tasks=2, step=angle)
            parts += [views[len(rows) :], labels]
        yield angle, *parts


def learn(
    tasks: Iterable[Task], n_hidden: int, n_epochs: int = N_EPOCHS, seed: int = 0
) -> Iterator[Learned]:
    """Learn the tasks; yield after each one what is known so far, and at last with accuracies."""
    contexts = Contexts()
    hasher = TaskGeometricHasher.flynet(n_hidden=n_hidden, random_state=seed).set_params(
        solver__max_epochs=n_epochs, solver__callbacks=[contexts]
    )
    learned, checked = Learned(hasher), {}
    for label, X, y, Q, q in tasks:
        hasher.partial_fit(X, y, task=label)
        learned.steps[label] = np.stack(contexts.steps)
        learned.projections[label] = contexts.projection
        checked[label] = Q, q, hasher.transform(Q[:N_CHECKED], task=label)
        yield learned
    for label, (Q, q, codes) in checked.items():
        learned.accuracy[label] = float((hasher.predict_class(Q, task=label) == q).mean())
        again = hasher.transform(Q[:N_CHECKED], task=label)
        learned.bits_changed += int((again != codes).sum())
    yield learned


def published_reconstructions(learned: Learned, tasks: list) -> dict[Any, np.ndarray]:
    """Each class's readout under a task's context, through the expansion's pseudo-inverse.

    Returns
    -------
    samples : dict of ndarray of shape (n_classes, n_features)
        By task.
    """
    n_hidden = learned.hasher.n_hidden_
    wiring = learned.hasher.model_.network.encoder.expansion.indices.numpy().reshape(n_hidden, -1)
    expansion = np.zeros((n_hidden, learned.hasher.n_features_in_))
    np.put_along_axis(expansion, wiring, 1.0, axis=1)
    expansion -= expansion.mean(axis=0)
    inverse = np.linalg.pinv(expansion.T @ expansion, rcond=1e-8, hermitian=True)
    return {
        task: (learned.projections[task] * learned.steps[task][-1]) @ expansion @ inverse
        for task in tasks
    }


def draw_reconstructions(learned: Learned, tasks: list, shape: tuple[int, int], name: str) -> None:
    """A row of classes for each task: as published on the left, by the density on the right."""
    figure, axes = new_figure(1, 2, 4.6, 0.5 + 0.42 * len(tasks))
    hasher = learned.hasher
    published = published_reconstructions(learned, tasks)
    ours = {task: [hasher.reconstruct(c, task)[0] for c in hasher.classes_] for task in tasks}
    for ax, title, pictures in (
        (axes[0, 0], "published: pseudo-inverse", published),
        (axes[0, 1], "density of the task", ours),
    ):
        rows = [[picture.reshape(shape) for picture in pictures[task]] for task in tasks]
        show_image(ax, mosaic(rows), title)
        ax.set_yticks((np.arange(len(tasks)) + 0.5) * (shape[0] + 2), tasks, fontsize="small")
    save_picture(figure, name)
