import itertools
import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from sktgsh.codes import hamming_distances, pack_codes
from sktgsh.metrics import (
    mean_average_precision,
    ndcg_at_k,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
    retrieval_curve,
)
from sktgsh.metrics.retrieval import average_precisions

METRICS = [mean_average_precision, ndcg_at_k, precision_at_k, precision_within_radius, recall_at_k]


def test_hand_computed_with_ties():
    # One relevant row at distance 0, then one relevant and one irrelevant row tied at distance 1:
    # AP is (1 + 1) / 2 or (1 + 2 / 3) / 2, each as likely.
    database, labels = [[0, 0], [0, 1], [1, 0]], ["a", "a", "b"]
    expected = (1 + (1 + 2 / 3) / 2) / 2
    assert mean_average_precision([[0, 0]], ["a"], database, labels) == pytest.approx(expected)
    assert precision_at_k([[0, 0]], ["a"], database, labels, k=2) == pytest.approx(0.75)
    assert recall_at_k([[0, 0]], ["a"], database, labels, k=2) == pytest.approx(0.75)
    assert precision_within_radius([[0, 0]], ["a"], database, labels, radius=1) == pytest.approx(
        2 / 3
    )


def _average_over_orders(distances, relevant, top_k=None):
    """Mean AP over all orders that sort the distances: slow, and obviously right."""
    values = []
    for order in itertools.permutations(range(len(distances))):
        if any(distances[a] > distances[b] for a, b in itertools.pairwise(order)):
            continue
        hits = np.array([relevant[i] for i in order])[:top_k]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        total = sum(relevant) if top_k is None else min(sum(relevant), top_k)
        values.append((precision * hits).sum() / total)
    return np.mean(values)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("top_k", [None, 1, 3, 6])
def test_expected_over_all_tie_orders(seed, top_k):
    rng = np.random.default_rng(seed)
    query, database = rng.integers(0, 2, (1, 3)), rng.integers(0, 2, (6, 3))
    labels = rng.integers(0, 2, 6)
    labels[0] = 1
    expected = _average_over_orders(hamming_distances(query, database)[0], labels, top_k)
    assert mean_average_precision(query, [1], database, labels, top_k=top_k) == pytest.approx(
        expected
    )


def test_without_ties_it_is_average_precision():
    codes = np.tril(np.ones((9, 8), int), -1)
    labels = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1])
    scores = -hamming_distances(codes[:1], codes)[0].astype(float)
    expected = average_precision_score(labels, scores)
    assert mean_average_precision(codes[:1], [1], codes, labels) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_order_and_packing_do_not_matter(metric):
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 2, (60, 6)), rng.integers(0, 3, 60)
    value = metric(codes[:20], labels[:20], codes[20:], labels[20:])
    order = rng.permutation(40) + 20
    assert metric(codes[:20], labels[:20], codes[order], labels[order]) == pytest.approx(value)
    packed = pack_codes(codes)
    assert metric(packed[:20], labels[:20], packed[20:], labels[20:], packed=True) == pytest.approx(
        value
    )


@pytest.mark.parametrize("metric", METRICS)
def test_a_row_is_not_its_own_neighbour(metric):
    codes, labels = np.array([[0, 0], [0, 0], [1, 1]]), np.array([0, 0, 1])
    by_hand = [
        metric(codes[i : i + 1], labels[i : i + 1], np.delete(codes, i, 0), np.delete(labels, i))
        for i in range(3)
    ]
    expected = np.nanmean(by_hand)
    assert metric(codes, labels) == pytest.approx(expected)


def test_multilabel_rows_are_relevant_if_they_share_a_label():
    labels = np.array([[1, 0], [1, 1], [0, 1]])
    assert precision_at_k([[0]], [[1, 0]], [[0], [0], [0]], labels, k=3) == pytest.approx(2 / 3)


def _indicator(rng, n_rows, n_labels=5):
    return (rng.random((n_rows, n_labels)) < 0.4).astype(int)


@pytest.mark.parametrize("metric", METRICS)
def test_one_column_means_class_labels(metric):
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 2, (40, 5)), rng.integers(0, 2, 40)
    assert metric(codes, labels[:, None]) == metric(codes, labels)
    halves = codes[:20], labels[:20], codes[20:], labels[20:]
    assert metric(codes[:20], labels[:20, None], codes[20:], labels[20:]) == metric(*halves)


