import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktgsh import GradientSolver, TaskGeometricHasher, TaskGeometricHasherCV

LENGTHS = [2, 4, 8, 12]


def shuffled(samples, n_rows=900):
    rows = np.random.RandomState(0).permutation(len(samples[1]))[:n_rows]
    return (part[rows] for part in samples)


def test_same_scores_and_choice_as_grid_search(digit_tasks):
    X, y, task = shuffled(digit_tasks[0])
    hasher = TaskGeometricHasher(n_hidden=256, random_state=0)
    ours = TaskGeometricHasherCV(LENGTHS, estimator=hasher, cv=StratifiedKFold(3))
    ours.fit(X, y, task=task)
    with config_context(enable_metadata_routing=True):
        hasher.set_fit_request(task=True).set_score_request(task=True)
        grid = GridSearchCV(hasher, {"n_bits": LENGTHS}, cv=StratifiedKFold(3), error_score="raise")
        grid.fit(X, y, task=task)
    np.testing.assert_allclose(
        ours.cv_results_.mean_test_score, grid.cv_results_["mean_test_score"]
    )
    assert ours.n_bits_ == grid.best_params_["n_bits"]
    np.testing.assert_array_equal(
        ours.transform(X, task=task), grid.best_estimator_.transform(X, task=task)
    )


def test_rows_of_a_group_stay_in_one_fold(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 300)
    groups = np.arange(300) // 4 % 5
    small = dict(estimator=TaskGeometricHasher(n_hidden=96), random_state=0)
    search = TaskGeometricHasherCV([4, 8], cv=GroupKFold(2), **small).fit(X, y, groups=groups)
    folds = list(GroupKFold(2).split(X, y, groups))
    expected = TaskGeometricHasherCV([4, 8], cv=folds, **small).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_.split_test_scores, expected.cv_results_.split_test_scores
    )
    np.testing.assert_array_equal(search.transform(X), expected.transform(X))
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        TaskGeometricHasherCV([4, 8], cv=GroupKFold(2), **small).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search.fit(X, y, groups=groups[1:])
    np.testing.assert_array_equal(search.transform(X), expected.transform(X))


def test_groups_are_routed(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 300)
    groups = np.arange(300) // 4 % 5
    small = dict(estimator=TaskGeometricHasher(n_hidden=96), random_state=0, cv=GroupKFold(2))
    with config_context(enable_metadata_routing=True):
        search = TaskGeometricHasherCV([4, 8], **small).set_fit_request(groups=True)
        piped = make_pipeline(StandardScaler(), search).fit(X, y, groups=groups)
    expected = TaskGeometricHasherCV([4, 8], **small)
    expected.fit(StandardScaler().fit_transform(X), y, groups=groups)
    np.testing.assert_array_equal(
        piped[-1].cv_results_.split_test_scores, expected.cv_results_.split_test_scores
    )


def test_tolerance_takes_a_shorter_code(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 400)
    small = dict(estimator=TaskGeometricHasher(n_hidden=256), cv=2, random_state=0)
    full = TaskGeometricHasherCV(LENGTHS, **small).fit(X, y)
    loose = TaskGeometricHasherCV(LENGTHS, tolerance=0.3, **small).fit(X, y)
    assert loose.n_bits_ < full.n_bits_


def test_task_column_and_packed(digit_tasks):
    X, y, task = shuffled(digit_tasks[0], 600)
    estimator = TaskGeometricHasher(n_hidden=256, task_column=-1, random_state=0)
    search = TaskGeometricHasherCV([4, 12], estimator=estimator, cv=2, packed=True)
    search.fit(np.column_stack([X, task]), y)
    assert search.transform(np.column_stack([X, task])).shape == (600, 2)
    assert search.score(np.column_stack([X, task]), y) > 0.8


def test_bad_input_is_named(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 100)
    with pytest.raises(ValueError, match="n_bits="):
        TaskGeometricHasherCV([0, 4]).fit(X, y)
    with pytest.raises(ValueError, match="n_hidden=64; leave it None"):
        TaskGeometricHasherCV([4], estimator=TaskGeometricHasher(head="block", n_hidden=64)).fit(
            X, y
        )


