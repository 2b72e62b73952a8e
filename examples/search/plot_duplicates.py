"""
Finding duplicates
==================

A picture comes in several copies: paler, noisy, or with a stain. Copies have nearly the same code,
and the graph of near codes falls apart into groups of copies.
"""

# %%
# We cut squares from a photograph, and make three copies of a hundred of them. No label is
# needed: signed projections keep angles, and a change of brightness is gone with the mean.
import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.datasets import load_sample_image

from sktgsh import SignedRandomProjectionHasher
from sktgsh.neighbors import HammingNeighbors

photo = load_sample_image("china.jpg").mean(axis=2)[:408, :624]
squares = photo.reshape(17, 24, 26, 24).swapaxes(1, 2).reshape(-1, 24, 24)
rng = np.random.default_rng(0)
squares = rng.permutation(squares[squares.std(axis=(1, 2)) > 15])  # no sky
copied = squares[:100]
stained = copied.copy()
stained[:, 15:19, 15:19] = 128
noisy = copied + rng.normal(0, 10, copied.shape)
everything = np.concatenate([squares, 0.6 * copied + 90, noisy, stained])
original = np.concatenate([np.arange(len(squares)), *[np.arange(100)] * 3])
X = everything.reshape(len(everything), -1)
X = X - X.mean(axis=1, keepdims=True)
codes = SignedRandomProjectionHasher(128, random_state=0).fit_transform(X)

# %%
# The graph of rows within a radius is sparse, and scikit-learn and SciPy take it as it is. A pair
# is right if both come from the same square.
index = HammingNeighbors().fit(codes)
same = original[:, None] == original[None]
radii, precision, recall = range(0, 50, 3), [], []
for radius in radii:
    graph = index.radius_neighbors_graph(radius=radius).tocoo()
    hits = same[graph.row, graph.col].sum()
    precision.append(hits / max(graph.nnz, 1))
    recall.append(hits / (same.sum() - len(same)))

# %%
# Groups are the connected parts of a graph: of the few nearest rows, those that are near enough.
graph = index.kneighbors_graph(n_neighbors=4, mode="distance")
graph.data[graph.data > 21] = 0
graph.eliminate_zeros()
n_groups, group = connected_components(graph, directed=False)
print(f"{len(codes)} pictures in {n_groups} groups; there are {len(set(original))} originals")

# %%
figure, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
ax.plot(radii, precision, label="precision: pairs that are copies")
ax.plot(radii, recall, label="recall: copies that are pairs")
ax.set(xlabel="radius in bits, of 128", ylim=(0, 1.03), title="Pairs within a radius")
ax.legend(loc="lower center")

# %%
# Some of the groups, each with all of its pictures.
largest = np.argsort(-np.bincount(group))[:8]
figure, axes = plt.subplots(4, 8, figsize=(8, 4.2), layout="constrained")
figure.suptitle("Eight groups of copies")
for column, g in zip(axes.T, largest):
    for ax, row in zip(column, np.flatnonzero(group == g)):
        ax.imshow(everything[row], cmap="gray", vmin=0, vmax=255)
for ax in axes.ravel():
    ax.set_axis_off()

# %%
# Within a radius of about 20 of 128 bits nearly all pairs are copies, and most copies are pairs.
# **Use this when** you look for near duplicates and have no labels.
