"""Distances of vectors are those of NumPy in float64, whatever offset or scale the rows have."""

import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from sktgsh import L2ALSH, PStableHasher, SignALSH, SimpleLSH
from sktgsh.neighbors import CodeStore, LSHNeighbors, RescoredNeighbors

METRICS = ["euclidean", "cosine", "inner_product"]


def exact(metric, queries, rows):
    """Distances in extended precision, by differences."""
    queries, rows = queries.astype(np.longdouble), rows.astype(np.longdouble)
    if metric == "inner_product":
        return (-(queries[:, None] * rows).sum(axis=2)).astype(float)
    if metric == "cosine":
        queries, rows = (
            part / np.sqrt((part**2).sum(axis=1, keepdims=True)) for part in (queries, rows)
        )
    squares = ((queries[:, None] - rows) ** 2).sum(axis=2)
    return (np.sqrt(squares) if metric == "euclidean" else squares / 2).astype(float)


def indexes(metric):
    """Indexes in which every row is a candidate."""
    hasher = PStableHasher(r=1e6) if metric == "euclidean" else None
    yield RescoredNeighbors(metric=metric, oversampling=1e6)
    # One table of one bit, and the other bit's bucket.
    yield LSHNeighbors(
        hasher, metric=metric, n_bits=1, n_tables=8 if hasher else 1, n_probes=2, random_state=0
    )


def check(index, X, queries, metric, k=5, rtol=1e-9):
    distances, rows = index.fit(X).kneighbors(queries, k)
    expected = exact(metric, queries, X)
    size = np.abs(expected).max()
    np.testing.assert_allclose(
        distances, np.sort(expected, axis=1)[:, :k], rtol=rtol, atol=1e-15 * size
    )
    np.testing.assert_allclose(
        distances, np.take_along_axis(expected, rows, axis=1), rtol=rtol, atol=1e-15 * size
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-25, 1e-10, 1.0, 1e10, 1e20])
def test_scales(metric, dtype, scale):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 12)) * scale).astype(dtype)
    queries = (rng.normal(size=(20, 12)) * scale).astype(dtype)
    # A p-stable hash counts in intervals of a fixed length.
    for index in [*indexes(metric)][: 1 if metric == "euclidean" else 2]:
        check(index, X, queries, metric)


@pytest.mark.parametrize(
    "dtype, offset", [(np.float64, 1.7e9), (np.float32, 4e6), (np.float64, -1e6)]
)
def test_offsets(dtype, offset):
    X = (np.random.default_rng(0).normal(size=(300, 8)) + offset).astype(dtype)
    for index in indexes("euclidean"):
        check(index, X, X[:50], "euclidean", k=1)
        check(index, X, X[:50], "euclidean")


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_near_duplicates(metric, dtype):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, 16))
    X = (centres[rng.integers(10, size=300)] + 1e-5 * rng.normal(size=(300, 16))).astype(dtype)
    for index in indexes(metric):
        check(index, X, X[:60], metric, k=10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_is_at_distance_zero_from_itself_and_none_is_nearer(dtype):
    X = np.random.default_rng(0).normal(size=(300, 24)).astype(dtype)
    X[200:] = X[:100]
    for index in indexes("cosine"):
        distances, rows = index.fit(X).kneighbors(X, 2)
        assert distances.min() == 0 and (distances[:100] == 0).all()
        near = index.radius_neighbors(X, 0.0)[1]
        assert all(row in found for row, found in enumerate(near))
        assert all(set(found) == {row, row + 200} for row, found in enumerate(near[:100]))
        graph = index.radius_neighbors_graph(X, 0.1, mode="distance")
        DBSCAN(metric="precomputed", eps=0.05).fit(graph)


@pytest.mark.parametrize("metric", METRICS)
def test_a_query_beside_the_range_of_the_rows(metric):
    rng = np.random.default_rng(0)
    X, queries = rng.normal(size=(100, 6)), rng.normal(size=(5, 6))
    index = RescoredNeighbors(metric=metric, oversampling=1e6)
    check(index, X * 1e-12, queries * 1e12, metric)
    check(index, X * 1e12, queries * 1e-12, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e20])
def test_vectors_of_a_store(metric, scale, tmp_path):
    pytest.importorskip("lancedb")
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(80, 6)) * scale).astype(np.float32)
    X[40:] = X[:40]
    codes = rng.integers(0, 2, (80, 8))
    store = CodeStore(tmp_path, n_bits=8, n_features=6)
    store.add(codes, ids=np.arange(80), vectors=X)
    found = store.kneighbors(codes[:9], 3, vectors=X[:9], metric=metric, oversampling=1e3)
    expected = exact(metric, X[:9], X)
    np.testing.assert_allclose(found[0], np.sort(expected, axis=1)[:, :3], rtol=1e-9)
    np.testing.assert_array_equal(found[1], np.argsort(expected, axis=1, kind="stable")[:, :3])


def test_a_store_refuses_to_round_vectors_into_one_another(tmp_path):
    pytest.importorskip("lancedb")
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (60, 8))
    for offset, message in [(4e6, "near 4e\\+06 that differ by"), (1e39, "beyond float32")]:
        X = rng.normal(size=(60, 5)) + offset
        store = CodeStore(tmp_path / f"single {offset}", n_bits=8, n_features=5)
        with pytest.raises(ValueError, match=message):
            store.add(codes, ids=np.arange(60), vectors=X)
        assert len(store) == 0
    X = rng.normal(size=(60, 5)) + 1.7e9
    CodeStore(tmp_path / "double", n_bits=8, n_features=5, vector_type="float64")
    store = CodeStore(tmp_path / "double")
    store.add(codes, ids=np.arange(60), vectors=X)
    found = store.kneighbors(codes[:9], 3, vectors=X[:9], metric="euclidean", oversampling=1e3)
    expected = exact("euclidean", X[:9], X)
    np.testing.assert_allclose(found[0], np.sort(expected, axis=1)[:, :3], rtol=1e-9)
    np.testing.assert_array_equal(found[1][:, 0], np.arange(9))
    with pytest.raises(ValueError, match="vector_type='float16'"):
        CodeStore(tmp_path / "half", n_bits=8, n_features=5, vector_type="float16")


@pytest.mark.parametrize("kind", [SignALSH, SimpleLSH, L2ALSH])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [2.0**-83, 2.0**66])
def test_asymmetric_families_of_any_scale(kind, dtype, scale):
    X = np.random.default_rng(0).normal(size=(100, 12)).astype(dtype)
    plain, scaled = (kind(64, random_state=0).fit(rows) for rows in (X, X * dtype(scale)))
    assert scaled.max_norm_ == pytest.approx(plain.max_norm_ * scale, rel=1e-6)
    agree = (plain.transform(X) == scaled.transform(X * dtype(scale))).mean()
    assert agree > 0.999
    queries = plain.transform_queries(X) == scaled.transform_queries(X * dtype(scale))
    assert queries.mean() > 0.999
    assert len(np.unique(scaled.transform(X * dtype(scale)), axis=0)) > 90
