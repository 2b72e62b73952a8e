"""Sequences of calls over the whole interface of the flagship, against a model in plain NumPy.

The model keeps the rows of each open task, and the codes that each task gives. After every call the
codes of tasks that were not touched are what they were, and those of a task that was touched are
the signs of a ridge solution in float64 over all of its rows. ``test_sequences.py`` runs a few
sequences; ``python -m tests.fuzz`` runs them as long as it is told.
"""

from __future__ import annotations

import copy
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

sys.path.insert(0, str(Path(__file__).parent))

from bad_inputs.harness import X, Y

from sktgsh import TaskGeometricHasher, load
from sktgsh.neighbors import HammingNeighbors

N_BITS = 8
ALPHA = 0.1
TASKS = st.sampled_from(["north", "east", "south", "west"])
SHIFTS = st.integers(0, 5)
# Scores so near to 0 may have either sign: statistics add up products in float32.
UNSURE = 2e-3
FAILURES = {
    "NaN": lambda model, task: model.partial_fit(np.where(X == X[2, 2], np.nan, X), Y, task=task),
    "width": lambda model, task: model.partial_fit(X[:, 1:], Y, task=task),
    "kind of task": lambda model, task: model.partial_fit(X, Y, task=3),
    "kind of class": lambda model, task: model.partial_fit(X, Y.astype(str), task=task),
    "kind of class in a stream": lambda model, task: model.fit_batches(
        [(X, Y, task), (X, Y.astype(str), task)]
    ),
    "too few labels": lambda model, task: model.partial_fit(X, Y[1:], task=task),
    "infer": lambda model, task: model.partial_fit(X, Y, task="infer"),
    "unknown": lambda model, task: model.transform(X, task="nowhere"),
    "forget unknown": lambda model, task: model.forget_task("nowhere"),
    "prefix": lambda model, task: model.transform(X, task=task, n_bits=N_BITS + 1),
    "weights": lambda model, task: model.fit(X, Y, task=task, sample_weight=-np.ones(len(X))),
    "another network": lambda model, task: model.merge(
        TaskGeometricHasher(N_BITS, n_hidden=64, random_state=1).fit(X, Y, task="north")
    ),
}


def rows_of(shift: int, new_class: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ by shift, and their classes."""
    return np.roll(X, shift, axis=1), Y + 2 * new_class


def ridge_scores(hidden: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Scores of a ridge solution, in float64, as `task_geometric/learning/ridge.py` states it."""
    hidden, asked = hidden.astype(np.float64), asked.astype(np.float64)
    mean, centre = hidden.mean(axis=0), targets.mean(axis=0)
    centred = hidden - mean
    gram = centred.T @ centred
    penalty = ALPHA * np.diag(gram).mean()
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (targets - centre))
    return (asked - mean) @ weights + centre


