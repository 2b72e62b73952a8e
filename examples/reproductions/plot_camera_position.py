"""
Where was this picture taken?
=============================

A camera finds its position by hash tables (Capsule, US patent 10,996,060): descriptors of training
images are keys, the descriptors of a query are looked up, bucket entries vote for their image, and
buckets that are too full are ignored. Here the "city" is one of scikit-learn's photographs, and a
position is where in it a small view was cut out.

The method was patented. This example reproduces it for study: find out what the patent's status is
where you are before you build a product on it.
"""

# %%
# Training views lie on a grid; the position of a view is its upper left corner. A descriptor is
# a patch of local contrast: the patch less its mean, scaled to norm 1.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.feature_extraction.image import extract_patches_2d

from sktgsh import SparseProjectionHasher
from sktgsh.neighbors import LSHNeighbors

photo = load_sample_image("china.jpg").mean(axis=2).astype(np.float32) / 255
rng = np.random.RandomState(0)
SIDE, PATCH, N_DESCRIPTORS = 96, 16, 200


def descriptors(view):
    patches = extract_patches_2d(view, (PATCH, PATCH), max_patches=N_DESCRIPTORS, random_state=rng)
    flat = patches.reshape(len(patches), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1)
    # Sky and walls look alike everywhere.
    return flat[norm > 0.5] / norm[norm > 0.5, None]


def view_at(row, column):
    return photo[row : row + SIDE, column : column + SIDE]


positions = [
    (row, column)
    for row in range(0, photo.shape[0] - SIDE, 24)
    for column in range(0, photo.shape[1] - SIDE, 24)
]
keys = [descriptors(view_at(*position)) for position in positions]
image_of_key = np.repeat(np.arange(len(positions)), [len(part) for part in keys])
print(f"{len(positions)} training views, {len(image_of_key)} descriptors")

# %%
# K = 22 bits a table, L = 24 tables, and no bucket of more than 100 entries.
index = LSHNeighbors(
    SparseProjectionHasher(n_inputs=32),
    n_bits=22,
    n_tables=24,
    max_bucket_size=100,
    random_state=0,
).fit(np.concatenate(keys))
print("mean bucket size:", index.bucket_statistics().mean_size.mean().round(2))


def locate(index, keys_of_query):
    """Each descriptor votes for the images of its near candidates, less for farther ones."""
    distances, rows = index.radius_neighbors(keys_of_query, radius=0.2)
    votes = np.zeros(len(positions))
    for near, found in zip(distances, rows):
        np.add.at(votes, image_of_key[found], 1 - near / 0.2)
    best = np.argsort(-votes)[:4]
    # Neighbouring views share the votes: the answer lies between the best of them.
    return np.average(np.array(positions)[best], axis=0, weights=votes[best] + 1e-9), votes


# %%
# Queries at new positions, darker and with noise. Brute force looks at every descriptor of every
# training view, and is what hash tables approximate.
import time

from sklearn.neighbors import NearestNeighbors

brute = NearestNeighbors(metric="cosine", algorithm="brute").fit(np.concatenate(keys))
methods = {"hash tables": index, "brute force": brute}
errors, seconds, example = {name: [] for name in methods}, dict.fromkeys(methods, 0.0), None
for _ in range(40):
    row = rng.randint(0, photo.shape[0] - SIDE)
    column = rng.randint(0, photo.shape[1] - SIDE)
    view = 0.7 * view_at(row, column) + 0.02 * rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    keys_of_query = descriptors(view)
    if len(keys_of_query) < 20:
        continue  # sky: nothing to go by
    for name, method in methods.items():
        start = time.process_time()
        found, votes = locate(method, keys_of_query)
        seconds[name] += time.process_time() - start
        errors[name].append(np.hypot(*(found - (row, column))))
        if name == "hash tables":
            example = example or (row, column, view, found, votes)
for name, missed in errors.items():
    print(f"{name}: median error {np.median(missed):.0f} pixels, on a grid of 24 pixels")
print(f"brute force computes {seconds['brute force'] / seconds['hash tables']:.0f} times as long")

# %%
# One query, the votes of the training views, and the position that was found.
row, column, view, found, votes = example
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=(1, 2.4))
axes[0].imshow(view, cmap="gray", vmin=0, vmax=1)
axes[0].set(title="query", xticks=[], yticks=[])
axes[1].imshow(photo, cmap="gray")
centres = np.array(positions) + SIDE / 2
axes[1].scatter(*centres.T[::-1], s=4 + 200 * votes / votes.max(), alpha=0.6, label="votes")
axes[1].scatter(column + SIDE / 2, row + SIDE / 2, marker="x", s=120, c="r", label="true position")
axes[1].scatter(*(found + SIDE / 2)[::-1], marker="+", s=160, c="lime", label="found")
axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, frameon=False)
axes[1].set(title="votes of the training views", xticks=[], yticks=[])

# %%
# Hash tables find the place about as precisely as brute force, for a fraction of its work. **Use
# this when** many descriptors of one query vote, so that a few that are missed do not matter.
