import pickle

import numpy as np
import pytest

from sktgsh.codes import pack_codes
from sktgsh.databases import DuckDBCodes, SQLiteCodes

from .conftest import check_found, plain

HOSTILE = [
    "a'b",
    "'; drop table codes; --",
    "' or '1'='1",
    "\\",
    '"',
    "%",
    "%s",
    "é😀",
    "a\nb",
    "Z",
]


def near(codes, rng, n_queries=12):
    """Queries a few bits off a stored code."""
    queries = codes[rng.integers(len(codes), size=n_queries)]
    return queries ^ (rng.random(queries.shape) < 0.04)


@pytest.mark.parametrize("n_bits", [8, 60, 64, 128, 256])
def test_every_width_is_exact(database, n_bits):
    rng = np.random.default_rng(n_bits)
    codes = rng.integers(0, 2, (500, n_bits))
    codes[0], codes[1] = 0, 1  # as far as codes can be
    ids = rng.permutation(500) * 3 - 200
    table = database(n_bits)
    table.add(codes, ids=ids)
    queries = np.concatenate([near(codes, rng), codes[:2]])
    expected, names = plain(queries, codes, ids, 10)
    distances, found = table.kneighbors(queries, 10)
    check_found(database, found, names)
    assert distances.dtype == np.float64 and found.dtype == np.int64
    by_id = dict(zip(ids.tolist(), codes))
    there = np.array([[by_id[name] for name in row] for row in found.tolist()])
    np.testing.assert_array_equal(distances, (there != queries[:, None]).sum(axis=2))
    assert (distances >= expected).all() and (np.diff(distances) >= 0).all()
    packed = database(packed=True)
    check_found(database, packed.kneighbors(pack_codes(queries), 10)[1], names)
    far, everything = table.radius_neighbors(codes[:1], n_bits)
    assert len(everything[0]) == 500 and far[0][-1] == n_bits


@pytest.mark.parametrize("is_sorted", [False, True])
def test_copies_are_all_found_and_ties_go_by_id(database, is_sorted):
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 2, (50, 64))
    place = np.repeat(np.arange(50), 40)
    place = place if is_sorted else rng.permutation(place)
    codes, ids = distinct[place], rng.permutation(2000)
    table = database(64)
    for part in np.array_split(np.arange(2000), 4):
        table.add(codes[part], ids=ids[part])
    expected, names = plain(distinct, codes, ids, 60)
    for k in (1, 10, 40, 60):
        distances, found = table.kneighbors(distinct, k)
        np.testing.assert_array_equal(distances, expected[:, :k])
        np.testing.assert_array_equal(found, names[:, :k])


def test_tasks_filters_and_radius(database):
    rng = np.random.default_rng(0)
    codes, task = rng.integers(0, 2, (600, 64)), rng.integers(0, 5, 600)
    ids = rng.permutation(600)
    table = database(64)
    table.add(codes[:500], ids=ids[:500], task=task[:500])
    table.add(codes[500:], ids=ids[500:])  # of no task
    queries, asked = near(codes, rng, 8), rng.integers(0, 5, 8)
    for query, label in enumerate(asked):
        own = np.flatnonzero(task[:500] == label)
        expected, names = plain(queries[query : query + 1], codes[own], ids[own], 7)
        distances, found = table.kneighbors(queries, 7, task=asked)
        check_found(database, found[query : query + 1], names)
    table._run("create table prices (number bigint, price bigint)")
    for number in ids[::60].tolist():
        table._run(f"insert into prices values ({number}, {number * 2})")
    cheap = f"id in (select number from prices where price < {table._mark})"
    kept = np.isin(ids, [number for number in ids[::60] if number * 2 < 900])
    expected, names = plain(queries, codes[kept], ids[kept], 3)
    distances, found = table.kneighbors(queries, 3, filter=cheap, parameters=[900])
    check_found(database, found, names)
    distances, found = table.radius_neighbors(queries, 20, task=3, filter="id > 100 or id < 50")
    own = np.flatnonzero((task[:500] == 3) & ((ids[:500] > 100) | (ids[:500] < 50)))
    expected, names = plain(queries, codes[own], ids[own], len(own))
    for query in range(8):
        within = expected[query] <= 20
        np.testing.assert_array_equal(distances[query], expected[query][within])
        np.testing.assert_array_equal(found[query], names[query][within])


