import enum
import multiprocessing
import os
import pickle
import signal
import time
from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from sktgsh.codes import hamming_distances, pack_codes
from sktgsh.neighbors import CodeStore

pytest.importorskip("lancedb")

HOSTILE = [
    "a'b",
    "'; DROP TABLE codes; --",
    "' OR '1'='1",
    "\\",
    '"',
    "%",
    "",
    "x\x00",
    "é😀",
    "a\nb",
]


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 2, (60, 32))


def test_search_by_task_after_reopening(tmp_path, codes):
    task = np.arange(60) % 3
    CodeStore(tmp_path, n_bits=32).add(codes, ids=np.arange(100, 160), task=task)
    store = CodeStore(tmp_path)
    assert len(store) == 60 and store.n_bits == 32
    distances, ids = store.kneighbors(codes[:5], 4, task=1)
    plain = hamming_distances(codes[:5], codes[1::3])
    np.testing.assert_array_equal(distances, np.sort(plain, axis=1)[:, :4])
    assert ((ids - 100) % 3 == 1).all()
    everywhere = np.sort(hamming_distances(codes[:5], codes), axis=1)[:, :3]
    np.testing.assert_array_equal(store.kneighbors(codes[:5], 3)[0], everywhere)


@pytest.mark.parametrize("radius", [0, 9.5, np.inf])
@pytest.mark.parametrize("by_task", [False, True])
def test_all_codes_within_a_radius(tmp_path, codes, monkeypatch, radius, by_task):
    monkeypatch.setattr("sktgsh.neighbors.store.search._SCAN_ROWS", 7)
    task, names = np.arange(60) % 3, [f"row {i % 60:02}" for i in range(100, 40, -1)]
    store = CodeStore(tmp_path, n_bits=32, id_type="str")
    store.add(codes, ids=names, task=task)
    asked = [2, 0, 2, 1] if by_task else None
    distances, ids = store.radius_neighbors(codes[:4], radius, task=asked)
    plain = hamming_distances(codes[:4], codes)
    for query in range(4):
        kept = plain[query] <= radius
        if by_task:
            kept &= task == asked[query]
        expected = sorted((plain[query][i], names[i]) for i in np.flatnonzero(kept))
        assert list(zip(distances[query], ids[query])) == expected
    with pytest.raises(ValueError, match="radius=-1"):
        store.radius_neighbors(codes[:1], -1)


def test_a_task_for_each_query_and_many_blocks(tmp_path, codes, monkeypatch):
    monkeypatch.setattr("sktgsh.neighbors.store.search._SCAN_ROWS", 7)
    task = np.arange(60) % 3
    store = CodeStore(tmp_path, n_bits=32)
    store.add(codes, ids=np.arange(60), task=task)
    asked = [2, 0, 2, 1]
    distances, ids = store.kneighbors(codes[:4], 6, task=asked)
    for query, label in enumerate(asked):
        plain = hamming_distances(codes[query : query + 1], codes[task == label])[0]
        np.testing.assert_array_equal(distances[query], np.sort(plain)[:6])
        assert (task[ids[query]] == label).all() and len(set(ids[query])) == 6
    with pytest.raises(ValueError, match="3 labels for 4 rows"):
        store.kneighbors(codes[:4], task=[1, 2, 0])
    with pytest.raises(ValueError, match="n_samples_fit = 0"):
        store.kneighbors(codes[:2], task=[1, 77])


