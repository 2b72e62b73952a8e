"""
Hash tables: recall and what it costs
=====================================

More tables find more of the neighbours, and look at more rows; more bits a table, fewer of both.
"""

# %%
# The cost is the share of rows that are looked at: it does not depend on the machine.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs
from sklearn.neighbors import NearestNeighbors

from sktgsh.neighbors import LSHNeighbors

X, _ = make_blobs(21_000, 64, centers=300, cluster_std=1.2, center_box=(-3, 3), random_state=0)
X, queries = X[:20_000], X[20_000:20_200]
true = NearestNeighbors(n_neighbors=10, metric="cosine").fit(X)
true = true.kneighbors(queries, return_distance=False)


def recall_of(index):
    """Share of the ten true neighbours that are found, and of the rows that are looked at."""
    found = index.kneighbors(queries, 10, return_distance=False)
    hits = [np.isin(own, mine).mean() for mine, own in zip(found, true)]
    return np.mean(hits), index.candidate_share_


curves = {}
for n_bits in (8, 12, 16):
    curves[f"{n_bits} bits a table"] = [
        recall_of(LSHNeighbors(n_bits=n_bits, n_tables=tables, random_state=0).fit(X))
        for tables in (2, 4, 8, 16, 32, 64)
    ]

# %%
# Looking into neighbouring buckets as well saves tables, and so memory.
curves["16 bits, 16 tables, probes"] = [
    recall_of(LSHNeighbors(n_bits=16, n_tables=16, n_probes=probes, random_state=0).fit(X))
    for probes in (0, 4, 8, 16, 32)
]

# %%
# ``tune`` proposes a number of bits and of tables for a recall, from rows that it holds out.
tuned = LSHNeighbors.tune(X, target_recall=0.9, random_state=0)
print(f"proposed: {tuned.n_bits} bits, {tuned.n_tables} tables")
point = recall_of(tuned.fit(X))

# %%
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, values in curves.items():
    recall, share = np.transpose(values)
    ax.plot(share, recall, marker="o", linestyle="--" if "probes" in name else "-", label=name)
ax.plot(*point[::-1], "*", ms=16, color="k", label="tuned for 0.9")
ax.set_xscale("log")
ax.set(xlabel="share of rows looked at", ylabel="recall of ten neighbours", ylim=(0, 1.02))
ax.set_title("Ten neighbours among 20,000 rows, by cosine")
ax.grid(alpha=0.3)
ax.legend(loc="upper left", fontsize="small")

# %%
# Nine of ten neighbours were found by looking at a few percent of the rows, and ``tune`` came
# close to the best curve. **Use this when** you have vectors, no labels, and too many rows to look
# at each; if the rows fit in memory, compare with plain codes first (:doc:`/measurements`,
# ``hash_tables``).
