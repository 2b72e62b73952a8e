import copy
import enum
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sktgsh import SignedRandomProjectionHasher
from sktgsh.codes import hamming_distances, pack_codes
from sktgsh.neighbors import HammingNeighbors
from sktgsh.neighbors.hamming.distinct import DistinctCodes
from sktgsh.neighbors.hamming.faiss_index import ALGORITHMS


@pytest.mark.parametrize("seed", range(100))
def test_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    n, n_bits = int(rng.integers(2, 60)), int(rng.integers(1, 70))
    codes, queries = rng.integers(0, 2, (n, n_bits)), rng.integers(0, 2, (7, n_bits))
    packed = bool(seed % 2)
    given, asked = (pack_codes(codes), pack_codes(queries)) if packed else (codes, queries)
    index = HammingNeighbors(packed=packed).fit(given)
    plain = hamming_distances(queries, codes).astype(int)
    for k in range(1, n + 1):
        distances, rows = index.kneighbors(asked, k)
        np.testing.assert_array_equal(distances, np.sort(plain, axis=1)[:, :k])
        np.testing.assert_array_equal(distances, np.take_along_axis(plain, rows, axis=1))
        assert all(len(set(row)) == k for row in rows.tolist())
    radius = int(rng.integers(0, n_bits + 1))
    distances, rows = index.radius_neighbors(asked, radius, sort_results=True)
    for query in range(7):
        inside = np.flatnonzero(plain[query] <= radius)
        np.testing.assert_array_equal(np.sort(rows[query]), inside)
        np.testing.assert_array_equal(distances[query], np.sort(plain[query][inside]))


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 2, (50, 24))


def test_without_queries_a_code_is_not_its_own_neighbour(codes):
    codes[7] = codes[3]
    codes[9] = codes[3]  # three equal codes
    distances, rows = HammingNeighbors().fit(codes).kneighbors(n_neighbors=2)
    assert (rows != np.arange(50)[:, None]).all()
    plain = hamming_distances(codes).astype(float)
    np.fill_diagonal(plain, np.inf)
    np.testing.assert_array_equal(distances, np.sort(plain, axis=1)[:, :2])
    near = HammingNeighbors().fit(codes).radius_neighbors(radius=0, return_distance=False)
    assert sorted(near[3]) == [7, 9] and len(near[0]) == 0


def test_ids_add_and_remove(codes):
    ids = np.arange(1000, 1050)
    index = HammingNeighbors(3).fit(codes[:30], ids=ids[:30]).add(codes[30:], ids=ids[30:])
    whole = HammingNeighbors(3).fit(codes, ids=ids)
    np.testing.assert_array_equal(index.kneighbors(codes)[0], whole.kneighbors(codes)[0])
    assert (index.kneighbors(codes, 1)[1].ravel() == ids).all()
    index.remove([1049, 1003])
    left = np.delete(np.arange(50), [3, 49])
    assert index.kneighbors(codes[left], 1)[1].ravel().tolist() == ids[left].tolist()
    assert index.n_samples_fit_ == 48
    assert 1003 not in index.kneighbors(codes[3:4], 48)[1]


@pytest.mark.parametrize("algorithm", ["flat", "hnsw", "multihash"])
def test_tasks_and_pickling(codes, algorithm):
    task = np.array(["a", "b"])[np.arange(50) % 2]
    index = HammingNeighbors(
        4,
        algorithm=algorithm,
        index_params={"bits_per_hash": 2, "n_hashes": 12, "n_flips": 2}
        if algorithm == "multihash"
        else None,
    ).fit(codes, task=task)
    distances, rows = index.kneighbors(codes, task="b")
    assert (rows % 2 == 1).all()
    plain = np.sort(hamming_distances(codes, codes[1::2]), axis=1)[:, :4]
    np.testing.assert_array_equal(distances, plain)
    everywhere = index.kneighbors(codes)[0]
    np.testing.assert_array_equal(everywhere, np.sort(hamming_distances(codes), axis=1)[:, :4])
    again = pickle.loads(pickle.dumps(index))
    np.testing.assert_array_equal(again.kneighbors(codes, task="b")[0], distances)
    again.remove([1, 2])
    np.testing.assert_array_equal(
        again.kneighbors(codes, task="a")[0],
        np.sort(hamming_distances(codes, np.delete(codes[::2], 1, axis=0)), axis=1)[:, :4],
    )
    again.add(codes[:2], task=["c", "c"])
    assert (
        again.tasks_ == ["a", "b", "c"] and again.kneighbors(codes[:1], 2, task="c")[1].min() == 48
    )