class CountedFits(TaskGeometricHasher):
    fits = 0

    def fit(self, *args, **params):
        CountedFits.fits += 1
        return super().fit(*args, **params)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d.update(task=d["task"][:-1]), "task has 99 labels for 100 rows"),
        (lambda d: d.update(y=d["y"][:-1]), r"inconsistent numbers of samples: \[100, 99\]"),
        (lambda d: d.update(task=np.full(100, np.nan)), "task has no label"),
        (lambda d: d.update(sample_weight=-np.ones(100)), "[Nn]egative"),
        (
            lambda d: d.update(y=np.arange(100) % 50, task=np.arange(100) // 50),
            "no two rows of one",
        ),
    ],
)
def test_all_is_checked_before_anything_is_fitted(digit_tasks, change, message):
    X, y, task = shuffled(digit_tasks[0], 100)
    given = dict(y=y, task=task)
    change(given)
    CountedFits.fits = 0
    search = TaskGeometricHasherCV([4], estimator=CountedFits(), cv=KFold(2))
    with pytest.raises(ValueError, match=message):
        search.fit(X, **given)
    assert CountedFits.fits == 0 and not hasattr(search, "best_estimator_")


def test_folds_without_a_score_do_not_count(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 200)
    alone = [np.flatnonzero(y == digit)[0] for digit in range(3)]
    rest = np.setdiff1d(np.arange(200), alone)
    folds = [(rest, np.array(alone)), (rest[::2], rest[1::2])]
    search = TaskGeometricHasherCV([2, 8], cv=folds, random_state=0).fit(X, y)
    scores = search.cv_results_.split_test_scores
    assert np.isnan(scores[:, 0]).all() and np.isfinite(scores[:, 1]).all()
    np.testing.assert_array_equal(search.cv_results_.mean_test_score, scores[:, 1])
    assert (search.cv_results_.std_test_score == 0).all() and search.n_bits_ == 8


def test_the_shortest_code_within_one_standard_error_is_taken(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 400)
    small = dict(estimator=TaskGeometricHasher(n_hidden=96), random_state=0)
    search = TaskGeometricHasherCV(LENGTHS, **small).fit(X, y)
    scores = search.cv_results_.split_test_scores
    means = scores.mean(axis=1)
    error = scores[means.argmax()].std(ddof=1) / np.sqrt(scores.shape[1])
    expected = LENGTHS[np.flatnonzero(means >= means.max() - error)[0]]
    assert search.n_bits_ == expected
    best = TaskGeometricHasherCV(LENGTHS, tolerance=0, **small).fit(X, y)
    assert best.n_bits_ == LENGTHS[means.argmax()] >= expected
    with pytest.raises(ValueError, match="'tolerance' parameter"):
        TaskGeometricHasherCV(LENGTHS, tolerance="much").fit(X, y)


def test_a_penalty_that_gradient_steps_ignore_warns(digit_tasks):
    X, y, _ = shuffled(digit_tasks[0], 200)
    solver = GradientSolver(start="random", max_epochs=1)
    with pytest.warns(UserWarning, match="alpha=0.1 is the penalty of the closed form"):
        TaskGeometricHasher(8, n_hidden=32, solver=solver, alpha=0.1, random_state=0).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TaskGeometricHasher(8, n_hidden=32, solver=solver, random_state=0).fit(X, y)


def test_missing_labels_stay_in_training_and_judge_nothing(digit_tasks):
    X, y, task = digit_tasks[0]
    X, y = shuffled((X[task == 0], y[task == 0]), 400)
    partial = np.where(np.arange(400) % 2 == 0, y, -1)
    estimator = TaskGeometricHasher(n_hidden=128, missing_label=-1)
    search = TaskGeometricHasherCV([2, 16], estimator=estimator, cv=2, random_state=0)
    search.fit(X, partial)
    assert search.n_bits_ == 16 and search.best_score_ > 0.8
    expected = TaskGeometricHasher(16, n_hidden=128, missing_label=-1, random_state=0)
    assert np.array_equal(search.transform(X), expected.fit(X, partial).transform(X))
    named = np.where(partial < 0, None, partial.astype(object))
    same = TaskGeometricHasherCV([2, 16], estimator=estimator, cv=2, random_state=0)
    np.testing.assert_array_equal(
        same.fit(X, named).cv_results_.split_test_scores, search.cv_results_.split_test_scores
    )
    with pytest.warns(UserWarning, match="y has a label in 20 of 400 rows"):
        search.fit(X, np.where(np.arange(400) < 20, y % 2, -1))
    with pytest.raises(ValueError, match="no label in any of 400 rows"):
        search.fit(X, np.full(400, -1))