@pytest.mark.parametrize("n_bits", [32, 27])
def test_real_valued_queries(tmp_path, codes, monkeypatch, n_bits):
    monkeypatch.setattr("sktgsh.neighbors.store.search._SCAN_ROWS", 13)
    codes = codes[:, :n_bits]
    store = CodeStore(tmp_path, n_bits=n_bits)
    store.add(codes, ids=np.arange(60))
    values = np.random.default_rng(1).normal(size=(5, n_bits))
    plain = np.where((values[:, None] > 0) != codes, np.abs(values)[:, None], 0).sum(axis=2)
    distances, ids = store.kneighbors(values, 6)
    np.testing.assert_allclose(distances, np.sort(plain, axis=1)[:, :6], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(ids, np.argsort(plain, axis=1)[:, :6])
    hamming = CodeStore(tmp_path, packed=True).kneighbors(2.0 * codes[:5] - 1, 6)[0]
    np.testing.assert_array_equal(hamming, store.kneighbors(codes[:5], 6)[0])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_rescored_by_vectors(tmp_path, codes, metric):
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(60, 8)), rng.normal(size=(5, 8))
    store = CodeStore(tmp_path, n_bits=32, n_features=8, id_type="str")
    names = np.array([f"row {row}" for row in range(60)], dtype=object)
    store.add(codes, ids=names, task=["a", "b"] * 30, vectors=vectors)
    plain = pairwise_distances(queries, vectors, metric=metric)
    distances, ids = store.kneighbors(codes[:5], 3, vectors=queries, metric=metric, oversampling=20)
    np.testing.assert_allclose(distances, np.sort(plain, axis=1)[:, :3], rtol=1e-4)
    np.testing.assert_array_equal(ids, names[np.argsort(plain, axis=1)[:, :3]])
    # Of few candidates, the best of these; and within a task.
    near, found = store.kneighbors(codes[:5], 3, vectors=queries, metric=metric, oversampling=2)
    _, candidates = store.kneighbors(codes[:5], 6)
    assert all(set(a) <= set(b) for a, b in zip(found, candidates)) and (near >= distances).all()
    own = store.kneighbors(codes[:5], 3, vectors=queries, metric=metric, oversampling=99, task="b")
    np.testing.assert_allclose(own[0], np.sort(plain[:, 1::2], axis=1)[:, :3], rtol=1e-4)
    assert CodeStore(tmp_path).n_features == 8


def test_add_remove_and_index(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32, packed=True)
    other = pickle.loads(pickle.dumps(store))
    store.add(pack_codes(codes[:40]), ids=np.arange(40))
    store.add(pack_codes(codes[40:]), ids=np.arange(40, 60))
    store.remove([3, 59])
    assert len(other) == 58 and other.packed  # another process sees it
    index = other.to_index()
    left = np.delete(np.arange(60), [3, 59])
    assert index.kneighbors(pack_codes(codes[left]), 1)[1].ravel().tolist() == left.tolist()


def test_upsert_replaces_whole_rows(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32)
    store.add(codes[:40], ids=np.arange(40), task="old")
    store.upsert(1 - codes[30:60], ids=np.arange(30, 60), task=["new"] * 29 + [None])
    assert len(store) == 60
    distances, ids = store.kneighbors(1 - codes[30:59], 1, task="new")
    assert (distances == 0).all() and ids.ravel().tolist() == list(range(30, 59))
    assert store.kneighbors(codes[:30], 30, task="old")[1].max() == 29
    with pytest.raises(ValueError, match="repeated"):
        store.upsert(codes[:2], ids=[5, 5])


def test_ids_of_any_text_are_safe(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32, id_type="str")
    store.add(codes[: len(HOSTILE)], ids=HOSTILE, task=HOSTILE)
    for name, code in zip(HOSTILE, codes):
        distances, ids = store.kneighbors([code], 1, task=name)
        assert distances.tolist() == [[0]] and ids.tolist() == [[name]]
    store.remove(HOSTILE[2:3])
    assert len(store) == len(HOSTILE) - 1
    store.remove(HOSTILE[:2] + HOSTILE[3:])
    assert len(store) == 0
    with pytest.raises(ValueError, match="ids are strings"):
        store.add(codes[:1], ids=[1])


