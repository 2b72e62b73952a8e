"""Small work on one thread, large on all; what was set stays set; threads, fork and spawn agree."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from sktgsh import (
    ConvEncoder,
    DeepSupervisedHasher,
    FlyHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
    WinnerTakeAllAutoencoder,
    threads,
)
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors
from sktgsh.task_geometric.model import TaskModel
from sktgsh.threads import LARGE, one_thread, parallel_map, threads_for


def settings():
    return torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 32)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


@pytest.fixture
def two_threads():
    """The tests may run under OMP_NUM_THREADS=1, where there would be nothing to tell apart."""
    with threadpool_limits(2):
        yield


@pytest.fixture
def shared(monkeypatch):
    """Items are handed to other threads however short they are."""
    monkeypatch.setattr(threads, "LEAST_SECONDS", 0)


def test_one_thread_is_one_and_is_undone(two_threads):
    before = settings()
    with one_thread():
        n_torch, pools = settings()
        assert n_torch == 1
        assert set(pools) == {1}
        with one_thread():
            pass
        assert settings() == (n_torch, pools)
    assert settings() == before


def test_undone_after_an_error(two_threads):
    before = settings()
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert settings() == before


def test_large_work_keeps_what_was_set(two_threads):
    with threads_for(LARGE):
        assert torch.get_num_threads() == 2
    with threads_for(LARGE / 2):
        assert torch.get_num_threads() == 1


def test_threads_come_and_go_in_any_order(two_threads):
    """The first to enter leaves while the second is inside: nothing stays limited."""
    before = settings()
    first_out, second_in = threading.Event(), threading.Event()

    def second():
        with one_thread():
            second_in.set()
            assert first_out.wait(10)
            return torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        with one_thread():
            running = pool.submit(second)
            assert second_in.wait(10)
        assert settings() == before
        first_out.set()
        assert running.result() == 1
    assert settings() == before


def test_parallel_map_keeps_order_and_errors(two_threads, shared):
    names = set()

    def limited(item):
        names.add(threading.current_thread().name)
        if item == 77:
            raise ValueError("item 77")
        return item, torch.get_num_threads()

    before = settings()
    assert parallel_map(limited, range(50), 4) == [(item, 1) for item in range(50)]
    assert any(name.startswith("sktgsh") for name in names)
    with pytest.raises(ValueError, match="item 77"):
        parallel_map(limited, range(100), 4)
    assert settings() == before
    assert parallel_map(limited, []) == []


def test_short_items_stay_on_the_calling_thread(two_threads):
    names = parallel_map(lambda item: threading.current_thread().name, range(9), 4)
    assert set(names) == {threading.current_thread().name}


def estimators(rows):
    X, y = rows
    tasks = np.arange(len(y)) % 2
    return [
        SignedRandomProjectionHasher(n_bits=16, random_state=0).fit(X),
        FlyHasher(n_bits=64, random_state=0).fit(X),
        DeepSupervisedHasher(n_bits=8, solver=GradientSolver(max_epochs=1), random_state=0).fit(
            X, y
        ),
        WinnerTakeAllAutoencoder(8, solver=GradientSolver(max_epochs=1), random_state=0).fit(X),
        TaskGeometricHasher(16, n_hidden=64, random_state=0).fit(X, y, task=tasks),
    ]


def codes_of(estimator, X):
    if isinstance(estimator, TaskGeometricHasher):
        return estimator.transform(X, task=np.arange(len(X)) % 2)
    return estimator.transform(X)


@pytest.mark.parametrize("n_threads", [2, 5])
@pytest.mark.parametrize("params", [{}, {"head": "block"}, {"encoder": "conv"}], ids=str)
def test_flagship_reads_the_same_whatever_the_number_of_threads(rows, shared, n_threads, params):
    """To the bit, rows of two tasks mixed."""
    X, y = rows
    tasks = np.arange(len(y)) % 2
    if "encoder" in params:
        params = {"encoder": ConvEncoder((8, 4))}
    hasher = TaskGeometricHasher(16, n_hidden=64, random_state=0, **params)
    hasher.fit(X[:300], y[:300], task=tasks[:300])

    def work():
        return [
            hasher.decision_function(X, task=tasks),
            hasher.transform(X[:1500], task=1, n_bits=9),
            hasher.predict_task(X, return_score=True)[1],
            hasher.predict_class(X, task=tasks),
            hasher.representation(X, task=0),
        ]

    with threadpool_limits(1):
        expected = work()
    with threadpool_limits(n_threads):
        before = settings()
        found = work()
        assert settings() == before
    for one, other in zip(expected, found):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("head", ["shared", "block"])
def test_flagship_learns_the_same_whatever_the_number_of_threads(rows, shared, head):
    """A small network, which is learned on one thread; the sums of rows are filled by several."""
    X, y = rows

    def learned():
        hasher = TaskGeometricHasher(16, n_hidden=64, head=head, random_state=0).fit(X, y)
        return [hasher.contexts_, hasher.biases_, hasher.predict_task(X, return_score=True)[1]]

    with threadpool_limits(1):
        expected = learned()
    with threadpool_limits(3):
        found = learned()
    for one, other in zip(expected, found):
        np.testing.assert_array_equal(one, other)


def test_an_error_while_learning_restores_threads(rows, two_threads, monkeypatch):
    X, y = rows
    before = settings()
    monkeypatch.setattr(TaskModel, "_solve", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        TaskGeometricHasher(8, n_hidden=32).fit(X[:200], y[:200])
    assert settings() == before


def test_results_are_those_of_one_thread(rows, two_threads, shared):
    """From 8 threads at once, to the bit."""
    X, _ = rows
    fitted = estimators(rows)
    with threadpool_limits(1):
        expected = [codes_of(estimator, X) for estimator in fitted]
    codes = expected[0]
    indices = [HammingNeighbors().fit(codes), LSHNeighbors(n_bits=8, n_tables=2).fit(X[:500])]
    queries = [codes[:100], X[:100]]
    searched = [index.kneighbors(q, 3) for index, q in zip(indices, queries)]

    def job(number):
        found = indices[number % 2].kneighbors(queries[number % 2], 3)
        return codes_of(fitted[number % 5], X), found

    before = settings()
    with ThreadPoolExecutor(8) as pool:
        for number, (made, found) in enumerate(pool.map(job, range(20))):
            np.testing.assert_array_equal(made, expected[number % 5])
            np.testing.assert_array_equal(found, searched[number % 2])
    assert settings() == before


def _work(X, y):
    """What a child does: large products of torch's and SciPy's among it."""
    product = torch.ones(600, 600) @ torch.ones(600, 600)
    assert (product == 600).all()
    fitted = estimators((X, y))
    codes = fitted[0].transform(X)
    neighbors = HammingNeighbors().fit(codes).kneighbors(codes[:50])
    return [codes_of(estimator, X) for estimator in fitted], neighbors


@pytest.fixture(scope="module")
def done_here(rows):
    """The work of a child, done by the parent, whose threads stay."""
    with threadpool_limits(2):
        return _work(*rows)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_give_the_same(rows, method, two_threads, done_here):
    """The parent's threads are there when it forks: without care the child waits for ever."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    expected = done_here
    with multiprocessing.get_context(method).Pool(1) as pool:
        made, neighbors = pool.apply_async(_work, rows).get(timeout=600)
    for one, other in zip(made, expected[0]):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(neighbors, expected[1])
