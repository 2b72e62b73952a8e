"""Behaviours of faiss that the package relies on, and those that it guards against."""

import faiss
import numpy as np
import pytest

from sktgsh.codes import hamming_distances
from sktgsh.neighbors import HammingNeighbors
from sktgsh.neighbors.hamming.distinct import DistinctCodes
from sktgsh.neighbors.hamming.faiss_index import FaissIndex, Queries


@pytest.fixture
def codes():
    """Packed codes, of which many are equally far from a query."""
    rng = np.random.default_rng(0)
    return np.packbits(rng.integers(0, 2, (20_000, 16)), axis=1)


def flat_of(codes):
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    return index


@pytest.mark.parametrize("n_queries", [1, 100])
@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("use_heap", [True, False])
def test_flat_scans_keep_the_smaller_position_of_a_tie_and_order_so(codes, n_queries, k, use_heap):
    queries = codes[:n_queries] ^ np.uint8(1)
    expected = np.argsort(hamming_distances(queries, codes, packed=True), axis=1, kind="stable")
    index = flat_of(codes)
    index.use_heap = use_heap
    np.testing.assert_array_equal(index.search(queries, k)[1], expected[:, :k])
    np.testing.assert_array_equal(faiss.knn_hamming(queries, codes, k)[1], expected[:, :k])


def test_a_range_search_takes_what_is_strictly_nearer(codes):
    distances = hamming_distances(codes[:5], codes, packed=True)
    for radius in (1, 3):
        limits, _, found = flat_of(codes).range_search(codes[:5], radius)
        for query in range(5):
            own = np.sort(found[limits[query] : limits[query + 1]])
            np.testing.assert_array_equal(own, np.flatnonzero(distances[query] < radius))


def test_positions_are_numbers_in_the_order_of_adding_also_after_a_file(codes):
    index = flat_of(codes[:100])
    index.add(codes[100:300])
    again = faiss.deserialize_index_binary(faiss.serialize_index_binary(index))
    assert again.ntotal == 300
    found = faiss.vector_to_array(again.xb).reshape(300, -1)
    np.testing.assert_array_equal(found, codes[:300])


def test_the_storage_of_a_graph_holds_all_codes_in_the_order_of_adding(codes):
    graph = faiss.IndexBinaryHNSW(16, 8)
    graph.add(codes[:50])
    graph.add(codes[50:80])
    storage = faiss.downcast_IndexBinary(graph.storage)
    assert isinstance(storage, faiss.IndexBinaryFlat)
    found = faiss.vector_to_array(storage.xb).reshape(80, -1)
    np.testing.assert_array_equal(found, codes[:80])


@pytest.mark.parametrize("algorithm", ["flat", "hnsw", "multihash"])
def test_no_codes_are_never_given_to_faiss(codes, algorithm, monkeypatch):
    """A graph of faiss 1.9 ends the process where it adds an array without rows."""
    index = FaissIndex(codes[:60], algorithm)
    before = index.nearest(Queries(codes[:5], None), 3)
    given = []
    inner = index.index
    monkeypatch.setattr(
        index, "index", type("Inner", (), {"add": lambda self, rows: given.append(len(rows))})()
    )
    index.add(codes[:0])
    index.add(codes[:2])
    assert given == [2]
    monkeypatch.setattr(index, "index", inner)
    for one, other in zip(index.nearest(Queries(codes[:5], None), 3), before):
        np.testing.assert_array_equal(one, other)


def test_a_graph_with_fewer_codes_than_asked_for_marks_empty_slots_by_position():
    graph = faiss.IndexBinaryHNSW(16, 16)
    graph.add(np.array([[0, 0], [255, 255]], np.uint8))
    distances, found = graph.search(np.zeros((1, 2), np.uint8), 5)
    assert found[0, :2].tolist() == [0, 1] and (found[0, 2:] == -1).all()
    # The distance of an empty slot means nothing: ours is infinite.
    index = FaissIndex(np.array([[0, 0], [255, 255]], np.uint8), "hnsw")
    near, found, floor = index._proposed(np.zeros((1, 2), np.uint8), 5)
    assert near[0].tolist() == [0, 16, np.inf, np.inf, np.inf] and floor == np.inf


@pytest.mark.parametrize("algorithm", ["hnsw", "multihash"])
@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_approximate_indexes_find_all_copies_of_a_code(algorithm, order):
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 256, (300, 8), dtype=np.uint8)
    place = np.sort(rng.integers(300, size=12_000))
    place = rng.permutation(place) if order == "shuffled" else place
    copies = distinct[place]
    index = HammingNeighbors(algorithm=algorithm, packed=True).fit(copies[:9000])
    index.add(copies[9000:])
    inner = index.shards_.by_task[None].index
    # One entry a distinct code, and the list of its rows.
    assert isinstance(inner, DistinctCodes) and len(inner.index) == len(np.unique(place))
    sizes = np.bincount(place, minlength=300)
    for code in range(0, 300, 7):
        rows = np.flatnonzero(place == code)
        distances, found = index.kneighbors(distinct[[code]], int(sizes[code]))
        np.testing.assert_array_equal(found[0], rows)
        assert (distances == 0).all()
        near = index.radius_neighbors(distinct[[code]], 0, return_distance=False)[0]
        np.testing.assert_array_equal(np.sort(near), rows)


def test_values_find_all_copies_in_a_graph():
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 256, (50, 8), dtype=np.uint8)
    copies = distinct[rng.integers(50, size=2000)]
    graph = DistinctCodes(copies, "hnsw")
    values = rng.normal(size=(3, 64)).astype(np.float32)
    queries = Queries(np.packbits(values > 0, axis=1), values)
    expected = DistinctCodes(copies).nearest(queries, 500)
    for one, other in zip(graph.nearest(queries, 500), expected):
        np.testing.assert_array_equal(one, other)
