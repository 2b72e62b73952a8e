import copy
import functools
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from sktgsh import (
    L2ALSH,
    FlyHasher,
    PStableHasher,
    SignALSH,
    SignedRandomProjectionHasher,
    SparseProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.codes import hamming_distances
from sktgsh.neighbors import LSHNeighbors
from sktgsh.threads import parallel_map


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X, y


def recall(found, expected):
    return np.mean(
        [len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), expected.tolist())]
    )


@pytest.mark.parametrize(
    "params, metric",
    [
        (dict(n_bits=14, n_tables=25), "cosine"),
        (dict(hasher=SparseProjectionHasher(n_inputs=32), n_bits=14, n_tables=30), "cosine"),
        (dict(hasher=PStableHasher(r=60.0), n_bits=6, n_tables=25), "euclidean"),
    ],
)
def test_finds_most_neighbours_among_few_rows(digits, params, metric):
    X, _ = digits
    index = LSHNeighbors(metric=metric, random_state=0, **params).fit(X)
    distances, rows = index.kneighbors(X[:200], 10)
    exact, expected = NearestNeighbors(n_neighbors=10, metric=metric).fit(X).kneighbors(X[:200])
    assert recall(rows, expected) > 0.85
    assert index.candidate_share_ < 0.5
    hits = np.isfinite(distances)
    full = NearestNeighbors(n_neighbors=len(X), metric=metric).fit(X).kneighbors(X[:200])
    lookup = np.empty((200, len(X)))
    np.put_along_axis(lookup, full[1], full[0], axis=1)
    np.testing.assert_allclose(
        distances[hits], np.take_along_axis(lookup, np.maximum(rows, 0), axis=1)[hits], atol=1e-5
    )


@pytest.mark.parametrize("hasher", [SignALSH(), L2ALSH()])
def test_inner_products_with_asymmetric_hashers(hasher):
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(2000, 16)) * rng.uniform(0.2, 1, (2000, 1))
    queries = rng.normal(size=(50, 16))
    index = LSHNeighbors(hasher, n_bits=4, n_tables=40, metric="inner_product", random_state=0)
    distances, rows = index.fit(keys).kneighbors(queries, 5)
    products = queries @ keys.T
    np.testing.assert_allclose(-distances[:, 0], np.take_along_axis(products, rows, 1)[:, 0])
    assert recall(rows, np.argsort(-products, axis=1)[:, :5]) > 0.8


def test_codes_of_a_learned_hasher(digits):
    X, y = digits
    hasher = TaskGeometricHasher(n_hidden=2048)
    index = LSHNeighbors(hasher, n_bits=4, n_tables=4, metric="hamming", random_state=0)
    distances, rows = index.fit(X[:1000], y[:1000]).kneighbors(X[1000:1100], 5)
    codes = index.hasher_.transform(X)
    plain = hamming_distances(codes[1000:1100], codes[:1000])
    np.testing.assert_array_equal(distances, np.take_along_axis(plain, rows, axis=1))
    assert (y[rows] == y[1000:1100, None]).mean() > 0.9


def test_probes_find_more(digits):
    X, _ = digits
    _, expected = NearestNeighbors(n_neighbors=10, metric="cosine").fit(X).kneighbors(X[:100])
    found = []
    for n_probes in (0, 12, 40):
        index = LSHNeighbors(n_bits=12, n_tables=4, n_probes=n_probes, random_state=0).fit(X)
        found.append(recall(index.kneighbors(X[:100], 10)[1], expected))
    assert found[0] + 0.1 < found[1] < found[2]
    values = LSHNeighbors(
        PStableHasher(r=60.0), n_bits=6, n_tables=4, metric="euclidean", random_state=0
    )
    fewer = values.fit(X).kneighbors(X[:100], 10) and values.candidate_share_
    values.set_params(n_probes=12).kneighbors(X[:100], 10)
    assert values.candidate_share_ > fewer


