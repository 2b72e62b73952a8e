"""LSHNeighbors, tuned, against exact search by scikit-learn and by faiss, from small to large."""

from __future__ import annotations

import faiss
import numpy as np
from sklearn.neighbors import NearestNeighbors

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
    """Times of one batch of queries, in turn, each the median of five."""
    tuning, index = seconds(
        lambda: LSHNeighbors.tune(
            X, target_recall=target, metric=metric, n_neighbors=N_NEIGHBORS, random_state=0
        )
    )
    fitting, _ = seconds(lambda: index.fit(X))
    brute = NearestNeighbors(n_neighbors=N_NEIGHBORS, metric=metric, algorithm="brute").fit(X)
    flat = faiss.IndexFlatL2(X.shape[1])
    flat.add(faiss_rows(X, metric))
    times = {"lsh": [], "sklearn": [], "faiss": []}
    for _ in range(3):
        for label, search in [
            ("lsh", lambda: index.kneighbors(queries)),
            ("sklearn", lambda: brute.kneighbors(queries)),
            ("faiss", lambda: flat.search(faiss_rows(queries, metric), N_NEIGHBORS)),
        ]:
            time, found = seconds(search)
            times[label].append(time)
            if label == "lsh":
                distances = found[0]
            elif label == "sklearn":
                true = found[0]
    lsh, sklearn, raw = (float(np.median(times[label])) for label in times)
    return dict(
        data=name,
        rows=len(X),
        metric=metric,
        target=target,
        recall=float((distances <= true[:, -1:] * (1 + 1e-5) + 1e-6).mean()),
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
        fit_seconds=fitting,
        tune_seconds=tuning,
    )


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
        for metric, target in [("cosine", 0.8), ("cosine", 0.9), ("cosine", 0.95)]
        + [("euclidean", 0.9)]
    ]
    report(f"hash_tables_{images.name}", rows)
    rows = []
    for n_rows in SIZES:
        X, queries = clustered_vectors(n_rows)
        rows += [compare("clusters", X, queries, metric, 0.9) for metric in ("cosine", "euclidean")]
        report("hash_tables_clusters", rows)
