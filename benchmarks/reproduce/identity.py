"""Inference of the task that rows come from: our densities beside superposed contexts.

Hong and Pavlic, arXiv 2204.04297, after Wortsman et al., "Supermasks in superposition", NeurIPS
2020: with all contexts superposed, each with weight 1 / n_tasks, the task is the one along whose
weight the entropy of the class probabilities falls most steeply.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_softmax

from sktgsh import TaskGeometricHasher

from .._common import Images, load_images, report
from ._pictures import new_figure, save_picture
from ._published import Learned, learn, rotations

CHECKPOINTS, GROUP, N_QUERIES = (2, 4, 8, 16, 36), 10, 200
N_ROWS, CLOSED_FORM = 10_000, "densities, closed form"


def run(data: str | None) -> None:
    images = load_images(data)
    found = published(images) + closed_form(images)
    report(f"reproduce_identity_{images.name}", _by_tasks(found))
    draw(found, images.name)


def published(images: Images) -> list[dict]:
    """FlyNet, asked by entropy and by our densities."""
    found: list[dict] = []
    learning = learn(rotations(images), 10 * images.X.shape[1], n_epochs=1)
    for n_tasks, learned in enumerate(learning, start=1):
        if n_tasks in CHECKPOINTS:
            hasher = learned.hasher
            found += compare(images, hasher, "densities, FlyNet", hasher.predict_task)
            found += compare(
                images,
                hasher,
                "entropy gradient, FlyNet",
                lambda Q, groups=None: entropy_gradient(learned, Q, groups),
            )
    return found


def closed_form(images: Images) -> list[dict]:
    """The flagship as it is by default: bits that share their units."""
    found: list[dict] = []
    hasher = TaskGeometricHasher(max_open_tasks=0, random_state=0)
    for n_tasks, (label, X, y, _, _) in enumerate(rotations(images), start=1):
        hasher.partial_fit(X[:N_ROWS], y[:N_ROWS], task=label)
        if n_tasks in CHECKPOINTS:
            found += compare(images, hasher, CLOSED_FORM, hasher.predict_task)
    return found


def compare(images: Images, hasher: TaskGeometricHasher, method: str, predict: Any) -> list[dict]:
    """Share of single rows, and of rows judged in groups of ten, whose task is found."""
    tasks = hasher.tasks_
    views = {label: Q[:N_QUERIES] for label, _, _, Q, _ in rotations(images, len(tasks))}
    Q = np.concatenate([views[task] for task in tasks])
    truth = np.repeat(tasks, [len(views[task]) for task in tasks])
    groups = np.arange(len(Q)) // GROUP
    return [
        dict(method=f"{method}, {rows}", tasks=len(tasks), accuracy=float((answer == truth).mean()))
        for rows, answer in (
            ("single rows", predict(Q)),
            (f"groups of {GROUP}", predict(Q, groups=groups)),
        )
    ]


def entropy_gradient(learned: Learned, Q: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The task of the steepest descent of the entropy, of each row or summed over its group."""
    hasher = learned.hasher
    vectors = np.stack([steps[-1] for steps in learned.steps.values()])
    first = hasher.tasks_[0]
    readout = learned.projections[first]
    slopes = np.empty((len(Q), len(vectors)))
    for start in range(0, len(Q), 500):
        rows = slice(start, start + 500)
        hidden = hasher.representation(Q[rows], task=first) / vectors[0]
        # Class scores under each task's context alone: superposed contexts give their mean.
        scores = np.stack([hidden @ (readout * vector).T for vector in vectors], axis=1)
        log_p = log_softmax(scores.mean(axis=1), axis=1)
        p = np.exp(log_p)
        entropy = -(p * log_p).sum(axis=1, keepdims=True)
        # d entropy / d score_c = -p_c (log p_c + entropy).
        slopes[rows] = np.einsum("rc,rtc->rt", -p * (log_p + entropy), scores)
    if groups is not None:
        sums = np.zeros((groups.max() + 1, slopes.shape[1]))
        np.add.at(sums, groups, slopes)
        slopes = sums[groups]
    return hasher.tasks_[slopes.argmin(axis=1)]


def _by_tasks(found: list[dict]) -> list[dict]:
    """One row a method: accuracy by number of tasks."""
    return [
        dict(
            method=method,
            **{f"{r['tasks']} tasks": r["accuracy"] for r in found if r["method"] == method},
        )
        for method in dict.fromkeys(row["method"] for row in found)
    ]


def draw(found: list[dict], name: str) -> None:
    figure, axes = new_figure(1, 2)
    for ax, rows in zip(axes[0], ("single rows", f"groups of {GROUP}")):
        for method in (CLOSED_FORM, "densities, FlyNet", "entropy gradient, FlyNet"):
            line = [row for row in found if row["method"] == f"{method}, {rows}"]
            tasks = [row["tasks"] for row in line]
            ax.plot(tasks, [row["accuracy"] for row in line], marker="o", label=method)
        ax.plot(tasks, 1 / np.array(tasks), ":", c="gray", label="chance")
        ax.set(title=rows, xlabel="tasks (10 degrees apart)", xscale="log", ylim=(0, 1.03))
        ax.set_xticks(CHECKPOINTS, CHECKPOINTS)
        ax.minorticks_off()
    axes[0, 0].set_ylabel("task found")
    axes[0, 0].legend(fontsize="x-small")
    save_picture(figure, f"identity_{name}")
