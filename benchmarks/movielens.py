"""Maximum inner product search on MovieLens 1M: precision at recall, by family and code length.

The protocol of Shrivastava and Li: PureSVD of rank 150, users are queries, items are keys, the gold
standard is the T items of largest inner product, items are ranked by the number of matching hashes.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import svds
from sklearn.utils.extmath import svd_flip

from sktgsh import L2ALSH, PStableHasher, SignALSH, SignedRandomProjectionHasher, SimpleLSH
from sktgsh.codes import hamming_distances
from sktgsh.datasets import fetch_movielens

from ._common import RESULTS, report

RANK, N_USERS, RECALLS = 150, 2000, np.arange(1, 11) / 10
# Projections are drawn so often: one draw serves all users, and some serve them all badly.
SEEDS = range(5)
Vectors = tuple[np.ndarray, np.ndarray]


def factors(data: str) -> Vectors:
    """Users and items, as PureSVD gives them."""
    left, values, right = svds(fetch_movielens(data).astype(np.float64), k=RANK, random_state=0)
    left, right = svd_flip(left, right)  # of either sign by chance, which hashes are not blind to
    rng = np.random.RandomState(0)
    users = (left * values)[rng.permutation(len(left))[:N_USERS]]
    return users, right.T


def bit_matches(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    return queries.shape[1] - hamming_distances(queries, keys).astype(np.int32)


def value_matches(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    return np.stack([(keys == query).sum(axis=1) for query in queries])


def matches(name: str, users: np.ndarray, items: np.ndarray, n_bits: int, seed: int) -> np.ndarray:
    """Number of equal hashes of every user and item."""
    if name in ("Sign-ALSH", "Simple-LSH"):
        hasher = {"Sign-ALSH": SignALSH, "Simple-LSH": SimpleLSH}[name](n_bits, random_state=seed)
        hasher.fit(items)
        return bit_matches(hasher.transform_queries(users), hasher.transform(items))
    if name == "L2-ALSH":
        hasher = L2ALSH(n_bits, random_state=seed).fit(items)
        return value_matches(hasher.hash_query_values(users), hasher.hash_values(items))
    if name == "signed projections":
        hasher = SignedRandomProjectionHasher(n_bits, random_state=seed).fit(items)
        return bit_matches(hasher.transform(users), hasher.transform(items))
    hasher = PStableHasher(n_bits, r=2.5, random_state=seed).fit(items)
    return value_matches(hasher.hash_values(users), hasher.hash_values(items))


def ranked(counts: np.ndarray) -> np.ndarray:
    """Items of each user, most matches first; ties in the order of a fixed random permutation."""
    order = np.random.RandomState(0).permutation(counts.shape[1])
    return order[np.argsort(-counts[:, order], axis=1, kind="stable")]


def largest(products: np.ndarray, top: int) -> np.ndarray:
    """The items of largest inner product of each user, in any order."""
    return np.argpartition(-products, top - 1, axis=1)[:, :top]


def hits(items: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Whether each of a user's ranked items is one of the gold ones."""
    is_gold = np.zeros(items.shape, bool)
    np.put_along_axis(is_gold, gold, True, axis=1)
    return np.take_along_axis(is_gold, items, axis=1)


def precision_at_recall(items: np.ndarray, gold: np.ndarray) -> list[float]:
    """Mean over users of the precision once each of RECALLS of their gold items is found."""
    positions = np.nonzero(hits(items, gold))[1].reshape(gold.shape)
    precisions = np.arange(1, gold.shape[1] + 1) / (positions + 1)
    columns = [int(np.ceil(recall * gold.shape[1])) - 1 for recall in RECALLS]
    return precisions[:, columns].mean(axis=0).tolist()


def run(data: str | None) -> None:
    if data is None:
        print("movielens: skipped; give --data with a folder that holds movielens_1m.npz")
        return
    users, items = factors(data)
    products = users @ items.T
    names = ("Sign-ALSH", "Simple-LSH", "L2-ALSH", "signed projections", "p-stable")
    rows, curves = [], {}
    for n_bits in (64, 128, 256, 512):
        for name in names:
            draws = [ranked(matches(name, users, items, n_bits, seed)) for seed in SEEDS]
            for top in (1, 5, 10) if n_bits == 512 else (10,):
                gold = largest(products, top)
                found = np.array([precision_at_recall(order, gold) for order in draws])
                curves[name] = found.mean(axis=0)  # at last that of 512 hashes and 10 items
                at = dict(zip(RECALLS.tolist(), zip(curves[name], found.std(axis=0))))
                row = {"family": name, "K": n_bits, "T": top}
                for recall in (0.2, 0.4, 0.6):
                    row[f"precision at {recall}"], row[f"deviation at {recall}"] = at[recall]
                rows.append(row)
    report("movielens", rows)
    draw(curves)


def draw(curves: dict[str, np.ndarray]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    for name, curve in curves.items():
        ax.plot(RECALLS, curve, marker="o", label=name)
    ax.set(xlabel="recall", ylabel="precision", title="MovieLens 1M, T = 10, K = 512")
    ax.legend()
    figure.savefig(RESULTS / "movielens.png", dpi=120)