def test_tasks_stay_of_their_kind(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32)
    store.add(codes[:40], ids=np.arange(40), task=np.arange(40) % 2)
    assert store.to_index().tasks_ == [0, 1]
    store.add(codes[40:50], ids=np.arange(40, 50))
    with pytest.raises(ValueError, match="10 of 50 rows have no task; give no_task"):
        store.to_index()
    index = store.to_index(no_task=-1)
    assert index.tasks_ == [0, 1, -1]
    assert index.kneighbors(codes[40:50], 1, task=-1)[1].ravel().tolist() == list(range(40, 50))
    store.add(codes[50:], ids=np.arange(50, 60), task="1")
    assert store.kneighbors(codes[50:], 1, task="1")[1].ravel().tolist() == list(range(50, 60))
    assert (store.kneighbors(codes[50:], 20, task=1)[1] < 40).all()
    with pytest.raises(ValueError, match="task has labels of type"):
        store.to_index(no_task=-1)
    store.remove(np.arange(50))
    assert store.to_index().tasks_ == ["1"]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda s, c: s.add(c[:, :8], ids=range(60)), "takes codes 32 wide"),
        (lambda s, c: s.add(c[:2], ids=[0, 99]), r"already: \[0\]"),
        (lambda s, c: s.add(c[:2], ids=[99, 99]), "repeated"),
        (lambda s, c: s.add(c[:2], ids=[99]), "one id for each of 2 rows"),
        (lambda s, c: s.add(c[:1], ids=["x"]), "ids are strings, but .* integers"),
        (
            lambda s, c: s.add(c[:1], ids=np.array([2**63], np.uint64)),
            "ids has 92233720368547758",
        ),
        (lambda s, c: s.add(3 * c[:2], ids=[98, 99]), "holds the value 3"),
        (lambda s, c: s.add(c[:2], ids=[98, 99], task=[1.5, 2.5]), "label 1.5"),
        (lambda s, c: s.add(c[:2], ids=[98, 99], vectors=c[:2]), "keeps no vectors"),
        (lambda s, c: s.remove([1, 99]), r"unknown: \[99\]"),
        (lambda s, c: s.kneighbors(c, 61), "n_neighbors = 61"),
        (lambda s, c: s.kneighbors(c, 0), "n_neighbors > 0"),
        (lambda s, c: s.kneighbors(c, 1, task="x' OR '1'='1"), "n_samples_fit = 0"),
        (lambda s, c: s.kneighbors(c, 1, vectors=c), "keeps no vectors"),
        (lambda s, c: s.kneighbors(c[:, 1:] - 0.5, 1), "32 wide"),
        (lambda s, c: CodeStore(s.path, n_bits=64), "n_bits=64, but the store has n_bits=32"),
        (lambda s, c: CodeStore(s.path, id_type="str"), "id_type='str', but the store"),
        (lambda s, c: CodeStore(s.path, compact_every=0), "compact_every=0"),
        (lambda s, c: CodeStore(s.path + "/new", n_bits=0), "n_bits=0"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(tmp_path, codes, call, message):
    store = CodeStore(tmp_path, n_bits=32)
    store.add(codes, ids=np.arange(60), task="a")
    with pytest.raises(ValueError, match=message):
        call(store, codes)
    assert len(store) == 60


def test_padding_of_packed_codes(tmp_path):
    store = CodeStore(tmp_path, n_bits=12, packed=True)
    store.add(np.array([[255, 240]], np.uint8), ids=[1])
    with pytest.raises(ValueError, match="beyond the 12"):
        store.kneighbors(np.array([[255, 255]], np.uint8), 1)


def test_no_store_and_a_broken_store(tmp_path):
    with pytest.raises(ValueError, match=r"there is no store in .*give n_bits"):
        CodeStore(tmp_path / "nothing")
    store = CodeStore(tmp_path, n_bits=8)
    with pytest.raises(ValueError, match="is empty"):
        store.to_index()
    store.add([[0] * 8], ids=[1])
    for file in tmp_path.rglob("*.lance"):
        if file.is_file():
            file.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"cannot be read.*restore its files"):
        CodeStore(tmp_path).kneighbors([[0] * 8], 1)
    with pytest.raises(ValueError, match=r"cannot be read.*restore its files"):
        CodeStore(tmp_path).to_index()


def files_of(folder):
    return sum(path.is_file() for path in folder.rglob("*"))


