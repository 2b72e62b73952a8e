import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sktgsh.codes import hamming_distances, pack_codes
from sktgsh.neighbors import CodeStore

pytest.importorskip("lancedb")


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


def test_add_remove_and_index(tmp_path, codes):
    store = CodeStore(tmp_path, n_bits=32, packed=True)
    other = CodeStore(tmp_path, packed=True)
    store.add(pack_codes(codes[:40]), ids=np.arange(40))
    store.add(pack_codes(codes[40:]), ids=np.arange(40, 60))
    store.remove([3, 59])
    assert len(other) == 58  # another process sees it
    index = other.to_index()
    left = np.delete(np.arange(60), [3, 59])
    assert index.kneighbors(pack_codes(codes[left]), 1)[1].ravel().tolist() == left.tolist()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda s, c: s.add(c[:, :8], ids=range(60)), "takes codes 32 wide"),
        (lambda s, c: s.add(c[:2], ids=[0, 99]), r"already: \[0\]"),
        (lambda s, c: s.add(c[:2], ids=[99, 99]), "repeated"),
        (lambda s, c: s.add(c[:2], ids=[99]), "one integer for each row"),
        (lambda s, c: s.add(3 * c[:2], ids=[98, 99]), "holds the value 3"),
        (lambda s, c: s.remove([1, 99]), r"unknown: \[99\]"),
        (lambda s, c: s.kneighbors(c, 61), "n_neighbors = 61"),
        (lambda s, c: s.kneighbors(c, 1, task="x' OR '1'='1"), "n_samples_fit = 0"),
        (lambda s, c: CodeStore(s.path, n_bits=64), "n_bits=64, but the store holds"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(tmp_path, codes, call, message):
    store = CodeStore(tmp_path, n_bits=32)
    store.add(codes, ids=np.arange(60), task="a")
    with pytest.raises(ValueError, match=message):
        call(store, codes)
    assert len(store) == 60


def test_no_store_and_a_broken_store(tmp_path):
    with pytest.raises(ValueError, match="there is no store in .*give n_bits"):
        CodeStore(tmp_path / "nothing")
    store = CodeStore(tmp_path, n_bits=8)
    store.add([[0] * 8], ids=[1])
    for file in tmp_path.rglob("*.lance"):
        if file.is_file():
            file.write_bytes(b"broken")
    with pytest.raises(ValueError, match="cannot be read.*restore its files"):
        CodeStore(tmp_path).kneighbors([[0] * 8], 1)
    with pytest.raises(ValueError, match="cannot be read.*restore its files"):
        CodeStore(tmp_path).to_index()


WRITER = """
import sys
import numpy as np
from sktgsh.neighbors import CodeStore
store = CodeStore(sys.argv[1], n_bits=64)
rng = np.random.default_rng(0)
for batch in range(10_000):
    store.add(rng.integers(0, 2, (500, 64)), ids=np.arange(500) + 500 * batch)
    print(batch, flush=True)
"""


def test_a_killed_writer_loses_nothing_and_leaves_no_half(tmp_path):
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    acknowledged = [int(writer.stdout.readline()) for _ in range(6)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    store = CodeStore(tmp_path)
    n_rows = len(store)
    assert n_rows % 500 == 0 and n_rows >= 500 * len(acknowledged)
    expected = np.random.default_rng(0).integers(0, 2, (500, 64))
    distances, ids = store.kneighbors(expected[:5], 1)
    assert (distances == 0).all()
    index = store.to_index()
    assert sorted(index.ids_.tolist()) == list(range(n_rows))
