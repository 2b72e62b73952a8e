"""Retrieval of classes on the data that users bring, beside the simplest things to try instead.

Sentence embeddings of 150 intents, features of photographs, digits as pixels, and classes drawn
from a normal distribution: test queries against training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.datasets import fetch_cifar10, fetch_clinc150, fetch_mnist
from sktgsh.evaluation import ClassifierHasher
from sktgsh.metrics import mean_average_precision
from sktgsh.random import random_signs
from sktgsh.task_geometric.learning.codebook import hadamard_codebook

from ._common import report, seconds, skip_without
from ._peers import itq_signs, pca_signs

SEEDS = (0, 1, 2)
ALPHAS = np.logspace(-1, 5, 13)
N_ANCHORS = 1000


class Retrieval(NamedTuple):
    """Rows to learn from, which are the database, and queries."""

    name: str
    n_bits: int
    X: np.ndarray
    y: np.ndarray
    Q: np.ndarray
    q: np.ndarray

    def score(self, queries: np.ndarray, database: np.ndarray) -> float:
        """mAP of at most 4,500 queries."""
        return mean_average_precision(queries[:4500], self.q[:4500], database, self.y)


def gaussian_classes(seed: int = 0) -> tuple[np.ndarray, ...]:
    """100 classes in 512 dimensions, each a normal cloud around a normal centre."""
    rng = np.random.default_rng(seed)
    centres, y = rng.normal(size=(100, 512)), rng.integers(100, size=12_000)
    X = (centres[y] + rng.normal(size=(12_000, 512))).astype(np.float32)
    return X[:10_000], y[:10_000], X[10_000:], y[10_000:]


def data_sets(data: str) -> Iterator[Retrieval]:
    """The data sets of the table."""
    clinc = list(fetch_clinc150(data, return_X_y=True))
    clinc += fetch_clinc150(data, subset="test", return_X_y=True)
    for n_bits in (64, 32):
        yield Retrieval("clinc150", n_bits, *clinc)
    cifar = list(fetch_cifar10(data, return_X_y=True))
    cifar += fetch_cifar10(data, subset="test", return_X_y=True)
    yield Retrieval("cifar10 features", 32, *cifar)
    mnist = fetch_mnist(data, return_X_y=True)
    queries = [part[:1000] for part in fetch_mnist(data, subset="test", return_X_y=True)]
    yield Retrieval("MNIST pixels", 32, *mnist, *queries)
    yield Retrieval("100 normal classes", 32, *gaussian_classes())


def kernel(X: np.ndarray, Q: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel features over random anchors, as supervised discrete hashing takes them."""
    scaler = StandardScaler().fit(X)
    X, Q = scaler.transform(X), scaler.transform(Q)
    anchors = X[np.random.default_rng(seed).choice(len(X), N_ANCHORS, replace=False)]
    gamma = 1 / np.mean(
        (X[:2000, None, :64] - anchors[None, :64, :64]) ** 2 * X.shape[1], dtype=np.float64
    )
    return rbf_kernel(X, anchors, gamma), rbf_kernel(Q, anchors, gamma)