def test_removal_by_id_and_by_task(database):
    rng = np.random.default_rng(0)
    codes, task = rng.integers(0, 2, (90, 16)), np.arange(90) % 3
    table = database(16)
    table.add(codes, ids=np.arange(90), task=task)
    table.remove([4, 7])
    table.remove(5)
    other = database()
    assert len(other) == 87
    other.remove(task=0)
    left = np.setdiff1d(np.flatnonzero(task), [4, 5, 7])
    assert len(table) == len(left)
    expected, names = plain(codes, codes[left], left, 20)
    check_found(database, table.kneighbors(codes, 20)[1], names)
    table.add(codes[[4]], ids=[4], task=1)  # an id that was removed is free
    assert table.kneighbors(codes[[4]], 1, filter="id = 4")[0] == 0


def test_strings_are_ids_and_tasks(database):
    codes = np.zeros((len(HOSTILE), 8), int)
    table = database(8, id_type="str", task_type="str")
    table.add(codes, ids=HOSTILE, task=HOSTILE)
    assert (table.id_type, table.task_type) == ("str", "str")
    # Ties by the order of code points, which is that of NumPy and not of a language.
    assert table.kneighbors(codes[:1], len(HOSTILE))[1][0].tolist() == sorted(HOSTILE)
    for name in HOSTILE:
        assert table.kneighbors(codes[:1], 1, task=name)[1].tolist() == [[name]]
    table.remove(HOSTILE[1:3])
    table.remove(task="%s")
    assert len(table) == len(HOSTILE) - 3
    with pytest.raises(ValueError, match="already: \\['%'\\]"):
        table.add(codes[:2], ids=["new", "%"])


def test_the_version_of_codes_is_kept(database):
    table = database(8, code_version="a")
    table.add([[0] * 8], ids=[1])
    assert len(database(code_version="a")) == 1 and len(database()) == 1
    with pytest.raises(ValueError, match="holds codes of version 'a'"):
        database(code_version="b")
    with pytest.raises(ValueError, match=r"code_version='b'.*version 'a'"):
        table.add([[0] * 8], ids=[2], code_version="b")
    assert len(table) == 1
    other = database()
    other.remove(1)
    other.add([[1] * 8], ids=[3], code_version="b")  # an empty table takes it over
    with pytest.raises(ValueError, match=r"code_version='a'.*version 'b'"):
        table.kneighbors([[0] * 8], 1)
    database(8, table="plain").add([[1] * 8], ids=[1])
    with pytest.raises(ValueError, match="no version"):
        database(8, table="plain", code_version="a")
    for wrong in (3, {1: None}):
        with pytest.raises(ValueError, match="expected a string"):
            database(code_version=wrong)


