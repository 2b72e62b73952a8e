"""The rule of ranking through every index: by distance, and of equal ones the smaller row first."""

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktgsh import PStableHasher
from sktgsh.codes import hamming_distances
from sktgsh.neighbors import CodeStore, HammingNeighbors, LSHNeighbors, RescoredNeighbors, ranking
from sktgsh.neighbors.hamming.distinct import DistinctCodes
from sktgsh.neighbors.hamming.faiss_index import FaissIndex

THOROUGH = {
    "flat": None,
    "hnsw": {"M": 64, "ef_construction": 4096, "ef_search": 4096},
    # Tables of 2 bits, of which all may differ: nothing is missed.
    "multihash": {"n_hashes": 3, "bits_per_hash": 2, "n_flips": 2},
}
quick = settings(max_examples=20, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, most_rows=300, n_bits=None):
    """Codes, many of them equal or equally far, and queries beside and among them."""
    rng = np.random.default_rng(seed)
    n_bits = n_bits or int(rng.choice([6, 9, 64]))
    distinct = rng.integers(0, 2, (int(rng.integers(1, most_rows)), n_bits))
    distinct[:, rng.integers(1, n_bits) :] = 0  # few bits differ: ties
    codes = distinct[rng.integers(len(distinct), size=int(rng.integers(1, most_rows)))]
    queries = np.concatenate([codes[:3], distinct[:3], rng.integers(0, 2, (3, n_bits))])
    return rng, codes, queries


def expected_rows(distances, k):
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


def some_k(rng, n):
    return {1, int(rng.integers(1, n + 1)), n}


@pytest.mark.parametrize("algorithm", THOROUGH)
@quick
@given(seed=seeds)
def test_codes(algorithm, seed):
    rng, codes, queries = drawn(seed)
    index = HammingNeighbors(algorithm=algorithm, index_params=THOROUGH[algorithm]).fit(codes)
    plain = hamming_distances(queries, codes)
    for k in some_k(rng, len(codes)):
        for _ in range(2):  # the second time by landmarks, where there are any
            rows = index.kneighbors(queries, k, return_distance=False)
            np.testing.assert_array_equal(rows, expected_rows(plain, k))
        one_by_one = [index.kneighbors(query[None], k)[1][0] for query in queries]
        np.testing.assert_array_equal(one_by_one, rows)
    near, rows = index.radius_neighbors(queries, 2, sort_results=True)
    for query in range(len(queries)):
        inside = expected_rows(plain, len(codes))[query][: (plain[query] <= 2).sum()]
        np.testing.assert_array_equal(rows[query], inside)


@quick
@given(seed=seeds)
def test_codes_that_came_in_parts_and_partly_went(seed):
    rng, codes, queries = drawn(seed)
    task = rng.integers(0, 3, len(codes))
    cut = int(rng.integers(1, len(codes) + 1))
    index = HammingNeighbors().fit(codes[:cut], task=task[:cut])
    if cut < len(codes):
        index.add(codes[cut:], task=task[cut:])
    gone = np.flatnonzero(rng.random(len(codes)) < rng.choice([0.1, 0.5]))[: len(codes) - 1]
    index.remove(gone)
    left, of_task = np.delete(codes, gone, axis=0), np.delete(task, gone)
    mask = rng.random(len(left)) < 0.5
    plain = hamming_distances(queries, left).astype(float)
    k = int(rng.integers(1, len(left) + 1))
    np.testing.assert_array_equal(index.kneighbors(queries, k)[1], expected_rows(plain, k))
    asked = rng.choice(of_task, len(queries))
    for arguments, allowed in [
        ({"filter": mask}, np.broadcast_to(mask, plain.shape)),
        ({"task": asked}, asked[:, None] == of_task),
        ({"task": asked, "filter": mask}, mask & (asked[:, None] == of_task)),
    ]:
        distances = np.where(allowed, plain, np.inf)
        expected = expected_rows(distances, k)
        expected[np.take_along_axis(distances, expected, 1) == np.inf] = -1
        np.testing.assert_array_equal(index.kneighbors(queries, k, **arguments)[1], expected)


@pytest.mark.parametrize("most_rows", [60, 6000])
@pytest.mark.parametrize("algorithm", ["flat", "hnsw"])
@settings(quick, max_examples=8)
@given(seed=seeds)
def test_real_values(algorithm, most_rows, seed):
    rng, codes, _ = drawn(seed, most_rows)
    # Sums of such values are exact, in whatever order.
    values = rng.choice([-2.0, -1, -0.5, 0, 0.25, 1], (4, codes.shape[1]))
    plain = np.maximum(values, 0) @ (1 - codes).T + np.maximum(-values, 0) @ codes.T
    index = HammingNeighbors(algorithm=algorithm).fit(codes)
    for k in {1, min(7, len(codes)), min(300, len(codes))}:
        np.testing.assert_array_equal(index.kneighbors(values, k)[1], expected_rows(plain, k))


