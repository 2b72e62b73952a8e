import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from sktgsh import (
    L2ALSH,
    FlyHasher,
    PStableHasher,
    SignALSH,
    SparseProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.codes import hamming_distances
from sktgsh.neighbors import LSHNeighbors


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
    sizes = [table.sizes for table in capped.tables_]
    share = [s[s > 100].sum() / len(X) for s in sizes]
    assert capped.bucket_statistics().ignored_share.tolist() == share and max(share) > 0
    assert capped.kneighbors(X, 1, False) is not None
    index.kneighbors(X, 1)
    assert capped.candidate_share_ < index.candidate_share_


def test_radius_and_excluding_self(digits):
    X, _ = digits
    index = LSHNeighbors(n_bits=4, n_tables=10, random_state=0).fit(X[:300])
    distances, rows = index.radius_neighbors(X[:300], 0.1)
    exact = NearestNeighbors(metric="cosine").fit(X[:300]).radius_neighbors(X[:300], 0.1)[1]
    assert all(set(a) <= set(b) for a, b in zip(rows, exact))
    assert sum(map(len, rows)) > 0.8 * sum(map(len, exact))
    assert all((np.diff(d) >= 0).all() and (d <= 0.1).all() for d in distances)
    assert (index.kneighbors(n_neighbors=3)[1] != np.arange(300)[:, None]).all()


@pytest.mark.parametrize(
    "hasher, metric", [(None, "cosine"), (PStableHasher(r=60.0), "euclidean")], ids=["cosine", "l2"]
)
@pytest.mark.parametrize("target", [0.7, 0.9])
def test_tuned_index_reaches_its_target(digits, hasher, metric, target):
    X, _ = digits
    index = LSHNeighbors.tune(
        X, target_recall=target, hasher=hasher, metric=metric, n_neighbors=5, random_state=0
    ).fit(X)
    _, expected = NearestNeighbors(n_neighbors=6, metric=metric).fit(X).kneighbors(X[:400])
    found = index.kneighbors()[1][:400]
    assert recall(found, expected[:, 1:]) == pytest.approx(target, abs=0.08)
    assert index.candidate_share_ == pytest.approx(index.tuned.expected_share, rel=0.5)


def test_bad_input_is_named(digits):
    X, _ = digits
    zero = X.copy()
    zero[5] = 0
    with pytest.raises(ValueError, match="zero vector .row 5"):
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
    with pytest.raises(ValueError, match="target_recall=1.5"):
        LSHNeighbors.tune(X, target_recall=1.5)
    with pytest.raises(ValueError, match="not reached with max_tables=1"):
        LSHNeighbors.tune(X, hasher=FlyHasher(sparsity=0.01), target_recall=0.99, max_tables=1)
    with pytest.raises(ValueError, match="no collision_probability"):
        LSHNeighbors.tune(X, hasher=TaskGeometricHasher())
