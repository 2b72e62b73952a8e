import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sktgsh import SignedRandomProjectionHasher
from sktgsh.codes import hamming_distances, pack_codes
from sktgsh.neighbors import HammingNeighbors


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
        (lambda i, c: i.add(c, ids=np.arange(50)), "already there|already or"),
        (lambda i, c: i.add(c), "has ids of its own"),
        (lambda i, c: i.add(c[:2], ids=[900, 900]), "repeat"),
        (lambda i, c: i.add(c[:2], ids=[900]), "one integer for each of 2 rows"),
        (lambda i, c: i.add(c, ids=np.arange(500, 550), task="a"), "no tasks"),
        (lambda i, c: i.remove([3, 777]), "unknown: .777"),
        (lambda i, c: i.remove([3, 3]), "repeated"),
        (lambda i, c: i.radius_neighbors(c, -1), "radius=-1"),
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