@quick
@given(seed=seeds)
def test_without_queries(seed):
    _, codes, _ = drawn(seed, 80)
    if len(codes) == 1:
        return
    plain = hamming_distances(codes).astype(float)
    np.fill_diagonal(plain, np.inf)
    rows = HammingNeighbors().fit(codes).kneighbors(n_neighbors=len(codes) - 1)[1]
    np.testing.assert_array_equal(rows, expected_rows(plain, len(codes) - 1))


@pytest.mark.parametrize("kind", [FaissIndex, DistinctCodes])
def test_many_rows_of_few_distances(kind):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (5000, 64), dtype=np.uint8)
    codes[:, 16:] = 0
    packed = np.packbits(codes[rng.integers(5000, size=12_000)], axis=1)
    queries = np.packbits(rng.integers(0, 2, (600, 64)), axis=1)
    index = HammingNeighbors(packed=True).fit(packed)
    index.shards_.by_task[None].index = kind(packed)
    plain = hamming_distances(queries, packed, packed=True)
    for k in (1, 10, 200, 400):
        for part in (slice(1), slice(None)):
            rows = index.kneighbors(queries[part], k)[1]
            np.testing.assert_array_equal(rows, expected_rows(plain[part], k))


@quick
@given(seed=seeds)
def test_vectors(seed):
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(2, 60))
    X, queries = rng.integers(0, 3, (n_rows, 3)), rng.integers(0, 3, (5, 3))
    plain = ((queries[:, None] - X) ** 2).sum(axis=2)
    X, queries = X.astype(float), queries.astype(float)
    k = int(rng.integers(1, n_rows + 1))
    everything = dict(metric="euclidean", n_bits=1, n_tables=2, random_state=0)
    for index in (
        LSHNeighbors(PStableHasher(r=1e9), **everything),
        RescoredNeighbors(metric="euclidean", oversampling=1e6),
    ):
        rows = index.fit(X).kneighbors(queries, k)[1]
        np.testing.assert_array_equal(rows, expected_rows(plain, k))


@pytest.mark.parametrize("id_type", ["int", "str"])
@settings(quick, max_examples=5)
@given(seed=seeds)
def test_a_store_by_id(id_type, seed):
    pytest.importorskip("lancedb")
    rng, codes, queries = drawn(seed, 60)
    ids = rng.permutation(len(codes))
    given_ids = ids if id_type == "int" else [f"{one:03d}" for one in ids]
    in_order = codes[np.argsort(ids)]
    with tempfile.TemporaryDirectory() as folder:
        store = CodeStore(folder, n_bits=codes.shape[1], id_type=id_type)
        for start in range(0, len(codes), 20):
            store.add(codes[start : start + 20], ids=given_ids[start : start + 20])
        store.upsert(codes[:3], ids=given_ids[:3])  # which moves them
        k = int(rng.integers(1, len(codes) + 1))
        expected = expected_rows(hamming_distances(queries, in_order), k)
        for found in (store.kneighbors(queries, k)[1], store.to_index().kneighbors(queries, k)[1]):
            np.testing.assert_array_equal(found.astype(int), expected)
        values = rng.choice([-1.0, -0.5, 0.5, 1], (3, codes.shape[1]))
        plain = np.maximum(values, 0) @ (1 - in_order).T + np.maximum(-values, 0) @ in_order.T
        found = store.kneighbors(values, k)[1]
        np.testing.assert_array_equal(found.astype(int), expected_rows(plain, k))


@settings(quick, max_examples=5)
@given(seed=seeds)
def test_shards_on_a_cluster(seed):
    da = pytest.importorskip("dask.array")
    from sktgsh.distributed import ShardedNeighbors

    rng, codes, queries = drawn(seed)
    sharded = ShardedNeighbors().fit(da.from_array(codes, chunks=(37, -1)))
    k = int(rng.integers(1, len(codes) + 1))
    plain = hamming_distances(queries, codes)
    np.testing.assert_array_equal(sharded.kneighbors(queries, k)[1], expected_rows(plain, k))


def test_pairs_and_matrices_are_ranked_alike():
    rng = np.random.default_rng(0)
    distances, rows = (
        rng.integers(0, 4, (20, 30)).astype(float),
        rng.permuted(np.tile(np.arange(30), (20, 1)), axis=1),
    )
    near, found = ranking.nearest(distances, rows, 8)
    order = rng.permutation(600)
    pairs = np.repeat(np.arange(20), 30)[order], distances.ravel()[order], rows.ravel()[order]
    for one, other in zip(ranking.nearest_of_pairs(*pairs, 20, 8), (near, found)):
        np.testing.assert_array_equal(one, other)
    expected = [sorted(zip(d, r))[:8] for d, r in zip(distances.tolist(), rows.tolist())]
    assert [list(zip(d, r)) for d, r in zip(near.tolist(), found.tolist())] == expected
