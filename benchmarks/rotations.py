"""Rotation tasks: retrieval in each, how similar tasks are, which task a row comes from."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import make_image_tasks
from sktgsh.inspection import RepresentationSimilarityDisplay, TaskSimilarityDisplay
from sktgsh.metrics import mean_average_precision

from ._common import Images, load_images, report
from .reproduce._pictures import new_figure, save_picture

# Rows of a task that the 36 tasks are learned from: all tasks at once must fit into memory.
N_ROWS = 10_000
SETTINGS = {
    "shared": {},
    "block": dict(encoder="fly", head="block", n_hidden=8192),
    "published": TaskGeometricHasher.flynet(n_hidden=7840)
    .set_params(solver__max_epochs=3)
    .get_params(deep=False)
    | dict(max_open_tasks=0, random_state=0),
}


def retrieval_by_task(images: Images) -> None:
    """mAP of five tasks, each learned from all its rows."""
    n_hidden = 7840 if images.name == "MNIST" else None
    hasher = TaskGeometricHasher(encoder="fly", head="block", n_hidden=n_hidden, random_state=0)
    scores = {}
    for label in range(0, 50, 10):
        X, y, task = make_image_tasks(images.X, images.y, n_tasks=label // 10 + 1, step=10)
        Q, q, query_task = make_image_tasks(
            images.Q[:1000], images.q[:1000], n_tasks=label // 10 + 1, step=10
        )
        X, y, Q, q = (
            X[task == label],
            y[task == label],
            Q[query_task == label],
            q[query_task == label],
        )
        hasher.partial_fit(X, y, task=label)
        codes = [hasher.transform(rows, task=label) for rows in (Q, X)]
        scores[f"{label} degrees"] = mean_average_precision(codes[0], q, codes[1], y)
    report(
        f"rotations_map_{images.name}",
        [dict(**scores, mean=float(np.mean(list(scores.values()))))],
    )


def geometry_and_inference(images: Images, name: str, setting: dict) -> TaskGeometricHasher:
    """36 rotations: similarity against angle, inference of the task, bits that changed."""
    hasher = TaskGeometricHasher(max_open_tasks=0, random_state=0).set_params(**setting)
    X, y, task = make_image_tasks(images.X[:N_ROWS], images.y[:N_ROWS], n_tasks=36)
    Q, _, query_task = make_image_tasks(images.Q[:500], images.q[:500], n_tasks=36)
    first = {}
    for label in np.unique(task):
        hasher.partial_fit(X[task == label], y[task == label], task=label)
        first[label] = hasher.transform(Q[query_task == label], task=label)
    changed = sum(
        int((hasher.transform(Q[query_task == label], task=label) != codes).sum())
        for label, codes in first.items()
    )
    similarity = hasher.task_similarity()
    angle = np.abs(hasher.tasks_[:, None] - hasher.tasks_)
    angle = np.minimum(angle, 360 - angle)
    others = np.where(angle > 0, similarity, -np.inf)
    nearest = angle[np.arange(36), others.argmax(axis=1)]
    near = (angle > 0) & (angle <= 60)
    groups = np.arange(len(Q)) // 10
    found, score = hasher.predict_task(Q, return_score=True)
    error = np.abs(found - query_task)
    error = np.minimum(error, 360 - error)
    grouped = hasher.predict_task(Q, groups=groups)
    report(
        f"rotations_geometry_{name}_{images.name}",
        [
            dict(
                figure="tasks whose most similar task is a neighbour (of 36)",
                value=int((nearest == 10).sum()),
            ),
            dict(
                figure="Spearman of similarity and nearness, pairs up to 60 degrees",
                value=float(-spearmanr(similarity[near], angle[near]).statistic),
            ),
            dict(
                figure="task inferred, groups of 10 rows",
                value=float((grouped == query_task).mean()),
            ),
            dict(figure="task inferred, single rows, exact", value=float((error == 0).mean())),
            dict(
                figure="task inferred, single rows, within one step",
                value=float((error <= 10).mean()),
            ),
            dict(figure="mean confidence, single rows", value=float(score.mean())),
            dict(figure="bits of earlier tasks that changed", value=changed),
        ],
    )
    means = {int(a): float(similarity[angle == a].mean()) for a in (10, 20, 30, 60, 120, 180)}
    report(
        f"rotations_similarity_{name}_{images.name}",
        [dict(degrees=a, mean_cosine_similarity=value) for a, value in means.items()],
    )
    return hasher


def draw(hashers: dict[str, TaskGeometricHasher], images: Images) -> None:
    """Similarity of the tasks, and of pairs of rows of three of them, for each setting."""
    X, y, task = make_image_tasks(images.Q[:200], images.q[:200], n_tasks=3, step=10)
    figure, axes = new_figure(2, len(hashers), 3.4, 3.0)
    for (name, hasher), (above, below) in zip(hashers.items(), axes.T):
        TaskSimilarityDisplay.from_estimator(hasher, ax=above)
        RepresentationSimilarityDisplay.from_estimator(hasher, X, y, task=task, ax=below)
        above.set_title(f"{name}: similarity of tasks", fontsize="small")
        below.set_title(f"{name}: pairs of rows", fontsize="small")
        below.legend(fontsize="x-small", loc="upper right")
    save_picture(figure, f"rotations_settings_{images.name}")


def run(data: str | None) -> None:
    images = load_images(data)
    retrieval_by_task(images)
    if images.name == "MNIST":
        found = {
            name: geometry_and_inference(images, name, setting)
            for name, setting in SETTINGS.items()
        }
        draw(found, images)
