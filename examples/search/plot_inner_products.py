"""
The largest inner product
=========================

A recommender's score is an inner product, and long vectors win. Angles do not see length: keys are
hashed with their length in further coordinates, queries without.
"""

# %%
# Items and users in 32 dimensions; the lengths of items vary as popularity does.
import numpy as np

from sktgsh import L2ALSH, SignALSH, SignedRandomProjectionHasher, SimpleLSH

N_BITS = 256


def share_found(seed):
    """How many of the ten best items are among the first by code, for each method."""
    rng = np.random.default_rng(seed)
    items = rng.normal(size=(2000, 32)) * rng.lognormal(0, 0.5, size=(2000, 1))
    users = rng.normal(size=(200, 32))
    best = np.argsort(-users @ items.T, axis=1)[:, :10]
    curves = {}
    for kind in (SimpleLSH, SignALSH, L2ALSH, SignedRandomProjectionHasher):
        hasher = kind(N_BITS, random_state=seed).fit(items)
        ask = getattr(hasher, "transform_queries", hasher.transform)
        # The number of bits that agree says how good an item is; ties in random order.
        keys, queries = hasher.transform(items), ask(users)
        agree = (queries[:, None] == keys[None]).mean(axis=2) + rng.uniform(0, 1e-6, (200, 2000))
        rank = np.argsort(np.argsort(-agree, axis=1), axis=1)
        places = np.take_along_axis(rank, best, axis=1)
        curves[kind.__name__] = [(places < n).mean() for n in FIRST]
    return curves


FIRST = (10, 20, 50, 100, 200, 500)
seeds = [share_found(seed) for seed in range(3)]

# %%
# Medians of three seeds, with their range.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name in seeds[0]:
    values = np.array([curves[name] for curves in seeds])
    line = ax.plot(FIRST, np.median(values, axis=0), marker="o", label=name)[0]
    ax.fill_between(
        FIRST, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2
    )
ax.set_xscale("log")
ax.set_xticks(FIRST, FIRST)
ax.set(xlabel="items looked at, of 2,000", ylabel="share of the ten best", ylim=(0, 1.02))
ax.set_title("256 bits, ranked by bits that agree")
ax.legend()

# %%
# Simple-LSH and Sign-ALSH find four of five of the best items among the first 100 of 2,000. Signed
# projections, which cannot see length, and L2-ALSH find three of five. **Use this when** your
# score is an inner product and your vectors differ in length.
