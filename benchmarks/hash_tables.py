"""LSHNeighbors, tuned, against exact search by scikit-learn and by faiss, from small to large.

Searches are measured by the processor's time of all threads: other processes do not lengthen it.
"""

from __future__ import annotations

import time

import faiss
import numpy as np
from sklearn.neighbors import NearestNeighbors

from sktgsh import SignedRandomProjectionHasher
from sktgsh.neighbors import LSHNeighbors

from ._common import load_images, report, seconds

N_NEIGHBORS, N_QUERIES = 10, 500
SIZES = (20_000, 60_000, 200_000, 500_000)


def clustered_vectors(n_rows: int, n_features: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Synthetic vectors in clusters of about 100 around centres of their own, and queries."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((n_rows // 100, n_features), dtype=np.float32)
    drawn = rng.integers(0, len(centres), n_rows + N_QUERIES)
    noise = rng.standard_normal((len(drawn), n_features), dtype=np.float32)
    vectors = centres[drawn] + np.float32(0.7) * noise
    return vectors[:n_rows], vectors[n_rows:]


def compare(name: str, X: np.ndarray, queries: np.ndarray, metric: str, target: float) -> dict:
    """Times of one batch of queries, in turn, each the median of three."""
    tuning, index = seconds(
        lambda: LSHNeighbors.tune(
            X, target_recall=target, metric=metric, n_neighbors=N_NEIGHBORS, random_state=0
        )
    )
    fitting, _ = seconds(lambda: index.fit(X))
    brute = NearestNeighbors(n_neighbors=N_NEIGHBORS, metric=metric, algorithm="brute").fit(X)
    flat = faiss.IndexFlatL2(X.shape[1])
    flat.add(faiss_rows(X, metric))
    scan = CodeScan(X, metric, index.max_candidates or 640)
    times = {"lsh": [], "sklearn": [], "faiss": [], "scan": []}
    for _ in range(3):
        for label, search in [
            ("lsh", lambda: index.kneighbors(queries)),
            ("sklearn", lambda: brute.kneighbors(queries)),
            ("faiss", lambda: flat.search(faiss_rows(queries, metric), N_NEIGHBORS)),
            ("scan", lambda: scan.search(queries)),
        ]:
            started = time.process_time()
            found = search()
            times[label].append(time.process_time() - started)
            if label == "lsh":
                distances = found[0]
            elif label == "sklearn":
                true = found[0]
            elif label == "scan":
                scanned = found
    reach = true[:, -1:] * (1 + 1e-5) + 1e-6
    lsh, sklearn, raw, by_code = (float(np.median(times[label])) for label in times)
    return dict(
        data=name,
        rows=len(X),
        metric=metric,
        target=target,
        recall=float((distances <= reach).mean()),
        expected_recall=index.tuned.expected_recall,
        K=index.n_bits,
        L=index.n_tables,
        probes=index.n_probes,
        cap=index.max_bucket_size,
        ranked=index.max_candidates,
        candidates=index.candidate_share_,
        microseconds=1e6 * lsh / len(queries),
        ratio_sklearn=sklearn / lsh,
        ratio_faiss=raw / lsh,
        ratio_code_scan=by_code / lsh,
        recall_code_scan=float((scanned <= reach).mean()),
        fit_seconds=fitting,
        tune_seconds=tuning,
    )


class CodeScan:
    """The simple rival: all codes of 256 bits by Hamming distance, the best by the metric."""

    def __init__(self, X: np.ndarray, metric: str, most: int):
        self.mean = X.mean(axis=0) if metric == "euclidean" else np.float32(0)
        self.hasher = SignedRandomProjectionHasher(256, packed=True, random_state=0)
        self.codes = self.hasher.fit_transform(X - self.mean)
        self.rows, self.metric, self.most = faiss_rows(X, metric), metric, most

    def search(self, queries: np.ndarray) -> np.ndarray:
        codes = self.hasher.transform(queries - self.mean)
        _, found = faiss.knn_hamming(codes, self.codes, self.most)
        asked = faiss_rows(queries, self.metric)
        query_of = np.repeat(np.arange(len(queries)), self.most)
        squares = np.empty(found.size, np.float32)
        given = (asked, query_of, self.rows, found.astype(np.int64).ravel(), squares)
        faiss.pairwise_indexed_L2sqr(asked.shape[1], found.size, *map(faiss.swig_ptr, given))
        squares = np.sort(squares.reshape(found.shape), axis=1)[:, :N_NEIGHBORS]
        return squares / 2 if self.metric == "cosine" else np.sqrt(squares)


def faiss_rows(X: np.ndarray, metric: str) -> np.ndarray:
    if metric == "cosine":
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
    return np.ascontiguousarray(X, np.float32)


def run(data: str | None) -> None:
    images = load_images(data)
    rng = np.random.default_rng(0)
    queries = images.Q[rng.permutation(len(images.Q))[:N_QUERIES]].astype(np.float32)
    rows = [
        compare(images.name, images.X.astype(np.float32), queries, metric, target)
        for metric, target in [
            ("cosine", 0.8),
            ("cosine", 0.9),
            ("cosine", 0.95),
            ("euclidean", 0.9),
        ]
    ]
    report(f"hash_tables_{images.name}", rows)
    rows = []
    for n_rows in SIZES:
        X, queries = clustered_vectors(n_rows)
        rows += [compare("clusters", X, queries, metric, 0.9) for metric in ("cosine", "euclidean")]
        report("hash_tables_clusters", rows)