class Sequences(RuleBasedStateMachine):
    """What is done to one task changes no code of another, and what it learned is a ridge."""

    @initialize(share_prior=st.booleans(), codebook=st.sampled_from(["learned", "random"]))
    def begin(self, share_prior, codebook):
        self.model = TaskGeometricHasher(
            N_BITS,
            n_hidden=64,
            alpha=ALPHA,
            codebook=codebook,
            share_prior=share_prior,
            warm_start=True,
            random_state=0,
        )
        self.is_plain = not share_prior
        self.codes, self.rows, self.most_open, self.is_frozen = {}, {}, 8, False
        self.index, self.stored, self.ids, self.next_id = None, np.empty((0, N_BITS), int), [], 0

    # -- the model -------------------------------------------------------------------------------

    def learned(self, tasks):
        """Tasks that have just learned, one after the other, from the rows that are kept."""
        new = {task: self.rows.pop(task) for task in tasks}
        for task, rows in new.items():
            if self.is_plain:
                self.check_solution(task, rows)
            self.codes[task] = self.bits(task)
            self.rows[task] = rows
            for closed in list(self.rows)[: max(0, len(self.rows) - self.most_open)]:
                del self.rows[closed]

    def check_solution(self, task, rows):
        samples, labels = (np.concatenate(part) for part in zip(*rows))
        modulation = self.model.modulations_[task]
        words = dict(zip(modulation.classes, modulation.codewords))
        targets = np.array([words[label] for label in labels.tolist()], float)
        read = self.model.model_.network.hidden_rows
        scores = ridge_scores(read(samples), targets, read(X))
        sure = np.abs(scores) > UNSURE
        if modulation.structure is not None:  # bits that follow the features beside the classes
            sure &= ~modulation.structure.directions.any(axis=1)
        np.testing.assert_array_equal(self.bits(task)[sure], (scores > 0)[sure])

    def bits(self, task):
        codes = self.model.transform(X, task=task)
        return np.unpackbits(codes, axis=1, count=N_BITS) if self.model.packed else codes

    def refuses(self, tasks, call, *, more):
        """Whether the call must be refused, in which case it is; `more` rows for known tasks."""
        known = [task for task in tasks if task in self.codes]
        if known and self.is_frozen:
            message = "freeze_codes=True|is closed"
        elif more and any(task not in self.rows for task in known):
            message = "is closed"
        else:
            return False
        with pytest.raises(ValueError, match=message):
            call()
        return True

    # -- learning --------------------------------------------------------------------------------

    @rule(task=TASKS, shift=SHIFTS)
    def fit(self, task, shift):
        rows = rows_of(shift)
        if self.refuses([task], lambda: self.model.fit(*rows, task=task), more=False):
            return
        self.model.fit(*rows, task=task)
        self.rows[task] = [rows]
        self.learned([task])

    @rule(task=TASKS, shift=SHIFTS, new_class=st.booleans())
    def partial_fit(self, task, shift, new_class):
        rows = rows_of(shift, new_class)
        if self.refuses([task], lambda: self.model.partial_fit(*rows, task=task), more=True):
            return
        self.model.partial_fit(*rows, task=task)
        self.rows[task] = [*self.rows.get(task, []), rows]
        self.learned([task])

    @rule(tasks=st.lists(TASKS, min_size=2, max_size=3, unique=True), shift=SHIFTS)
    def several_at_once(self, tasks, shift):
        samples, labels = rows_of(shift)
        of = np.array(tasks)[np.arange(len(X)) // 3 % len(tasks)]

        def call():
            self.model.partial_fit(samples, labels, task=of)

        if self.refuses(tasks, call, more=True):
            return
        call()
        for task in tasks:
            rows = samples[of == task], labels[of == task]
            self.rows[task] = [*self.rows.get(task, []), rows]
        self.learned(tasks)

    @rule(tasks=st.lists(TASKS, min_size=1, max_size=3, unique=True), shift=SHIFTS)
    def fit_batches(self, tasks, shift):
        parts = [(*rows_of(shift + n), task) for n in range(2) for task in tasks]

        def call():
            self.model.fit_batches([(X[:0], Y[:0], "nobody"), *parts])

        if self.refuses(list(self.codes), call, more=False):
            return
        call()
        self.codes, self.rows = {}, {}
        for samples, labels, task in parts:
            self.rows[task] = [*self.rows.get(task, []), (samples, labels)]
        self.learned(tasks)

    @precondition(lambda self: self.codes)
    @rule(task=TASKS, shift=SHIFTS)
    def merge(self, task, shift):
        other = copy.deepcopy(self.model).set_params(freeze_codes=False)
        rows = rows_of(shift)
        if task in self.codes and task not in self.rows:
            return  # the other party cannot learn it, either
        other.partial_fit(*rows, task=task)
        if task in self.codes and (
            self.is_frozen
            or not self.most_open
            or other.modulations_[task].is_equal(self.model.modulations_[task])
        ):
            if self.is_frozen:
                self.refuses([task], lambda: self.model.merge(other), more=False)
            return
        self.model.merge(other)
        # Rows from before the copy are in the sums of both.
        mine = self.rows.get(task, [])
        self.rows[task] = [*mine, *mine, rows]
        if task in other.model_.statistics:
            self.learned([task])
        else:
            del self.rows[task]
            self.codes[task] = self.bits(task)

    # -- the life of a task ----------------------------------------------------------------------

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), new=TASKS)
    def rename_task(self, data, new):
        task = data.draw(st.sampled_from(sorted(self.codes)))
        if new != task and new in self.codes:
            with pytest.raises(ValueError, match="label of another task"):
                self.model.rename_task(task, new)
            return
        version = self.model.code_version_[task]
        self.model.rename_task(task, new)
        assert self.model.code_version_[new] == version
        for table in ("codes", "rows"):
            kept = getattr(self, table)
            setattr(self, table, {new if key == task else key: v for key, v in kept.items()})

    @precondition(lambda self: self.codes)
    @rule(data=st.data())
    def forget_task(self, data):
        task = data.draw(st.sampled_from(sorted(self.codes)))
        self.model.forget_task(task)
        self.codes.pop(task)
        self.rows.pop(task, None)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def close_task(self, data):
        task = data.draw(st.sampled_from(sorted(self.rows)))
        self.model.close_task(task)
        del self.rows[task]

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), new=TASKS)
    def export_and_import(self, data, new):
        task = data.draw(st.sampled_from(sorted(self.codes)))
        with tempfile.TemporaryDirectory() as folder:
            self.model.export_task(task, Path(folder) / "task")
            if new in self.codes:
                with pytest.raises(ValueError, match="known here already"):
                    self.model.import_task(Path(folder) / "task", task=new)
                return
            self.model.import_task(Path(folder) / "task", task=new)
        self.codes[new] = self.codes[task]

    # -- parameters and copies -------------------------------------------------------------------

    @rule(frozen=st.booleans(), most=st.sampled_from([1, 2, 8]), packed=st.booleans())
    def set_params(self, frozen, most, packed):
        self.model.set_params(freeze_codes=frozen, max_open_tasks=most, packed=packed)
        self.is_frozen, self.most_open = frozen, most

    @precondition(lambda self: self.codes)
    @rule(name=st.sampled_from(["n_bits", "n_hidden", "encoder"]), task=TASKS)
    def a_parameter_of_the_network(self, name, task):
        changed = {"n_bits": 12, "n_hidden": 32, "encoder": "fly"}
        before = {name: self.model.get_params(deep=False)[name]}
        self.model.set_params(**{name: changed[name]})
        with pytest.raises(ValueError, match=rf"{name}|freeze_codes|is closed"):
            self.model.partial_fit(X, Y, task=task)
        self.model.set_params(**before)

    @rule(copied=st.sampled_from([copy.copy, copy.deepcopy]))
    def go_on_with_a_copy(self, copied):
        original, self.model = self.model, copied(self.model)
        if self.codes:
            # What the original learns from now on is its own.
            original.set_params(freeze_codes=False).fit(X[::-1], Y, task="of the original")

    @rule(how=st.sampled_from(["pickle", "file", "file with sums"]))
    def go_on_with_what_was_saved(self, how):
        if how == "pickle":
            self.model = pickle.loads(pickle.dumps(self.model))
        else:
            with tempfile.TemporaryDirectory() as folder:
                self.model.save(Path(folder) / "file", sums=how == "file with sums")
                self.model = load(Path(folder) / "file")
        if how != "file with sums":
            self.rows.clear()

    @precondition(lambda self: self.codes)
    @rule(name=st.sampled_from(sorted(FAILURES)), task=TASKS)
    def failed_call(self, name, task):
        with pytest.raises(ValueError):  # noqa: PT011 - failures of many kinds
            FAILURES[name](self.model, task)

    # -- codes that are stored -------------------------------------------------------------------

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), seed=st.integers(0, 1000))
    def store_codes(self, data, seed):
        task = data.draw(st.sampled_from(sorted(self.codes)))
        chosen = np.random.default_rng(seed).permutation(len(X))[:7]
        codes = self.codes[task][chosen]
        ids = list(range(self.next_id, self.next_id + len(codes)))
        if self.index is None:
            self.index = HammingNeighbors().fit(codes, ids=ids)
        else:
            self.index.add(codes, ids=ids)
        self.next_id += len(codes)
        self.stored, self.ids = np.concatenate([self.stored, codes]), self.ids + ids

    @precondition(lambda self: len(self.ids) > 4)
    @rule(data=st.data())
    def remove_codes(self, data):
        gone = data.draw(st.lists(st.sampled_from(self.ids), min_size=1, max_size=3, unique=True))
        self.index.remove(gone)
        kept = [row for row, one in enumerate(self.ids) if one not in gone]
        self.stored, self.ids = self.stored[kept], [self.ids[row] for row in kept]

    # -- what holds after every call -------------------------------------------------------------

    @invariant()
    def codes_are_what_they_were(self):
        if not hasattr(self, "codes"):
            return
        known = getattr(self.model, "modulations_", {})
        assert set(known) == set(self.codes)
        for task, codes in self.codes.items():
            np.testing.assert_array_equal(self.bits(task), codes)
        if known:
            assert set(self.model.model_.statistics) == set(self.rows)

    @invariant()
    def a_code_depends_on_its_row_alone(self):
        for task, codes in list(getattr(self, "codes", {}).items())[-1:]:
            for rows in ([4], [7, 7, 2]):
                found = self.model.transform(X[rows], task=task, n_bits=5)
                expected = codes[rows, :5]
                expected = np.packbits(expected, axis=1) if self.model.packed else expected
                np.testing.assert_array_equal(found, expected)

    @invariant()
    def stored_codes_are_found(self):
        if not getattr(self, "ids", ()):
            return
        k = min(3, len(self.ids))
        distances, found = self.index.kneighbors(self.stored[:3], k)
        plain = (self.stored[:3, None] != self.stored[None]).sum(axis=2)
        order = np.argsort(plain, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(distances, np.take_along_axis(plain, order, axis=1))
        np.testing.assert_array_equal(found, np.array(self.ids)[order])
