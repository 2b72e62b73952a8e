"""
Classes never seen, and the trivial solution
============================================

A supervised hash can win on the classes it was trained on by encoding a classifier's answer. Look
at classes that it never saw.
"""

# %%
# Trained on five digits; the other five are unknown to every method in the table.
from sklearn.datasets import load_digits

from sktgsh import DeepSupervisedHasher, SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.evaluation import retrieval_report

X, y = load_digits(return_X_y=True)
report = retrieval_report(
    {
        "ours, codebook bits only": TaskGeometricHasher(random_state=0),
        "ours, half structure bits": TaskGeometricHasher(structure_bits=0.5, random_state=0),
        "deep supervised hashing": DeepSupervisedHasher(max_epochs=10, random_state=0),
        "signed projections": SignedRandomProjectionHasher(random_state=0),
    },
    X,
    y,
    unseen_classes=range(5, 10),
)
print(report)

# %%
# The table as a picture.
import matplotlib.pyplot as plt
import numpy as np

figures = ["seen_map", "unseen_map", "one_shot", "transfer"]
figure, ax = plt.subplots(figsize=(10, 4), layout="constrained")
for position, row in enumerate(report.rows):
    ax.bar(np.arange(4) + 0.16 * position, [row[f] for f in figures], 0.15, label=row["hasher"])
ax.set_xticks(
    np.arange(4) + 0.32, ["seen mAP", "unseen mAP", "unseen, one-shot", "unseen, transfer"]
)
ax.set(ylim=(0, 1.05), title="32 bits, trained on digits 0 to 4")
figure.legend(fontsize="small", loc="outside right upper")

# %%
# The deep hash's modal code for each class it was trained on.
from sktgsh.inspection import CodeTableDisplay

seen = y < 5
deep = DeepSupervisedHasher(n_bits=12, max_epochs=10, random_state=0).fit(X[seen], y[seen])
display = CodeTableDisplay.from_estimator(deep, X[seen], y[seen])
print(display.to_text())
