"""Indexes of vectors against plain NumPy, under any sequence of changes."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from scipy import sparse
from sklearn.metrics import pairwise_distances

from sktgsh import SignedRandomProjectionHasher
from sktgsh.neighbors import LSHNeighbors, RescoredNeighbors

N_FEATURES, N_TASKS = 5, 2
QUERIES = np.random.default_rng(0).normal(size=(4, N_FEATURES))
# So many tables of one bit, and so many candidates, that every row is one.
SIGNS = SignedRandomProjectionHasher()
EVERYTHING = dict(n_bits=1, n_tables=80, metric="euclidean", random_state=0)
INDEXES = {
    "tables": lambda: LSHNeighbors(SIGNS, **EVERYTHING),
    "sparse rows": lambda: LSHNeighbors(SIGNS, **EVERYTHING),
    "rescored": lambda: RescoredNeighbors(metric="euclidean", oversampling=1e6),
}
seeds = st.integers(0, 2**32 - 1)


def machine_of(name):
    form = sparse.csr_array if name == "sparse rows" else np.asarray

    class Changes(RuleBasedStateMachine):
        @initialize(seed=seeds, has_tasks=st.booleans())
        def fit(self, seed, has_tasks):
            self.has_tasks, self.others = has_tasks, []
            self.rows, self.tasks = drawn(seed)
            self.index = INDEXES[name]().fit(form(self.rows), **self.given(self.tasks))

        def given(self, tasks):
            return {"task": tasks} if self.has_tasks else {}

        @rule(seed=seeds)
        def add(self, seed):
            rows, tasks = drawn(seed)
            self.index.add(form(rows), **self.given(tasks))
            self.rows = np.concatenate([self.rows, rows])
            self.tasks = np.concatenate([self.tasks, tasks])

        @rule(
            how=st.sampled_from([copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
        )
        def replace_by_copy(self, how):
            self.others.append((self.index, self.rows, self.tasks))
            self.index = how(self.index)

        @invariant()
        def agrees(self):
            for index, rows, tasks in [(self.index, self.rows, self.tasks), *self.others[-1:]]:
                check(index, rows, tasks if self.has_tasks else None, form)

    return Changes


def drawn(seed):
    """Rows, some of them equal, of both tasks."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(int(rng.integers(1, 4)), N_FEATURES))
    rows = rows[rng.integers(len(rows), size=int(rng.integers(4, 9)))]
    return rows, np.arange(len(rows)) % N_TASKS


def check(index, rows, tasks, form):
    assert index.n_samples_fit_ == len(rows)
    distances = pairwise_distances(QUERIES, rows)
    asked = [None] if tasks is None else [None, 1, np.array([0, 1, 1, 0])]
    for task in asked:
        of_task = np.ones(distances.shape, bool)
        if task is not None:
            of_task = np.broadcast_to(np.reshape(task, (-1, 1)), distances.shape) == tasks
        expected = np.where(of_task, distances, np.inf)
        near, found = index.kneighbors(form(QUERIES), 2, task=task)
        np.testing.assert_allclose(near, np.sort(expected, axis=1)[:, :2], rtol=1e-4)
        np.testing.assert_allclose(np.take_along_axis(expected, found, axis=1), near, rtol=1e-4)
        near, found = index.radius_neighbors(form(QUERIES), 2.5, task=task)
        for query, own in enumerate(found):
            assert sorted(own.tolist()) == np.flatnonzero(expected[query] <= 2.5).tolist()


@pytest.mark.parametrize("name", INDEXES)
def test_any_sequence_of_changes(name):
    run_state_machine_as_test(
        machine_of(name),
        settings=settings(
            max_examples=8,
            stateful_step_count=5,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
        ),
    )
