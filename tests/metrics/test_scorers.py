import numpy as np
import pytest

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import make_retrieval_scorer, precision_at_k


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


def test_unknown_metric_is_named():
    with pytest.raises(ValueError, match="'ndcg'"):
        make_retrieval_scorer("ndcg")