def ridge_codes(
    X: np.ndarray, y: np.ndarray, Q: np.ndarray, codewords: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression of each bit of a row's codeword; penalties by cross-validation (GCV)."""
    scaler = StandardScaler().fit(X)
    X, Q = scaler.transform(X), scaler.transform(Q)
    target = codewords[np.unique(y, return_inverse=True)[1]].astype(np.float64)
    mean = target.mean(axis=0)
    values, vectors = np.linalg.eigh((X.T @ X).astype(np.float64))
    values = np.maximum(values, 0)
    along = vectors.T @ (X.T @ (target - mean))
    squares = ((target - mean) ** 2).sum(axis=0)
    errors, solutions = [], []
    for alpha in ALPHAS:
        damped = values + alpha + 1e-9 * values[-1]
        gain = (2 * damped - values) / damped**2
        freedom = len(X) - 1 - (values / damped).sum()
        errors.append((squares - gain @ along**2) / freedom**2)
        solutions.append(along / damped[:, None])
    best = np.argmin(errors, axis=0)
    chosen = np.stack([solutions[alpha][:, bit] for bit, alpha in enumerate(best)], axis=1)
    weights = vectors @ chosen
    return Q @ weights + mean > 0, X @ weights + mean > 0


def discrete_codes(
    X: np.ndarray, y: np.ndarray, Q: np.ndarray, n_bits: int, seed: int, n_rounds: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Supervised discrete hashing (Shen et al., CVPR 2015): codes, classifier, hash in turn."""
    index = np.unique(y, return_inverse=True)[1]
    Y = np.eye(index.max() + 1)[index]
    K, KQ = kernel(X, Q, seed)
    K, KQ = np.c_[K, np.ones(len(K))], np.c_[KQ, np.ones(len(KQ))]
    solve = np.linalg.solve(K.T @ K + 1e-3 * len(K) * np.eye(K.shape[1]) / K.shape[1], K.T)
    B = np.random.default_rng(seed).choice([-1.0, 1.0], size=(len(Y), n_bits))
    for _ in range(n_rounds):
        W = np.linalg.solve(B.T @ B + np.eye(n_bits), B.T @ Y)
        F = K @ (solve @ B)
        target = Y @ W.T + 1e-5 * F
        for _ in range(3):
            for bit in range(n_bits):
                others = np.arange(n_bits) != bit
                B[:, bit] = np.sign(target[:, bit] - B[:, others] @ (W[others] @ W[bit]) + 1e-12)
    P = solve @ B
    return KQ @ P > 0, K @ P > 0


def rivals(part: Retrieval) -> dict[str, Callable[[int], Sequence[np.ndarray]]]:
    """Name, and a function from a seed to codes of queries and database."""
    _, _, X, y, Q, _ = part
    n_bits, n_classes = part.n_bits, len(np.unique(y))

    def fitted(hasher: Any) -> tuple[np.ndarray, np.ndarray]:
        hasher.fit(X, y)
        return hasher.transform(Q), hasher.transform(X)

    def random_words(seed: int) -> np.ndarray:
        return np.stack([random_signs(label, n_bits, seed) for label in range(n_classes)])

    return {
        "signed projections": lambda s: fitted(
            SignedRandomProjectionHasher(n_bits, random_state=s)
        ),
        "PCA-sign": lambda s: pca_signs(X, n_bits, Q, X),
        "ITQ (faiss)": lambda s: itq_signs(X, n_bits, Q, X),
        "trivial: a classifier's answer": lambda s: fitted(
            ClassifierHasher(n_bits=n_bits, random_state=s)
        ),
        "DeepSupervisedHasher": lambda s: fitted(DeepSupervisedHasher(n_bits, random_state=s)),
        "ridge, random codewords": lambda s: ridge_codes(X, y, Q, random_words(s)),
        "ridge, Hadamard": lambda s: ridge_codes(X, y, Q, hadamard_codebook(n_classes, n_bits, s)),
        "kernel ridge, Hadamard (HC-SDH)": lambda s: ridge_codes(
            *_with(kernel(X, Q, s), y), hadamard_codebook(n_classes, n_bits, s)
        ),
        "SDH": lambda s: discrete_codes(X, y, Q, n_bits, s),
    }


def _with(kernels: tuple[np.ndarray, np.ndarray], y: np.ndarray) -> tuple[np.ndarray, ...]:
    return kernels[0], y, kernels[1]


OURS: dict[str, dict[str, Any]] = {
    "ours, default": {},
    "ours, ridge+sgd": dict(solver=GradientSolver(max_epochs=5, lr=0.02)),
    "ours, no passthrough": dict(passthrough=False),
    "ours, Gaussian units": dict(encoder="gaussian"),
    "ours, random codewords": dict(codebook="random"),
    "ours, 1,024 units": dict(n_hidden=1024),
    "ours, 4,096 units": dict(n_hidden=4096),
    "ours, block head": dict(head="block"),
}


def measure_ours(part: Retrieval, name: str, seeds: tuple[int, ...]) -> list[dict]:
    """One row for the setting, and for the default one for ridge onto its codewords."""
    scores, plain, times, encodings = [], [], [], []
    for seed in seeds:
        hasher = TaskGeometricHasher(part.n_bits, random_state=seed, **OURS[name])
        time, _ = seconds(lambda h=hasher: h.fit(part.X, part.y))
        encoding, database = seconds(lambda h=hasher: h.transform(part.X))
        scores.append(part.score(hasher.transform(part.Q), database))
        times.append(time)
        encodings.append(encoding)
        if name == "ours, default":
            codes = ridge_codes(part.X, part.y, part.Q, hasher.codebook_)
            plain.append(part.score(*codes))
    learned = hasher.modulations_[0]
    rows = [
        _row(part, name, scores, times)
        | dict(encode=float(np.median(encodings)), kB=learned.nbytes / 1e3)
    ]
    if plain:
        rows.append(_row(part, "ridge, our codewords", plain, []))
    return rows


def _row(part: Retrieval, name: str, scores: list[float], times: list[float]) -> dict:
    row = dict(data=part.name, bits=part.n_bits, method=name, map=float(np.median(scores)))
    if len(scores) > 1:
        row |= dict(worst=min(scores), best=max(scores))
    return row | (dict(seconds=float(np.median(times))) if times else {})


@skip_without("clinc150.npz, cifar10_features.npz and mnist.npz")
def run(data: str) -> None:
    rows: list[dict] = []
    for part in data_sets(data):
        for name, codes in rivals(part).items():
            heavy = name == "DeepSupervisedHasher" or len(part.X) > 30_000
            scores, times = [], []
            for seed in SEEDS[:1] if heavy else SEEDS:
                time, found = seconds(lambda c=codes, s=seed: c(s))
                scores.append(part.score(*found))
                times.append(time)
            rows.append(_row(part, name, scores, times))
            print(rows[-1], flush=True)
        for name in OURS:
            few = SEEDS if name in ("ours, default", "ours, ridge+sgd") else SEEDS[:1]
            rows += measure_ours(part, name, few)
            print(rows[-1], flush=True)
    report("embeddings", rows)