def test_overfull_buckets_are_ignored(digits):
    X, _ = digits
    index = LSHNeighbors(n_bits=3, n_tables=2, random_state=0).fit(X)
    statistics = index.bucket_statistics()
    assert (statistics.n_buckets * statistics.mean_size == len(X)).all()
    assert (statistics.ignored_share == 0).all() and (
        statistics.max_size >= statistics.median_size
    ).all()
    capped = LSHNeighbors(n_bits=3, n_tables=2, max_bucket_size=100, random_state=0).fit(X)
    sizes = [capped.tables_.sizes(table) for table in range(2)]
    share = [s[s > 100].sum() / len(X) for s in sizes]
    assert capped.bucket_statistics().ignored_share.tolist() == share and max(share) > 0
    assert capped.kneighbors(X, 1, False) is not None
    index.kneighbors(X, 1)
    assert capped.candidate_share_ < index.candidate_share_


def test_radius_and_excluding_self(digits):
    X, _ = digits
    index = LSHNeighbors(n_bits=4, n_tables=10, random_state=0).fit(X[:300])
    distances, rows = index.radius_neighbors(X[:300], 0.1, sort_results=True)
    exact = NearestNeighbors(metric="cosine").fit(X[:300]).radius_neighbors(X[:300], 0.1)[1]
    assert all(set(a) <= set(b) for a, b in zip(rows, exact))
    assert sum(map(len, rows)) > 0.8 * sum(map(len, exact))
    assert all((np.diff(d) >= 0).all() and (d <= 0.1).all() for d in distances)
    assert (index.kneighbors(n_neighbors=3)[1] != np.arange(300)[:, None]).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner_product"])
@pytest.mark.parametrize("target", [0.7, 0.9])
def test_tuned_index_keeps_its_promise_on_new_queries(digits, metric, target):
    X, _ = digits
    order = np.random.default_rng(1).permutation(len(X))
    rows, queries = X[order[:1400]], X[order[1400:]]
    index = LSHNeighbors.tune(
        rows, target_recall=target, metric=metric, n_neighbors=5, random_state=0
    ).fit(rows)
    found = index.kneighbors(queries, return_distance=False)
    if metric == "inner_product":
        expected = np.argsort(-queries @ rows.T, axis=1)[:, :5]
    else:
        expected = NearestNeighbors(n_neighbors=5, metric=metric).fit(rows).kneighbors(queries)[1]
    reached = recall(found, expected)
    assert target - 0.02 < reached < target + 0.2
    assert reached == pytest.approx(index.tuned.expected_recall, abs=0.07)
    assert index.candidate_share_ == pytest.approx(index.tuned.expected_share, rel=0.5)


def test_a_clone_keeps_what_tuning_measured(digits):
    index = LSHNeighbors.tune(digits[0], n_samples=50, random_state=0)
    again = clone(index)
    assert again.tuned == index.tuned and again.n_tables == index.n_tables
    assert clone(again).fit(digits[0]).tuned.expected_recall == index.tuned.expected_recall
    assert not hasattr(clone(LSHNeighbors()), "tuned")


def test_tune_takes_queries_of_another_kind_and_sparse_rows(digits):
    X, _ = digits
    blurred = np.random.default_rng(0).normal(X[1200:], 4)
    index = LSHNeighbors.tune(X[:1200], queries=blurred, n_neighbors=5, random_state=0)
    found = index.fit(X[:1200]).kneighbors(blurred)[1]
    _, expected = NearestNeighbors(n_neighbors=5, metric="cosine").fit(X[:1200]).kneighbors(blurred)
    assert recall(found, expected) > 0.88
    of_sparse = LSHNeighbors.tune(sparse.csr_array(X), n_samples=50, random_state=0)
    of_dense = LSHNeighbors.tune(X, n_samples=50, random_state=0)
    assert (of_sparse.n_bits, of_sparse.n_tables) == (of_dense.n_bits, of_dense.n_tables)


