import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import make_retrieval_scorer, mean_average_precision

SOLVERS = ["ridge", "sgd", "ridge+sgd"]


def small(**params):
    return TaskGeometricHasher(**{"n_bits": 16, "n_hidden": 512, "random_state": 0, **params})


def held_out_map(hasher, train, test):
    values = []
    for label in hasher.tasks_:
        (X, y), (Q, q) = (
            (part[0][part[2] == label], part[1][part[2] == label]) for part in (train, test)
        )
        codes = [hasher.transform(rows, task=label) for rows in (Q, X)]
        values.append(mean_average_precision(codes[0], q, codes[1], y))
    return np.mean(values)


# -- quality on real digits ----------------------------------------------------------------------


def test_defaults_beat_random_projections(digit_tasks):
    train, test = digit_tasks
    hasher = TaskGeometricHasher(random_state=0).fit(train[0], train[1], task=train[2])
    assert held_out_map(hasher, train, test) > 0.95
    plain = SignedRandomProjectionHasher(32, random_state=0).fit(train[0])
    assert plain.score(test[0], test[1], task=test[2]) < 0.6
    assert (hasher.predict_class(test[0], task=test[2]) == test[1]).mean() > 0.95


@pytest.mark.parametrize(
    "params, least",
    [
        (dict(solver="sgd", max_epochs=20), 0.9),
        (dict(solver="ridge+sgd", max_epochs=5), 0.9),
        (dict(solver="sgd", head="dense", n_hidden=2048, max_epochs=20), 0.9),
        (dict(encoder="gaussian"), 0.9),
        (dict(encoder="fly"), 0.9),
        (dict(skip=False), 0.9),
        (dict(head="block", encoder="fly", n_hidden=2048), 0.9),
        (dict(head="block", solver="ridge+sgd", n_hidden=2048, max_epochs=5), 0.9),
        (dict(encoder="conv", image_shape=(8, 8)), 0.9),
        (dict(codewords="hadamard"), 0.85),
        (dict(codewords="random"), 0.85),
        (dict(codebook="per_task"), 0.85),
        (dict(structure_bits=0.25), 0.8),
        (dict(structure_bits=0.5, solver="sgd"), 0.7),
        (dict(loss="hinge", solver="sgd"), 0.8),
        (dict(loss="cross_entropy", solver="sgd"), 0.8),
    ],
    ids=str,
)
def test_every_setting_learns(digit_tasks, params, least):
    train, test = digit_tasks
    hasher = small(**{"n_hidden": 1024, **params}).fit(train[0], train[1], task=train[2])
    assert held_out_map(hasher, train, test) > least


def test_published_recipe_classifies(digit_tasks):
    train, test = digit_tasks
    hasher = TaskGeometricHasher.flynet(n_hidden=2048, max_epochs=20, random_state=0)
    hasher.fit(train[0], train[1], task=train[2])
    assert (hasher.predict_class(test[0], task=test[2]) == test[1]).mean() > 0.93
    assert held_out_map(hasher, train, test) > 0.7


@pytest.mark.parametrize(
    "params, lengths",
    [
        # Where bits share their units, 8 bits say nearly all that there is to say of ten digits.
        ({}, (1, 2, 4, 8)),
        (dict(encoder="fly", head="block"), (8, 16, 32, 64)),
    ],
    ids=["shared", "block"],
)
def test_longer_codes_are_better(digit_tasks, params, lengths):
    train, test = digit_tasks
    keep = train[2] == 0
    hasher = TaskGeometricHasher(64, random_state=0, **params)
    hasher.fit(train[0][keep], train[1][keep], task=0)
    keep = test[2] == 0
    values = [
        mean_average_precision(hasher.transform(test[0][keep], n_bits=n), test[1][keep])
        for n in lengths
    ]
    assert values == sorted(values)


def test_one_hidden_unit_is_ridge_regression_onto_the_codewords():
    X, y = load_digits(return_X_y=True)
    hasher = TaskGeometricHasher(16, n_hidden=1, alpha=0.01, random_state=0).fit(X, y)
    ridge = Ridge(alpha=0.01 * len(X)).fit(
        StandardScaler().fit_transform(X), hasher.codebook_[y].astype(float)
    )
    plain = ridge.predict(StandardScaler().fit_transform(X)) > 0
    assert (hasher.transform(X) == plain).mean() > 0.99


