"""Searches that rank ties and near ties, against NumPy and faiss of the same candidates, by turns.

Learned codes repeat, so that most answers are decided by ties; real values and vectors are measured
in float64. Each figure is the processor's time over that of a plain reference in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors, RescoredNeighbors

from ._common import load_images, report
from .hamming_search import in_turn
from .hash_tables import clustered_vectors

K, N_ROWS, N_QUERIES, OVERSAMPLING = 10, 20_000, 500, 10


def compared(name: str, ours: Callable[[], Any], reference: Callable[[], Any], what: str) -> dict:
    """Processor's time of a search and of its reference, the least of seven turns each."""
    ours(), reference()
    times = in_turn({"ours": ours, "reference": reference}, repeat=7)
    ratio = times["ours"] / times["reference"]
    return dict(search=name, reference=what, milliseconds=1000 * times["ours"], ratio=ratio)


def learned(data: str | None) -> list[dict]:
    """Codes and values of a learned hasher, as they are and repeated to many rows."""
    images = load_images(data)
    hasher = TaskGeometricHasher(64, packed=True, random_state=0).fit(images.X, images.y)
    codes, asked = hasher.transform(images.X), hasher.transform(images.Q[:N_QUERIES])
    values = hasher.decision_function(images.Q[:N_QUERIES]).astype(np.float32)
    rows = []
    for n_rows in (len(codes), 100_000, 1_000_000):
        many = codes[np.random.default_rng(0).integers(len(codes), size=n_rows)]
        index, flat = HammingNeighbors(K, packed=True).fit(many), faiss.IndexBinaryFlat(64)
        flat.add(many)
        rows += [
            compared(
                f"{n_rows} learned codes, {k} neighbours",
                lambda index=index, k=k: index.kneighbors(asked, k),
                lambda flat=flat, k=k: flat.search(asked, k),
                "faiss, flat",
            )
            for k in (K, 10 * K)
        ]
    index = HammingNeighbors(K, packed=True).fit(codes)
    bits = np.unpackbits(codes, axis=1).astype(np.float32)
    rows.append(
        compared(
            "real values",
            lambda: index.kneighbors(values),
            lambda: faiss.knn(values, bits, K, metric=faiss.METRIC_INNER_PRODUCT),
            "faiss, products",
        )
    )
    return rows


def vectors() -> list[dict]:
    """Candidates of codes and of hash tables, ranked by their vectors."""
    rows = []
    for dtype in (np.float32, np.float64):
        X, Q = (part.astype(dtype) for part in clustered_vectors(N_ROWS))
        hasher = SignedRandomProjectionHasher(128, random_state=0)
        index = RescoredNeighbors(hasher, n_neighbors=K, oversampling=OVERSAMPLING).fit(X)
        found = index.index_.kneighbors(index.hasher_.transform(Q), K * OVERSAMPLING)[1]

        def plain(X: np.ndarray = X, Q: np.ndarray = Q, found: np.ndarray = found) -> np.ndarray:
            near = X[found]
            products = np.matmul(near, Q[:, :, None])[:, :, 0]
            norms = np.sqrt(np.einsum("qmd,qmd->qm", near, near))
            return np.argsort(1 - products / norms, axis=1)[:, :K]

        rows.append(
            compared(
                f"rescored, {dtype.__name__}",
                lambda index=index, Q=Q, found=found: index.vectors_.ranked(Q, found, K, "cosine"),
                plain,
                "NumPy, all candidates in their type",
            )
        )
        tables = LSHNeighbors(n_bits=13, n_tables=20, n_neighbors=K, random_state=0).fit(X)
        flat = faiss.IndexFlatIP(X.shape[1])
        flat.add(X.astype(np.float32))
        single = Q.astype(np.float32)
        rows.append(
            compared(
                f"hash tables, {dtype.__name__}",
                lambda tables=tables, Q=Q: tables.kneighbors(Q),
                lambda flat=flat, single=single: flat.search(single, K),
                "faiss, flat",
            )
        )
    return rows


def run(data: str | None) -> None:
    report("search_ties", learned(data) + vectors())
