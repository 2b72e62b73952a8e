"""The model alone, without an estimator around it."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from learned_tasks import small

from sktgsh.task_geometric.encoding.build import build_network
from sktgsh.task_geometric.encoding.encoders import DifferenceEncoder
from sktgsh.task_geometric.learning.rows import Rows
from sktgsh.task_geometric.learning.settings import LearningSettings
from sktgsh.task_geometric.model import TaskModel

SETTINGS = LearningSettings(True, None, (0.01, 0.1, 1.0), "learned", True, 4)


def rows_of(X, y):
    return Rows(X, np.arange(len(X)), y)


def new_model(X, seed=0):
    network = build_network(
        DifferenceEncoder(),
        X,
        np.arange(len(X)),
        n_bits=8,
        n_hidden=64,
        head="shared",
        passthrough=True,
        structure_share=0.0,
        seed=seed,
        device=torch.device("cpu"),
    )
    return TaskModel(network)


def codes_of(model, X, label):
    codes = np.empty((len(X), 8), bool)

    def store(rows, scores):
        codes[rows] = scores > 0

    model.map_scores(store, X, np.repeat([label], len(X)), 8)
    return codes


@pytest.fixture(scope="module")
def tasks(few):
    X, y, task = few
    return {label: (X[task == label], y[task == label]) for label in (0, 30)}


def test_learning_gives_a_new_model_and_leaves_the_old_one(tasks):
    empty = new_model(tasks[0][0])
    one = empty.learn(0, rows_of(*tasks[0]), SETTINGS)
    before, parts = codes_of(one, tasks[0][0], 0), copy.copy(one)
    two = one.learn(30, rows_of(*tasks[30]), SETTINGS)
    assert (empty.tasks, one.tasks, two.tasks) == ([], [0], [0, 30])
    assert two.network is one.network and two.modulations[0] is one.modulations[0]
    assert parts == one and list(one.statistics) == [0]
    np.testing.assert_array_equal(codes_of(two, tasks[0][0], 0), before)


def test_sums_of_chunks_give_what_all_rows_give(tasks):
    X, y = tasks[0]
    model = new_model(X)
    whole = model.learn("a", rows_of(X, y), SETTINGS)
    half = len(X) // 2
    chunks = [
        model.sums_of("a", rows_of(X[part], y[part]), SETTINGS)
        for part in (slice(half), slice(half, None))
    ]
    summed = model.learn_sums("a", chunks[0] + chunks[1], SETTINGS)
    assert (codes_of(summed, X, "a") == codes_of(whole, X, "a")).mean() > 0.99


def test_merging_adopting_and_closing(tasks):
    (X, y), (Q, q) = tasks[0], tasks[30]
    start = new_model(X).learn(0, rows_of(X, y), SETTINGS)
    left = start.learn(30, rows_of(Q[::2], q[::2]), SETTINGS)
    right = start.learn(30, rows_of(Q[1::2], q[1::2]), SETTINGS)
    merged = left.merge_task(30, right, SETTINGS)
    whole = start.learn(30, rows_of(Q, q), SETTINGS)
    assert (codes_of(merged, Q, 30) == codes_of(whole, Q, 30)).mean() > 0.99
    adopted = start.adopt(60, right.modulations[30], share_codebook=True)
    np.testing.assert_array_equal(codes_of(adopted, Q, 60), codes_of(right, Q, 30))
    with pytest.raises(ValueError, match="is known here already"):
        left.adopt(30, right.modulations[30], share_codebook=True)
    other = replace(right.modulations[30], codewords=-right.modulations[30].codewords)
    with pytest.raises(ValueError, match="another codeword"):
        start.adopt(90, other, share_codebook=True)
    assert list(merged.close(0).statistics) == [30] and not merged.close().statistics


def test_the_oldest_tasks_are_closed(tasks):
    model = new_model(tasks[0][0])
    for label in "abc":
        model = model.learn(label, rows_of(*tasks[0]), replace(SETTINGS, max_open_tasks=2))
    assert list(model.statistics) == ["b", "c"]


def test_fingerprints_tell_networks_apart(tasks):
    X = tasks[0][0]
    first, same, other = new_model(X), new_model(X), new_model(X, seed=1)
    assert first.network.fingerprint() == same.network.fingerprint()
    assert first.network.fingerprint() != other.network.fingerprint()
    opened = pickle.loads(pickle.dumps(first))
    assert opened.network.fingerprint() == first.network.fingerprint()


def test_the_estimator_asks_the_model(tasks):
    (X, y), (Q, q) = tasks[0], tasks[30]
    hasher = small(n_bits=8).fit(X, y, task=0).partial_fit(Q, q, task=30)
    codes = codes_of(hasher.model_, Q, 30)
    np.testing.assert_array_equal(hasher.transform(Q, task=30), codes)
    found, _, _ = hasher.model_.infer(Q)
    np.testing.assert_array_equal(hasher.predict_task(Q), hasher.tasks_[found])
    np.testing.assert_array_equal(hasher.task_similarity(), hasher.model_.similarity())
