"""Tasks come, are renamed and are forgotten, and the codes of all others stay as they are."""

import copy
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from learned_tasks import small

from sktgsh import load


@pytest.fixture(scope="module")
def parts(digit_tasks):
    """Rows of six small tasks: three rotations, two draws of each."""
    X, y, task = digit_tasks[0]
    return [
        (X[rows], y[rows])
        for label in (0, 30, 60)
        for rows in (np.flatnonzero(task == label)[start::12][:80] for start in (0, 1))
    ]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["add", "forget", "merge", "import", "rename"]), st.integers(0, 5)),
    min_size=2,
    max_size=6,
)


@given(actions=ACTIONS, open_tasks=st.sampled_from([0, 1, 8]), shared=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_bit_of_another_task_changes(parts, tmp_path_factory, actions, open_tasks, shared):
    params = dict(
        n_hidden=64, n_bits=8, codebook="random", max_open_tasks=open_tasks, share_codebook=shared
    )
    hasher = small(**params).fit(*parts[0], task=0)
    queries, codes = parts[1][0], {0: None}
    codes[0] = hasher.transform(queries, task=0)
    for number, (action, part) in enumerate(actions, start=1):
        label = 10 * number
        if action == "add":
            hasher.partial_fit(*parts[part], task=label)
        elif action in ("merge", "import"):
            other = copy.copy(hasher)
            other.partial_fit(*parts[part], task=label)
            if action == "merge":
                hasher.merge(other)
            else:
                path = tmp_path_factory.mktemp("task") / "task"
                other.export_task(label, path)
                hasher.import_task(path)
            codes[label] = other.transform(queries, task=label)
        elif len(codes) > 1:
            old = list(codes)[part % len(codes)]
            kept = codes.pop(old)
            if action == "forget":
                hasher.forget_task(old)
            else:
                hasher.rename_task(old, label)
                codes[label] = kept
        if label in hasher.tasks_ and label not in codes:
            codes[label] = hasher.transform(queries, task=label)
        assert sorted(hasher.tasks_) == sorted(codes)
        for known, before in codes.items():
            np.testing.assert_array_equal(hasher.transform(queries, task=known), before)


@pytest.mark.parametrize("open_tasks", [8, 1])
def test_a_forgotten_task_leaves_no_sums(parts, open_tasks):
    params = dict(n_hidden=64, codebook="random", max_open_tasks=open_tasks)
    with_it, without = (
        small(**params).fit(*parts[0], task=0),
        small(**params).fit(*parts[0], task=0),
    )
    with_it.partial_fit(*parts[2], task=1)
    for hasher in (with_it, without):
        hasher.partial_fit(*parts[4], task=2)
    with_it.forget_task(1)
    assert with_it.tasks_.tolist() == [0, 2] and list(with_it.history_) == [0, 2]
    pool, expected = (h.model_.pools["classes"].gram.matrix for h in (with_it, without))
    if open_tasks == 1:  # the sums of task 0 are closed, too, and nothing tells them apart
        expected = without.model_.statistics[2].gram.matrix
    np.testing.assert_allclose(pool, expected, rtol=1e-9, atol=1e-6)
    with pytest.raises(ValueError, match="unknown label 1"):
        with_it.transform(parts[0][0], task=1)
    with pytest.raises(ValueError, match="unknown label 7"):
        with_it.forget_task(7)


def test_a_task_is_renamed(parts):
    X = np.concatenate([part[0] for part in parts[:3:2]])
    y = np.concatenate([part[1] for part in parts[:3:2]])
    task = np.repeat([0, 1], [len(part[0]) for part in parts[:3:2]])
    hasher = small(n_hidden=64).fit(X, y, task=task)
    codes = hasher.transform(X, task=1)
    hasher.rename_task(1, 5)
    assert hasher.tasks_.tolist() == [0, 5]
    np.testing.assert_array_equal(hasher.transform(X, task=5), codes)
    hasher.partial_fit(X[:20], y[:20], task=5)
    with pytest.raises(ValueError, match="new=0 is the label of another task"):
        hasher.rename_task(5, 0)
    with pytest.raises(ValueError, match="type str"):
        hasher.rename_task(5, "a")


@pytest.mark.parametrize("unlabelled", [False, True])
def test_a_saved_task_goes_on_learning_where_its_sums_are_kept(parts, tmp_path, unlabelled):
    (X, y), (more, labels) = parts[0], parts[2]
    y = np.where(np.arange(len(y)) % 3 == 0, None, y.astype(object)) if unlabelled else y
    hasher = small(n_hidden=64).fit(X, y, task=0)
    hasher.partial_fit(*parts[4], task=1)
    hasher.save(tmp_path / "with", sums=True)
    hasher.save(tmp_path / "without")
    again = load(tmp_path / "with")
    codes = [h.transform(X, task=0) for h in (hasher, again)]
    np.testing.assert_array_equal(*codes)
    for task in (0, 1, 2):
        for one in (hasher, again):
            one.partial_fit(more, labels, task=task)
        codes = [h.transform(X, task=task) for h in (hasher, again)]
        assert (codes[0] == codes[1]).mean() > 0.999
    again.forget_task(1)
    with pytest.raises(ValueError, match="task 0 is closed"):
        load(tmp_path / "without").partial_fit(more, labels, task=0)


def test_saved_sums_hold_no_row(parts, tmp_path):
    hasher = small(n_hidden=64).fit(*parts[0], task=0)
    hasher.save(tmp_path / "hasher", sums=True)
    kept, saved = (h.model_.statistics[0].gram for h in (hasher, load(tmp_path / "hasher")))
    assert kept.rows.shape[1] or not kept.is_thin
    np.testing.assert_allclose(saved.matrix, kept.matrix, rtol=1e-5, atol=1e-3)
    few = small(n_hidden=64).fit(parts[0][0][:40], parts[0][1][:40], task=0)
    few.save(tmp_path / "few", sums=True)
    rows = load(tmp_path / "few").model_.statistics[0].gram.rows[0]
    assert np.allclose(rows[5:, :5], 0) and not np.allclose(
        few.model_.statistics[0].gram.rows, rows
    )


def test_a_merged_prior_does_not_depend_on_the_order(parts):
    start = small(n_hidden=64, codebook="random").fit(*parts[0], task=0)
    sides = []
    for first, second in ((1, 2), (3, 4)):
        side = copy.copy(start)
        side.partial_fit(*parts[first], task=first)
        sides.append(side.partial_fit(*parts[second], task=9))
    merged = [copy.copy(sides[0]).merge(sides[1]), copy.copy(sides[1]).merge(sides[0])]
    priors = [m.model_.priors[9] for m in merged]
    np.testing.assert_allclose(priors[0].weights, priors[1].weights, rtol=1e-4, atol=1e-6)
    codes = [m.transform(parts[5][0], task=9) for m in merged]
    assert (codes[0] == codes[1]).mean() > 0.999


def test_a_task_of_one_row_is_learned_in_silence(parts):
    (X, y), (one, label) = parts[0], (part[:1] for part in parts[2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hasher = small(n_hidden=64).fit(
            np.concatenate([X, one]), np.concatenate([y, label]), task=[0] * len(X) + [1]
        )
        hasher.partial_fit(one, label, task=2)
        assert hasher.transform(one, task=2).shape == (1, 16)
