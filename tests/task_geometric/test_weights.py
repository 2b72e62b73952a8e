"""Weights of rows and of classes."""

import numpy as np
import pytest
from learned_tasks import small

from sktgsh.metrics import mean_average_precision


@pytest.fixture(scope="module")
def digits(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    return X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]


@pytest.fixture(scope="module")
def imbalanced(digits):
    """Six classes, one of them with 120 rows and the others with 5 each."""
    X, y, Q, q = digits
    kept = [np.flatnonzero(y == c)[: 120 if c == 0 else 5] for c in range(6)]
    rows, asked = np.concatenate(kept), q < 6
    return X[rows], y[rows], Q[asked], q[asked]


def map_by_class(hasher, Q, q):
    codes = hasher.transform(Q)
    return np.mean(
        [mean_average_precision(codes[q == c], q[q == c], codes, q) for c in np.unique(q)]
    )


@pytest.mark.parametrize("scale", [1e-6, 1 / 1347, 1e6])
def test_only_ratios_of_weights_count(digits, scale):
    X, y, Q, _ = digits
    plain, weighted = small().fit(X, y), small().fit(X, y, sample_weight=np.full(len(y), scale))
    np.testing.assert_array_equal(plain.modulations_[0].alpha, weighted.modulations_[0].alpha)
    assert (plain.transform(Q) == weighted.transform(Q)).mean() > 0.999


def test_weights_of_tasks_with_a_prior(digits):
    X, y, Q, _ = digits
    task = np.arange(len(y)) % 3
    plain, weighted = (
        small().fit(X, y, task=task, sample_weight=np.full(len(y), scale)) for scale in (1, 1e-5)
    )
    for label in range(3):
        agree = plain.transform(Q, task=label) == weighted.transform(Q, task=label)
        assert agree.mean() > 0.999


def test_balanced_classes_are_not_lost(imbalanced):
    X, y, Q, q = imbalanced
    plain, balanced = (small(class_weight=w, n_bits=32).fit(X, y) for w in (None, "balanced"))
    assert map_by_class(balanced, Q, q) > map_by_class(plain, Q, q) + 0.01


def test_balanced_is_a_weight_for_each_class_of_a_task(imbalanced):
    X, y, Q, _ = imbalanced
    weights = {c: len(y) / (6 * (y == c).sum()) for c in range(6)}
    balanced, by_class, by_row = (
        small(class_weight="balanced").fit(X, y),
        small(class_weight=weights).fit(X, y),
        small().fit(X, y, sample_weight=[weights[label] for label in y]),
    )
    for other in (by_class, by_row):
        np.testing.assert_array_equal(balanced.transform(Q), other.transform(Q))
    streamed = small(class_weight=weights, codebook="random").partial_fit(X, y)
    summed = small(class_weight=weights, codebook="random").fit_batches([(X, y)])
    np.testing.assert_array_equal(streamed.transform(Q), summed.transform(Q))


def test_bad_class_weights(imbalanced):
    X, y, _, _ = imbalanced
    hasher = small(class_weight="balanced")
    for learn in (lambda: hasher.partial_fit(X, y), lambda: hasher.fit_batches([(X, y)])):
        with pytest.raises(ValueError, match="class_weight='balanced' needs all rows"):
            learn()
    with pytest.raises(ValueError, match="no meaning for label indicators"):
        hasher.fit(X, np.eye(6, dtype=int)[y])
    with pytest.raises(ValueError, match="-1 for class 3; expected a positive number"):
        small(class_weight={3: -1}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight"):
        small(class_weight="uneven").fit(X, y)
