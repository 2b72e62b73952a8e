"""A few sequences of calls; ``python -m tests.fuzz`` tries many more. Its finds are tests below."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from bad_inputs.harness import X, Y
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sequences import Sequences

from sktgsh import TaskGeometricHasher, load

FEW = settings(
    derandomize=True,
    max_examples=8,
    stateful_step_count=10,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.filterwarnings("ignore")
def test_any_sequence_of_calls():
    run_state_machine_as_test(Sequences, settings=FEW)


# -- finds -----------------------------------------------------------------------------------------


def hasher(**params):
    return TaskGeometricHasher(8, n_hidden=64, random_state=0, **params)


@pytest.mark.parametrize("share_prior", [True, False])
@pytest.mark.parametrize("as_sums", [True, False])
def test_a_new_task_does_not_close_one_that_gets_more_rows_in_the_same_call(share_prior, as_sums):
    """The rows of before were lost without a word."""
    fitted = hasher(share_prior=share_prior, max_open_tasks=2)
    fitted.fit(np.vstack([X, X]), np.append(Y, Y), task=["south"] * 30 + ["west"] * 30)
    samples, labels = np.roll(X, 3, axis=1), Y
    task = np.array(["new", "east", "south"])[np.arange(30) // 3 % 3]
    if as_sums:
        fitted.learn_sums(fitted.sums_of(samples, labels, task))
    else:
        fitted.partial_fit(samples, labels, task=task)
    more = task == "south"
    assert fitted.model_.statistics["south"].gram.total == 30 + more.sum()
    assert list(fitted.model_.statistics) == ["east", "south"]


def test_an_adopted_task_does_not_close_one_that_is_merged():
    start = hasher(max_open_tasks=1).fit(X, Y, task="shared")
    one, other = copy.deepcopy(start), copy.deepcopy(start).set_params(max_open_tasks=8)
    one.partial_fit(np.roll(X, 1, axis=1), Y, task="shared")
    other.partial_fit(X[::-1], Y[::-1], task="new")
    other.partial_fit(np.roll(X, 2, axis=1), Y, task="shared")
    order = {"new": other.modulations_["new"], "shared": other.modulations_["shared"]}
    other.model_ = replace(other.model_, modulations=order)
    one.merge(other)
    assert list(one.model_.statistics) == ["shared"]
    # Rows from before the copy are in the sums of both.
    assert one.model_.statistics["shared"].gram.total == 4 * 30


def test_all_sums_hold_the_rows_of_a_known_task_that_comes_beside_new_ones():
    """They were lost, so forgetting tasks left sums of no rows, from which nothing was learned."""
    fitted = hasher().partial_fit(X, Y, task=np.array(["west", "north"])[np.arange(30) // 3 % 2])
    fitted.forget_task("west")
    task = np.array(["east", "north", "south"])[np.arange(30) // 3 % 3]
    fitted.partial_fit(np.roll(X, 1, axis=1), Y, task=task)
    expected = sum(sums.gram.total for sums in fitted.model_.statistics.values())
    assert expected == 15 + 30 and fitted.model_.pools["classes"].total == pytest.approx(expected)
    for label in ("east", "north", "south"):
        fitted.forget_task(label)
    assert not fitted.model_.pools
    fitted.partial_fit(X, Y, task="north").partial_fit(X, Y, task="west")


def test_a_hasher_that_forgot_everything_is_saved_with_sums(tmp_path):
    fitted = hasher().fit(X, Y, task="west").forget_task("west")
    fitted.save(tmp_path / "file", sums=True)
    assert not load(tmp_path / "file").model_.modulations
