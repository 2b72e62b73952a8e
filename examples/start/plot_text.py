"""
Passages of text
================

Passages become TF-IDF vectors, then a hundred numbers by SVD, then 32 bits. The texts are the
docstrings of scikit-learn, and a passage's class is the module that it comes from.
"""

# %%
# Passages of forty words, without code and signatures. No estimator has passages on both sides of
# the split: the passages of one estimator say similar things.
import re

import numpy as np
from sklearn.utils.discovery import all_estimators

modules = ["cluster", "covariance", "decomposition", "ensemble", "linear_model", "manifold"]
passages, module, owner = [], [], []
for name, estimator in all_estimators():
    where = estimator.__module__.split(".")[1]
    if where in modules and estimator.__doc__:
        words = re.findall(r"[a-z]{3,}", estimator.__doc__.split("Examples\n")[0].lower())
        for start in range(0, len(words) - 39, 40):
            passages.append(" ".join(words[start : start + 40]))
            module.append(where)
            owner.append(name)
passages, module, owner = map(np.array, (passages, module, owner))
print(len(passages), "passages of", len(set(owner)), "estimators")

# %%
# Learned codes, the answer of a classifier spelt in bits, and signed projections, which see no
# label. Each split has other estimators among the queries.
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision

splits = GroupShuffleSplit(3, test_size=0.3, random_state=0).split(passages, groups=owner)
kinds = {
    "task geometric": TaskGeometricHasher,
    "a classifier's answer": ClassifierHasher,
    "signed projections": SignedRandomProjectionHasher,
}
scores = {name: [] for name in kinds}
for seed, (train, test) in enumerate(splits):
    for name, kind in kinds.items():
        model = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, stop_words="english"),
            TruncatedSVD(100, random_state=seed),
            Normalizer(),
            kind(n_bits=32, random_state=seed),
        )
        database = model.fit(passages[train], module[train]).transform(passages[train])
        codes = model.transform(passages[test])
        if kind is TaskGeometricHasher:
            ours, ours_database, ours_test, ours_train = codes, database, test, train
        scores[name].append(mean_average_precision(codes, module[test], database, module[train]))

# %%
# Which passages are nearest to a query? They belong to other estimators than its own.
from sktgsh.neighbors import HammingNeighbors

query = 10
found = HammingNeighbors(3).fit(ours_database).kneighbors(ours[[query]], return_distance=False)[0]
print("query:", module[ours_test[query]], owner[ours_test[query]])
for row in ours_train[found]:
    print("found:", module[row], owner[row], "-", passages[row][:60], "...")

# %%
# Mean average precision of passages by estimators that are not in the database.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
for height, values in enumerate(scores.values()):
    ax.plot(values, [height] * len(values), "o", ms=9, alpha=0.7)
chance = np.mean([(module == name).mean() ** 2 for name in modules]) * len(modules)
ax.axvline(chance, color="gray", linestyle=":", label="chance")
ax.set_yticks(range(len(scores)), scores)
ax.set(xlim=(0, 1), ylim=(-0.6, 2.6), xlabel="mean average precision, estimators not seen")
ax.set_title("32 bits for a passage, three splits")
ax.legend(loc="center")

# %%
# Learned codes and a classifier's answer are level here, and both are far ahead of signed
# projections. **Use this when** you have texts with categories: the same pipeline takes sentence
# embeddings in the place of the SVD.
