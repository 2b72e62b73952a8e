"""Killed and competing writers, and a full disk: a clear error, nothing lost, nothing half."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

ROWS = 50  # of a call


def opened(database, n_bits=None, **params):
    """As text, what another process runs to open the codes."""
    kind = database.kind
    index = {"index": kind} if kind in ("hnsw", "ivfflat") else {}
    arguments = [repr(database.path), repr(n_bits)]
    arguments += [f"{name}={value!r}" for name, value in {**params, **index}.items()]
    name = database.room.__name__
    return f"from sktgsh.databases import {name}\ncodes = {name}({', '.join(arguments)})\n"


def code_of(ids):
    """64 bits that tell an id."""
    return (np.asarray(ids)[:, None] >> np.arange(64) % 32) & 1


WRITE = """
import sys
import numpy as np
for batch in range(10_000):
    ids = np.arange({rows}) + {rows} * batch
    codes.add((ids[:, None] >> np.arange(64) % 32) & 1, ids=ids, task=3)
    print(batch, flush=True)
"""


def test_a_killed_writer_leaves_whole_calls(database):
    database(64).close()
    script = opened(database) + WRITE.format(rows=ROWS)
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    told = [int(writer.stdout.readline()) for _ in range(4)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    assert writer.wait() == -signal.SIGKILL
    codes = database()
    there = len(codes)
    # All that was acknowledged, and at most one more call that was not.
    assert there % ROWS == 0 and len(told) <= there // ROWS <= len(told) + 1
    ids = np.arange(there)
    np.testing.assert_array_equal(codes.kneighbors(code_of(ids[::7]), 1)[1].ravel(), ids[::7])
    codes.add(code_of([there]), ids=[there])  # and writing goes on


def test_two_writers_of_the_same_ids(database):
    database(64).close()
    start, won, lost = threading.Barrier(2), [], []

    def write(number):
        codes = database()
        database.made.remove(codes)  # closed by the thread that opened it
        start.wait()
        for batch in range(20):
            ids = ROWS * batch + np.arange(ROWS)
            try:
                codes.add(code_of(ids), ids=ids, task=number)
                won.append((batch, number))
            except ValueError as error:
                lost.append(str(error))
        codes.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = database()
    assert len(won) == len(lost) == 20 and sorted(batch for batch, _ in won) == list(range(20))
    assert all("already" in error or "another writer" in error for error in lost)
    assert len(codes) == 20 * ROWS
    for batch, number in won:  # rows of one call are of one writer
        own = f"id >= {ROWS * batch} and id < {ROWS * (batch + 1)}"
        assert len(codes.kneighbors(code_of([1]), ROWS, task=number, filter=own)[1][0]) == ROWS


FULL = """
import resource
import numpy as np
rng = np.random.default_rng(0)
codes.add(rng.integers(0, 2, (100, 64)), ids=np.arange(100))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    codes.add(rng.integers(0, 2, (100_000, 64)), ids=1000 + np.arange(100_000))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_full_disk(database):
    if database.kind in ("duckdb", "sqlite"):
        database(64).close()
        script = opened(database) + FULL
        told = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        ).stdout
        assert "disk" in told or "too large" in told or "I/O" in told, told
    else:
        codes = database(64)
        codes.add(code_of(range(100)), ids=range(100))
        with pytest.raises(Exception, match=r"too large|No space|disk"):
            codes.add(code_of(range(100, 350_000)), ids=range(100, 350_000))
    again = database()
    assert len(again) == 100
    again.add(code_of([100]), ids=[100])
    assert len(database()) == 101


@pytest.mark.parametrize("turn", range(4))
def test_several_that_make_the_table_at_once(database, turn):
    start, made = threading.Barrier(4), []

    def make():
        start.wait()
        codes = database(64)
        database.made.remove(codes)
        made.append(len(codes))
        codes.close()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [0] * 4


def test_a_second_process_on_a_file_of_duckdb(database):
    if database.kind != "duckdb":
        pytest.skip("the others take any number of processes")
    database(64)
    told = subprocess.run(
        [sys.executable, "-c", opened(database)], capture_output=True, text=True, check=False
    ).stderr
    assert "lock" in told.lower() and str(os.getpid()) in told
