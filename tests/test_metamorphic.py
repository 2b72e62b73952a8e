"""What must not change when the input is changed in a way that says nothing new.

Exact where only names, types or powers of two change. Where sums run in another order, a bit whose
score lies within the last digits of 0 may differ: at least 99.9 % are the same. Where random draws
belong to other columns, codes are others and find as much.
"""

import itertools

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from sktgsh import (
    FlyHasher,
    ITQHasher,
    PCAHasher,
    RidgeHasher,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.metrics import (
    mean_average_precision,
    ndcg_at_k,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
)
from sktgsh.neighbors import HammingNeighbors, RescoredNeighbors

X, Y = load_digits(return_X_y=True)
X, Y, Q, LABELS_Q = X[:400], Y[:400], X[400:700], Y[400:700]
TASK = np.arange(400) // 5 % 2
RNG = np.random.default_rng(0)
ROWS, COLUMNS, CLASSES = RNG.permutation(400), RNG.permutation(64), RNG.permutation(10)
WEIGHTS, COUNTS = RNG.uniform(0.5, 2, 400), RNG.integers(1, 4, 400)
LETTERS = np.array(list("abcdefghij"))
ONES, ONES_Q = np.ones((400, 1)), np.ones((300, 1))

FLAGSHIP = TaskGeometricHasher(16, n_hidden=100, random_state=0)
LEARNED = [FLAGSHIP, RidgeHasher(16, random_state=0), ITQHasher(16, random_state=0), PCAHasher(16)]
SCALE_FREE = [*LEARNED, SignedRandomProjectionHasher(16, random_state=0), FlyHasher(16)]
NEARLY = 0.999


def codes(hasher, samples=X, labels=Y, asked=Q, **params):
    own = {"random_state": 0} if "random_state" in hasher.get_params() else {}
    return clone(hasher).set_params(**own).fit(samples, labels, **params).transform(asked)


def each(hashers):
    return pytest.mark.parametrize("hasher", hashers, ids=lambda hasher: type(hasher).__name__)


def of_tasks(fitted, names=(0, 1)):
    return np.stack([fitted.transform(Q, task=name) for name in names])


# -- hashers ---------------------------------------------------------------------------------------


@each(SCALE_FREE)
def test_the_order_of_rows(hasher):
    assert (codes(hasher, X[ROWS], Y[ROWS]) == codes(hasher)).mean() >= NEARLY


@each(LEARNED)
@pytest.mark.parametrize(
    "rename", [lambda y: LETTERS[y], lambda y: y + 7, lambda y: y.astype("u1")]
)
def test_names_of_classes_in_the_same_order(hasher, rename):
    np.testing.assert_array_equal(codes(hasher, labels=rename(Y)), codes(hasher))


@each([FLAGSHIP, ITQHasher(16), PCAHasher(16)])
@pytest.mark.parametrize("rename", [lambda y: -y, lambda y: CLASSES[y]])
def test_names_of_classes_in_another_order(hasher, rename):
    """RidgeHasher draws codewords in the order of the classes."""
    assert (codes(hasher, labels=rename(Y)) == codes(hasher)).mean() >= NEARLY


@each(SCALE_FREE)
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", ">f8", "float16"])
def test_types_that_hold_the_same_numbers(hasher, dtype):
    found = codes(hasher, X.astype(dtype), asked=Q.astype(dtype))
    np.testing.assert_array_equal(found, codes(hasher))


@each(SCALE_FREE)
@pytest.mark.parametrize("factor", [4.0, 2.0**-30])
def test_a_power_of_two(hasher, factor):
    np.testing.assert_array_equal(codes(hasher, factor * X, asked=factor * Q), codes(hasher))


@each(SCALE_FREE[:-1])
def test_another_unit(hasher):
    """Units of a FlyHasher tie where sums of pixels are equal, and ties break by rounding."""
    assert (codes(hasher, 0.3 * X, asked=0.3 * Q) == codes(hasher)).mean() >= NEARLY


@each([*LEARNED, FlyHasher(16)])
def test_another_origin(hasher):
    assert (codes(hasher, X + 64, asked=Q + 64) == codes(hasher)).mean() >= NEARLY


def test_units_of_columns():
    units = 2.0 ** RNG.integers(-3, 4, 64)
    np.testing.assert_array_equal(codes(FLAGSHIP, X * units, asked=Q * units), codes(FLAGSHIP))


@each([PCAHasher(16), RidgeHasher(16)])
def test_the_order_of_columns(hasher):
    found = codes(hasher, X[:, COLUMNS], asked=Q[:, COLUMNS])
    assert (found == codes(hasher)).mean() >= NEARLY


@each([PCAHasher(16), RidgeHasher(16), ITQHasher(16)])
def test_a_column_that_says_nothing(hasher):
    found = codes(hasher, np.hstack([X, ONES]), asked=np.hstack([Q, ONES_Q]))
    assert (found == codes(hasher)).mean() >= NEARLY


@pytest.mark.parametrize("change", ["order", "constant"])
def test_draws_for_other_columns_find_as_much(change):
    """The flagship orders rows along a random direction, in which each column has a draw."""
    if change == "order":
        samples, asked = X[:, COLUMNS], Q[:, COLUMNS]
    else:
        samples, asked = np.hstack([X, ONES]), np.hstack([Q, ONES_Q])
    found = mean_average_precision(codes(FLAGSHIP, samples, asked=asked), LABELS_Q)
    assert found == pytest.approx(mean_average_precision(codes(FLAGSHIP), LABELS_Q), abs=0.03)


@pytest.mark.parametrize("scale", [4.0, 3.3e5, 1e-4])
def test_the_scale_of_weights(scale):
    expected = codes(FLAGSHIP, sample_weight=WEIGHTS)
    assert (codes(FLAGSHIP, sample_weight=scale * WEIGHTS) == expected).mean() >= NEARLY


@each([clone(FLAGSHIP).set_params(alpha=0.1)])
def test_a_weight_is_a_number_of_repetitions(hasher):
    repeated = codes(hasher, np.repeat(X, COUNTS, axis=0), np.repeat(Y, COUNTS))
    assert (codes(hasher, sample_weight=COUNTS) == repeated).mean() >= NEARLY


def test_rows_without_weight():
    samples, labels = np.vstack([X, Q]), np.append(Y, CLASSES[LABELS_Q])
    weights = np.append(np.ones(400), np.zeros(300))
    found = codes(FLAGSHIP, samples, labels, sample_weight=weights)
    np.testing.assert_array_equal(found, codes(FLAGSHIP))


# -- tasks and chunks ------------------------------------------------------------------------------


def test_names_and_order_of_tasks():
    expected = of_tasks(clone(FLAGSHIP).fit(X, Y, task=TASK))
    named = clone(FLAGSHIP).fit(X, Y, task=np.array(["b", "a"])[TASK])
    np.testing.assert_array_equal(of_tasks(named, "ba"), expected)
    order = np.argsort(-TASK, kind="stable")
    turned = clone(FLAGSHIP).fit(X[order], Y[order], task=TASK[order])
    assert (of_tasks(turned) == expected).mean() >= NEARLY
    shuffled = clone(FLAGSHIP).fit(X[ROWS], Y[ROWS], task=TASK[ROWS])
    assert (of_tasks(shuffled) == expected).mean() >= NEARLY


@pytest.mark.parametrize("cuts", [[0, 200, 400], [0, 200, 210, 399, 400], [0, 200, 200, 300, 400]])
@pytest.mark.parametrize("reverse", [False, True])
def test_where_a_stream_is_cut(cuts, reverse):
    """Beyond the first chunk, from which the network is built."""

    def learned(cuts, reverse=False):
        first, *rest = [(X[a:b], Y[a:b], TASK[a:b]) for a, b in itertools.pairwise(cuts)]
        return of_tasks(clone(FLAGSHIP).fit_batches([first, *(rest[::-1] if reverse else rest)]))

    assert (learned(cuts, reverse) == learned([0, 200, 300, 400])).mean() >= NEARLY


def test_more_rows_of_one_task_in_any_cut():
    def learned(*parts):
        fitted = clone(FLAGSHIP).partial_fit(X[:200], Y[:200])
        for part in parts:
            fitted.partial_fit(X[part], Y[part])
        return fitted.transform(Q)

    expected = learned(slice(200, 400))
    assert (learned(slice(300, 400), slice(200, 300)) == expected).mean() >= NEARLY
    assert (learned(np.arange(200, 400, 2), np.arange(201, 400, 2)) == expected).mean() >= NEARLY


# -- metrics ---------------------------------------------------------------------------------------

BITS, DATABASE = (RNG.integers(0, 2, (n, 12)) for n in (40, 90))
B, D = RNG.integers(0, 4, 40), RNG.integers(0, 4, 90)
MASK = RNG.integers(0, 2, 12)
BY_RANK = [mean_average_precision, ndcg_at_k, precision_at_k, recall_at_k]


@pytest.mark.parametrize("metric", [*BY_RANK, precision_within_radius])
def test_a_metric_counts_distances_alone(metric):
    expected = metric(BITS, B, DATABASE, D)
    order, bits = RNG.permutation(90), RNG.permutation(12)
    assert metric(BITS, B, DATABASE[order], D[order]) == pytest.approx(expected, rel=1e-12)
    assert metric(BITS[:, bits], B, DATABASE[:, bits], D) == expected
    assert metric(BITS ^ MASK, B, DATABASE ^ MASK, D) == expected
    assert metric(BITS, LETTERS[B], DATABASE, LETTERS[D]) == expected
    both = [np.hstack([part, np.ones((len(part), 3), int)]) for part in (BITS, DATABASE)]
    assert metric(both[0], B, both[1], D) == expected
    assert metric(np.repeat(BITS, 2, axis=0), np.repeat(B, 2), DATABASE, D) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("metric", BY_RANK)
def test_bits_that_come_twice_keep_all_ranks(metric):
    twice = metric(np.hstack([BITS, BITS]), B, np.hstack([DATABASE, DATABASE]), D)
    assert twice == metric(BITS, B, DATABASE, D)


@pytest.mark.parametrize("metric", BY_RANK)
def test_signs_as_scores_are_bits(metric):
    scores = 2.0 * BITS - 1
    expected = metric(BITS, B, DATABASE, D)
    assert metric(scores, B, DATABASE, D) == pytest.approx(expected)
    # A power of two changes no order.
    assert metric(8 * scores, B, DATABASE, D) == metric(scores, B, DATABASE, D)


# -- indexes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["flat", "hnsw"])
def test_an_index_of_codes(algorithm):
    def found(database, asked, ids=None):
        index = HammingNeighbors(algorithm=algorithm).fit(database, ids=ids)
        return index.kneighbors(asked, 9)

    distances, rows = found(DATABASE, BITS)
    bits, order = RNG.permutation(12), RNG.permutation(90)
    for one, other in [
        (found(DATABASE[:, bits], BITS[:, bits]), (distances, rows)),
        (found(DATABASE ^ MASK, BITS ^ MASK), (distances, rows)),
        (found(np.hstack([DATABASE, DATABASE]), np.hstack([BITS, BITS])), (2 * distances, rows)),
    ]:
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    shuffled = found(DATABASE[order], BITS, ids=order)
    np.testing.assert_array_equal(shuffled[0], distances)
    index = HammingNeighbors(algorithm=algorithm).fit(DATABASE[:30])
    added = index.add(DATABASE[30:31]).add(DATABASE[31:]).kneighbors(BITS, 9)
    np.testing.assert_array_equal(added[0], distances)
    np.testing.assert_array_equal(added[1], rows)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_an_index_of_vectors(metric):
    def found(database, asked):
        index = RescoredNeighbors(metric=metric, oversampling=1000).fit(database)
        return index.kneighbors(asked, 5)

    distances, rows = found(X, Q)
    unit = 4.0 if metric == "euclidean" else 1.0
    changed = [(4 * X, 4 * Q, unit), (X.astype("f4"), Q.astype("f4"), 1.0)]
    changed.append((np.hstack([X, 0 * ONES]), np.hstack([Q, 0 * ONES_Q]), 1.0))
    changed.append((X[:, COLUMNS], Q[:, COLUMNS], 1.0))
    if metric == "euclidean":
        changed.append((X + 1000, Q + 1000, 1.0))
    for database, asked, factor in changed:
        other = found(database, asked)
        np.testing.assert_allclose(other[0], factor * distances, rtol=1e-6, atol=1e-12)
        np.testing.assert_array_equal(other[1], rows)