def test_missing_neighbours_of_an_approximate_index():
    index = HammingNeighbors(
        2, algorithm="multihash", index_params={"bits_per_hash": 8, "n_hashes": 1, "n_flips": 0}
    ).fit([[0] * 16, [1] * 16])
    distances, rows = index.kneighbors([[0] * 16])
    assert rows.tolist() == [[0, -1]] and distances.tolist() == [[0, np.inf]]


def test_graphs_feed_precomputed_neighbours():
    X, y = load_digits(return_X_y=True)
    train, test = slice(0, 800), slice(800, 1200)
    chain = make_pipeline(
        SignedRandomProjectionHasher(64, random_state=0),
        HammingNeighbors(7),
        KNeighborsClassifier(5, metric="precomputed"),
    ).fit(X[train], y[train])
    hasher = SignedRandomProjectionHasher(64, random_state=0).fit(X[train])
    direct = KNeighborsClassifier(5, metric="precomputed")
    codes = hasher.transform(X)
    direct.fit(hamming_distances(codes[train]), y[train])
    expected = direct.score(hamming_distances(codes[test], codes[train]), y[test])
    assert chain.score(X[test], y[test]) == pytest.approx(expected, abs=0.03) and expected > 0.8
    graph = HammingNeighbors(3).fit(codes[train]).kneighbors_graph()
    assert (
        graph.shape == (800, 800) and (graph.sum(axis=1) == 3).all() and graph.diagonal().sum() == 0
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda i, c: i.kneighbors(c[:, :8]), "8 features"),
        (lambda i, c: i.kneighbors(c, 51), "n_neighbors = 51, n_samples_fit = 50"),
        (lambda i, c: i.kneighbors(n_neighbors=50), "n_neighbors = 50"),
        (lambda i, c: i.kneighbors(c, 0), "n_neighbors > 0"),
        (lambda i, c: i.kneighbors(c, task="z"), "without tasks"),
        (lambda i, c: i.kneighbors(2 * c), "holds the value 2"),
        (lambda i, c: i.add(c, ids=np.arange(50)), "already there"),
        (lambda i, c: i.add(c), "has ids of its own"),
        (lambda i, c: i.add(c[:2], ids=[900, 900]), "repeat"),
        (lambda i, c: i.add(c[:2], ids=[900]), "one id for each of 2 rows"),
        (lambda i, c: i.add(c, ids=np.arange(500, 550), task="a"), "no tasks"),
        (lambda i, c: i.remove([3, 777]), "unknown: .777"),
        (lambda i, c: i.remove([3, 3]), "repeated"),
        (lambda i, c: i.radius_neighbors(c, -1), "radius=-1"),
        (lambda i, c: i.radius_neighbors(c, True), "radius=True"),
        (lambda i, c: i.radius_neighbors(c, "2"), "radius='2'"),
        (lambda i, c: i.add(2 * c.astype(int) - 1, ids=range(50, 100)), "give X > 0"),
        (lambda i, c: i.fit(c[:0]), "0 sample"),
        (lambda i, c: i.set_params(index_params={"m": 3}).fit(c), "unknown entries"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(codes, call, message):
    index = HammingNeighbors().fit(codes, ids=np.arange(50))
    before = index.kneighbors(codes)
    with pytest.raises(ValueError, match=message):
        call(index, codes)
    for one, other in zip(before, index.kneighbors(codes)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("packed", [False, True])
def test_real_values_rank_by_how_sure_they_are(codes, algorithm, packed):
    given = pack_codes(codes) if packed else codes
    index = HammingNeighbors(packed=packed, algorithm=algorithm).fit(given)
    values = np.random.default_rng(1).normal(size=(20, 24))
    plain = (np.abs(values)[:, None] * ((values > 0)[:, None] != codes)).sum(axis=2)
    distances, rows = index.kneighbors(values, 7)
    np.testing.assert_allclose(distances, np.sort(plain, axis=1)[:, :7], atol=1e-5)
    np.testing.assert_array_equal(rows, np.argsort(plain, axis=1)[:, :7])
    signs = np.where(codes, 1.0, -1.0)
    np.testing.assert_array_equal(
        index.kneighbors(signs, 50)[0], np.sort(hamming_distances(codes), axis=1)
    )
    near = index.radius_neighbors(values, 5.5, return_distance=False)
    assert [set(row) for row in near] == [set(np.flatnonzero(row <= 5.5)) for row in plain]


def test_real_values_rank_the_candidates_of_codes(codes):
    index = HammingNeighbors(5).fit(codes)
    values = np.random.default_rng(1).normal(size=(20, 24))
    exact = index.kneighbors(values)
    for one, other in zip(exact, index.kneighbors(values, oversampling=10)):  # all candidates
        np.testing.assert_allclose(one, other, atol=1e-5)
    few = index.kneighbors(values, oversampling=1)[1]
    # Which codes is said by the Hamming distance alone, their order by the values.
    bits = hamming_distances(values > 0, codes)
    assert (np.take_along_axis(bits, few, axis=1).max(axis=1) <= np.sort(bits, axis=1)[:, 4]).all()
    plain = (np.abs(values)[:, None] * ((values > 0)[:, None] != codes)).sum(axis=2)
    assert (np.diff(np.take_along_axis(plain, few, axis=1), axis=1) >= 0).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_filters_are_exact(codes, algorithm):
    task = np.arange(50) % 4
    index = HammingNeighbors(algorithm=algorithm).fit(codes, task=task)
    plain = hamming_distances(codes).astype(float)
    mask = np.random.default_rng(2).random(50) < 0.4
    expected = np.sort(np.where(mask, plain, np.inf), axis=1)
    for chosen in (
        mask,
        np.flatnonzero(mask),
        mask.tolist(),
        np.flatnonzero(mask).tolist(),
        pd.Series(mask, dtype="boolean"),
    ):
        distances, rows = index.kneighbors(codes, 30, filter=chosen)
        np.testing.assert_array_equal(distances, expected[:, :30])
        assert (mask[rows] | (rows < 0)).all() and (rows < 0).any()
    asked = np.random.default_rng(3).integers(0, 4, 50)
    allowed = mask & (asked[:, None] == task)
    distances, rows = index.kneighbors(codes, 9, task=asked, filter=mask)
    np.testing.assert_array_equal(
        distances, np.sort(np.where(allowed, plain, np.inf), axis=1)[:, :9]
    )
    nobody = index.kneighbors(codes, 2, filter=np.zeros(50, bool))
    assert (nobody[1] == -1).all() and np.isinf(nobody[0]).all()


def test_ids_are_integers_or_strings(codes):
    names = [f"row {row}" for row in range(50)]
    index = HammingNeighbors(1).fit(codes[:40], ids=names[:40]).add(codes[40:], ids=names[40:])
    assert index.kneighbors(codes)[1].ravel().tolist() == names
    index.upsert(1 - codes[:1], ids=["row 7"])
    assert index.kneighbors(1 - codes[:1])[1] == "row 7" and index.n_samples_fit_ == 50
    assert index.ids_.tolist() == names[:7] + names[8:] + ["row 7"]
    assert index.kneighbors(codes[:1], 2, filter=["row 3"])[1].tolist() == [["row 3", ""]]
    # The greatest integers of 64 bits stay what they are.
    large = np.array([2**63 - 1, 2**62, -(2**63)])
    assert (
        HammingNeighbors(1).fit(codes[:3], ids=large).kneighbors(codes[:3])[1].ravel().tolist()
        == large.tolist()
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_graphs_and_changes_of_every_algorithm(codes, algorithm):
    ids = np.arange(100, 150)
    # Tables of 2 bits, of which all may differ: nothing is missed.
    all_flips = {"bits_per_hash": 2, "n_hashes": 12, "n_flips": 2}
    params = all_flips if algorithm == "multihash" else None
    index = HammingNeighbors(4, algorithm=algorithm, index_params=params)
    index.fit(codes[:30], ids=ids[:30]).add(codes[30:], ids=ids[30:]).remove(ids[:5])
    plain = hamming_distances(codes, codes[5:]).astype(float)
    nearest = index.kneighbors_graph(codes, mode="distance")
    np.testing.assert_array_equal(
        np.sort(nearest.data.reshape(50, 4), axis=1), np.sort(plain, axis=1)[:, :4]
    )
    np.testing.assert_array_equal(nearest.data, plain[np.repeat(np.arange(50), 4), nearest.indices])
    np.testing.assert_array_equal(index.radius_neighbors_graph(codes, 8).toarray(), plain <= 8)


def test_a_graph_does_not_lose_a_lone_code():
    codes = np.zeros((2000, 32), int)
    codes[777] = 1
    index = HammingNeighbors(1, algorithm="hnsw").fit(codes)
    assert index.kneighbors(codes[[777]])[1].item() == 777


@pytest.mark.parametrize("flips, is_distinct", [(0.0, True), (0.5, False)])
def test_distinct_codes_where_many_repeat(flips, is_distinct):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (20, 48))[rng.integers(20, size=3000)]
    codes ^= rng.random(codes.shape) < flips
    index = HammingNeighbors(40).fit(codes[:1000]).add(codes[1000:])
    assert isinstance(index.shards_.by_task[None].index, DistinctCodes) == is_distinct
    plain = hamming_distances(codes[:50], codes)
    distances, rows = index.kneighbors(codes[:50])
    np.testing.assert_array_equal(distances, np.sort(plain, axis=1)[:, :40])
    np.testing.assert_array_equal(distances, np.take_along_axis(plain, rows, axis=1))
    assert all(len(set(row)) == 40 for row in rows.tolist())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_task_is_removed_with_all_of_its_codes(codes, algorithm):
    task, names = np.arange(50) % 3, np.array([f"row {row}" for row in range(50)])
    index = HammingNeighbors(2, algorithm=algorithm).fit(codes, ids=names, task=task)
    index.remove(["row 4", "row 3"])
    for arguments, message in [
        ({}, "either ids or task"),
        ({"ids": ["row 1"], "task": 1}, "either ids or task"),
        ({"task": 7}, "unknown label 7"),
        ({"task": "1"}, "unknown label '1'"),
    ]:
        with pytest.raises(ValueError, match=message):
            index.remove(**arguments)
    assert index.n_samples_fit_ == 48
    index.remove(task=1)
    left = np.setdiff1d(np.flatnonzero(task != 1), [3])
    assert index.tasks_ == [0, 2] and index.ids_.tolist() == names[left].tolist()
    # Neither codes nor ids of the task stay in a pickle.
    assert b"row 7" not in pickle.dumps(index) and b"row 8" in pickle.dumps(index)
    plain = np.sort(hamming_distances(codes, codes[left]), axis=1)[:, :2]
    if algorithm == "flat":
        np.testing.assert_array_equal(index.kneighbors(codes)[0], plain)
    with pytest.raises(ValueError, match="unknown label 1"):
        index.kneighbors(codes, task=1)
    index.add(codes[1:2], ids=["row 1"], task=1).remove(task=[0, 2, 1])
    assert index.n_samples_fit_ == 0 and index.tasks_ == []
    with pytest.raises(ValueError, match="n_samples_fit = 0"):
        index.kneighbors()
    with pytest.raises(ValueError, match="without tasks"):
        HammingNeighbors().fit(codes).remove(task=1)


def test_how_codes_come_counts_from_the_next_fit_on(codes):
    index = HammingNeighbors(3).fit(codes)
    expected = index.kneighbors(codes)
    index.set_params(packed=True, algorithm="hnsw")
    for one, other in zip(expected, index.kneighbors(codes)):
        np.testing.assert_array_equal(one, other)
    assert index.add(codes).n_samples_fit_ == 100


def test_no_query_has_an_empty_graph(codes):
    index = HammingNeighbors(3).fit(codes)
    for make in (index.radius_neighbors_graph, index.kneighbors_graph):
        for mode in ("connectivity", "distance"):
            graph = make(codes[:0], mode=mode)
            assert graph.shape == (0, 50) and graph.nnz == 0
    assert [len(part) for part in index.radius_neighbors(codes[:0])] == [0, 0]


class Kind(str, enum.Enum):  # noqa: UP042 - unlike StrEnum, str(member) is not its value
    RED = "red"
    BLUE = "blue"


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


def test_ids_that_are_members_of_an_enum(codes):
    index = HammingNeighbors(1).fit(codes[:2], ids=[Kind.RED, Kind.BLUE])
    assert index.ids_.tolist() == ["red", "blue"] and type(index.ids_[0]) is str
    index.add(codes[2:3], ids=["green"]).remove([Kind.RED])
    assert index.kneighbors(codes[1:2], filter=["blue"])[1].tolist() == [["blue"]]
    assert HammingNeighbors(1).fit(codes[:2], ids=list(Number)).ids_.tolist() == [1, 2]


def test_one_long_id_costs_its_own_length(codes):
    ids = [f"row {row}" for row in range(20_000)]
    ids[7] = "x" * 8000 + "\0"
    rows = np.random.default_rng(0).integers(0, 2, (20_000, 24), dtype=np.uint8)
    tracemalloc.start()
    index = HammingNeighbors(1).fit(rows, ids=ids)
    index.add(codes[:1], ids=["last"]).remove(["row 3"])
    assert index.kneighbors(rows[[7]], filter=[ids[7]])[1].item() == ids[7]
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_a_copy_does_not_change_the_original(codes):
    index = HammingNeighbors(3).fit(codes)
    before = index.kneighbors(codes)
    copy.copy(index).add(codes)
    copy.copy(index).remove([1, 2, 3])
    for one, other in zip(before, index.kneighbors(codes)):
        np.testing.assert_array_equal(one, other)


def test_ordinary_input_of_any_kind(codes):
    index = HammingNeighbors(np.int64(3), radius=np.float32(4)).fit(codes)
    expected = index.kneighbors(codes)[0]
    fixed = codes.astype(np.uint8)
    fixed.setflags(write=False)
    for given in (fixed, codes.astype(bool), codes.astype(float), np.asfortranarray(codes)):
        if given.dtype != float:  # those are scores
            np.testing.assert_array_equal(index.kneighbors(given, np.int64(3))[0], expected)
        np.testing.assert_array_equal(HammingNeighbors(3).fit(given).kneighbors(codes)[0], expected)
    packed = pack_codes(codes)
    packed.setflags(write=False)
    again = HammingNeighbors(3, packed=True).fit(packed).kneighbors(packed)[0]
    np.testing.assert_array_equal(again, expected)
    for radius in (np.inf, 1e10, 24):
        assert all(len(row) == 50 for row in index.radius_neighbors(codes, radius)[1])


@pytest.mark.parametrize(
    "algorithm, params",
    [("hnsw", {"M": M}) for M in (513, 2.5, "16", True, None)]
    + [("hnsw", {"ef_search": 2**20 + 1}), ("hnsw", {"ef_construction": "80"})]
    + [
        ("multihash", {name: value})
        for name, value in [
            ("n_hashes", 2**20 + 1),
            ("bits_per_hash", 33),
            ("bits_per_hash", 8.0),
            ("n_flips", 33),
            ("n_flips", "1"),
        ]
    ]
    + [("flat", {"M": 16}), ("hnsw", {3: 4})],
)
def test_index_parameters_are_checked(codes, algorithm, params):
    with pytest.raises(ValueError, match="index_params has"):
        HammingNeighbors(algorithm=algorithm, index_params=params).fit(codes)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda i, c: i.upsert(c[:1], ids=["a"]), "ids are strings, but .* integers"),
        (lambda i, c: i.add(c[:1], ids=[2**63]), "9223372036854775808"),
        (lambda i, c: i.add(c[:1], ids=np.array([2**63], np.uint64)), "9223372036854775808"),
        (lambda i, c: i.add(c[:1], ids=[True]), "of type bool"),
        (lambda i, c: i.add(c[:1], ids=[1.5]), "of type float"),
        (lambda i, c: i.add(c[:2], ids=[777, "a"]), "int and str"),
        (lambda i, c: i.upsert(c[:2], ids=[900, 900]), "ids has repeated"),
        (lambda i, c: i.upsert(c[:2], ids=[1, 2], task="a"), "no tasks"),
        (lambda i, c: i.kneighbors(c, filter=[777]), "filter are unknown: .777"),
        (lambda i, c: i.kneighbors(c, filter=np.ones(49, bool)), "filter has shape .49"),
        # A mask of integers is not taken for the ids 0 and 1.
        (
            lambda i, c: i.kneighbors(c, filter=(np.arange(50) == 9).astype(np.uint8)),
            "filter has repeated entries.*astype.bool",
        ),
        (lambda i, c: i.kneighbors(c + 0.5, oversampling=0.5), "oversampling=0.5"),
        (lambda i, c: i.kneighbors(c * np.nan), "NaN"),
        (lambda i, c: i.kneighbors(c * 1e300 + 1), "beyond float32"),
        (lambda i, c: i.kneighbors(c[:, :9] - 0.5), "expecting 24 features"),
        (lambda i, c: i.kneighbors(2 * c - 1), "signs -1 and 1"),
        (lambda i, c: i.add(2.0 * c - 1, ids=np.arange(500, 550)), "signs -1 and 1"),
        (lambda i, c: i.radius_neighbors(c, np.nan), "radius=nan"),
        (lambda i, c: i.radius_neighbors(c, "2"), "radius='2'"),
        (lambda i, c: i.kneighbors_graph(c, mode="x"), "mode='x'"),
    ],
)
def test_more_bad_input_is_named_and_changes_nothing(codes, call, message):
    test_bad_input_is_named_and_changes_nothing(codes, call, message)
