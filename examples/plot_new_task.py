"""
A new task changes nothing for the others
=========================================

Cameras keep arriving. Each is learned in about a second from its own rows; the codes that are
already stored stay valid to the bit.
"""

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks
from sktgsh.metrics import mean_average_precision

X, y, task = load_digits_tasks("augment", n_tasks=10, random_state=0)
hasher = TaskGeometricHasher(n_bits=32, random_state=0)
stored, seconds = {}, []
for name in dict.fromkeys(task.tolist()):
    rows = task == name
    start = time.perf_counter()
    hasher.partial_fit(X[rows], y[rows], task=name)
    seconds.append(time.perf_counter() - start)
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
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
image = axes[0].imshow(across, vmin=0, vmax=1)
axes[0].set_xticks(range(10), names, rotation=90)
axes[0].set_yticks(range(10), names)
axes[0].set(xlabel="database", ylabel="queries", title="mean average precision across tasks")
figure.colorbar(image, ax=axes[0])
axes[1].bar(range(10), seconds)
axes[1].set(xlabel="task, in order of arrival", ylabel="seconds", title="Time to learn a task")