def test_each_task_may_have_a_version(database):
    table = database(8, code_version={0: "a", 1: "b"})
    table.add([[0] * 8, [1] * 8], ids=[1, 2], task=[0, 1])
    later = database(code_version={1: "b", np.int64(2): "c"})  # a task that came later
    later.add([[1] * 8], ids=[3], task=2)
    assert later.kneighbors([[0] * 8], 1, task=0)[1] == 1 and len(table) == 3
    for version in ({2: "a"}, {0: "a", 1: "c"}, "a"):
        with pytest.raises(ValueError, match="holds codes of version of task 0 'a', version of"):
            database(code_version=version)
    table.remove([1, 2, 3])
    assert len(database(code_version="a")) == 0  # an empty table takes it over
    database().add([[0] * 8], ids=[1], code_version="a")
    with pytest.raises(ValueError, match="holds codes of version 'a'"):
        table.kneighbors([[0] * 8], 1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda t, c: t.add(c[:, :8], ids=range(60)), "8 bits wide, and those of the table 32"),
        (lambda t, c: t.add(c[:2], ids=[0, 99]), r"already: \[0\]"),
        (lambda t, c: t.add(c[:2], ids=[99, 99]), r"repeated entries: \[99\]"),
        (lambda t, c: t.add(c[:2], ids=[99]), "one id for each of 2 rows"),
        (lambda t, c: t.add(c[:1], ids=["x"]), "ids are str, and those of the table int"),
        (lambda t, c: t.add(c[:1], ids=[2**63]), "integers from"),
        (lambda t, c: t.add(c[:1] + np.nan, ids=[99]), "numbers 0 and 1"),
        (lambda t, c: t.add(c[:2], ids=[98, 99], task=["a", "b"]), "label 'a' of type str"),
        (lambda t, c: t.add(c[:2], ids=[98, 99], task=[1, 2, 3]), "3 labels for 2 rows"),
        (lambda t, c: t.remove([1, 99]), r"unknown: \[99\]"),
        (lambda t, c: t.remove(task=9), "task=9"),
        (lambda t, c: t.remove(), "one of the two"),
        (lambda t, c: t.remove([1], task=1), "one of the two"),
        (lambda t, c: t.kneighbors(c, 61), "n_neighbors = 61"),
        (lambda t, c: t.kneighbors(c, 0), "n_neighbors > 0"),
        (lambda t, c: t.kneighbors(c, 1, task=9), "n_samples_fit = 0"),
        (lambda t, c: t.kneighbors(c[:, 1:], 1), "31 bits wide"),
        (lambda t, c: t.radius_neighbors(c, -1), "radius=-1"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(database, call, message):
    codes = np.random.default_rng(0).integers(0, 2, (60, 32))
    table = database(32)
    table.add(codes, ids=np.arange(60), task=1)
    with pytest.raises(ValueError, match=message):
        call(table, codes)
    assert len(table) == 60
    np.testing.assert_array_equal(table.kneighbors(codes, 1)[1].ravel(), np.arange(60))


def test_opening(database):
    with pytest.raises(ValueError, match=r"no table of codes codes in the database; give n_bits"):
        database()
    table = database(32)
    with pytest.raises(ValueError, match="n_bits=64, but the table codes has n_bits=32"):
        database(64)
    with pytest.raises(ValueError, match="id_type='str', but the table"):
        database(id_type="str")
    with pytest.raises(ValueError, match="n_bits=0"):
        database(0, table="other")
    with pytest.raises(ValueError, match="id_type='uuid'"):
        database(8, table="other", id_type="uuid")
    with pytest.raises(ValueError, match="table='a b'"):
        database(8, table="a b")
    assert table.kneighbors(np.zeros((0, 32)), 3)[1].shape == (0, 3)
    table.add(np.zeros((0, 32)), ids=[])
    assert len(table) == 0
    again = pickle.loads(pickle.dumps(table)) if database.kind != "duckdb" else table
    again.add(np.ones((1, 32)), ids=[3])
    assert len(table) == 1
    again.close()


def test_a_hundred_thousand_rows(database):
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 256, (3000, 8), dtype=np.uint8)
    codes = distinct[rng.integers(3000, size=100_000)]
    table = database(64, packed=True)
    table.add(codes, ids=np.arange(100_000), task=np.arange(100_000) % 100)
    queries = np.unpackbits(distinct[:20], axis=1) ^ (rng.random((20, 64)) < 0.03)
    words, asked = (
        pack_codes(c).view(np.uint64).ravel() for c in (np.unpackbits(codes, axis=1), queries)
    )
    distances = np.bitwise_count(asked[:, None] ^ words).astype(int)
    expected = np.argsort(distances, axis=1, kind="stable")[:, :10]
    check_found(database, table.kneighbors(pack_codes(queries), 10)[1], expected)
    own = np.flatnonzero(np.arange(100_000) % 100 == 7)
    expected = own[np.argsort(distances[:, own], axis=1, kind="stable")[:, :5]]
    check_found(database, table.kneighbors(pack_codes(queries), 5, task=7)[1], expected)


@pytest.mark.parametrize("room", [DuckDBCodes, SQLiteCodes])
def test_what_is_missing_is_named(room, monkeypatch):
    for module in ("duckdb", "sqlite_vec"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ImportError, match=r"pip install sktgsh\["):
        room(":memory:", 8)