def test_single_adds_leave_few_files(tmp_path, codes, monkeypatch):
    monkeypatch.setattr("sktgsh.neighbors.store.writing._KEEP", timedelta(milliseconds=1))
    store = CodeStore(tmp_path, n_bits=32, compact_every=8)
    for row in range(30):
        store.add(codes[row : row + 1], ids=[row])
    assert files_of(tmp_path) < 40
    np.testing.assert_array_equal(store.kneighbors(codes[:30], 1)[1].ravel(), np.arange(30))
    plain = CodeStore(tmp_path, compact_every=None)
    for row in range(10):
        plain.upsert(1 - codes[row : row + 1], ids=[row])
    before = files_of(tmp_path)
    plain.compact()
    assert files_of(tmp_path) < before - 20
    assert (plain.kneighbors(1 - codes[:10], 1)[0] == 0).all() and len(plain) == 30


def test_ids_are_looked_up_in_an_index(tmp_path, monkeypatch):
    store = CodeStore(tmp_path, n_bits=16, packed=True)
    codes = np.random.default_rng(0).integers(0, 256, (20_000, 2), dtype=np.uint8)
    store.add(codes, ids=np.arange(20_000))
    # Rows that the index does not hold are scanned; after a large change there are none.
    assert store._table.index_stats("id_idx").num_unindexed_rows == 0
    read, scan = [], CodeStore._scan

    def counted(self, columns, where=None):
        for batch in scan(self, columns, where):
            read.append(len(batch))
            yield batch

    monkeypatch.setattr(CodeStore, "_scan", counted)
    store.add(codes[:3], ids=[20_000, 20_001, -5])
    with pytest.raises(ValueError, match=r"already: \[7\]"):
        store.add(codes[:2], ids=[7, 30_000])
    store.remove([3, 20_001])
    assert sum(read) == 3
    assert len(store) == 20_001


def test_a_store_of_an_earlier_version_gets_the_index(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32)
    store._table.drop_index("id_idx")
    store.add(codes, ids=np.arange(60))
    with pytest.raises(ValueError, match="already"):
        store.add(codes[:1], ids=[0])
    store.compact()
    assert [index.name for index in store._table.list_indices()] == ["id_idx"]
    assert store.kneighbors(codes, 1)[1].ravel().tolist() == list(range(60))


def test_tasks_are_listed_and_removed(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32)
    assert store.tasks() == [] and store.ids().tolist() == []
    task = [1, "1", None] * 20
    store.add(codes, ids=np.arange(60)[::-1], task=task)
    assert set(store.tasks()) == {1, "1", None}
    assert store.ids().tolist() == list(range(60))
    assert store.ids(task="1").tolist() == list(range(1, 60, 3))
    for arguments, message in [
        ({}, "either ids or task"),
        ({"ids": [1], "task": 1}, "either ids or task"),
        ({"task": ["1", "z"]}, "unknown label 'z'; the tasks of the store are"),
    ]:
        with pytest.raises(ValueError, match=message):
            store.remove(**arguments)
    assert len(store) == 60
    store.remove(task="1")
    assert set(store.tasks()) == {1, None} and len(store) == 40
    assert store.ids(task="1").tolist() == [] and store.ids(task=1).tolist() == list(
        range(2, 60, 3)
    )
    with pytest.raises(ValueError, match="n_samples_fit = 0"):
        store.kneighbors(codes[:1], 1, task="1")
    store.remove(task=[1])
    assert store.tasks() == [None] and len(store) == 20


class Kind(str, enum.Enum):  # noqa: UP042 - unlike StrEnum, str(member) is not its value
    RED = "red"
    BLUE = "blue"


def test_members_of_an_enum(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32, id_type="str")
    store.add(codes[:2], ids=list(Kind), task=list(Kind))
    distances, ids = store.kneighbors(codes[:2], 1, task=["red", Kind.BLUE])
    assert ids.tolist() == [["red"], ["blue"]] and (distances == 0).all()


