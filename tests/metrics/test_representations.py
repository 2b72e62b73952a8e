"""What a representation is, bits or scores, follows from its type, for one row as for many."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from sktgsh.base import score_codes
from sktgsh.codes import pack_codes
from sktgsh.metrics import (
    make_retrieval_scorer,
    mean_average_precision,
    ndcg_at_k,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
    retrieval_curve,
)
from sktgsh.metrics.retrieval import average_precisions

RNG = np.random.default_rng(0)
CODES, Y = RNG.integers(0, 2, (60, 10)), RNG.integers(0, 3, 60)
QUERIES, Q = RNG.integers(0, 2, (12, 10)), RNG.integers(0, 3, 12)
SCORES = RNG.choice([0.0, 1.0, -1.0], (12, 10))
BY_RANK = [mean_average_precision, ndcg_at_k, precision_at_k, recall_at_k, retrieval_curve]
quiet = pytest.mark.filterwarnings("ignore:codes has floating")


def average_precision_by_hand(distances, relevant):
    """Mean over many random orders of the ties."""
    found = []
    for seed in range(2000):
        order = np.lexsort((np.random.default_rng(seed).random(len(distances)), distances))
        hits = relevant[order]
        found.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return np.mean(found)


def scored(values):
    return np.maximum(values, 0) @ (1 - CODES).T + np.maximum(-values, 0) @ CODES.T


@quiet
@pytest.mark.parametrize("packed", [False, True])
def test_scores_alone_and_beside_others(packed):
    database = pack_codes(CODES) if packed else CODES
    values = np.vstack([SCORES, np.abs(SCORES)])  # some of them 0 and 1 only
    labels = np.append(Q, Q)
    together = average_precisions(values, labels, database, Y, packed=packed)
    alone = [
        average_precisions(one[None], [label], database, Y, packed=packed)[0]
        for one, label in zip(values, labels)
    ]
    np.testing.assert_array_equal(together, alone)
    for row in (0, 13):
        expected = average_precision_by_hand(scored(values[row]), labels[row] == Y)
        assert together[row] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("metric", [*BY_RANK, precision_within_radius])
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "uint64", "Int64", "boolean"])
def test_integers_and_booleans_are_bits(metric, dtype):
    given = pd.DataFrame(QUERIES).astype(dtype) if dtype[0] == "I" or dtype == "boolean" else None
    given = QUERIES.astype(dtype) if given is None else given
    np.testing.assert_array_equal(metric(given, Q, CODES, Y), metric(QUERIES, Q, CODES, Y))
    np.testing.assert_array_equal(metric(given, Q), metric(QUERIES, Q))


@pytest.mark.parametrize("metric", BY_RANK)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "Float64"])
def test_floating_point_numbers_are_scores_whatever_their_values(metric, dtype):
    values = pd.DataFrame(QUERIES).astype(dtype) if dtype[0] == "F" else QUERIES.astype(dtype)
    expected = metric(np.vstack([QUERIES, SCORES[:1]]).astype(float), np.append(Q, Q[0]), CODES, Y)
    if dtype[0] == "F":
        found = metric(pd.concat([values, pd.DataFrame(SCORES[:1])]), np.append(Q, Q[0]), CODES, Y)
        np.testing.assert_allclose(found, expected)
    else:
        with pytest.warns(UserWarning, match="codes has floating point numbers that are all 0"):
            metric(values, Q, CODES, Y)
    with pytest.raises(ValueError, match=r"codes are floating point numbers.*astype\('uint8'\)"):
        metric(values, Q)


def test_a_radius_is_between_bits():
    for values in (SCORES, QUERIES.astype(float)):
        with pytest.raises(ValueError, match="a Hamming radius is between bits"):
            precision_within_radius(values, Q, CODES, Y)


def test_a_database_is_bits_in_any_type():
    expected = mean_average_precision(QUERIES, Q, CODES, Y)
    for dtype in ("bool", "float32", "int64"):
        assert mean_average_precision(QUERIES, Q, CODES.astype(dtype), Y) == expected
    with pytest.raises(ValueError, match="whole numbers"):
        mean_average_precision(QUERIES, Q, CODES - 0.5, Y)


class AsFloats(TransformerMixin, BaseEstimator):
    """A step that changes the type of codes, as many of other packages do."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X, np.float64)


@pytest.mark.parametrize("packed", [False, True])
def test_what_an_estimator_gives_is_bits_in_any_type(packed):
    codes = pack_codes(CODES) if packed else CODES.astype(np.uint8)
    scorer = make_retrieval_scorer(packed=packed)
    expected = mean_average_precision(codes, Y, packed=packed)
    assert scorer(make_pipeline(AsFloats()).fit(codes), codes, Y) == pytest.approx(expected)
    tasks = np.zeros(len(Y), int)
    assert score_codes(codes.astype(float), Y, tasks, packed=packed) == pytest.approx(expected)
