"""
Which hasher for my data?
=========================

Try several on classes that they were trained on and on classes that they never saw, with several
seeds, and look at the spread before you choose.
"""

# %%
import numpy as np
from sklearn.datasets import load_digits

from sktgsh import DenseFlyHasher, PStableHasher, SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.evaluation import retrieval_report

X, y = load_digits(return_X_y=True)
candidates = {
    "task geometric": TaskGeometricHasher(),
    "half structure bits": TaskGeometricHasher(structure_fraction=0.5),
    "signed projections": SignedRandomProjectionHasher(),
    "p-stable": PStableHasher(),
    "dense fly": DenseFlyHasher(),
}
reports = []
for seed in range(3):
    hashers = {
        name: hasher.set_params(random_state=seed, n_bits=32) for name, hasher in candidates.items()
    }
    unseen = np.random.default_rng(seed).permutation(10)[:4]
    reports.append(
        retrieval_report(hashers, X, y, unseen_classes=unseen, rivals=True, random_state=seed)
    )
print(reports[0])

# %%
# With ``rivals=True`` the table also has linear rivals; of those without labels, ITQ is the one to
# beat. The trivial solution, a classifier's answer in bits, is always in the table: a hasher that
# does not beat it on classes never seen has learned no more than a classifier.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.8), sharey=True, layout="constrained")
for ax, figure_of_merit, title in zip(
    axes, ("seen_map", "unseen_map"), ("classes trained on", "classes never seen")
):
    values = np.array([[row[figure_of_merit] for row in report.rows] for report in reports])
    for seed in values:
        ax.plot(seed, range(len(seed)), "o", color="tab:blue", alpha=0.6)
    ax.set(title=title, xlabel="mean average precision", xlim=(0, 1.02))
    ax.grid(axis="y", alpha=0.3)
axes[0].set_yticks(range(values.shape[1]), [row["hasher"] for row in reports[0].rows])
axes[0].invert_yaxis()  # the order of the table

# %%
# On the classes that were trained on, all that learn from labels are ahead of what sees none.
# On classes never seen, ITQ and the signs of principal components are ahead, and structure bits
# make up for part of the difference. **Use this when** you must choose a hasher for your own data:
# put your rows in the place of the digits.