@pytest.mark.parametrize("metric", METRICS)
def test_one_hot_rows_are_class_labels(metric):
    rng = np.random.default_rng(1)
    codes, labels = rng.integers(0, 2, (40, 5)), rng.integers(0, 3, 40)
    assert metric(codes, np.eye(3)[labels]) == pytest.approx(metric(codes, labels))


@pytest.mark.parametrize("metric", METRICS)
def test_rows_without_labels_are_no_ones_neighbours(metric):
    rng = np.random.default_rng(2)
    codes, labels = rng.integers(0, 2, (30, 4)), _indicator(rng, 30)
    labels[:8] = 0
    by_hand = [
        metric(codes[i : i + 1], labels[i : i + 1], np.delete(codes, i, 0), np.delete(labels, i, 0))
        for i in range(30)
    ]
    assert metric(codes, labels) == pytest.approx(np.nanmean(by_hand))


def _ndcg_over_orders(distances, gains, k):
    """Mean over all orders that sort the distances: slow, and obviously right."""

    def dcg(values):
        return sum(value / np.log2(rank + 2) for rank, value in enumerate(values[:k]))

    values = [
        dcg([gains[i] for i in order])
        for order in itertools.permutations(range(len(distances)))
        if all(distances[a] <= distances[b] for a, b in itertools.pairwise(order))
    ]
    return np.mean(values) / dcg(sorted(gains, reverse=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 6, 100])
@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_ndcg_is_expected_over_all_tie_orders(seed, k, gain):
    rng = np.random.default_rng(seed)
    query, database = rng.integers(0, 2, (1, 3)), rng.integers(0, 2, (6, 3))
    labels, wanted = _indicator(rng, 6), np.array([[1, 1, 1, 0, 1]])
    shared = (labels @ wanted[0]).astype(float)
    gains = shared if gain == "linear" else 2**shared - 1
    expected = _ndcg_over_orders(hamming_distances(query, database)[0], gains, k)
    found = ndcg_at_k(query, wanted, database, labels, k=k, gain=gain)
    assert found == pytest.approx(expected)


def test_ndcg_agrees_with_scikit_learn_over_many_blocks(monkeypatch):
    monkeypatch.setattr("sktgsh.metrics.levels._BLOCK_SIZE", 1000)
    rng = np.random.default_rng(3)
    codes, labels = rng.integers(0, 2, (90, 6)), _indicator(rng, 90)
    labels[:40][labels[:40].sum(axis=1) == 0, 0] = 1
    database, database_labels = codes[40:], labels[40:]
    shared = labels[:40] @ database_labels.T
    expected = ndcg_score(shared, -hamming_distances(codes[:40], database).astype(int), k=15)
    found = ndcg_at_k(codes[:40], labels[:40], database, database_labels, k=15)
    assert found == pytest.approx(expected)


def test_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(4)
    codes, labels = rng.integers(0, 2, (50, 6)), _indicator(rng, 50)
    whole = [metric(codes, labels) for metric in METRICS]
    monkeypatch.setattr("sktgsh.metrics.levels._BLOCK_SIZE", 1)
    assert [metric(codes, labels) for metric in METRICS] == pytest.approx(whole)


def test_curve_agrees_with_the_figures_at_k():
    rng = np.random.default_rng(1)
    codes, labels = rng.integers(0, 2, (50, 5)), rng.integers(0, 3, 50)
    ranks, precision, recall = retrieval_curve(codes, labels, n_ranks=10)
    for k, p, r in zip(ranks, precision, recall):
        assert precision_at_k(codes, labels, k=k) == pytest.approx(p)
        assert recall_at_k(codes, labels, k=k) == pytest.approx(r)
    assert ranks[-1] == 49 and recall[-1] == pytest.approx(1)


