"""
Recommendation as inner product search
======================================

Asymmetric hashing on MovieLens 1M: users are queries, films are keys, and the best film has the
largest inner product. It needs the data (see :func:`sktgsh.datasets.fetch_movielens`), and is
therefore not run when this site is built; ``make bench`` measures it in full.
"""

# %%
# PureSVD: users and films in 150 dimensions.

# sphinx_gallery_thumbnail_path = "reproductions/movielens.png"
import numpy as np
from scipy.sparse.linalg import svds

from sktgsh import SignALSH
from sktgsh.datasets import fetch_movielens
from sktgsh.neighbors import LSHNeighbors

users, scale, films = svds(fetch_movielens().astype(np.float64), k=150, random_state=0)
users, films = users * scale, films.T

# %%
# Rank films by the number of equal bits, and compare with the ten of largest inner product.
hasher = SignALSH(512, random_state=0).fit(films)
keys, queries = hasher.transform(films), hasher.transform_queries(users[:500])
equal_bits = (queries[:, None] == keys[None]).sum(axis=2)
gold = np.argsort(-(users[:500] @ films.T), axis=1)[:, :10]
found = np.argsort(-equal_bits, axis=1, kind="stable")[:, :10]
hits = [len(set(a) & set(b)) / 10 for a, b in zip(found, gold)]
print("precision of the first ten:", np.mean(hits))

# %%
# The same with hash tables: only films that collide are looked at.
index = LSHNeighbors(SignALSH(), n_bits=8, n_tables=48, metric="inner_product", random_state=0)
found = index.fit(films).kneighbors(users[:500], 10)[1]
hits = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), gold.tolist())]
print(f"recall {np.mean(hits):.2f}, looking at {index.candidate_share_:.1%} of the films")
