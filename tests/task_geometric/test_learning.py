import pickle

import numpy as np
import pytest
from learned_tasks import SOLVERS, small, steps
from sklearn.base import clone

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision


def frozen_bytes(hasher):
    state = hasher.model_.network.encoder.state_dict()
    return [tensor.numpy().tobytes() for tensor in state.values()]


@pytest.mark.parametrize("solver", SOLVERS)
def test_older_tasks_do_not_change(digit_tasks, solver):
    (X, y, task), _ = digit_tasks
    hasher = small(solver=steps(solver, max_epochs=2)).fit(X[task == 0], y[task == 0], task=0)
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
    params = dict(solver=steps(solver, max_epochs=2), share_prior=False)
    together, apart = small(**params).fit(X, y, task=task), small(**params)
    for label in (0, 30, 60):
        apart.partial_fit(X[task == label], y[task == label], task=label)
    np.testing.assert_array_equal(together.transform(X, task=task), apart.transform(X, task=task))


def test_shared_codebook_makes_codes_comparable(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    values = {}
    for shared in (True, False):
        hasher = small(n_hidden=1024, share_codebook=shared).fit(X, y, task=task)
        queries = hasher.transform(Q[qtask == 30], task=30)
        values[shared] = mean_average_precision(
            queries, q[qtask == 30], hasher.transform(X[task == 0], task=0), y[task == 0]
        )
    assert values[True] > 0.85 > 0.7 > values[False]
    assert hasher.codebook_.shape == (3, 10, 16)


# -- more rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("codebook", ["learned", "hadamard", "random"])
@pytest.mark.parametrize("params", [{}, dict(head="block", encoder="fly")], ids=str)
def test_chunks_in_any_order_are_as_good_as_all_at_once(digit_tasks, codebook, params):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    order = np.random.RandomState(0).permutation(len(X))
    first, *others = np.split(order, [30, 50, 300, 301 + 40, 700, 1000])
    # The frozen network takes its statistics from the first call.
    whole, hasher = (
        small(codebook=codebook, **params).partial_fit(X[first], y[first]) for _ in range(2)
    )
    rest = np.concatenate(others)
    whole.partial_fit(X[rest], y[rest])
    for rows in reversed(others):
        hasher.partial_fit(X[rows], y[rows])
    assert (whole.transform(X) == hasher.transform(X)).mean() >= 0.9999
    # Learned codewords follow the first chunk. The fly takes one scale for all columns, and even
    # that does not matter.
    if params and codebook != "learned":
        fitted = small(codebook=codebook, **params).fit(X, y)
        assert (fitted.transform(X) == hasher.transform(X)).mean() >= 0.9999


def test_sorted_by_class_chunks(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    first = np.isin(y, [3, 8])
    hasher, whole = (small(codebook="random").partial_fit(X[first], y[first]) for _ in range(2))
    for classes in ([1], [0, 2, 4, 5, 6, 7, 9]):
        rows = np.isin(y, classes)
        hasher.partial_fit(X[rows], y[rows])
    whole.partial_fit(X[~first], y[~first])
    assert (whole.transform(X) == hasher.transform(X)).mean() >= 0.9999
    assert hasher.classes_.tolist() == list(range(10))


@pytest.mark.parametrize("shared", [True, False])
def test_a_first_chunk_with_one_class(few, shared):
    X, y, task = few
    X, y = X[task == 0], y[task == 0]
    hasher = small(share_codebook=shared)
    for label in range(10):
        rows = y == label
        hasher.partial_fit(X[rows], y[rows], **({} if label else {"classes": np.arange(10)}))
        assert hasher.classes_.tolist() == list(range(10))
    assert hasher.score(X, y) > 0.95 and (hasher.predict_class(X) == y).mean() > 0.95
    # Classes that were named have their codewords before they have rows.
    named, two = small(share_codebook=shared), np.isin(y, [3, 5])
    words = named.partial_fit(X[two], y[two], classes=range(10)).codebook_
    named.partial_fit(X[~two], y[~two])
    np.testing.assert_array_equal(named.codebook_, words)
    assert named.score(X, y) > 0.95


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
    # Of one penalty: cross-validation takes a row of weight 2 as one row that counts twice.
    fixed = dict(encoder="fly", alpha=0.1)
    weighted = small(**fixed).fit(X, y, sample_weight=weight)
    repeated = small(**fixed).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert (weighted.transform(X) == repeated.transform(X)).mean() >= 0.999


def test_gradient_steps_go_on_from_what_was_learned(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    hasher = small(solver=steps("sgd", max_epochs=3)).fit(X, y)
    first = hasher.score(X, y)
    hasher.partial_fit(X, y)
    assert len(hasher.history_[0]) == 6 and hasher.score(X, y) > first


def test_closed_tasks_keep_their_codes_and_take_no_rows(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(max_open_tasks=1).fit(X, y, task=task)
    assert list(hasher.model_.statistics) == [60]
    codes = hasher.transform(X, task=task)
    with pytest.raises(ValueError, match=r"task 0 is closed.*max_open_tasks=1"):
        hasher.partial_fit(X[:50], y[:50], task=0)
    hasher.close_task(60)
    assert not hasher.model_.statistics
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


@pytest.mark.parametrize("codebook", ["learned", "hadamard", "random"])
@pytest.mark.parametrize("structure_fraction", [0.0, 0.5])
@pytest.mark.parametrize("head, sizes", [("shared", 16), ("block", 32)])
def test_short_codes_are_prefixes_of_long_ones(
    digit_tasks, codebook, structure_fraction, head, sizes
):
    (X, y, task), _ = digit_tasks
    params = dict(
        head=head, codebook=codebook, structure_fraction=structure_fraction, random_state=0
    )
    long = TaskGeometricHasher(24, n_hidden=24 * sizes, **params).fit(X, y, task=task)
    short = TaskGeometricHasher(8, n_hidden=(8 if head == "block" else 24) * sizes, **params)
    short.fit(X, y, task=task)
    codes = long.transform(X, task=task)
    assert (codes[:, :8] == short.transform(X, task=task)).mean() >= 0.9999
    np.testing.assert_array_equal(codes[:, :8], long.transform(X, task=task, n_bits=8))
    with pytest.raises(ValueError, match="n_bits=25"):
        long.transform(X, task=task, n_bits=25)


# -- what is known of a task ---------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_several_labels_a_row(digit_tasks, solver):
    (X, y, task), (Q, q, qtask) = digit_tasks
    X, y, Q, q = X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]
    facts = np.stack([y % 2 == 0, y < 5, np.isin(y, [0, 6, 8, 9])], axis=1).astype(int)
    wanted = np.stack([q % 2 == 0, q < 5, np.isin(q, [0, 6, 8, 9])], axis=1).astype(int)
    hasher = small(solver=steps(solver, max_epochs=15)).fit(X, facts)
    values = hasher.decision_function(Q)
    words = hasher.modulations_[0].codewords.astype(float)
    counts = wanted.sum(axis=1)
    rows = counts > 0
    target = (wanted @ words)[rows] / counts[rows, None]
    assert np.corrcoef(values[rows].ravel(), target.ravel())[0, 1] > 0.8
    assert hasher.classes_.tolist() == [0, 1, 2]
    one_hot = small(solver=steps(solver, max_epochs=15)).fit(X, np.eye(10, dtype=int)[y])
    plain = small(solver=steps(solver, max_epochs=15)).fit(X, y)
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
    new = small(solver=steps(solver, max_epochs=15), packed=packed)
    new.fit_codes(X[:, 1::2], old.transform(X[:, ::2]))
    found = mean_average_precision(
        new.transform(Q[:, 1::2]), q, old.transform(X[:, ::2]), y, packed=packed
    )
    assert found > 0.9
    with pytest.raises(ValueError, match="learned from codes"):
        new.partial_fit(X[:, 1::2], y)
    with pytest.raises(ValueError, match="task 0 has no class: it was learned from given codes"):
        new.predict_class(Q[:, 1::2])
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
