import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import pairwise_distances

from sktgsh import (
    FlyHasher,
    SignALSH,
    SignedRandomProjectionHasher,
    SimpleLSH,
    TaskGeometricHasher,
    load,
)
from sktgsh.evaluation import ClassifierHasher
from sktgsh.neighbors import RescoredNeighbors

X, y = load_digits(return_X_y=True)
X, Q, y, q = X[:600], X[600:640], y[:600], y[600:640]


def plain(metric, queries=Q, rows=X):
    if metric == "inner_product":
        return -queries @ rows.T
    return pairwise_distances(queries, rows, metric=metric)


def recall(index, metric, **arguments):
    expected = np.sort(plain(metric), axis=1)[:, [9]]
    return (index.kneighbors(Q, 10, **arguments)[0] <= expected + 1e-3).mean()


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner_product"])
@pytest.mark.parametrize("vectors", ["same", "float32", "float16", "int8"])
def test_all_candidates_are_exact(metric, vectors):
    index = RescoredNeighbors(metric=metric, vectors=vectors).fit(X)
    distances, rows = index.kneighbors(Q, 5, oversampling=1000)
    expected = plain(metric)
    size = expected.max() - expected.min()
    precision = 0.02 * size if vectors == "int8" else 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :5], atol=precision)
    np.testing.assert_allclose(
        distances, np.take_along_axis(expected, rows, axis=1), atol=precision
    )


@pytest.mark.parametrize("offset", [0, 300])
def test_the_default_hasher_of_euclidean_distances_is_that_of_centred_rows(offset, tmp_path):
    index = RescoredNeighbors(metric="euclidean").fit(X + offset)
    expected = np.argsort(plain("euclidean"), axis=1)[:, :5]
    found = index.kneighbors(Q + offset)[1]
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found, expected)]) > 0.95
    np.testing.assert_array_equal(index.add(Q[:3] + offset).kneighbors(Q[:3] + offset)[0][:, 0], 0)
    index.save(tmp_path / "index")
    again = load(tmp_path / "index").kneighbors(Q + offset)
    np.testing.assert_array_equal(again[1], index.kneighbors(Q + offset)[1])


def test_the_default_hasher_of_inner_products_counts_norms():
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(1500, 32)) * rng.uniform(0.2, 2, (1500, 1))
    queries = rng.normal(size=(60, 32))
    expected = np.argsort(-queries @ keys.T, axis=1)[:, :5]
    found = {}
    for hasher in (None, SignedRandomProjectionHasher(128, random_state=0)):
        index = RescoredNeighbors(hasher, metric="inner_product").fit(keys)
        rows = index.kneighbors(queries)[1]
        found[hasher] = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(rows, expected)])
    default, plain_signs = found.values()
    assert default > 0.7 > plain_signs


def test_more_candidates_find_more():
    hasher = SignedRandomProjectionHasher(24, random_state=0)
    index = RescoredNeighbors(hasher, metric="euclidean", oversampling=1).fit(X)
    found = [recall(index, "euclidean", oversampling=factor) for factor in (1, 3, 10, 60)]
    assert (np.diff(found) > 0).all() and found[0] < 0.7 and found[-1] == 1
    by_values = RescoredNeighbors(hasher, metric="euclidean", candidates="values").fit(X)
    assert recall(by_values, "euclidean", oversampling=1) > found[0]


def test_vectors_may_lie_in_a_file(tmp_path):
    stored = np.memmap(tmp_path / "rows", np.float16, "w+", shape=X.shape)
    stored[:] = X
    hasher = SignedRandomProjectionHasher(64, random_state=0).fit(X[:100])
    index = RescoredNeighbors(FrozenEstimator(hasher), metric="euclidean").fit(stored)
    assert isinstance(index.vectors_.stored, np.memmap)
    whole = RescoredNeighbors(FrozenEstimator(hasher), metric="euclidean").fit(X)
    for one, other in zip(index.kneighbors(Q), whole.kneighbors(Q)):
        np.testing.assert_allclose(one, other)


