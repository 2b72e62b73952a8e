"""HammingNeighbors against plain NumPy, under any sequence of changes."""

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

from sktgsh.neighbors import HammingNeighbors

N_BITS = 6  # few: equal codes and ties are many
QUERIES = np.random.default_rng(0).integers(0, 2, (4, N_BITS))
VALUES = np.random.default_rng(1).normal(size=(4, N_BITS)).astype(np.float32)

seeds = st.integers(0, 2**32 - 1)


class Reference:
    """Rows as plain lists."""

    def __init__(self):
        self.codes, self.ids, self.tasks = np.empty((0, N_BITS), int), [], []

    def add(self, codes, ids, tasks):
        self.codes = np.concatenate([self.codes, codes])
        self.ids, self.tasks = self.ids + list(ids), self.tasks + list(tasks)

    def remove(self, ids):
        kept = [row for row, one in enumerate(self.ids) if one not in set(ids)]
        self.codes = self.codes[kept]
        self.ids, self.tasks = [self.ids[r] for r in kept], [self.tasks[r] for r in kept]


class Changes(RuleBasedStateMachine):
    @initialize(seed=seeds, kind=st.sampled_from([None, int, str]), has_tasks=st.booleans())
    def fit(self, seed, kind, has_tasks):
        self.kind, self.has_tasks, self.next_id = kind, has_tasks, 0
        self.plain, self.others = Reference(), []
        codes, ids, tasks = self.drawn(seed)
        self.index = HammingNeighbors().fit(codes, **self.arguments(ids, tasks))
        self.plain.add(codes, ids, tasks)

    def drawn(self, seed):
        rng = np.random.default_rng(seed)
        n_rows = int(rng.integers(1, 12))
        codes = rng.integers(0, 2, (int(rng.integers(1, 4)), N_BITS))
        codes = codes[rng.integers(len(codes), size=n_rows)]
        ids = np.arange(self.next_id, self.next_id + n_rows)
        self.next_id += n_rows
        return codes, list(map(self.kind or int, rng.permutation(ids))), rng.choice(3, n_rows)

    def arguments(self, ids, tasks):
        arguments = {} if self.kind is None else {"ids": ids}
        return arguments | ({"task": tasks} if self.has_tasks else {})

    @rule(seed=seeds)
    def add(self, seed):
        codes, ids, tasks = self.drawn(seed)
        self.index.add(codes, **self.arguments(ids, tasks))
        self.plain.add(codes, ids, tasks)

    @rule(seed=seeds)
    def upsert(self, seed):
        if self.kind is None:
            return
        codes, ids, tasks = self.drawn(seed)
        known = self.plain.ids[: len(ids) // 2]
        ids[: len(known)] = known
        self.index.upsert(codes, **self.arguments(ids, tasks))
        self.plain.remove(ids)
        self.plain.add(codes, ids, tasks)

    @rule(seed=seeds, share=st.sampled_from([0.05, 0.3, 1]))
    def remove(self, seed, share):
        rng = np.random.default_rng(seed)
        rows = np.flatnonzero(rng.random(len(self.plain.ids)) < share)
        gone = [self.plain.ids[row] for row in rows]
        if len(rows):
            self.index.remove(rows if self.kind is None else gone)
            self.plain.remove(gone)

    @rule(how=st.sampled_from([copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]))
    def replace_by_copy(self, how):
        self.others.append((self.index, copy.deepcopy(self.plain)))
        self.index = how(self.index)

    @invariant()
    def agrees(self):
        check(self.index, self.plain, self.kind)
        for index, plain in self.others[-1:]:
            check(index, plain, self.kind)


def check(index, plain, kind):
    n = len(plain.ids)
    assert index.n_samples_fit_ == n
    names = np.array(plain.ids) if kind else np.arange(n)
    if kind:
        assert index.ids_.tolist() == plain.ids
    hamming = (QUERIES[:, None] != plain.codes[None]).sum(axis=2).astype(float)
    wrong = (VALUES[:, None] > 0) != plain.codes[None]
    weighted = (np.abs(VALUES)[:, None] * wrong).sum(axis=2)
    masks = {"all": np.ones(n, bool), "some": np.arange(n) % 3 == 0}
    for queries, distances in [(QUERIES, hamming), (VALUES, weighted)]:
        for name, mask in masks.items():
            chosen = {} if name == "all" else {"filter": mask if kind is None else names[mask]}
            allowed = np.broadcast_to(mask, distances.shape)
            agrees_on(index, queries, distances, allowed, names, chosen)
            tasks = index.tasks_
            if tasks and n:
                assert set(tasks) == set(plain.tasks)
                asked = np.resize(tasks, len(queries))
                allowed = mask & (asked[:, None] == np.array(plain.tasks))
                agrees_on(index, queries, distances, allowed, names, chosen | {"task": asked})


def agrees_on(index, queries, distances, allowed, names, arguments):
    n = len(names)
    expected = np.where(allowed, distances, np.inf)
    row_of = {name: row for row, name in enumerate(names.tolist())}
    for k in {min(1, n), min(3, n), n} - {0}:
        near, found = index.kneighbors(queries, k, **arguments)
        np.testing.assert_allclose(near, np.sort(expected, axis=1)[:, :k], atol=1e-5)
        of_found = np.full(near.shape, np.inf)
        for query, row in enumerate(found.tolist()):
            there = [row_of[one] for one in row if one not in (-1, "")]
            assert len(there) == len(set(there)) == min(k, allowed[query].sum())
            of_found[query, : len(there)] = expected[query, there]
        np.testing.assert_allclose(of_found, near, atol=1e-5)
    near, found = index.radius_neighbors(queries, 1.5, sort_results=True, **arguments)
    within = [np.sort(own[own <= 1.5]) for own in expected]
    for query, own in enumerate(expected):
        assert sorted(found[query].tolist()) == sorted(names[own <= 1.5].tolist())
        assert len(near[query]) == len(within[query])
    np.testing.assert_allclose(np.concatenate(near), np.concatenate(within), atol=1e-5)


def test_any_sequence_of_changes():
    run_state_machine_as_test(
        Changes,
        settings=settings(
            max_examples=25,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
        ),
    )


@pytest.mark.parametrize("algorithm", ["flat", "hnsw"])
def test_tombstones_beside_equal_codes(algorithm):
    # The nearest codes are gone, and there are more of them than a search fetches to spare.
    codes = np.zeros((1000, 16), int)
    codes[:900] = np.random.default_rng(0).integers(0, 2, (900, 16))
    index = HammingNeighbors(algorithm=algorithm).fit(codes).remove(np.arange(901, 1000))
    assert index.shards_.n_slots == 1000  # not swept
    distances, rows = index.kneighbors(np.zeros((1, 16), int), 30)
    plain = codes[:901].sum(axis=1)
    np.testing.assert_array_equal(distances[0], np.sort(plain)[:30])
    np.testing.assert_array_equal(plain[rows[0]], distances[0])
