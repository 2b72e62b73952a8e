"""Embeddings to bits: neighbours kept at equal bytes, classes, and classes never seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.codes import asymmetric_hamming_distances
from sktgsh.datasets import fetch_cifar10, fetch_clinc150
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision

from ._common import report, skip_without
from ._peers import dense, itq_signs, pca_signs

K, N_ROWS, N_QUERIES, OVERSAMPLING = 10, 20_000, 1000, 10
# Bytes of a row that RaBitQ keeps beside its bits.
RABITQ_BYTES = 8
# Number of classes that are trained on, of all.
N_SEEN = {"clinc150": 100, "cifar10_features": 7}
BITS = (32, 64, 128, 256)

Values = tuple[np.ndarray, np.ndarray]
Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

_OURS: dict[tuple[str, int], Values] = {}


def data_sets(data: str) -> dict[str, Data]:
    """Name to (database, labels, queries, their labels): rows of norm 1."""
    sets = {}
    for name, fetch in [("clinc150", fetch_clinc150), ("cifar10_features", fetch_cifar10)]:
        X, y = fetch(data, return_X_y=True)
        Q, q = fetch(data, subset="test", return_X_y=True)
        rng = np.random.default_rng(0)
        some, asked = rng.permutation(len(X))[:N_ROWS], rng.permutation(len(Q))[:N_QUERIES]
        sets[name] = normalize(dense(X[some])), y[some], normalize(dense(Q[asked])), q[asked]
    return sets


def unsupervised(n_bits: int) -> dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Values]]:
    """Name to a function from (rows to learn from, database, queries) to the values of both."""

    def fitted(hasher: Any) -> Callable:
        def values(train: np.ndarray, X: np.ndarray, Q: np.ndarray) -> Values:
            hasher.fit(train)
            return hasher.decision_function(X), hasher.decision_function(Q)

        return values

    def pca(train: np.ndarray, X: np.ndarray, Q: np.ndarray) -> Values:
        model = PCA(n_bits, random_state=0).fit(train)
        return model.transform(X), model.transform(Q)

    def itq(train: np.ndarray, X: np.ndarray, Q: np.ndarray) -> Values:
        model = faiss.ITQTransform(train.shape[1], n_bits, True)
        model.train(train)
        return model.apply(X), model.apply(Q)

    projections = SignedRandomProjectionHasher(n_bits, random_state=0)
    rotated = make_pipeline(PCA(n_bits, random_state=0), projections)
    return {
        "signed projections": fitted(projections),
        "PCA-sign": pca,
        "ITQ (faiss)": itq,
        "PCA, then signed projections": fitted(rotated),
    }


def values_of_ours(name: str, n_bits: int, X: np.ndarray, y: np.ndarray, Q: np.ndarray) -> Values:
    """Values of database and queries, by a hasher that all labels taught; fitted once."""
    if (name, n_bits) not in _OURS:
        hasher = TaskGeometricHasher(n_bits, random_state=0).fit(X, y)
        _OURS[name, n_bits] = hasher.decision_function(X), hasher.decision_function(Q)
    return _OURS[name, n_bits]


def rabitq_order(train: np.ndarray, X: np.ndarray, Q: np.ndarray, n_dims: int, k: int) -> Any:
    """Rows in the order of faiss's RaBitQ on the first principal components, turned at random."""
    whole = n_dims == X.shape[1]
    turn = (
        faiss.RandomRotationMatrix(n_dims, n_dims)
        if whole
        else faiss.PCAMatrix(X.shape[1], n_dims, 0, True)
    )
    index = faiss.IndexPreTransform(turn, faiss.IndexRaBitQ(n_dims, faiss.METRIC_L2))
    index.train(train)
    index.add(X)
    return index.search(Q, k)[1]


def by_codes(values: Values, as_values: bool = False) -> np.ndarray:
    """All rows, nearest first; rows that tie in random order."""
    database, queries = (np.asarray(part, np.float32) for part in values)
    asked = queries if as_values else np.where(queries > 0, np.float32(1), np.float32(-1))
    order = np.random.default_rng(0).permutation(len(database))
    distances = asymmetric_hamming_distances(asked, database[order] > 0)
    return order[np.argsort(distances, axis=1, kind="stable")]


def recall(order: np.ndarray, exact: np.ndarray, n_candidates: int = K) -> float:
    """Share of the true neighbours among the first candidates."""
    candidates = order[:, :n_candidates]
    return float((candidates[:, :, None] == exact[:, None]).any(axis=1).mean())


