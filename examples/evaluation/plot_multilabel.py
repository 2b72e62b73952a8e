"""
Several labels a row
====================

Documents with several topics each: ``y`` is an indicator matrix, and rows that
share a label are relevant to each other.
"""

# %%
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import train_test_split

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import ndcg_at_k

X, y = make_multilabel_classification(
    1000, n_features=50, n_classes=12, n_labels=3, allow_unlabeled=False, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)

# %%
# A row's target is the mean codeword of its labels. Rows that share more labels are to be found
# earlier: the discounted gain counts how many. Points are means of three seeds, and bars half of
# their range to either side.
lengths, seeds = (8, 16, 32), range(3)
gains = {"task geometric": [], "signed projections": []}
for n_bits in lengths:
    for name, kind in zip(gains, (TaskGeometricHasher, SignedRandomProjectionHasher)):
        scores = []
        for seed in seeds:
            hasher = kind(n_bits=n_bits, random_state=seed).fit(X_train, y_train)
            codes, database = hasher.transform(X_test), hasher.transform(X_train)
            scores.append(ndcg_at_k(codes, y_test, database, y_train, k=50))
        gains[name].append(scores)

# %%
import matplotlib.pyplot as plt
import numpy as np

figure, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
for name, scores in gains.items():
    scores = np.array(scores)
    ax.errorbar(lengths, scores.mean(axis=1), np.ptp(scores, axis=1) / 2, marker="o", label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(lengths, lengths)
ax.set(xlabel="bits", ylabel="nDCG of the first 50", title="Rows that share more labels come first")
ax.legend()

# %%
# Learned codes put rows with more labels in common first, at every length. **Use this when** a row
# has several labels, as documents have topics.
