"""The picture of the README and the landing page: ``python docs/picture.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.codes import modal_codes
from sktgsh.datasets import load_digits_tasks

X, y, angle = load_digits_tasks(n_tasks=4, step=90)
hasher = TaskGeometricHasher(n_bits=32, random_state=0).fit(X, y, task=angle)
figure, axes = plt.subplots(
    2, 4, figsize=(9, 2.9), height_ratios=(1, 1), layout="constrained", facecolor="white"
)
for (image, table), task in zip(axes.T, hasher.tasks_):
    rows = angle == task
    three = X[rows][np.flatnonzero(y[rows] == 3)[0]]
    image.imshow(three.reshape(8, 8), cmap="gray_r")
    image.set(title=f"task {task}°", xticks=[], yticks=[])
    codes = modal_codes(hasher.transform(X[rows], task=task), y[rows])[1]
    table.imshow(codes, cmap="gray_r", aspect="auto", interpolation="nearest")
    table.set(xlabel="32 bits", xticks=[], yticks=[0, 3, 9] if task == 0 else [])
axes[1, 0].set_ylabel("digit")
folder = Path(__file__).parent / "images"
folder.mkdir(exist_ok=True)
figure.savefig(folder / "tasks.png", dpi=110)
