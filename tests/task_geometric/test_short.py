"""A few rows take a shorter way to the same bits."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_tasks import small

from sktgsh import SparseEncoder
from sktgsh.networks import DenseExpansion
from sktgsh.task_geometric.encoding import short
from sktgsh.task_geometric.encoding.short import MOST_ROWS, ShortReader

SETTINGS = [
    dict(),
    dict(encoder="gaussian", passthrough=False),
    dict(head="block"),
    dict(encoder=SparseEncoder(5)),
    dict(encoder="conv"),
    dict(structure_fraction=0.5, packed=True),
]


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def fitted(request, few):
    X, y, task = few
    hasher = small(**request.param).fit(X, y, task=task)
    return hasher, X, task, hasher.transform(X, task=task)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_few_rows_have_the_bits_that_they_have_among_all(fitted, data):
    hasher, X, task, codes = fitted
    rows = data.draw(st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=MOST_ROWS + 2))
    dtype = data.draw(st.sampled_from([np.float64, np.float32, np.uint8]))
    found = hasher.transform(X[rows].astype(dtype), task=task[rows])
    np.testing.assert_array_equal(found, codes[rows])
    width = data.draw(st.integers(1, hasher.n_bits_))
    prefix = hasher.transform(X[rows], task=task[rows], n_bits=width)
    np.testing.assert_array_equal(prefix, hasher.transform(X, task=task, n_bits=width)[rows])


def test_rows_on_the_threshold_are_read_in_a_full_batch(few):
    X, y, task = few
    hasher = small().fit(X[task == 0], y[task == 0])
    modulation, network = hasher.modulations_[0], hasher.model_.network
    row = X[task == 0][:1].astype(np.float64)
    scores = []
    network.map_scores(lambda _, found: scores.append(found.copy()), row, None, modulation)
    # Each bias is moved so that the score of its bit lies within the rounding of 0.
    for nudge in (0.0, 1e-7, -1e-7):
        bias = modulation.bias - scores[0][0] + np.float32(nudge)
        moved = type(modulation)(
            modulation.context, modulation.strength, bias, modulation.classes, modulation.codewords
        )
        _, certain = network.short_bits(row, np.arange(1), moved)
        assert not certain.any()
        model = type(hasher.model_)(network, {0: moved})
        many = np.repeat(row, 40, axis=0)
        (among,) = network.map_scores(lambda _, found: found > 0, many, None, moved)
        np.testing.assert_array_equal(model.short_codes(row, np.zeros(1, int))[0], among[0])


def test_most_rows_are_certain(few):
    X, y, task = few
    hasher = small(n_bits=64).fit(X[task == 0], y[task == 0])
    network, modulation = hasher.model_.network, hasher.modulations_[0]
    _, certain = network.short_bits(X, np.arange(len(X)), modulation)
    assert certain.mean() > 0.9


def test_a_closer_look_settles_what_norms_leave_in_doubt(few, monkeypatch):
    X, y, task = few
    hasher = small(n_bits=64).fit(X[task == 0], y[task == 0])
    network, modulation = hasher.model_.network, hasher.modulations_[0]
    positions = np.arange(len(X))
    bits, certain = network.short_bits(X, positions, modulation)
    long = np.concatenate(network.map_scores(lambda _, found: found > 0, X, None, modulation))
    np.testing.assert_array_equal(bits[certain], long[certain])

    def no_look(self, hidden, bits, unit_bounds):
        return np.zeros(len(bits)), np.zeros(len(bits), bool)

    monkeypatch.setattr(ShortReader, "_look_closely", no_look)
    _, by_norms = network.short_bits(X, positions, modulation)
    assert certain[by_norms].all()
    assert (~certain).sum() <= (~by_norms).sum() / 3


def test_a_row_of_many_units_takes_no_inner_products(few, monkeypatch):
    X, y, task = few
    hasher = small().fit(X, y, task=task)
    codes = hasher.transform(X, task=task)
    monkeypatch.setattr(short, "_UNSHARED", 0)
    alone = [hasher.transform(X[row : row + 1], task=task[row]) for row in range(20)]
    np.testing.assert_array_equal(np.concatenate(alone), codes[:20])


def test_weights_that_are_kept_for_the_next_call_are_not_saved(few):
    X, y, task = few
    hasher = small().fit(X, y, task=task)
    before = pickle.dumps(hasher)
    codes = {label: hasher.transform(X[:3], task=label) for label in hasher.tasks_}
    assert pickle.dumps(hasher) == before
    for label, found in codes.items():
        many = np.repeat(X[:3], 20, axis=0)
        for copied in (hasher, deepcopy(hasher)):
            np.testing.assert_array_equal(copied.transform(many, task=label)[::20], found)


def test_the_bound_holds_for_scores_of_both_ways(few):
    X, y, task = few
    hasher = small(n_bits=64).fit(X[task == 0], y[task == 0])
    network, modulation = hasher.model_.network, hasher.modulations_[0]
    assert isinstance(network.encoder.expansion, DenseExpansion)
    network.short_bits(X[:1], np.arange(1), modulation)
    reader = network._short_reader
    long = np.concatenate(network.map_scores(lambda _, found: found.copy(), X, None, modulation))
    samples = network.inputs(X, np.arange(len(X)))
    rows = samples.astype(np.float64)
    hidden = np.hstack([np.maximum(rows @ reader.expansion.T.astype(np.float64), 0), rows])
    exact = hidden @ reader.weights.T.astype(np.float64) + reader.bias
    norms = np.linalg.norm(samples, axis=1)[:, None]
    active = np.sqrt(np.square(hidden).sum(axis=1, keepdims=True) + 1)
    bound = norms * reader.unit_bound + active * reader.read_bound
    assert (np.abs(long - exact) < bound).all()
