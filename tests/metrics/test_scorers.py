import numpy as np
import pytest

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import (
    make_retrieval_scorer,
    mean_average_precision,
    ndcg_at_k,
    precision_at_k,
)


def test_scorer_is_the_metric_within_each_task(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y, task = X[::20], y[::20], task[::20]
    hasher = TaskGeometricHasher(n_bits=8, n_hidden=64, random_state=0).fit(X, y, task=task)
    codes = hasher.transform(X, task=task)
    parts = [
        (precision_at_k(codes[task == t], y[task == t], k=3), sum(task == t)) for t in (0, 30, 60)
    ]
    expected = np.average([p for p, _ in parts], weights=[n for _, n in parts])
    assert make_retrieval_scorer("precision_at_k", k=3)(hasher, X, y, task=task) == pytest.approx(
        expected
    )


def test_packed_and_plain_agree(digit_tasks):
    (X, y, _), _ = digit_tasks
    values = [
        make_retrieval_scorer(packed=packed)(
            SignedRandomProjectionHasher(12, packed=packed, random_state=0).fit(X[:100]),
            X[:100],
            y[:100],
        )
        for packed in (False, True)
    ]
    assert values[0] == pytest.approx(values[1])


def test_several_labels_a_row(digit_tasks):
    (X, y, _), _ = digit_tasks
    X, labels = X[:200], np.stack([y[:200] % 2, y[:200] < 5, y[:200] % 3 == 0], axis=1)
    hasher = SignedRandomProjectionHasher(12, random_state=0).fit(X)
    codes = hasher.transform(X)
    assert make_retrieval_scorer("ndcg_at_k", k=9)(hasher, X, labels) == pytest.approx(
        ndcg_at_k(codes, labels, k=9)
    )
    assert hasher.score(X, labels) == pytest.approx(mean_average_precision(codes, labels))
    assert hasher.score(X, y[:200, None]) == hasher.score(X, y[:200])
    for wrong in (y[:199], y[:201], labels[:150]):
        with pytest.raises(ValueError, match=f"y has {len(wrong)} labels for 200 rows"):
            hasher.score(X, wrong)


def test_tasks_without_anything_relevant_do_not_count():
    hasher = SignedRandomProjectionHasher(4, random_state=0)
    X, y, task = np.eye(4), [0, 0, 1, 2], [0, 0, 1, 1]
    identity = hasher.fit(X)
    assert make_retrieval_scorer()(identity, X, y, task=task) == 1.0


def test_unknown_metric_is_named():
    with pytest.raises(ValueError, match="'ndcg'"):
        make_retrieval_scorer("ndcg")