def test_unseen_classes_are_found_better_with_structure_bits(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    values = []
    for share in (0.0, 0.5):
        hasher = TaskGeometricHasher(structure_bits=share, random_state=0).fit(X[y < 5], y[y < 5])
        values.append(hasher.score(X[y >= 5], y[y >= 5]))
    assert values[1] > values[0] + 0.05


def test_mnist(mnist):
    X, y, Q, q = mnist
    hasher = TaskGeometricHasher(random_state=0).fit(X, y)
    found = mean_average_precision(hasher.transform(Q[:1000]), q[:1000], hasher.transform(X), y)
    assert found > 0.94


# -- tasks do not touch each other ---------------------------------------------------------------


def frozen_bytes(hasher):
    state = hasher.learner_.encoder.state_dict()
    return [tensor.numpy().tobytes() for tensor in state.values()]


@pytest.mark.parametrize("solver", SOLVERS)
def test_older_tasks_do_not_change(digit_tasks, solver):
    (X, y, task), _ = digit_tasks
    hasher = small(solver=solver, max_epochs=2).fit(X[task == 0], y[task == 0], task=0)
    codes, frozen = hasher.transform(X, task=0), frozen_bytes(hasher)
    hasher.partial_fit(X[task == 30], y[task == 30], task=30)
    hasher = pickle.loads(pickle.dumps(hasher))
    hasher.partial_fit(X[task == 60], y[task == 60] + 5, task=60)  # some classes are new
    np.testing.assert_array_equal(hasher.transform(X, task=0), codes)
    assert frozen_bytes(hasher) == frozen  # the modulation is all that is learned
    assert hasher.tasks_.tolist() == [0, 30, 60]
    assert hasher.contexts_.shape == (3, 16, 576) and hasher.classes_.tolist() == list(range(15))


@pytest.mark.parametrize("solver", SOLVERS)
def test_tasks_one_by_one_or_at_once(digit_tasks, solver):
    (X, y, task), _ = digit_tasks
    together = small(solver=solver, max_epochs=2).fit(X, y, task=task)
    apart = small(solver=solver, max_epochs=2)
    for label in (0, 30, 60):
        apart.partial_fit(X[task == label], y[task == label], task=label)
    np.testing.assert_array_equal(together.transform(X, task=task), apart.transform(X, task=task))


def test_shared_codebook_makes_codes_comparable(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    values = {}
    for codebook in ("shared", "per_task"):
        hasher = small(n_hidden=1024, codebook=codebook, codewords="learned").fit(X, y, task=task)
        queries = hasher.transform(Q[qtask == 30], task=30)
        values[codebook] = mean_average_precision(
            queries, q[qtask == 30], hasher.transform(X[task == 0], task=0), y[task == 0]
        )
    assert values["shared"] > 0.85 > 0.7 > values["per_task"]
    assert hasher.codebook_.shape == (3, 10, 16)


# -- more rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("codewords", ["learned", "hadamard", "random"])
@pytest.mark.parametrize("params", [{}, dict(head="block", encoder="fly")], ids=str)
def test_chunks_in_any_order_are_as_good_as_all_at_once(digit_tasks, codewords, params):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    order = np.random.RandomState(0).permutation(len(X))
    first, *others = np.split(order, [30, 50, 300, 301 + 40, 700, 1000])
    # The frozen network takes its statistics from the first call.
    whole, hasher = (
        small(codewords=codewords, **params).partial_fit(X[first], y[first]) for _ in range(2)
    )
    rest = np.concatenate(others)
    whole.partial_fit(X[rest], y[rest])
    for rows in reversed(others):
        hasher.partial_fit(X[rows], y[rows])
    assert (whole.transform(X) == hasher.transform(X)).mean() >= 0.9999
    if params:  # the fly takes one scale for all columns, and even that does not matter
        fitted = small(codewords=codewords, **params).fit(X, y)
        assert (fitted.transform(X) == hasher.transform(X)).mean() >= 0.9999


def test_sorted_by_class_chunks(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    first = np.isin(y, [3, 8])
    hasher, whole = (small(codewords="random").partial_fit(X[first], y[first]) for _ in range(2))
    for classes in ([1], [0, 2, 4, 5, 6, 7, 9]):
        rows = np.isin(y, classes)
        hasher.partial_fit(X[rows], y[rows])
    whole.partial_fit(X[~first], y[~first])
    assert (whole.transform(X) == hasher.transform(X)).mean() >= 0.9999
    assert hasher.classes_.tolist() == list(range(10))


@pytest.mark.parametrize("codebook", ["shared", "per_task"])
def test_a_first_chunk_with_one_class(few, codebook):
    X, y, task = few
    X, y = X[task == 0], y[task == 0]
    hasher = small(codebook=codebook)
    for label in range(10):
        rows = y == label
        hasher.partial_fit(X[rows], y[rows], **({} if label else {"classes": np.arange(10)}))
        assert hasher.classes_.tolist() == list(range(10))
    assert hasher.score(X, y) > 0.95 and (hasher.predict_class(X) == y).mean() > 0.95
    # Classes that were named are only to come: with their rows, all is as without naming them.
    named, plain = small(codebook=codebook), small(codebook=codebook)
    two = np.isin(y, [3, 5])
    named.partial_fit(X[two], y[two], classes=range(10)).partial_fit(X[~two], y[~two])
    plain.partial_fit(X[two], y[two]).partial_fit(X[~two], y[~two])
    np.testing.assert_array_equal(named.transform(X), plain.transform(X))


@pytest.mark.parametrize(
    "classes, message",
    [
        ([1, 2], "y has labels that classes lacks, 3; name all"),
        (["a", "b"], "y has labels that classes lacks, 3"),
        ("ab", "classes='ab'; expected a list"),
        ([[1, 3]], "expected a list"),
        ([3], "one class only, 3 .*name all in partial_fit"),
        ([3, None], "classes has no label"),
        (None, "one class only, 3 .*name all in partial_fit"),
    ],
)
def test_classes_to_come_are_checked(few, classes, message):
    X, y, task = few
    X, y = X[task == 0], y[task == 0]
    hasher = small()
    with pytest.raises(ValueError, match=message):
        hasher.partial_fit(X[y == 3], y[y == 3], classes=classes)
    assert not hasattr(hasher, "n_features_in_")
    with pytest.raises(ValueError, match="y is an indicator: its columns are the classes"):
        hasher.partial_fit(X, y[:, None] == np.arange(10), classes=range(10))


def test_weights_are_repetitions(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    weight = np.random.RandomState(0).randint(0, 4, len(X))
    weighted = small(encoder="fly").fit(X, y, sample_weight=weight)
    repeated = small(encoder="fly").fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert (weighted.transform(X) == repeated.transform(X)).mean() >= 0.999


def test_gradient_steps_go_on_from_what_was_learned(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    hasher = small(solver="sgd", max_epochs=3).fit(X, y)
    first = hasher.score(X, y)
    hasher.partial_fit(X, y)
    assert len(hasher.history_[0]) == 6 and hasher.score(X, y) > first


def test_closed_tasks_keep_their_codes_and_take_no_rows(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(open_tasks=1).fit(X, y, task=task)
    assert list(hasher.statistics_) == [60]
    codes = hasher.transform(X, task=task)
    with pytest.raises(ValueError, match=r"task 0 is closed.*open_tasks=1"):
        hasher.partial_fit(X[:50], y[:50], task=0)
    hasher.close_task(60)
    assert not hasher.statistics_
    np.testing.assert_array_equal(hasher.transform(X, task=task), codes)
    assert len(pickle.dumps(small().fit(X, y))) == pytest.approx(len(pickle.dumps(hasher)), rel=0.8)


def test_warm_start_keeps_other_tasks(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(warm_start=True).fit(X[task == 0], y[task == 0], task=0)
    codes = hasher.transform(X[:50], task=0)
    hasher.fit(X[task == 30], y[task == 30], task=30)
    np.testing.assert_array_equal(hasher.transform(X[:50], task=0), codes)
    assert small().fit(X[task == 30], y[task == 30], task=30).tasks_.tolist() == [30]


# -- code length ---------------------------------------------------------------------------------


@pytest.mark.parametrize("codewords", ["learned", "hadamard", "random"])
@pytest.mark.parametrize("structure_bits", [0.0, 0.5])
@pytest.mark.parametrize("head, sizes", [("shared", 16), ("block", 32)])
def test_short_codes_are_prefixes_of_long_ones(digit_tasks, codewords, structure_bits, head, sizes):
    (X, y, task), _ = digit_tasks
    params = dict(head=head, codewords=codewords, structure_bits=structure_bits, random_state=0)
    long = TaskGeometricHasher(24, n_hidden=24 * sizes, **params).fit(X, y, task=task)
    short = TaskGeometricHasher(8, n_hidden=(8 if head == "block" else 24) * sizes, **params)
    short.fit(X, y, task=task)
    codes = long.transform(X, task=task)
    assert (codes[:, :8] == short.transform(X, task=task)).mean() >= 0.9999
    np.testing.assert_array_equal(codes[:, :8], long.transform(X, task=task, n_bits=8))
    with pytest.raises(ValueError, match="n_bits=25"):
        long.transform(X, task=task, n_bits=25)


# -- what is known of a task ---------------------------------------------------------------------


def test_task_is_inferred(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    hasher = small(n_hidden=1024).fit(X, y, task=task)
    found, score = hasher.predict_task(Q, return_score=True)
    assert (found == qtask).mean() > 0.9
    assert score.mean() == pytest.approx((found == qtask).mean(), abs=0.05)  # calibrated
    groups = np.concatenate([np.full(len(rows), i) for i, rows in enumerate(np.array_split(Q, 90))])
    grouped = hasher.predict_task(Q, groups=groups)
    middle = np.array([np.bincount(qtask[groups == g] // 30).argmax() * 30 for g in groups])
    assert (grouped == middle).mean() > 0.97
    inferred = hasher.transform(Q, task="infer")
    np.testing.assert_array_equal(inferred, hasher.transform(Q, task=found))
    with pytest.raises(ValueError, match="groups has shape"):
        hasher.predict_task(Q, groups=[1])


def test_unknown_task_is_noticed(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    hasher = small(n_hidden=1024).fit(X, y, task=task)
    assert (hasher.predict_task(Q, unknown=-1) == -1).mean() < 0.1
    strange = np.random.RandomState(0).uniform(0, 16, size=(100, 64))
    assert (hasher.predict_task(strange, unknown=-1) == -1).mean() > 0.9


def test_related_tasks_have_similar_modulations(digit_tasks):
    (X, y, task), _ = digit_tasks
    similarity = small(n_hidden=1024).fit(X, y, task=task).task_similarity()
    assert similarity[0, 1] > similarity[0, 2] and similarity[1, 2] > similarity[0, 2]
    np.testing.assert_allclose(np.diag(similarity), 1, rtol=1e-5)


def test_reconstructions_look_like_their_class_in_their_task(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(n_hidden=1024).fit(X, y, task=task)
    means = {(t, c): X[(task == t) & (y == c)].mean(axis=0) for t in (0, 60) for c in range(10)}
    pictures = {key: hasher.reconstruct(key[1], key[0])[0] for key in means}
    right = 0
    for key, picture in pictures.items():
        likeness = {other: np.corrcoef(picture, mean)[0, 1] for other, mean in means.items()}
        right += max(likeness, key=likeness.get) == key
    assert right >= 18  # of 20
    drawn = hasher.reconstruct(3, 60, n_samples=5, noise=1.0, random_state=0)
    assert drawn.shape == (5, 64) and drawn.std(axis=0).mean() > 0.5
    with pytest.raises(ValueError, match="label=11 is not a class"):
        hasher.reconstruct(11, 0)


def test_representation_is_what_bits_are_read_from(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(head="block").fit(X, y, task=task)
    r = hasher.representation(X[:20], task=0)
    assert r.shape == (20, 512) and r.dtype == np.float32
    projection = hasher.learner_.projection.ravel()
    values = (r * projection).reshape(20, 16, 32).sum(axis=2) + hasher.biases_[0]
    np.testing.assert_array_equal(values > 0, hasher.transform(X[:20], task=0))


@pytest.mark.parametrize("head", ["shared", "block"])
def test_representations_are_compared_as_the_whole_modulated_activity(digit_tasks, head):
    (X, y, task), _ = digit_tasks
    hasher = small(head=head).fit(X, y, task=task)
    rows = np.concatenate([np.flatnonzero(task == label)[:4] for label in (0, 30)])
    X, task = X[rows], task[rows]
    hidden = hasher.learner_.hidden_rows(X)
    contexts = {label: hasher.contexts_[i] for i, label in enumerate(hasher.tasks_.tolist())}
    whole = np.array([(contexts[t] * h).ravel() for t, h in zip(task.tolist(), hidden)])
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    found = hasher.representation_similarity(X, task=task)
    np.testing.assert_allclose(found, whole @ whole.T, atol=1e-4)
    r = hasher.representation(X[:4], task=0)
    r /= np.linalg.norm(r, axis=1, keepdims=True)
    np.testing.assert_allclose(r @ r.T, found[:4, :4], atol=1e-4)


def test_values_before_the_threshold(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small().fit(X, y, task=task)
    values = hasher.decision_function(X, task=task)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values > 0, hasher.transform(X, task=task))


# -- other targets -------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_several_labels_a_row(digit_tasks, solver):
    (X, y, task), (Q, q, qtask) = digit_tasks
    X, y, Q, q = X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]
    facts = np.stack([y % 2 == 0, y < 5, np.isin(y, [0, 6, 8, 9])], axis=1).astype(int)
    wanted = np.stack([q % 2 == 0, q < 5, np.isin(q, [0, 6, 8, 9])], axis=1).astype(int)
    hasher = small(solver=solver, max_epochs=15).fit(X, facts)
    values = hasher.decision_function(Q)
    words = hasher.modulations_[0].codewords.astype(float)
    counts = wanted.sum(axis=1)
    rows = counts > 0
    target = (wanted @ words)[rows] / counts[rows, None]
    assert np.corrcoef(values[rows].ravel(), target.ravel())[0, 1] > 0.8
    assert hasher.classes_.tolist() == [0, 1, 2]
    one_hot = small(solver=solver, max_epochs=15).fit(X, np.eye(10, dtype=int)[y])
    plain = small(solver=solver, max_epochs=15).fit(X, y)
    assert (one_hot.transform(Q) == plain.transform(Q)).mean() > 0.95


def test_rows_without_a_label_are_left_out(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    facts = np.stack([y % 2 == 0, y == 3], axis=1).astype(int)
    some = facts.any(axis=1)
    np.testing.assert_array_equal(
        small().fit(X, facts).transform(X[:50]), small().fit(X[some], facts[some]).transform(X[:50])
    )
    with pytest.raises(ValueError, match="no label in any row"):
        small().fit(X, np.zeros_like(facts))
    with pytest.raises(ValueError, match=r"y has shape \(.*, 2\) and the value 4"):
        small().fit(X, facts + 3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("packed", [False, True])
def test_given_codes_are_reproduced(digit_tasks, solver, packed):
    (X, y, task), (Q, q, qtask) = digit_tasks
    X, y, Q, q = X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]
    old = small(encoder="fly", packed=packed).fit(X[:, ::2], y)
    new = small(solver=solver, packed=packed, max_epochs=15)
    new.fit_codes(X[:, 1::2], old.transform(X[:, ::2]))
    found = mean_average_precision(
        new.transform(Q[:, 1::2]), q, old.transform(X[:, ::2]), y, packed=packed
    )
    assert found > 0.9
    with pytest.raises(ValueError, match="learned from codes"):
        new.partial_fit(X[:, 1::2], y)
    with pytest.raises(ValueError, match="codes has shape"):
        new.fit_codes(X[:, 1::2], np.zeros((len(X), 3), np.uint8))
    with pytest.raises(ValueError, match=r"set beyond the 12 of a code|holds the value 255"):
        clone(new).set_params(n_bits=12).fit_codes(X, np.full((len(X), 2 if packed else 12), 255))


def test_given_codes_add_up(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    codes = small(encoder="fly").fit_transform(X, y)
    whole, parts = (small().partial_fit_codes(X[:100], codes[:100]) for _ in range(2))
    whole.partial_fit_codes(X[100:], codes[100:])
    parts.partial_fit_codes(X[500:], codes[500:]).partial_fit_codes(X[100:500], codes[100:500])
    assert (whole.transform(X) == parts.transform(X)).mean() >= 0.9999


# -- life among scikit-learn's tools -------------------------------------------------------------


def test_grid_search_over_code_length_with_routing(digit_tasks):
    (X, y, task), _ = digit_tasks
    rows = np.random.RandomState(0).permutation(len(y))[:1000]
    X, y, task = X[rows], y[rows], task[rows]
    with config_context(enable_metadata_routing=True):
        hasher = (
            small(n_hidden=256)
            .set_fit_request(task=True)
            .set_transform_request(task=True)
            .set_score_request(task=True)
        )
        search = GridSearchCV(
            make_pipeline(StandardScaler(), hasher),
            {"taskgeometrichasher__n_bits": [4, 16]},
            cv=3,
            error_score="raise",
        ).fit(X, y, task=task)
        assert search.best_params_ == {"taskgeometrichasher__n_bits": 16}
        assert search.best_estimator_.transform(X, task=task).shape == (len(X), 16)
        scorer = make_retrieval_scorer("precision_at_k", k=5).set_score_request(task=True)
        scores = cross_val_score(
            make_pipeline(StandardScaler(), hasher),
            X,
            y,
            scoring=scorer,
            cv=3,
            params={"task": task},
        )
        assert scores.min() > 0.7
        classifier = make_pipeline(hasher, KNeighborsClassifier(metric="hamming"))
        assert classifier.fit(X, y, task=task).score(X, y, task=task) > 0.95


@pytest.mark.parametrize("as_frame", [True, False])
def test_grid_search_over_code_length_with_a_task_column(digit_tasks, as_frame):
    (X, y, task), _ = digit_tasks
    rows = np.random.RandomState(0).permutation(len(y))[:1000]
    X, y, task = X[rows], y[rows], task[rows]
    if as_frame:
        X = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
        X.insert(3, "camera", [f"camera{t}" for t in task])
        column = "camera"
    else:
        X, column = np.column_stack([X, task]), -1
    hasher = small(n_hidden=256, task_column=column)
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), hasher),
        {"taskgeometrichasher__n_bits": [4, 16]},
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"taskgeometrichasher__n_bits": 16}
    classifier = make_pipeline(clone(hasher), KNeighborsClassifier(metric="hamming"))
    assert classifier.fit(X, y).score(X, y) > 0.9
    with pytest.raises(ValueError, match="task was given beside task_column"):
        hasher.fit(X, y, task=task)


def test_string_tasks_and_string_classes(digit_tasks):
    (X, y, task), _ = digit_tasks
    names, words = np.array([f"camera {t}" for t in task]), np.array([f"digit {c}" for c in y])
    hasher = small().fit(X, words, task=names)
    plain = small().fit(X, y, task=task)
    assert (hasher.transform(X, task=names) == plain.transform(X, task=task)).mean() > 0.99
    assert hasher.predict_class(X[:3], task=names[:3]).tolist() == words[:3].tolist()
    assert hasher.predict_task(X[:3], unknown="none").dtype.kind == "U"


def test_a_network_of_the_users_is_frozen(digit_tasks):
    (X, y, task), _ = digit_tasks
    torch.manual_seed(0)
    backbone = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.Dropout()
    )
    before = [p.detach().clone() for p in backbone.parameters()]
    hasher = small(encoder=backbone, image_shape=(1, 8, 8), solver="ridge+sgd", max_epochs=2)
    hasher.fit(X[task == 0], y[task == 0])
    assert hasher.score(X[task == 0], y[task == 0]) > 0.8
    np.testing.assert_array_equal(hasher.transform(X[:5]), hasher.transform(X[:5]))
    assert all(torch.equal(p, q) for p, q in zip(backbone.parameters(), before))
    assert all(p.requires_grad for p in backbone.parameters())  # the user's own stays as it was


class Watched(torch.nn.Module):
    """Keeps the smallest and largest value that it saw."""

    def __init__(self):
        super().__init__()
        self.register_buffer("span", torch.tensor([torch.inf, -torch.inf]))

    def forward(self, samples):
        full = samples[samples.abs().sum(dim=1) > 0]  # the last batch is filled with zeros
        self.span[0] = min(self.span[0], full.min())
        self.span[1] = max(self.span[1], full.max())
        return (samples > 1000).float()


def test_a_users_module_gets_samples_as_they_come(digit_tasks):
    (X, y, task), _ = digit_tasks
    samples = (1000 + X[task == 0] - X.max() / 2).astype(np.float32)
    hasher = small(encoder=Watched()).fit(samples, y[task == 0])
    seen = hasher.learner_.encoder.extractor[-1].span
    assert seen.tolist() == [samples.min(), samples.max()]
    assert hasher.score(samples, y[task == 0]) > 0.9


# -- bad input -----------------------------------------------------------------------------------


def bad_calls(X, y, task):
    nan = X.copy()
    nan[3, 3] = np.nan
    return {
        "wrong length": (lambda h: h.fit(X, y, task=task[:-2]), "task has .* labels for .* rows"),
        "mixed types": (lambda h: h.fit(X, y, task=["a", 1] * (len(X) // 2)), "int and str"),
        "other type": (lambda h: h.partial_fit(X, y, task="a"), "of type str, but the tasks"),
        "one class": (lambda h: h.fit(X, np.zeros(len(X), int), task=task), "one class only"),
        "reserved": (lambda h: clone(h).fit(X, y, task="infer"), "reserved"),
        "nan": (lambda h: h.fit(nan, y, task=task), "NaN"),
        "infinite": (lambda h: h.fit(np.where(np.isnan(nan), np.inf, X), y, task=task), "infinity"),
        "no rows": (lambda h: h.partial_fit(X[:0], y[:0], task=7), "0 sample"),
        "no labels": (lambda h: h.fit(X, None, task=task), "requires y"),
        "objects": (
            lambda h: h.fit(np.full(X.shape, "a", object), y, task=task),
            "could not convert",
        ),
        "width": (lambda h: h.partial_fit(X[:, 1:], y, task=task), "63 features"),
        "weights": (
            lambda h: h.fit(X, y, task=task, sample_weight=-np.ones(len(X))),
            "[Nn]egative",
        ),
        "zero weights": (
            lambda h: h.fit(X, y, task=task, sample_weight=np.zeros(len(X))),
            "non-zero",
        ),
        "unknown task": (
            lambda h: h.transform(X, task=99),
            "unknown label 99.*learned so far are 0, 30, 60",
        ),
        "no task": (lambda h: h.transform(X), "3 tasks were learned: 0, 30, 60"),
        "few units": (
            lambda h: h.set_params(head="block", n_hidden=4).fit(X, y),
            "n_hidden=4 is less than n_bits=16",
        ),
        "dense ridge": (
            lambda h: h.set_params(head="dense").fit(X, y),
            "head='dense' has no closed form",
        ),
        "no shape": (lambda h: h.set_params(encoder="conv").fit(X, y), "needs image_shape"),
        "bad shape": (
            lambda h: h.set_params(image_shape=(8, 9)).fit(X, y),
            r"image_shape=\(8, 9\)",
        ),
        "alpha": (lambda h: h.set_params(alpha=[]).fit(X, y), "alpha="),
    }


@pytest.mark.parametrize("name", list(bad_calls(np.zeros((4, 64)), [0], [0])))
def test_bad_input_is_named_and_changes_nothing(digit_tasks, name):
    (X, y, task), _ = digit_tasks
    X, y, task = X[::8], y[::8], task[::8]
    X, y, task = X[: len(X) // 2 * 2], y[: len(y) // 2 * 2], task[: len(y) // 2 * 2]
    hasher = small().fit(X, y, task=task)
    codes = hasher.transform(X, task=task)
    call, message = bad_calls(X, y, task)[name]
    with pytest.raises((ValueError, TypeError), match=message):
        call(hasher)
    np.testing.assert_array_equal(hasher.transform(X, task=task), codes)
    assert hasher.tasks_.tolist() == [0, 30, 60]


def test_interrupted_fit_keeps_the_tasks_that_were_finished(digit_tasks):
    (X, y, task), _ = digit_tasks

    class Interrupt(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Interrupt.epochs += 1
            if Interrupt.epochs == 3:  # in the second task
                raise KeyboardInterrupt

    hasher = small(solver="sgd", max_epochs=2, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        hasher.fit(X, y, task=task)
    assert hasher.tasks_.tolist() == [0]
    expected = small(solver="sgd", max_epochs=2).fit(X[task == 0], y[task == 0], task=0)
    np.testing.assert_array_equal(hasher.transform(X), expected.transform(X))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [0.0, (0.0, 1e-3)])
def test_degenerate_data_gives_sound_codes(solver, alpha):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(12, 5))
    X[:, 2] = 1.0  # constant
    y = (X[:, 0] > X[:, 1]).astype(int)
    X, y = np.repeat(X, 3, axis=0), np.repeat(y, 3)  # fewer different rows than units a bit
    hasher = small(solver=solver, alpha=alpha, max_epochs=2).fit(X, y)
    for value in (hasher.contexts_, hasher.strengths_, hasher.biases_):
        assert np.isfinite(value).all()
    if "ridge" in solver:
        assert hasher.score(X, y) > 0.9


def test_history_and_callbacks(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(solver="sgd", max_epochs=3).fit(X, y, task=task)
    losses = [epoch["train_loss"] for epoch in hasher.history_[30]]
    assert len(losses) == 3 and losses[-1] < losses[0]
    assert small().fit(X, y, task=task).history_ == {0: [], 30: [], 60: []}


# -- what comes too late, copies, and labels of two types ------------------------------------------


@pytest.fixture(scope="module")
def few(digit_tasks):
    X, y, task = digit_tasks[0]
    return X[::9], y[::9], task[::9]


@pytest.mark.parametrize(
    "late",
    [dict(n_bits=8), dict(head="block"), dict(structure_bits=0.5), dict(encoder="fly")],
    ids=str,
)
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_parameters_of_the_frozen_network_come_too_late(few, late, call):
    X, y, task = few
    hasher = small(warm_start=True).fit(X, y, task=task)
    codes = hasher.transform(X, task=task)
    before = {name: getattr(hasher, name) for name in late}
    hasher.set_params(**late)
    (name, value) = next(iter(late.items()))
    with pytest.raises(ValueError, match=f"{name}={value!r}, but the network .*{before[name]!r}"):
        getattr(hasher, call)(X, y, task=task)
    np.testing.assert_array_equal(hasher.set_params(**before).transform(X, task=task), codes)
    if call == "fit":
        assert hasher.set_params(warm_start=False, **late).fit(X, y, task=task).tasks_.size == 3
    else:
        hasher.set_params(alpha=1e-3, open_tasks=2).partial_fit(X, y, task=task)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_go_on_learning(few, copied):
    X, y, task = few
    hasher = small().fit(X[::2], y[::2], task=task[::2])
    codes = hasher.transform(X, task=task)
    other = copied(hasher).partial_fit(X[1::2], y[1::2], task=task[1::2])
    expected = clone(hasher).fit(X[::2], y[::2], task=task[::2])
    expected.partial_fit(X[1::2], y[1::2], task=task[1::2])
    np.testing.assert_array_equal(other.transform(X, task=task), expected.transform(X, task=task))
    np.testing.assert_array_equal(hasher.transform(X, task=task), codes)


@pytest.mark.parametrize("frames", ["pandas", "polars"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_prefix_has_as_many_names_as_columns(few, frames, packed):
    X, y, task = few
    hasher = small(packed=packed).fit(X, y, task=task)
    codes = hasher.transform(X, task=task, n_bits=9)
    frame = hasher.set_output(transform=frames).transform(X, task=task, n_bits=9)
    width = 2 if packed else 9
    assert list(frame.columns) == [f"taskgeometrichasher{i}" for i in range(width)]
    np.testing.assert_array_equal(frame.to_numpy(), codes)
    assert hasher.transform(X, task=task).shape == (len(X), 2 if packed else 16)


def test_classes_of_two_types_are_refused(few):
    X, y, task = few
    hasher = small().fit(X, y, task=0)
    with pytest.raises(ValueError, match="y has labels of type str, but the classes learned"):
        hasher.partial_fit(X, y.astype(str), task=1)
    assert hasher.tasks_.tolist() == [0]
    assert hasher.fit(X, y.astype(str), task=0).predict_class(X[:1]).dtype.kind == "U"


def test_a_polars_frame_with_a_task_column(few):
    X, y, task = few
    columns = {f"pixel{i}": X[:, i] for i in range(64)} | {"camera": [f"c{t}" for t in task]}
    frame = pl.DataFrame(columns)
    hasher = small(task_column="camera").fit(frame, y)
    plain = small().fit(X, y, task=columns["camera"])
    codes = plain.transform(X, task=columns["camera"])
    np.testing.assert_array_equal(hasher.transform(frame), codes)
    assert hasher.score(frame, y) == plain.score(X, y, task=columns["camera"])
    assert hasher.set_output(transform="polars").transform(frame).shape == codes.shape


def test_a_device_that_is_not_here_opens_on_the_cpu(few):
    X, y, task = few
    hasher = small().fit(X, y, task=task)
    elsewhere = copy.copy(hasher).set_params(device="cuda:77")
    opened = pickle.loads(pickle.dumps(elsewhere))
    np.testing.assert_array_equal(opened.transform(X, task=task), hasher.transform(X, task=task))
    with pytest.raises(ValueError, match="device='cuda:77', but this machine has"):
        opened.fit(X, y, task=task)