EVERYWHERE = dict(n_bits=1, n_tables=24, random_state=0)  # all rows are candidates


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_a_common_offset_costs_no_digits(dtype, offset):
    X = (np.random.default_rng(0).normal(size=(400, 20)) + offset).astype(dtype)
    index = LSHNeighbors(PStableHasher(r=1e9), metric="euclidean", **EVERYWHERE).fit(X)
    distances, rows = index.kneighbors(X[:50], 10)
    assert index.candidate_share_ == 1
    exact = np.sqrt(((X[:50, None].astype(float) - X.astype(float)) ** 2).sum(axis=2))
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :10], rtol=1e-5)
    np.testing.assert_array_equal(distances[:, 0], 0)
    np.testing.assert_array_equal(rows[:, 0], np.arange(50))
    if dtype == np.float64:
        np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :10], rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_cosine_of_tiny_and_huge_rows(digits, scale):
    X = digits[0][:200].astype(np.float32)
    plain = LSHNeighbors(**EVERYWHERE).fit(X).kneighbors(X[:20])[0]
    scaled = (X * np.float32(scale)).astype(np.float32)
    index = LSHNeighbors(**EVERYWHERE).fit(scaled)
    np.testing.assert_allclose(index.kneighbors(scaled[:20])[0], plain, atol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner_product"])
def test_sparse_rows_are_ranked_like_dense_ones(digits, metric):
    X, _ = digits
    params = dict(n_bits=6, n_tables=6, metric=metric, max_candidates=40, random_state=0)
    params |= dict(hasher=SignedRandomProjectionHasher())
    dense = LSHNeighbors(**params).fit(X[:800]).add(X[800:1000])
    thin = LSHNeighbors(**params).fit(sparse.csr_matrix(X[:800])).add(sparse.csr_array(X[800:1000]))
    assert sparse.issparse(thin.X_)
    distances, rows = dense.kneighbors(X[1000:1100])
    near, found = thin.kneighbors(sparse.csr_array(X[1000:1100]))
    assert (rows == found).mean() > 0.99  # sums of projections run in another order
    np.testing.assert_allclose(near[rows == found], distances[rows == found], atol=1e-9)
    with pytest.raises(ValueError, match="another kind"):
        thin.add(X[:3])


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "hamming"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_added_are_as_if_fitted(digits, metric, dtype):
    X = digits[0].astype(dtype)
    params = dict(n_bits=5, n_tables=4, metric=metric, n_probes=2, random_state=0)
    params |= dict(hasher=SignedRandomProjectionHasher())
    whole = LSHNeighbors(**params).fit(X[:600])
    grown = LSHNeighbors(**params).fit(X[:200])
    before = copy.copy(grown)
    answer = before.kneighbors(X[:9])
    grown.add(X[200:201]).add(X[201:600])
    assert grown.n_samples_fit_ == 600
    for one, other in zip(grown.kneighbors(X[600:700]), whole.kneighbors(X[600:700])):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for one, other in zip(answer, before.kneighbors(X[:9])):
        np.testing.assert_array_equal(one, other)  # a copy does not change
    with pytest.raises(ValueError, match="63 features"):
        grown.add(X[:2, 1:])
    assert grown.n_samples_fit_ == 600


def test_answers_depend_neither_on_batch_nor_threads(digits, monkeypatch):
    X = digits[0].astype(np.float32)
    index = LSHNeighbors(n_bits=6, n_tables=6, max_candidates=30, random_state=0).fit(X)
    distances, rows = index.kneighbors(X[:300])
    monkeypatch.setattr("sktgsh.neighbors.hash_tables.search._BLOCK_LOAD", 5000)
    side_by_side = functools.partial(parallel_map, n_workers=3)
    monkeypatch.setattr("sktgsh.neighbors.hash_tables.search.parallel_map", side_by_side)
    for found in (
        index.kneighbors(X[:300]),
        [
            np.concatenate(part)
            for part in zip(*(index.kneighbors(X[i : i + 7]) for i in range(0, 300, 7)))
        ],
    ):
        np.testing.assert_array_equal(found[1][:300], rows)
        np.testing.assert_array_equal(found[0][:300], distances)


def test_a_task_for_each_query(digits):
    X, _ = digits
    task = np.array(["a", "b", "c"])[np.arange(900) % 3]
    index = LSHNeighbors(**EVERYWHERE).fit(X[:600], task=task[:600])
    index.add(X[600:900], task=task[600:])
    asked = ["a", "c", "b", "c"]
    distances, rows = index.kneighbors(X[900:904], 4, task=asked)
    for query, label in enumerate(asked):
        own = np.flatnonzero(task == label)
        exact = NearestNeighbors(n_neighbors=4, metric="cosine").fit(X[own])
        np.testing.assert_array_equal(
            rows[query], own[exact.kneighbors(X[900 + query : 901 + query])[1][0]]
        )
        alone = index.kneighbors(X[900 + query : 901 + query], 4, task=label)[1]
        np.testing.assert_array_equal(alone[0], rows[query])
    near = index.radius_neighbors(X[900:904], 0.3, False, task=asked)
    assert all((task[found] == label).all() and len(found) for found, label in zip(near, asked))
    assert index.tasks_ == ["a", "b", "c"]
    for call, message in [
        (lambda: index.kneighbors(X[:4], task=["a", "b"]), "2 labels for 4 rows"),
        (lambda: index.kneighbors(X[:1], task="z"), "unknown label 'z'"),
        (lambda: index.kneighbors(X[:1], 301, task="a"), "n_samples_fit = 300"),
        (lambda: index.add(X[:1]), "give task in fit and add"),
        (lambda: index.add(X[:1], task=3), "of type int"),
        (lambda: LSHNeighbors().fit(X).kneighbors(X[:1], task="a"), "without tasks"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_hasher_that_knows_tasks_gets_them(digits):
    X, y = digits
    task = np.arange(600) % 2
    hasher = TaskGeometricHasher(n_hidden=512)
    index = LSHNeighbors(hasher, n_bits=4, n_tables=4, metric="hamming", random_state=0)
    index.fit(X[:600], y[:600], task=task)
    distances, rows = index.kneighbors(X[600:620], 3, task=1)
    codes = index.hasher_.transform(X[:620], task=np.r_[task, np.ones(20, int)])
    plain = hamming_distances(codes[600:], codes[:600])
    np.testing.assert_array_equal(distances, np.take_along_axis(plain, rows, axis=1))
    assert (rows % 2 == 1).all() and index.kneighbors(n_neighbors=2)[1].shape == (600, 2)


@pytest.mark.parametrize("offset", [0, 300, 1e4])
def test_the_default_family_of_euclidean_distances_finds_most_neighbours(digits, offset):
    X, queries = digits[0][:1500], digits[0][1500:]
    expected = NearestNeighbors(n_neighbors=5).fit(X).kneighbors(queries)[1]
    index = LSHNeighbors(metric="euclidean", random_state=0).fit(X + offset)
    assert recall(index.kneighbors(queries + offset)[1], expected) > 0.8
    # Signs of projections from the origin do not tell such rows apart: all are candidates.
    assert index.candidate_share_ < 0.3
    thin = LSHNeighbors(metric="euclidean", random_state=0).fit(sparse.csr_array(X + offset))
    assert thin.hasher_.r == pytest.approx(index.hasher_.r, rel=1e-3)


def test_the_default_family_of_equal_rows():
    X = np.ones((50, 4))
    assert LSHNeighbors(metric="euclidean").fit(X).kneighbors(X, 3)[0].max() == 0


def test_the_default_family_warns_of_inner_products(digits):
    with pytest.warns(UserWarning, match="give one that counts norms"):
        LSHNeighbors(metric="inner_product").fit(digits[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"n_tables": 32},
        {"n_tables": 8},
        {"n_bits": 3},
        {"metric": "hamming"},
        {"metric": "inner_product"},
        {"metric": "euclidean"},
    ],
)
def test_parameters_of_fit_count_from_the_next_fit_on(digits, changed):
    X = digits[0]
    index = LSHNeighbors(random_state=0).fit(X[:500])
    expected = index.kneighbors(X[500:600])
    index.set_params(**changed)
    for one, other in zip(expected, index.kneighbors(X[500:600])):
        np.testing.assert_array_equal(one, other)
    index.add(X[500:600])
    whole = LSHNeighbors(random_state=0).fit(X[:500]).add(X[500:600])
    for one, other in zip(whole.kneighbors(X[600:700]), index.kneighbors(X[600:700])):
        np.testing.assert_array_equal(one, other)


def test_graphs_hold_what_searches_find(digits):
    X, _ = digits
    index = LSHNeighbors(n_bits=8, n_tables=2, random_state=0).fit(X[:300])
    distances, rows = index.kneighbors(X[300:340], 20)
    graph = index.kneighbors_graph(X[300:340], 20, "distance")
    assert graph.shape == (40, 300) and (rows < 0).any()
    for query in range(40):
        found = rows[query] >= 0
        np.testing.assert_array_equal(graph[query].indices, rows[query][found])
        np.testing.assert_array_equal(graph[query].data, distances[query][found])
    near = index.radius_neighbors_graph(X[300:340], 0.2)
    assert (near.data == 1).all()
    within = index.radius_neighbors(X[300:340], 0.2, False)
    assert [len(found) for found in within] == np.diff(near.indptr).tolist()
    assert index.kneighbors_graph(n_neighbors=1).diagonal().sum() == 0
    everything = index.radius_neighbors(X[:5], np.inf, False)
    assert all(0 < len(found) <= 300 for found in everything)
    with pytest.raises(ValueError, match="mode='x'"):
        index.kneighbors_graph(mode="x")
    with pytest.raises(ValueError, match="radius=nan"):
        index.radius_neighbors(X[:5], np.nan)


def test_numpy_integers_and_pickles(digits):
    X, _ = digits
    plain = LSHNeighbors(n_bits=6, n_tables=3, n_probes=2, max_bucket_size=200, random_state=0)
    numpy = LSHNeighbors(
        n_bits=np.int64(6),
        n_tables=np.int32(3),
        n_probes=np.int16(2),
        max_bucket_size=np.uint8(200),
        max_candidates=np.int64(2000),
        random_state=np.int64(0),
    )
    expected = plain.fit(X).kneighbors(X[:50], np.int64(3))[1]
    np.testing.assert_array_equal(numpy.fit(X).kneighbors(X[:50], 3)[1], expected)
    again = pickle.loads(pickle.dumps(numpy))
    np.testing.assert_array_equal(again.kneighbors(X[:50], 3)[1], expected)


def test_bad_input_is_named(digits):
    X, _ = digits
    zero = X.copy()
    zero[5] = 0
    with pytest.raises(ValueError, match=r"zero vector .row 5"):
        LSHNeighbors().fit(zero)
    index = LSHNeighbors(random_state=0).fit(X[:20])
    with pytest.raises(ValueError, match="zero vector"):
        index.kneighbors(np.zeros((1, 64)))
    with pytest.raises(ValueError, match="n_neighbors = 21, n_samples_fit = 20"):
        index.kneighbors(X, 21)
    with pytest.raises(ValueError, match="63 features"):
        index.kneighbors(X[:, 1:])
    before = index.kneighbors(X[:3])[1]
    with pytest.raises(ValueError, match="zero vector"):
        index.fit(zero[:, :40])
    np.testing.assert_array_equal(index.kneighbors(X[:3])[1], before)
    with pytest.raises(ValueError, match=r"target_recall=1.5"):
        LSHNeighbors.tune(X, target_recall=1.5)
    with pytest.raises(ValueError, match="not reached with max_tables=1"):
        LSHNeighbors.tune(X, hasher=FlyHasher(sparsity=0.01), target_recall=0.99, max_tables=1)
    with pytest.raises(ValueError, match="no collision_probability"):
        LSHNeighbors.tune(X, hasher=TaskGeometricHasher())
    nan = X.copy()
    nan[3, 3] = np.nan
    for call, message in [
        (lambda: LSHNeighbors.tune(nan), "X contains NaN"),
        (lambda: LSHNeighbors.tune(zero), "zero vector"),
        (lambda: LSHNeighbors.tune(X, queries=np.zeros((5, 64))), "queries has a zero vector"),
        (lambda: LSHNeighbors.tune(X, queries=X[0]), "Expected 2D array"),
        (lambda: LSHNeighbors.tune(X, queries=X[:5, 1:]), "queries have 63 features"),
        (lambda: LSHNeighbors.tune(X[:12]), "X has 12 rows, and holding out queries leaves 9"),
        (lambda: LSHNeighbors.tune(X, n_neighbors=0), "n_neighbors=0"),
        (lambda: LSHNeighbors.tune(X, metric="hamming"), "metric='hamming'"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
