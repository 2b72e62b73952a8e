"""
Beside simpler codes of the same length
=======================================

Learned codes against the signs of principal components, ITQ, signed projections and a deep hash,
at equal bits: on the classes that they were trained on, and on classes that no method has seen.
"""

# %%
# ITQ is a rotation of the principal components that makes their signs lose least. Neither knows
# labels; ridge regression onto codewords is the least that labels can do.
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    ITQHasher,
    PCAHasher,
    RidgeHasher,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.metrics import mean_average_precision

methods = {
    "task geometric": lambda n_bits, s: TaskGeometricHasher(n_bits, random_state=s),
    "half structure bits": lambda n_bits, s: TaskGeometricHasher(
        n_bits, structure_fraction=0.5, random_state=s
    ),
    "deep supervised": lambda n_bits, s: DeepSupervisedHasher(
        n_bits, solver=GradientSolver(max_epochs=10), random_state=s
    ),
    "ridge": lambda n_bits, s: RidgeHasher(n_bits, random_state=s),
    "ITQ": lambda n_bits, s: ITQHasher(n_bits, random_state=s),
    "PCA-sign": lambda n_bits, s: PCAHasher(n_bits),
    "signed projections": lambda n_bits, s: SignedRandomProjectionHasher(n_bits, random_state=s),
}

# %%
# Each seed draws which seven digits are trained on, and which rows are queries.
X, y = load_digits(return_X_y=True)
X = (X - 8).astype(np.float32)
lengths, seeds = (8, 16, 32), range(3)
seen, unseen = (np.zeros((len(methods), len(lengths), len(seeds))) for _ in range(2))
for s in seeds:
    known = np.isin(y, np.random.default_rng(s).permutation(10)[:7])
    rows, queries, labels, asked = train_test_split(
        X[known], y[known], test_size=0.25, random_state=s
    )
    for b, n_bits in enumerate(lengths):
        for m, method in enumerate(methods.values()):
            encode = method(n_bits, s).fit(rows, labels).transform
            seen[m, b, s] = mean_average_precision(encode(queries), asked, encode(rows), labels)
            unseen[m, b, s] = mean_average_precision(encode(X[~known]), y[~known])

# %%
# A method's figure on classes that it was trained on says little about other classes. Lines join
# the medians of three seeds, and bars are their range. Points of one length stand a little apart,
# so that none hides another.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, scores, title in zip(axes, (seen, unseen), ("classes trained on", "classes never seen")):
    for m, name in enumerate(methods):
        middle = np.median(scores[m], axis=1)
        bars = np.abs([scores[m].min(axis=1), scores[m].max(axis=1)] - middle)
        beside = np.array(lengths) * 1.04 ** (m - len(methods) // 2)
        ax.errorbar(beside, middle, bars, marker="o", ms=4, capsize=2, label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(lengths, lengths)
    ax.minorticks_off()
    ax.set(title=title, xlabel="bits", ylim=(0, 1.03))
    ax.grid(alpha=0.3)
axes[0].set_ylabel("mean average precision")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")

# %%
# On the classes trained on, everything that knows labels is ahead. On classes never seen, ITQ and
# the signs of principal components are the best, and from 16 bits on codewords alone are the worst;
# half structure bits lie between. **Use this when** somebody shows you figures of one kind only.
