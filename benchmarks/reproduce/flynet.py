"""T-GSH on RotationMNIST as published: 36 rotations, 3 epochs a task, one after another.

Hong and Pavlic, arXiv 2401.02437: accuracy by task, nothing forgotten, similarity of tasks before
and after training, similarity of representations by label, and pictures of classes.
"""

from __future__ import annotations

import numpy as np

from .._common import Images, load_images, report
from ._pictures import new_figure, save_picture
from ._published import Learned, draw_reconstructions, learn, rotations
from ._representations import compare_representations

ANGLES = (10, 20, 30, 40, 60, 90, 120, 180)


def run(data: str | None) -> None:
    images = load_images(data)
    *_, learned = learn(rotations(images), 10 * images.X.shape[1])
    accuracies(learned, images.name)
    similarities(learned, images.name)
    representations(learned, images)
    turns = [0, 90, 180, 270]
    draw_reconstructions(learned, turns, images.shape, f"flynet_reconstructions_{images.name}")


def accuracies(learned: Learned, name: str) -> None:
    found = np.array(list(learned.accuracy.values()))
    report(
        f"reproduce_flynet_{name}",
        [
            dict(
                tasks=len(found),
                mean=float(found.mean()),
                worst=float(found.min()),
                best=float(found.max()),
                bits_changed=learned.bits_changed,
            )
        ],
    )
    report(f"reproduce_flynet_accuracy_{name}", [{str(t): a for t, a in learned.accuracy.items()}])


def similarities(learned: Learned, name: str) -> None:
    """Mean similarity by angle between tasks, before training and after each epoch."""
    tasks = np.array(list(learned.steps))
    angle = np.abs(tasks[:, None] - tasks)
    angle = np.minimum(angle, 360 - angle)
    rows = []
    for epoch in range(len(learned.steps[0])):
        similarity = learned.similarity(epoch)
        of_angle = {f"{a} degrees": float(similarity[angle == a].mean()) for a in ANGLES}
        rows.append(dict(epochs=epoch, **of_angle))
    report(f"reproduce_flynet_similarity_{name}", rows)
    figure, axes = new_figure(1, 2)
    for ax, epoch, title in ((axes[0, 0], 0, "before training"), (axes[0, 1], -1, "after")):
        image = ax.imshow(learned.similarity(epoch), vmin=-1, vmax=1, cmap="RdBu_r")
        ticks = range(0, len(tasks), 6)
        ax.set_xticks(ticks, tasks[::6])
        ax.set_yticks(ticks, tasks[::6])
        ax.set(title=f"Tasks, {title}", xlabel="degrees")
    figure.colorbar(image, ax=axes, label="cosine similarity", shrink=0.8)
    save_picture(figure, f"flynet_similarity_{name}")


def representations(learned: Learned, images: Images) -> None:
    """The tasks 0 and 90 degrees, which the source compares."""
    views = [(label, Q, q) for label, _, _, Q, q in rotations(images, 2, 90)]
    report(
        f"reproduce_flynet_representations_{images.name}",
        compare_representations(learned, *views, f"flynet_representations_{images.name}"),
    )
