"""
A new task changes nothing for the others
=========================================

Cameras keep arriving. Each is learned from its own rows; the codes that are already stored stay
valid to the bit.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks
from sktgsh.metrics import mean_average_precision

X, y, task = load_digits_tasks("augment", n_tasks=6, random_state=0)
hasher = TaskGeometricHasher(n_bits=32, random_state=0)
stored = {}
for name in dict.fromkeys(task.tolist()):
    rows = task == name
    hasher.partial_fit(X[rows], y[rows], task=name)
    stored[name] = hasher.transform(X[rows], task=name)

changed = sum(
    (hasher.transform(X[task == n], task=n) != codes).sum() for n, codes in stored.items()
)
print("bits of stored codes that changed:", changed)

# %%
# The codebook is shared, so a query from one camera finds the same class in another's database.
names = list(stored)
across = np.array(
    [
        [mean_average_precision(stored[a][::9], y[:1797][::9], stored[b], y[:1797]) for b in names]
        for a in names
    ]
)
figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
image = ax.imshow(across, vmin=0, vmax=1)
ax.set_xticks(range(6), names, rotation=90)
ax.set_yticks(range(6), names)
ax.set(xlabel="database", ylabel="queries", title="mean average precision across tasks")
figure.colorbar(image, ax=ax)
