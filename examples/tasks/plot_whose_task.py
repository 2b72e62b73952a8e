"""
Whose task is this?
===================

Rows arrive without the name of their task. Each task keeps a density of its own samples, and
answers which rows are likely to be its own; rows that are like no task's are unknown.
"""

# %%
# Six rotations, ten degrees apart, are learned from three quarters of the digits.
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks

X, y, angle = load_digits_tasks(n_tasks=6, step=10)
image = np.arange(len(X)) % 1797
test = np.isin(image, np.random.default_rng(0).permutation(1797)[:450])
hasher = TaskGeometricHasher(n_bits=32, random_state=0)
hasher.fit(X[~test], y[~test], task=angle[~test])

# %%
# One row says less than several that are known to belong together: rows 0 to 9 of a task are one
# group, the next ten another.
X, angle = X[test], angle[test]
groups = np.arange(len(X)) // 10
single = hasher.predict_task(X)
joint, probability = hasher.predict_task(X, groups=groups, return_score=True)
print(f"single rows: {(single == angle).mean():.1%} right, of ten: {(joint == angle).mean():.1%}")

# %%
# Rows of no task that was learned: a rotation by 120 degrees, noise, and digits in negative. Rows
# that are less likely than nearly all of a task's own are answered with ``unknown``.
strange, _, turn = load_digits_tasks(n_tasks=2, step=120)
rng = np.random.default_rng(0)
arrivals = {
    "learned rotations": X,
    "rotated by 120 degrees": strange[turn == 120],
    "digits in negative": 16 - X[:500],
    "noise": rng.uniform(0, 16, (500, 64)),
}
rejected = {
    name: (hasher.predict_task(rows, unknown=-1) == -1).mean() for name, rows in arrivals.items()
}

# %%
import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", width_ratios=(1, 1, 0.9))
for ax, found, title in zip(axes, (single, joint), ("single rows", "groups of ten rows")):
    ConfusionMatrixDisplay.from_predictions(
        angle, found, normalize="true", values_format=".0%", ax=ax, colorbar=False, cmap="Blues"
    )
    ax.set(title=title, xlabel="task found", ylabel="true task" if ax is axes[0] else "")
axes[2].barh(list(rejected), list(rejected.values()))
axes[2].invert_yaxis()
axes[2].set(xlim=(0, 1), title="share of rows unknown")

# %%
# These tasks are easy to tell apart: single rows were enough, and everything strange was unknown.
# On 36 rotations of MNIST, three of four single rows find their task, and nearly all groups of ten
# (:doc:`/measurements`, ``rotations``). **Use this when** rows arrive without the name of their
# source.