def test_memory_is_bounded():
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 256, (60_000, 4), dtype=np.uint8), rng.integers(0, 10, 60_000)
    tracemalloc.start()
    mean_average_precision(codes[:1000], labels[:1000], codes, labels, packed=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 2**20  # 1,000 x 60,000 distances alone would be 120 MB in uint16


def test_nothing_relevant_is_nan_and_bad_input_is_named():
    assert np.isnan(mean_average_precision([[0]], [1], [[0]], [2]))
    with pytest.raises(ValueError, match="top_k=0"):
        mean_average_precision([[0]], [1], top_k=0)
    with pytest.raises(ValueError, match="go together"):
        mean_average_precision([[0]], [1], [[0]])
    with pytest.raises(ValueError, match="y has 2 labels for 1 rows"):
        precision_at_k([[0]], [1, 2])
    with pytest.raises(ValueError, match="gain='cubic'"):
        ndcg_at_k([[0]], [1], gain="cubic")
    with pytest.raises(ValueError, match=r"y has shape \(1, 2\) and the value 3"):
        mean_average_precision([[0]], [[0, 3]])
    with pytest.raises(ValueError, match="database_y"):
        mean_average_precision([[0]], [[0, 1]], [[0]], [1])
    with pytest.raises(ValueError, match="radius=-1"):
        precision_within_radius([[0]], [1], radius=-1)


@pytest.mark.parametrize("packed", [False, True])
def test_queries_of_real_values(packed):
    rng = np.random.default_rng(0)
    database = rng.integers(0, 2, (30, 11))[rng.integers(30, size=200)]  # many equal codes
    values, labels = rng.normal(size=(40, 11)), rng.integers(0, 3, 200)
    asked = rng.integers(0, 3, 40)
    given = pack_codes(database) if packed else database
    found = mean_average_precision(values, asked, given, labels, packed=packed)
    wrong = (values > 0)[:, None] != database
    distances = (np.abs(values)[:, None] * wrong).sum(axis=2).round(6)
    expected = []
    for row, label in zip(distances, asked):  # many random orders of what ties
        shuffled = np.array([np.lexsort((rng.random(200), row)) for _ in range(300)])
        hits = labels[shuffled] == label
        precision = np.cumsum(hits, axis=1) / np.arange(1, 201)
        expected.append((precision * hits).sum() / hits.sum())
    assert found == pytest.approx(np.mean(expected), abs=2e-3)
    # Signs are codes.
    signs, codes = np.where(values > 0, 1.0, -1.0), (values > 0).astype(int)
    assert mean_average_precision(signs, asked, given, labels, packed=packed) == pytest.approx(
        mean_average_precision(codes, asked, database, labels)
    )


def test_real_values_need_codes_to_be_compared_with():
    values, y = np.full((3, 4), 0.5), [0, 0, 1]
    with pytest.raises(ValueError, match="database_codes only"):
        mean_average_precision(values, y)
    with pytest.raises(ValueError, match="Hamming radius"):
        precision_within_radius(values, y, np.ones((3, 4)), y)
    with pytest.raises(ValueError, match="NaN"):
        mean_average_precision(values * np.nan, y, np.ones((3, 4)), y)


def test_rows_without_a_label_are_left_out_of_every_metric():
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 2, (60, 8)), rng.integers(0, 3, 60)
    partial = np.where(rng.random(60) < 0.4, np.nan, labels)
    known = ~np.isnan(partial)
    queries, asked = codes[:20], labels[:20]
    for metric in (mean_average_precision, precision_at_k, recall_at_k, ndcg_at_k):
        expected = metric(codes[known], labels[known])
        assert metric(codes, partial) == pytest.approx(expected, rel=1e-12)
        given = queries[known[:20]], asked[known[:20]], codes[known], labels[known]
        found = metric(queries, partial[:20], codes, partial)
        assert found == pytest.approx(metric(*given), rel=1e-12)
    found = average_precisions(codes, partial)
    assert np.isnan(found[~known]).all() and not np.isnan(found[known]).any()


def test_missing_at_random_labels_estimate_the_figure_of_complete_ones():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 1500)
    codes = (rng.random((1500, 16)) < 0.3 + 0.4 * rng.integers(0, 2, (4, 16))[labels]).astype(int)
    partial = np.where(rng.random(1500) < 0.5, np.nan, labels)
    complete = mean_average_precision(codes, labels)
    assert mean_average_precision(codes, partial) == pytest.approx(complete, abs=0.02)
