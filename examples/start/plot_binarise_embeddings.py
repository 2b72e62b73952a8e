"""
Embeddings as bits
==================

Labels for some rows are enough to learn codes of 64 bits that find rows of the same class better
than the signs of the whole embedding do. To find the embedding's own neighbours, take codes that
know no labels: they propose candidates, and the vectors rank them.
"""

# %%
# The digits of scikit-learn take the place of embeddings of sentences or images; a third has
# labels.
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import mean_average_precision
from sktgsh.neighbors import RescoredNeighbors

images, y = load_digits(return_X_y=True)
embeddings = normalize(images - images.mean(axis=0)).astype(np.float32)
X, Q, y, q = train_test_split(embeddings, y, test_size=0.25, random_state=0)
labelled = slice(0, len(X) // 3)

# %%
# One line: embeddings and labels go in, bits come out. The rivals know no labels; one of them
# projects 20 principal components.
hasher = TaskGeometricHasher(n_bits=64, packed=True, random_state=0)
codes = hasher.fit(X[labelled], y[labelled]).transform(X)
print(codes.shape, codes.dtype, f"{X.nbytes / codes.nbytes:.0f} times as few bytes")


def class_map(database, queries):
    return mean_average_precision(queries, q, database, y)


hasher.set_params(packed=False)  # codes to be compared with others, a number for each bit
projections = SignedRandomProjectionHasher(64, random_state=0).fit(X)
rotated = make_pipeline(PCA(20, random_state=0), clone(projections)).fit(X)
found = {
    "learned": class_map(hasher.transform(X), hasher.transform(Q)),
    "learned, queries as values": class_map(hasher.transform(X), hasher.decision_function(Q)),
    "signed projections": class_map(projections.transform(X), projections.transform(Q)),
    "PCA, then projections": class_map(rotated.transform(X), rotated.transform(Q)),
    "sign of the embedding": class_map(X > 0, Q > 0),
}

# %%
# The other task: which rows are nearest as floats? Codes propose, vectors rank the candidates.
exact = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(X)
nearest = exact.kneighbors(Q, return_distance=False)


def recall(hasher, oversampling, candidates="codes"):
    index = RescoredNeighbors(hasher, candidates=candidates, vectors="float16").fit(X)
    rows = index.kneighbors(Q, 10, return_distance=False, oversampling=oversampling)
    return np.mean([len(set(one) & set(other)) / 10 for one, other in zip(rows, nearest)])


factors = (1, 2, 5, 10, 20)
curves = {
    "signed projections": [recall(projections, factor) for factor in factors],
    "PCA, then projections": [recall(rotated, factor) for factor in factors],
    "the same, queries as values": [recall(rotated, factor, "values") for factor in factors],
}

# %%
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.barh(list(found)[::-1], list(found.values())[::-1])
left.set(xlabel="mean average precision of classes, 64 bits", xlim=(0, 1))
for (name, values), line in zip(curves.items(), ("-o", "-s", "--^")):
    right.plot(factors, values, line, label=name)
right.set(
    xscale="log", xlabel="oversampling", ylabel="recall of 10 float neighbours", ylim=(0, 1.02)
)
right.set_xticks(factors, factors)
right.minorticks_off()
right.legend()

# %%
# With labels for a third of the rows, 64 bits find classes better than the embedding's own signs
# do. Candidates for the float neighbours come from codes that know no labels
# (:doc:`/auto_examples/search/plot_search` compares both kinds). **Use this when** you have
# embeddings and want to store bytes in place of floats: decide first whether you look for classes
# or for neighbours.
