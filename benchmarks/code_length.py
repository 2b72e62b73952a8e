"""Choosing the code length: TaskGeometricHasherCV against plain cross-validation."""

from __future__ import annotations

from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from sktgsh import TaskGeometricHasher, TaskGeometricHasherCV

from ._common import load_images, report, seconds

LENGTHS = [4, 8, 16, 24, 32, 64]


def run(data: str | None) -> None:
    images = load_images(data)
    X, y = images.X[:12_000], images.y[:12_000]
    folds = StratifiedKFold(3)
    longest = TaskGeometricHasher(max(LENGTHS), random_state=0)
    plain, _ = seconds(lambda: cross_val_score(longest, X, y, cv=folds))
    ours, search = seconds(
        lambda: TaskGeometricHasherCV(LENGTHS, cv=folds, random_state=0).fit(X, y)
    )
    grid_time, grid = seconds(
        lambda: GridSearchCV(
            TaskGeometricHasher(random_state=0), {"n_bits": LENGTHS}, cv=folds
        ).fit(X, y)
    )
    report(
        f"code_length_{images.name}",
        [
            dict(what=f"cross_val_score at {max(LENGTHS)} bits", seconds=plain, ratio=1.0),
            dict(
                what="TaskGeometricHasherCV, six lengths",
                seconds=ours,
                ratio=ours / plain,
                chosen=search.n_bits_,
            ),
            dict(
                what="GridSearchCV, six lengths",
                seconds=grid_time,
                ratio=grid_time / plain,
                chosen=grid.best_params_["n_bits"],
            ),
        ],
    )