def neighbours(name: str, data: Data) -> list[dict[str, Any]]:
    """(a) Recall of the float neighbours at equal bytes.

    Rescored: the recall of ten times as many candidates, which their vectors then rank.
    """
    X, y, Q, _ = data
    exact = np.argsort(-(Q @ X.T), axis=1)[:, :K]
    rows = []

    def add(method: str, n_bytes: int, order: np.ndarray, asked: np.ndarray | None = None) -> None:
        row = dict(data=name, method=method, bytes=n_bytes, recall=recall(order, exact))
        if asked is not None:
            row["values"] = recall(asked, exact)
        best = order if asked is None else asked
        row["rescored"] = recall(order, exact, OVERSAMPLING * K)
        row["values_rescored"] = recall(best, exact, OVERSAMPLING * K)
        rows.append(row)

    for n_bits in BITS[1:]:
        for method, learn in unsupervised(n_bits).items():
            values = learn(X, X, Q)
            add(method, n_bits // 8, by_codes(values), by_codes(values, True))
        values = values_of_ours(name, n_bits, X, y, Q)
        add("ours, with labels", n_bits // 8, by_codes(values), by_codes(values, True))
        n_dims = n_bits - 8 * RABITQ_BYTES
        if n_dims:
            order = rabitq_order(X, X, Q, n_dims, OVERSAMPLING * K)
            add(f"RaBitQ of {n_dims} components", n_bits // 8, order)
    n_bytes = X.shape[1] // 8
    add("sign of the embedding", n_bytes, by_codes((X, Q)), by_codes((X, Q), True))
    order = rabitq_order(X, X, Q, X.shape[1], OVERSAMPLING * K)
    add("RaBitQ", n_bytes + RABITQ_BYTES, order)
    return rows


def order_map(order: np.ndarray, y: np.ndarray, q: np.ndarray) -> float:
    """Mean average precision of rankings of all rows."""
    scores = []
    for ranked, label in zip(order, q):
        places = np.flatnonzero(y[ranked] == label) + 1
        scores.append((np.arange(1, len(places) + 1) / places).mean())
    return float(np.mean(scores))


def classes(name: str, data: Data) -> list[dict[str, Any]]:
    """(b) mAP of classes, all of them known."""
    X, y, Q, q = data
    some = np.random.default_rng(0).permutation(len(X))[: len(X) // 10]
    rows: dict[str, dict[str, Any]] = {}

    def add(method: str, n_bits: int, codes: np.ndarray, queries: np.ndarray) -> None:
        row = rows.setdefault(method, dict(data=name, method=method))
        row[f"bits_{n_bits}"] = mean_average_precision(queries, q, codes, y)

    for n_bits in BITS:
        database, queries = values_of_ours(name, n_bits, X, y, Q)
        add("ours", n_bits, database > 0, queries > 0)
        add("ours, queries as values", n_bits, database > 0, queries)
        for method, learn in unsupervised(n_bits).items():
            database, queries = learn(X, X, Q)
            add(method, n_bits, database > 0, queries > 0)
    few = TaskGeometricHasher(64, random_state=0).fit(X[some], y[some])
    add("ours, labels of a tenth", 64, few.transform(X), few.transform(Q))
    trivial = ClassifierHasher(n_bits=64).fit(X, y)
    add("trivial: a classifier's answer", 64, trivial.transform(X), trivial.transform(Q))
    add("sign of the embedding", X.shape[1], X > 0, Q > 0)
    whole = dict(data=name, method="float32 embedding", map=order_map(np.argsort(-(Q @ X.T)), y, q))
    order = rabitq_order(X, X, Q, X.shape[1], len(X))
    found = [*rows.values(), whole, dict(data=name, method="RaBitQ", map=order_map(order, y, q))]
    return [_own_bits_as_map(row, X.shape[1]) for row in found]


def _own_bits_as_map(row: dict[str, Any], width: int) -> dict[str, Any]:
    """Methods of one length only fill the last column."""
    own = row.pop(f"bits_{width}", None)
    return row if own is None else row | dict(map=own)


def unseen(name: str, data: Data, n_bits: int = 64) -> list[dict[str, Any]]:
    """(c) Some classes are trained on: mAP of these, and of the others among themselves."""
    X, y, Q, q = data
    labels = np.random.default_rng(0).permutation(np.unique(y))
    known = labels[: N_SEEN[name]]
    train, asked = np.isin(y, known), np.isin(q, known)
    rows = []

    def add(method: str, codes: np.ndarray, queries: np.ndarray) -> None:
        row = dict(data=name, method=method)
        for part, of, to in [("seen", train, asked), ("unseen", ~train, ~asked)]:
            row[part] = mean_average_precision(queries[to], q[to], codes[of], y[of])
        rows.append(row)

    settings = {
        "ours": {},
        "ours, structure bits 0.5": dict(structure_fraction=0.5),
        "ours, structure bits 0.25, alpha=0.3": dict(structure_fraction=0.25, alpha=0.3),
    }
    for method, params in settings.items():
        hasher = TaskGeometricHasher(n_bits, random_state=0, **params).fit(X[train], y[train])
        add(method, hasher.transform(X), hasher.transform(Q))
    trivial = ClassifierHasher(n_bits=n_bits).fit(X[train], y[train])
    add("trivial: a classifier's answer", trivial.transform(X), trivial.transform(Q))
    projections = SignedRandomProjectionHasher(n_bits, random_state=0).fit(X)
    add("signed projections", projections.transform(X), projections.transform(Q))
    add("PCA-sign", *pca_signs(X[train], n_bits, X, Q))
    add("ITQ (faiss)", *itq_signs(X[train], n_bits, X, Q))
    add(f"sign of the embedding, {X.shape[1]} bits", X > 0, Q > 0)
    whole = dict(data=name, method="float32 embedding")
    for part, of, to in [("seen", train, asked), ("unseen", ~train, ~asked)]:
        whole[part] = order_map(np.argsort(-(Q[to] @ X[of].T), axis=1), y[of], q[to])
    return [*rows, whole]


@skip_without("clinc150.npz and cifar10_features.npz")
def run(data: str) -> None:
    tables = {"neighbours": neighbours, "classes": classes, "unseen": unseen}
    rows: dict[str, list] = {table: [] for table in tables}
    for name, part in data_sets(data).items():
        for table, measure in tables.items():
            rows[table] = report(f"binarise_{table}", rows[table] + measure(name, part))
