"""
Start without a label
=====================

You can learn codes before anybody has named a class. Each row then gets a code like those of its
neighbours, and you can name groups of rows later without changing a code.
"""

# %%
# Handwritten digits, and no label. The labels only judge the result.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import mean_average_precision
from sktgsh.neighbors import HammingNeighbors

X, y = load_digits(return_X_y=True)
X, Q, y, q = train_test_split(X, y, test_size=0.25, random_state=0)
hasher = TaskGeometricHasher(32, random_state=0).fit(X)
for name, model in {
    "neighbourhoods": hasher,
    "signed projections": SignedRandomProjectionHasher(32, random_state=0).fit(X),
}.items():
    score = mean_average_precision(model.transform(Q), q, model.transform(X), y)
    print(f"{name}: mean average precision {score:.3f}")

# %%
# The hasher shows the rows in groups, each with a few rows from its middle.
groups = hasher.groups_[0]
largest = np.argsort(-groups.shares)[:3]
figure, axes = plt.subplots(3, 5, figsize=(6, 4))
for row, group in zip(axes, largest):
    for axis, position in zip(row, groups.examples[group]):
        axis.imshow(X[position].reshape(8, 8), cmap="gray_r")
        axis.set_axis_off()
    row[0].set_title(f"group {groups.numbers[group]}")

# %%
# Somebody looks at the pictures and names three groups. Here the label of the first picture stands
# for that look. No code changes, so a database keeps its codes.
codes = hasher.transform(X)
for group in largest:
    name = f"digit {y[groups.examples[group][0]]}"
    if name not in hasher.classes_:
        hasher.name_group(groups.numbers[group], name)
print(hasher.classes_, np.array_equal(hasher.transform(X), codes))

# %%
# A search then gives the class of each answer, or says that nobody has named it yet.
index = HammingNeighbors(n_neighbors=5).fit(codes)
nearest = index.kneighbors(hasher.transform(Q[:4]), return_distance=False)
for query, rows in zip(q[:4], nearest):
    print(query, hasher.predict_class(X[rows], unknown="no name yet"))

# %%
# Without a label, codes that follow neighbourhoods find classes far better than signed projections
# do, and groups were named without touching a stored code. **Use this when** the rows come first
# and the labels later, or never.
