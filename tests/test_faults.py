"""Ctrl-C at every stage of a fit: what was finished stays, and nothing is half done."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_inputs import EVERYTHING
from bad_inputs.harness import X, Y, quietly
from sklearn.base import clone

import sktgsh
from sktgsh import GradientSolver, TaskGeometricHasher

MOMENTS = 12
PACKAGE = str(Path(sktgsh.__file__).parent)


class Interrupt:
    """Raises KeyboardInterrupt when the package calls its so-many-th function."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def __call__(self, frame, event, arg):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt

    def during(self, function):
        """Call a function; whether it was interrupted."""
        sys.setprofile(self)
        try:
            quietly(function)
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
        return False


def moments_of(make, learn):
    """Calls at which to interrupt, spread over all those of ``learn(make())``."""
    quietly(lambda: learn(make()))  # some functions are called the first time only
    counter, model = Interrupt(), make()
    counter.during(lambda: learn(model))
    return np.unique(np.linspace(1, counter.calls, MOMENTS).astype(int)).tolist()


@pytest.mark.parametrize("subject", EVERYTHING, ids=lambda subject: subject.name)
def test_an_interrupted_fit_changes_nothing(subject):
    moved = subject.samples[:, ::-1] + 3 * subject.learns

    moments = moments_of(subject.fitted, lambda model: model.fit(moved, Y))
    new = subject.ask(quietly(lambda: clone(subject.estimator).fit(moved, Y)), moved)
    before = torch.get_num_threads(), threading.active_count(), torch.is_grad_enabled()
    for at in moments:
        model = subject.fitted()
        interrupt = Interrupt(at)
        # Python drops what is raised while it closes a generator: that fit goes on to its end.
        stopped = interrupt.during(lambda m=model: m.fit(moved, Y))
        assert interrupt.calls >= at
        if not stopped or not np.array_equal(subject.ask(model, subject.samples), subject.codes):
            # All was done but to say so.
            np.testing.assert_array_equal(subject.ask(model, moved), new)
        np.testing.assert_array_equal(
            subject.ask(quietly(lambda m=model: m.fit(moved, Y)), moved), new
        )
    after = torch.get_num_threads(), threading.active_count(), torch.is_grad_enabled()
    assert after == before


@pytest.mark.parametrize(
    "solver", ["ridge", GradientSolver(start="random", max_epochs=1)], ids=["ridge", "sgd"]
)
def test_tasks_that_were_finished_stay(solver):
    tasks = np.arange(len(X)) % 2 + 1
    labels = np.arange(len(X)) // 2 % 2
    # With a prior, tasks that are learned in one call know of each other.
    empty = TaskGeometricHasher(8, n_hidden=64, solver=solver, share_prior=False, random_state=0)

    def begin():
        return clone(empty).partial_fit(X, Y, task=0)

    whole = begin().partial_fit(X, labels, task=tasks)
    codes = {task: whole.transform(X, task=task) for task in range(3)}
    seen = set()

    def go_on(model):
        model.partial_fit(X, labels, task=tasks)

    for at in moments_of(begin, go_on):
        model = begin()
        interrupt = Interrupt(at)
        # Python drops what is raised while it closes a generator: that call goes on to its end.
        assert interrupt.during(lambda m=model: go_on(m)) or interrupt.calls >= at
        known = model.tasks_.tolist()
        assert known == list(range(len(known)))
        seen.add(len(known))
        for task in known:
            np.testing.assert_array_equal(model.transform(X, task=task), codes[task])
        left = np.isin(tasks, known, invert=True)
        if left.any():
            model.partial_fit(X[left], labels[left], task=tasks[left])
        for task in range(3):
            np.testing.assert_array_equal(model.transform(X, task=task), codes[task])
    assert seen >= {1, 2}
