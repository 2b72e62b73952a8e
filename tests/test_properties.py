"""The contract of a hasher under whatever hypothesis thinks of."""

import copy
import pickle

import numpy as np
import pytest
from bad_inputs import SUBJECTS
from bad_inputs.harness import X, Y, quietly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sktgsh import GradientSolver, TaskGeometricHasher

FEW = settings(
    derandomize=True,
    max_examples=12,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TYPES = ["float64", "float32", "int64", "uint8", ">f8"]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@FEW
@given(
    rows=st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=300),
    dtype=st.sampled_from(TYPES),
    order=st.sampled_from("CF"),
    threads=st.integers(1, 3),
)
def test_a_code_depends_on_its_row_alone(subject, rows, dtype, order, threads):
    with threadpool_limits(threads):
        codes = subject.fitted().transform(np.asarray(X[rows], dtype, order=order))
    np.testing.assert_array_equal(codes, subject.codes[rows])


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@settings(FEW, max_examples=4)
@given(
    seed=st.integers(0, 2**32 - 1),
    packed=st.booleans(),
    rows=st.permutations(range(len(X))),
    dtype=st.sampled_from(TYPES),
)
def test_shape_type_and_repeatability(subject, seed, packed, rows, dtype):
    parameters = {"random_state": seed} if "random_state" in subject.estimator.get_params() else {}
    if subject.is_hasher:
        parameters["packed"] = packed
    samples, labels = X[rows].astype(dtype), Y[rows]
    one, other = (
        quietly(lambda: clone(subject.estimator).set_params(**parameters).fit(samples, labels))
        for _ in range(2)
    )
    codes = one.transform(samples)
    np.testing.assert_array_equal(codes, other.transform(samples))
    assert codes.shape == (len(X), len(one.get_feature_names_out()))
    if subject.is_hasher:
        assert codes.dtype == np.uint8 and codes.max() <= (255 if packed else 1)
        assert one.n_bits_ == subject.codes.shape[1] or subject.name == "TaskGeometricHasherCV"
        assert 0 <= one.score(samples, labels) <= 1


# -- tasks that were learned -----------------------------------------------------------------------


TASKS = st.sampled_from(["north", "east", "south", "west"])
FAILURES = {
    "NaN": lambda model, task: model.partial_fit(np.where(X == X[2, 2], np.nan, X), Y, task=task),
    "one class": lambda model, task: model.partial_fit(X, 0 * Y, task="another"),
    "width": lambda model, task: model.partial_fit(X[:, 1:], Y, task=task),
    "kind of task": lambda model, task: model.partial_fit(X, Y, task=3),
    "too few labels": lambda model, task: model.partial_fit(X, Y[1:], task=task),
    "second task is bad": lambda model, task: model.partial_fit(
        np.vstack([X, X[:3]]), np.append(Y, [0, 0, 0]), task=[task] * len(X) + ["another"] * 3
    ),
    "unknown": lambda model, task: model.transform(X, task="nowhere"),
    "weights": lambda model, task: model.fit(X, Y, task=task, sample_weight=-np.ones(len(X))),
}


class LearnedTasks(RuleBasedStateMachine):
    """What is done to one task changes no code of another, whatever came before."""

    solver = "ridge"

    def __init__(self):
        super().__init__()
        self.model = TaskGeometricHasher(
            8, n_hidden=64, solver=self.solver, warm_start=True, random_state=0
        )
        self.codes, self.open = {}, set()

    def learned(self, task):
        self.codes[task] = self.model.transform(X, task=task)
        self.open.add(task)

    @rule(task=TASKS, shift=st.integers(0, 5))
    def fit(self, task, shift):
        self.model.fit(np.roll(X, shift, axis=1), Y, task=task)
        self.learned(task)

    @rule(task=TASKS, shift=st.integers(0, 5), new_class=st.booleans())
    def partial_fit(self, task, shift, new_class):
        is_closed = task in self.codes and task not in self.open and self.solver == "ridge"
        rows = np.roll(X, shift, axis=1), Y + 2 * new_class
        if is_closed:
            with pytest.raises(ValueError, match=f"task '{task}' is closed"):
                self.model.partial_fit(*rows, task=task)
            return
        self.model.partial_fit(*rows, task=task)
        self.learned(task)

    @precondition(lambda self: self.codes)
    @rule(name=st.sampled_from(sorted(FAILURES)), task=TASKS)
    def failed_call(self, name, task):
        with pytest.raises(ValueError):  # noqa: PT011 - failures of many kinds
            FAILURES[name](self.model, task)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close_task(self, data):
        task = data.draw(st.sampled_from(sorted(self.open)))
        self.model.close_task(task)
        self.open.remove(task)

    @rule(copied=st.sampled_from([copy.copy, copy.deepcopy]))
    def go_on_with_a_copy(self, copied):
        original, self.model = self.model, copied(self.model)
        if self.codes:
            # What the original learns from now on is its own.
            original.fit(X[::-1], Y, task="of the original")

    @rule()
    def go_on_with_what_was_pickled(self):
        self.model = pickle.loads(pickle.dumps(self.model))
        self.open.clear()

    @invariant()
    def no_other_code_changes(self):
        known = getattr(self.model, "modulations_", {})
        assert list(known) == list(self.codes) or set(known) == set(self.codes)
        for task, codes in self.codes.items():
            np.testing.assert_array_equal(self.model.transform(X, task=task), codes)


class TasksLearnedByGradientSteps(LearnedTasks):
    solver = GradientSolver(start="random", max_epochs=1)


for machine in (LearnedTasks, TasksLearnedByGradientSteps):
    machine.TestCase.settings = settings(FEW, max_examples=8, stateful_step_count=8)
TestLearnedTasks = LearnedTasks.TestCase
TestTasksLearnedByGradientSteps = TasksLearnedByGradientSteps.TestCase
