"""Rows of classes that were never seen."""

import numpy as np
import pytest
from learned_tasks import small
from sklearn.metrics import roc_auc_score


@pytest.fixture(scope="module")
def known_and_new(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    rows, asked = (task == 0) & (y < 8), qtask == 0
    return X[rows], y[rows], Q[asked], q[asked]


@pytest.mark.parametrize(
    "params", [{}, dict(head="block", n_hidden=4096), dict(structure_fraction=0.25)]
)
def test_rows_of_new_classes_have_high_scores(known_and_new, params):
    X, y, Q, q = known_and_new
    hasher = small(n_bits=32, **params).fit(X, y)
    scores = hasher.novelty_scores(Q)
    assert scores.shape == (len(Q),) and scores.dtype == np.float32 and scores.min() >= 0
    assert roc_auc_score(q >= 8, scores) > 0.93
    threshold = np.quantile(hasher.novelty_scores(Q[q < 8][::2]), 0.95)
    assert (scores[q >= 8] > threshold).mean() > 0.6


def test_it_is_its_definition(known_and_new):
    X, y, Q, _ = known_and_new
    hasher = small().fit(X, y)
    apart = np.square(hasher.decision_function(Q)[:, None] - hasher.codebook_).mean(axis=2)
    np.testing.assert_allclose(hasher.novelty_scores(Q), apart.min(axis=1), atol=1e-5)


def test_codes_of_structure_alone_are_near_no_codeword(known_and_new):
    X, y, Q, _ = known_and_new
    with pytest.raises(ValueError, match="task 0 has no codewords"):
        small(structure_fraction=1.0, n_hidden=64).fit(X, y).novelty_scores(Q)
