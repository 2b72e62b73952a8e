"""
A query in one task, the answer in another
==========================================

The catalogue holds one photographer's pictures, and the query is another's. If tasks share a
codebook, a class has the same codeword in all of them. If each task has its own, its codes mean
nothing in another.
"""

# %%
# Five rotations of the digits, a task each.
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks
from sktgsh.evaluation import cross_task_retrieval

X, y, angle = load_digits_tasks(n_tasks=5, step=40)
image = np.arange(len(X)) % 1797
test = np.isin(image, np.random.default_rng(0).permutation(1797)[:450])
scores = {}
for codebook, shared in (("shared", True), ("one per task", False)):
    hasher = TaskGeometricHasher(n_bits=32, share_codebook=shared, random_state=0)
    hasher.fit(X[~test], y[~test], task=angle[~test])
    tasks, scores[codebook] = cross_task_retrieval(hasher, X[test], y[test], task=angle[test])

# %%
# A hasher without tasks must find what the rotations of a digit have in common. With these few
# tasks it does nearly as well, but it needs the rows of all tasks at once, and one more task would
# change the codes of all.
from sktgsh.metrics import mean_average_precision

everywhere = TaskGeometricHasher(n_bits=32, random_state=0).fit(X[~test], y[~test])
of_task = [
    (everywhere.transform(X[rows]), y[rows]) for rows in (test & (angle == t) for t in tasks)
]
scores["without tasks"] = np.array(
    [
        [mean_average_precision(*asked, *(() if kept is asked else kept)) for kept in of_task]
        for asked in of_task
    ]
)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
titles = ("one codebook for all tasks", "a codebook for each task", "one hasher without tasks")
for ax, table, title in zip(axes, scores.values(), titles):
    image = ax.imshow(table, vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(table):
        ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="w" if value < 0.6 else "k")
    ax.set_xticks(range(5), [f"{task}°" for task in tasks])
    ax.set_yticks(range(5), [f"{task}°" for task in tasks])
    ax.set(title=title, xlabel="database")
axes[0].set_ylabel("queries")
figure.colorbar(image, ax=axes, label="mean average precision")

# %%
# With one codebook, a query finds its class in any task's database nearly as well as in its own;
# with a codebook for each task, only on the diagonal. **Use this when** queries and database come
# from different sources; take ``share_codebook=False`` where sources must not find one another.
