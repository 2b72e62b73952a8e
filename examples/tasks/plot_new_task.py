"""
A new task changes nothing for the others
=========================================

Cameras keep arriving. Each is learned from its own rows, and the codes that are already stored
stay valid to the bit.
"""

# %%
# Six cameras take pictures of the same digits: plain, noisy, inverted and so on. A quarter of the
# digits is held out: no picture of these is learned from.
import matplotlib.pyplot as plt
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks
from sktgsh.metrics import mean_average_precision

X, y, task = load_digits_tasks("augment", n_tasks=6, random_state=0)
digit = np.arange(len(X)) % 1797
held_out = np.isin(digit, np.random.default_rng(0).permutation(1797)[:450])
cameras = list(dict.fromkeys(task.tolist()))

hasher = TaskGeometricHasher(n_bits=32, random_state=0)
stored = {}
for camera in cameras:
    rows = (task == camera) & ~held_out
    hasher.partial_fit(X[rows], y[rows], task=camera)
    stored[camera] = hasher.transform(X[rows], task=camera)

changed = sum(
    (hasher.transform(X[(task == name) & ~held_out], task=name) != codes).sum()
    for name, codes in stored.items()
)
print("bits of stored codes that changed:", changed)

# %%
# The codebook is shared, so a held-out row of one camera finds its class in another's database.
classes = y[(task == cameras[0]) & ~held_out]
across = np.zeros((6, 6))
for row, camera in enumerate(cameras):
    own = (task == camera) & held_out
    queries = hasher.transform(X[own], task=camera)
    across[row] = [
        mean_average_precision(queries, y[own], stored[name], classes) for name in cameras
    ]

figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
image = ax.imshow(across, vmin=0, vmax=1)
for (i, j), value in np.ndenumerate(across):
    ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="w" if value < 0.6 else "k")
ax.set_xticks(range(6), cameras, rotation=90)
ax.set_yticks(range(6), cameras)
ax.set(xlabel="database", ylabel="held-out queries", title="Mean average precision across cameras")
figure.colorbar(image, ax=ax)

# %%
# No stored bit changed while cameras were added, and rows that no camera was trained on find their
# class in every camera's database. The noisy camera's rows find it less often than the others.
# **Use this when** sources keep arriving and the codes of the older ones are stored.
