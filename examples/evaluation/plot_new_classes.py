"""
Classes never seen, and the trivial solution
============================================

A supervised hash can win on the classes it was trained on by encoding a classifier's answer. Look
at classes that it never saw.
"""

# %%
# Every method is trained on five digits and has never seen the other five. Each of three seeds
# draws another five.
import numpy as np
from sklearn.datasets import load_digits

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.evaluation import retrieval_report

X, y = load_digits(return_X_y=True)
hashers = {
    "codebook bits only": TaskGeometricHasher(),
    "half structure bits": TaskGeometricHasher(structure_fraction=0.5),
    "deep supervised": DeepSupervisedHasher(solver=GradientSolver(max_epochs=10)),
    "signed projections": SignedRandomProjectionHasher(),
}
reports = []
for seed in range(3):
    for hasher in hashers.values():
        hasher.set_params(random_state=seed)
    unseen = np.random.default_rng(seed).permutation(10)[:5]
    reports.append(retrieval_report(hashers, X, y, unseen_classes=unseen, random_state=seed))
print(reports[0])

# %%
# The tables as a picture: each point is a seed. One-shot: a class is known by a single example.
import matplotlib.pyplot as plt

titles = {
    "seen_map": "seen, mAP",
    "unseen_map": "unseen, mAP",
    "one_shot": "unseen, one-shot",
    "transfer": "unseen, transfer",
}
names = [row["hasher"] for row in reports[0].rows]
figure, axes = plt.subplots(2, 2, figsize=(7.5, 5), sharey=True, layout="constrained")
for ax, (column, title) in zip(axes.ravel(), titles.items()):
    for report in reports:
        ax.plot([row[column] for row in report.rows], range(len(names)), "o", c="C0", alpha=0.6)
    ax.set(title=title, xlim=(0, 1.03))
    ax.grid(axis="y", alpha=0.3)
axes[0, 0].set_yticks(range(len(names)), names)
axes[0, 0].invert_yaxis()

# %%
# The deep hash's modal code for each class it was trained on.
from sktgsh.inspection import CodeTableDisplay

seen = y < 5
deep = DeepSupervisedHasher(n_bits=12, solver=GradientSolver(max_epochs=10), random_state=0).fit(
    X[seen], y[seen]
)
display = CodeTableDisplay.from_estimator(deep, X[seen], y[seen])
print(display.to_text())

# %%
# The classifier's answer, the deep hash and codewords alone look perfect until new classes come.
# Half structure bits keep what is known of the old classes and find new ones about as well as
# signed projections do. **Use this when** classes will come of which you have no rows yet.