@pytest.mark.parametrize("kind", ["relative", "home", "url"])
def test_every_name_of_a_folder_has_the_same_lock(tmp_path, codes, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = {"relative": "new codes", "home": "~/new codes", "url": f"file://{tmp_path}/new%20codes"}
    store = CodeStore(name[kind], n_bits=32)
    folder = tmp_path / "new codes"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.add(codes, ids=np.arange(60))
    with pytest.raises(ValueError, match="already"):
        pickle.loads(pickle.dumps(store)).add(codes[:2], ids=[60, 0])
    assert len(store) == len(CodeStore(folder)) == 60
    assert [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("writer.lock")] == [
        "new codes"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "new codes"]
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_url_of_another_host_is_refused(tmp_path):
    with pytest.raises(ValueError, match="host 'server'"):
        CodeStore("file://server/codes", n_bits=8)


def test_a_reader_whose_files_go_reads_again(tmp_path, codes, monkeypatch):
    monkeypatch.setattr("sktgsh.neighbors.store.writing._KEEP", timedelta(milliseconds=1))
    store, other = CodeStore(tmp_path, n_bits=32), CodeStore(tmp_path)
    for row in range(6):
        store.add(codes[row : row + 1], ids=[row])
    calls = []

    def read():
        calls.append(1)
        if len(calls) == 1:  # meanwhile
            other.upsert(codes[10:11], ids=[10])
            other.compact()
        return sorted(store._everything()[0].tolist())

    assert store._read(read) == [0, 1, 2, 3, 4, 5, 10] and len(calls) == 2


# -- several processes ---------------------------------------------------------------------------


def code_of(ids):
    """64 bits that tell an id."""
    return np.stack([np.random.default_rng(int(i) % 2**32).integers(0, 2, 64) for i in ids])


def work(path, number, start, report):
    """Create the store, add own rows and contested ones, search; tell what was acknowledged."""
    told = os.open(report, os.O_WRONLY | os.O_APPEND)
    start.wait()
    store = CodeStore(path, n_bits=64, compact_every=8)
    batch = 0
    while batch < 3 or number == 0:  # the first goes on until it is killed
        own = 10_000 * number + 4 * batch + np.arange(4)
        store.add(code_of(own), ids=own, task=number)
        os.write(told, f"{number} own {batch}\n".encode())
        contested = -1 - batch % 3
        try:
            store.add(code_of([contested]), ids=[contested], task=number)
            os.write(told, f"{number} won {contested}\n".encode())
        except ValueError as error:
            assert "already" in str(error)  # noqa: PT017 - who wins is up to the race
        store.upsert(code_of([-100]), ids=[-100], task=number)
        distances, ids = store.kneighbors(code_of(own), 1, task=[number] * 4)
        assert (distances == 0).all() and ids.ravel().tolist() == own.tolist()
        batch += 1


def test_eight_processes_one_of_them_killed(tmp_path):
    context = multiprocessing.get_context("forkserver")
    # Imported once, not by each of the eight.
    context.set_forkserver_preload(["sktgsh.neighbors", "lancedb", "pytest", "sklearn.metrics"])
    start, report, path = context.Event(), tmp_path / "report", str(tmp_path / "store")
    report.touch()
    processes = [
        context.Process(target=work, args=(path, number, start, str(report))) for number in range(8)
    ]
    for process in processes:
        process.start()
    start.set()
    while "0 own 1" not in report.read_text():
        assert processes[0].is_alive()
        time.sleep(0.02)
    os.kill(processes[0].pid, signal.SIGKILL)
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [-signal.SIGKILL] + [0] * 7
    index = CodeStore(path).to_index()
    there = index.ids_.tolist()
    assert len(set(there)) == len(there)
    lines = [line.split() for line in report.read_text().splitlines()]
    for number, _, batch in (line for line in lines if line[1] == "own"):
        assert {10_000 * int(number) + 4 * int(batch) + place for place in range(4)} <= set(there)
    assert sum(0 <= label < 10_000 for label in there) % 4 == 0  # nothing of the killed is half
    won = [int(label) for _, what, label in lines if what == "won"]
    assert 2 <= len(won) == len(set(won))
    assert {label for label in there if label < 0} == {-1, -2, -3, -100}
    np.testing.assert_array_equal(index.kneighbors(code_of(there), 1)[0], 0)
