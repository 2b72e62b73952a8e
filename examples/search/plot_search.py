"""
Search, end to end
==================

Codes find candidates, vectors rank them, and a store keeps codes on disk.
"""

# %%
# The database: three quarters of the digits, with numbers of their own.
import tempfile

import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.neighbors import CodeStore, HammingNeighbors, RescoredNeighbors

X, y = load_digits(return_X_y=True)
ids = np.arange(len(X)) + 5000
X, queries, y, asked, ids, _ = train_test_split(X, y, ids, test_size=0.25, random_state=0)
hasher = TaskGeometricHasher(n_bits=32, packed=True, random_state=0).fit(X, y)
codes = hasher.transform(X)

# %%
# By Hamming distance: rows come and go by their numbers.
index = HammingNeighbors(packed=True).fit(codes, ids=ids)
index.remove(ids[:100])
index.add(codes[:100], ids=ids[:100])
distances, found = index.kneighbors(hasher.transform(queries), 5)
class_of = dict(zip(ids, y))
right = np.vectorize(class_of.get)(found) == asked[:, None]
print(f"{right.mean():.1%} of the five nearest are of the query's class")

# %%
# A store in a folder outlives the process, and other processes can read it.
folder = tempfile.TemporaryDirectory()
store = CodeStore(folder.name, n_bits=32, packed=True)
store.add(codes, ids=ids)
again, of_store = CodeStore(folder.name, packed=True).kneighbors(hasher.transform(queries), 5)
print("the same distances:", np.array_equal(again, distances))
folder.cleanup()

# %%
# By the vectors themselves: codes name candidates, the metric ranks them. How many of the ten true
# neighbours are found depends on the code, and on how many candidates are looked at. A code that
# spells classes, as learned codes do, does not know which row is nearest within a class.
from sklearn.neighbors import NearestNeighbors

true = NearestNeighbors(n_neighbors=10).fit(X).kneighbors(queries, return_distance=False)
factors = (1, 2, 4, 8, 16)
codes_of = {
    "signed projections, 256 bits": SignedRandomProjectionHasher(256, random_state=0),
    "signed projections, 64 bits": SignedRandomProjectionHasher(64, random_state=0),
    "learned for classes, 64 bits": FrozenEstimator(
        TaskGeometricHasher(64, random_state=0).fit(X, y)
    ),
}
recall = {}
for name, coder in codes_of.items():
    neighbours = RescoredNeighbors(coder, metric="euclidean", vectors="int8").fit(X)
    answers = [neighbours.kneighbors(queries, 10, False, oversampling=f) for f in factors]
    recall[name] = [
        np.mean([np.isin(mine, own).mean() for mine, own in zip(answer, true)])
        for answer in answers
    ]

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, values in recall.items():
    ax.plot(np.array(factors) * 10, values, marker="o", label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(np.array(factors) * 10, np.array(factors) * 10)
ax.set(xlabel=f"candidates of {len(X)} rows", ylabel="recall of ten neighbours", ylim=(0, 1.02))
ax.set_title("Candidates by code, ranked by vectors in bytes")
ax.legend(loc="lower right")

# %%
# A few times as many candidates as neighbours are enough for long codes without labels; codes that
# were learned for classes need far more. **Use this when** you need codes to be quick and vectors
# to be right.