def test_tasks_filters_add_and_own_rows(tmp_path):
    task = np.arange(600) % 3
    hasher = TaskGeometricHasher(16, random_state=0)
    half = slice(0, 300)
    index = RescoredNeighbors(hasher, metric="euclidean", oversampling=1000, vectors="float32")
    index.fit(X[half], y[half], task=task[half]).add(X[300:], task=task[300:])
    asked = np.arange(40) % 3
    mask = np.random.default_rng(0).random(600) < 0.5
    allowed = mask & (asked[:, None] == task)
    expected = np.where(allowed, plain("euclidean"), np.inf)
    distances, rows = index.kneighbors(Q, 7, task=asked, filter=mask)
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :7], rtol=1e-5)
    assert np.take_along_axis(allowed, rows, axis=1).all()
    index = RescoredNeighbors(oversampling=1000, metric="euclidean").fit(X)
    own = plain("euclidean", X)
    np.fill_diagonal(own, np.inf)
    np.testing.assert_allclose(index.kneighbors()[0], np.sort(own, axis=1)[:, :5], rtol=1e-5)
    assert index.kneighbors_graph(Q, 3).shape == (40, 600)
    near, rows = index.radius_neighbors(Q, 22.0)
    for query, distances in enumerate(plain("euclidean")):
        inside = np.flatnonzero(distances <= 22.0)
        assert sorted(rows[query]) == inside.tolist()
        np.testing.assert_allclose(near[query], np.sort(distances[inside]), rtol=1e-5)
    graph = index.radius_neighbors_graph(Q, 22.0, mode="distance")
    np.testing.assert_allclose(
        graph.toarray(), np.where(plain("euclidean") <= 22, plain("euclidean"), 0), rtol=1e-5
    )
    assert [len(found) for found in index.radius_neighbors(radius=1e9)[1]] == 600 * [599]
    index.save(tmp_path / "index")
    for one, other in zip(index.kneighbors(Q), load(tmp_path / "index").kneighbors(Q)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("vectors", ["same", "float32", "int8"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, np.float64])
def test_rows_added_beyond_the_type_or_the_range_of_the_first(vectors, dtype):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 16, (60, 12)).astype(dtype)
    more = rng.normal(0, 1000, (40, 12))
    index = RescoredNeighbors(metric="euclidean", vectors=vectors, oversampling=1e6)
    index.fit(first).add(more[:20]).add(more[20:])
    rows = np.concatenate([first, more])
    distances, found = index.kneighbors(more, 1)
    np.testing.assert_array_equal(found[:, 0], np.arange(60, 100))
    # Of 255 steps, a row is off by half of one in each feature; twice where they were widened.
    off = 2 * np.linalg.norm(np.ptp(rows, axis=0) / 254) if vectors == "int8" else 1e-3
    assert distances.max() <= off
    expected = np.sort(plain("euclidean", more, rows), axis=1)[:, :5]
    np.testing.assert_allclose(index.kneighbors(more, 5)[0], expected, rtol=1e-5, atol=off)


def test_rows_in_the_range_of_the_first_keep_their_steps():
    index = RescoredNeighbors(vectors="int8").fit(X[:300])
    before = index.vectors_
    index.add(X[:300])
    np.testing.assert_array_equal(index.vectors_.step, before.step)
    np.testing.assert_array_equal(index.vectors_.stored, np.tile(before.stored, (2, 1)))


@pytest.mark.parametrize(
    "params, call, message",
    [
        (dict(oversampling=0.5), lambda i: i.fit(X), "oversampling"),
        (dict(vectors="float64"), lambda i: i.fit(X), "vectors"),
        (
            dict(hasher=ClassifierHasher(), candidates="values"),
            lambda i: i.fit(X),
            "decision_function",
        ),
        (dict(), lambda i: i.fit(X * np.nan), "NaN"),
        (dict(vectors="float16"), lambda i: i.fit(X * 1e6), "beyond float16"),
        (dict(), lambda i: i.fit(X[0]), "shape .64,"),
        (dict(), lambda i: i.fit(X).kneighbors(Q, 601), "n_samples_fit = 600"),
        (dict(), lambda i: i.fit(X).kneighbors(Q[:, :9]), "9 features"),
        (dict(), lambda i: i.fit(X).kneighbors(Q, 0), "n_neighbors > 0"),
        (dict(), lambda i: i.fit(X).kneighbors(Q, oversampling=np.nan), "oversampling=nan"),
        (dict(), lambda i: i.fit(X).add(Q[:, :9]), "9 features"),
        (dict(), lambda i: i.fit(X).radius_neighbors(Q, np.nan), "radius=nan"),
        (dict(), lambda i: i.fit(X).radius_neighbors(Q, -1), "radius=-1"),
        (dict(), lambda i: i.fit(sparse.csr_array(X)), "sparse.*LSHNeighbors"),
    ],
)
def test_bad_input_is_named(params, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(RescoredNeighbors(**params))


def test_any_hasher_gives_candidates():
    fly = RescoredNeighbors(FlyHasher(512, random_state=0)).fit(X)
    assert recall(fly, "cosine") > 0.9
    # Keys and queries of an asymmetric hasher are mapped differently.
    products = SimpleLSH(256, packed=True, random_state=0)
    index = RescoredNeighbors(products, metric="inner_product").fit(X)
    assert recall(index, "inner_product") > 0.9


@pytest.mark.parametrize("hasher", [SimpleLSH(64, random_state=0), SignALSH(64, random_state=0)])
def test_values_of_asymmetric_queries(hasher):
    found = {}
    for candidates in ("codes", "values"):
        index = RescoredNeighbors(hasher, metric="inner_product", candidates=candidates).fit(X)
        found[candidates] = recall(index, "inner_product", oversampling=2)
    assert found["values"] > found["codes"] + 0.05
