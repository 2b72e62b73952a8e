import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
)
from sktgsh.evaluation import (
    ClassHoldOut,
    ClassifierHasher,
    LabelledFolds,
    cross_task_retrieval,
    identifier_recovery,
    one_shot_accuracy,
    retrieval_report,
    transfer_accuracy,
)
from sktgsh.metrics import make_retrieval_scorer


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def test_held_out_classes_are_never_trained_on():
    y = np.repeat(np.arange(10), 7)
    seen = []
    for train, test in ClassHoldOut(5, random_state=0).split(y, y):
        assert not set(y[train]) & set(y[test]) and len(train) + len(test) == len(y)
        seen += sorted(set(y[test]))
    assert sorted(seen) == list(range(10))
    with pytest.raises(ValueError, match="n_held_out=9 of 10 classes"):
        next(ClassHoldOut(2, n_held_out=9).split(y, y))


def test_hold_out_in_cross_validation(digits):
    X, y = digits
    cv = ClassHoldOut(2, random_state=0)
    ours = cross_val_score(TaskGeometricHasher(structure_fraction=0.5, random_state=0), X, y, cv=cv)
    trivial = cross_val_score(ClassifierHasher(), X, y, cv=cv)
    assert len(ours) == 2 and ours.mean() > trivial.mean()


def test_held_out_labels_are_of_no_training_row():
    rng = np.random.default_rng(0)
    y = (rng.random((60, 6)) < 0.2).astype(int)
    y[:, 5] = 0  # a label that no row has is none to hold out
    held_out = []
    for train, test in ClassHoldOut(2, n_held_out=2, random_state=0).split(y, y):
        assert len(train) + len(test) == 60 and not set(train) & set(test)
        labels = np.flatnonzero(y[test].any(axis=0) & ~y[train].any(axis=0))
        assert len(labels) == 2 and y[test][:, labels].any(axis=1).all()
        held_out += labels.tolist()
    assert len(set(held_out)) == 4 and 5 not in held_out
    with pytest.raises(ValueError, match="no row to train on"):
        next(ClassHoldOut(2).split(y, np.ones((9, 4))))
    with pytest.raises(ValueError, match="y has shape"):
        next(ClassHoldOut(2).split(y, y + 1))


def test_one_shot_with_several_labels_by_hand():
    # The example of label 0 is row 0 or 2, that of label 1 is row 1 or 2. Row 3 has no label.
    codes = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 0]])
    y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    values = {one_shot_accuracy(None, codes, y, n_repeats=1, random_state=s) for s in range(30)}
    # (0, 1): row 2 is nearest to 0, whose label it has. (0, 2): row 1 is nearest to 2, the example
    # of its label. (2, 1): row 0 is nearest to 2. (2, 2): both labels tie for rows 0 and 1.
    assert values == {1.0, 0.5}


def test_one_hot_rows_are_class_labels(digits):
    X, y = digits
    hasher = SignedRandomProjectionHasher(32, random_state=0).fit(X)
    X, y = X[:300], y[:300]
    for protocol in (one_shot_accuracy, transfer_accuracy):
        one = protocol(hasher, X, y, n_repeats=2, random_state=0)
        several = protocol(hasher, X, np.eye(10)[y], n_repeats=2, random_state=0)
        assert several == pytest.approx(one, abs=0 if protocol is one_shot_accuracy else 0.05)
    with pytest.raises(ValueError, match="y has 299 labels for 300 rows"):
        one_shot_accuracy(hasher, X, y[1:])


def test_one_shot_by_hand():
    # Class 0 has codes 00 and 01, class 1 has 11: 01 is 1 bit from either example, half right.
    codes, y = np.array([[0, 0], [0, 1], [1, 1], [1, 1]]), np.array([0, 0, 1, 1])
    values = {one_shot_accuracy(None, codes, y, n_repeats=1, random_state=s) for s in range(30)}
    # Example 00: rows 01 (half) and 11 (right). Example 01: rows 00 and 11, both right.
    assert values == {0.75, 1.0}
    with pytest.raises(ValueError, match="single row"):
        one_shot_accuracy(None, [[0], [1]], [0, 1])


def test_transfer_learns_new_classes_from_few_rows(digits):
    X, y = digits
    hasher = SignedRandomProjectionHasher(64, random_state=0).fit(X)
    new = y >= 5
    few = transfer_accuracy(hasher, X[new], y[new], n_labelled=2, random_state=0)
    many = transfer_accuracy(hasher, X[new], y[new], n_labelled=30, random_state=0)
    assert 0.4 < few < many < 1
    with pytest.raises(ValueError, match="n_labelled=999"):
        transfer_accuracy(hasher, X[new], y[new], n_labelled=999)


def test_cross_task_retrieval(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y, task = X[::3], y[::3], task[::3]
    diagonal = {}
    for shared in (True, False):
        hasher = TaskGeometricHasher(
            16, n_hidden=1024, share_codebook=shared, codebook="random", random_state=0
        ).fit(X, y, task=task)
        tasks, scores = cross_task_retrieval(hasher, X, y, task=task)
        assert tasks.tolist() == [0, 30, 60] and scores.shape == (3, 3)
        diagonal[shared] = np.diag(scores).mean()
        off = scores[~np.eye(3, dtype=bool)].mean()
        assert off > 0.8 if shared else off < diagonal[shared]


def test_identifier_is_recovered_where_it_is_there_to_be_read():
    rng = np.random.RandomState(0)
    manifold = np.repeat(np.arange(80), 10)
    gamma = rng.normal(size=(80, 2))[manifold]
    readable = np.tanh(gamma @ rng.normal(size=(2, 12))) / 3 + 0.01 * rng.normal(size=(800, 12))
    assert identifier_recovery(readable, gamma, manifold, random_state=0) > 0.9
    noise = rng.normal(size=(800, 12)) / 3
    assert identifier_recovery(noise, gamma, manifold, random_state=0) < 0.1


def test_report_exposes_the_trivial_solution(digits):
    X, y = digits
    report = retrieval_report(
        {
            "ours": TaskGeometricHasher(structure_fraction=0.5, random_state=0),
            "random": SignedRandomProjectionHasher(32, random_state=0),
        },
        X,
        y,
        unseen_classes=range(5, 10),
    )
    rows = {row["hasher"]: row for row in report.rows}
    assert rows["trivial"]["seen_map"] > 0.9  # it wins where the field usually looks
    for figure in ("unseen_map", "one_shot", "transfer"):
        assert rows["ours"][figure] > rows["trivial"][figure]
    assert rows["ours"]["seen_map"] > rows["random"]["seen_map"]
    assert str(report).splitlines()[0].split()[:3] == ["hasher", "bits", "seen_map"]
    with pytest.raises(ValueError, match="unseen_classes"):
        retrieval_report({}, X, y, unseen_classes=range(10))


def test_report_of_several_labels(digits):
    X, y = (part[:700] for part in digits)
    labels = np.stack([y == 0, y == 1, y % 2 == 0, y < 5, y > 6], axis=1)
    hashers = {
        "trained": DeepSupervisedHasher(16, solver=GradientSolver(max_epochs=3), random_state=0),
        "random": SignedRandomProjectionHasher(16, random_state=0),
    }
    report = retrieval_report(hashers, X, labels, unseen_classes=[0, 1])
    rows = {row["hasher"]: row for row in report.rows}
    for name in ("trained", "trivial"):
        assert rows[name]["seen_map"] > rows["random"]["seen_map"]
    assert rows["random"]["one_shot"] > 0.8  # zeros and ones are easily told apart
    with pytest.raises(ValueError, match=r"unseen_classes=\[4, 7\]; .* 5 columns"):
        retrieval_report({}, X, labels, unseen_classes=[4, 7])


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.coo_matrix])
def test_report_of_sparse_rows_is_that_of_dense_ones(digits, kind):
    X, y = (part[:600] for part in digits)
    hashers = {"random": SignedRandomProjectionHasher(32, random_state=0)}
    dense, found = (
        retrieval_report(hashers, rows, y, unseen_classes=[0, 1, 2]).rows for rows in (X, kind(X))
    )
    for one, other in zip(dense, found):
        # The trivial solution leaves sparse columns their means.
        tolerance = 0.01 if one["hasher"] == "random" else 0.1
        for figure in ("seen_map", "unseen_map", "one_shot", "transfer"):
            assert other[figure] == pytest.approx(one[figure], abs=tolerance)


def test_report_beside_the_rivals(digits):
    X, y = digits
    hasher = SignedRandomProjectionHasher(n_bits=24, random_state=0)
    report = retrieval_report({"random": hasher}, X, y, unseen_classes=[0, 1, 2], rivals=True)
    found = {row["hasher"]: row for row in report.rows}
    assert list(found) == ["random", "trivial", "ridge", "ITQ", "PCA signs"]
    assert {found[name]["bits"] for name in ("random", "ridge", "ITQ", "PCA signs")} == {24}
    assert found["ITQ"]["seen_map"] > found["random"]["seen_map"]
    assert found["ridge"]["seen_map"] > found["ITQ"]["seen_map"]
    assert found["ITQ"]["unseen_map"] > found["ridge"]["unseen_map"]


def test_labelled_folds_keep_unlabelled_rows_in_every_training_part():
    y = np.where(np.arange(200) % 4 == 0, np.arange(200) % 3, -1)
    tested = []
    for train, test in LabelledFolds(5, missing_label=-1).split(y, y):
        assert set(np.flatnonzero(y == -1)) <= set(train)
        assert (y[test] >= 0).all() and not set(train) & set(test)
        assert len(train) + len(test) == 200
        tested += test.tolist()
    assert sorted(tested) == np.flatnonzero(y >= 0).tolist()
    complete = list(StratifiedKFold(5).split(y, y))
    for (train, test), expected in zip(LabelledFolds(5).split(y, y), complete):
        assert np.array_equal(train, expected[0]) and np.array_equal(test, expected[1])


def test_labelled_folds_say_where_labels_are_too_few():
    y = np.where(np.arange(200) < 20, np.arange(200) % 2, -1)
    with pytest.warns(UserWarning, match="y has a label in 20 of 200 rows"):
        next(LabelledFolds(2, missing_label=-1).split(y, y))
    with pytest.raises(ValueError, match="no label in any of 200 rows"):
        next(LabelledFolds(2, missing_label=-1).split(y, np.full(200, -1)))


def test_grid_search_with_missing_labels(digits):
    X, y = digits[0][:500], digits[1][:500]
    partial = np.where(np.arange(500) % 3 == 0, y, -1)
    hasher = TaskGeometricHasher(n_hidden=128, missing_label=-1, random_state=0)
    search = GridSearchCV(
        hasher, {"n_bits": [2, 16]}, cv=LabelledFolds(2, missing_label=-1), error_score="raise"
    )
    search.fit(X, partial)
    assert search.best_params_ == {"n_bits": 16}
    scored = cross_val_score(
        hasher, X, partial, cv=LabelledFolds(2, missing_label=-1), scoring=make_retrieval_scorer()
    )
    assert scored.mean() > 0.8


def test_report_by_share_of_labels(digits):
    X, y = digits
    hashers = {
        "ours": TaskGeometricHasher(n_hidden=256, random_state=0),
        "random": SignedRandomProjectionHasher(32, random_state=0),
    }
    shares = [0, 0.02, 1]
    report = retrieval_report(hashers, X, y, unseen_classes=[8, 9], labelled=shares)
    found = {(row["labelled"], row["hasher"]): row for row in report.rows}
    assert [row["labelled"] for row in report.rows] == np.repeat(shares, 3).tolist()
    ours = [found[share, "ours"]["seen_map"] for share in shares]
    assert ours == sorted(ours)
    # Without a label ours learns from the rows, and the trivial solution from nothing.
    assert ours[0] > found[0, "random"]["seen_map"] + 0.1
    assert np.isnan(found[0, "trivial"]["all_map"])
    assert found[0.02, "ours"]["all_map"] > found[0.02, "trivial"]["all_map"]
    assert len({found[share, "random"]["all_map"] for share in shares}) == 1
    with pytest.raises(ValueError, match="labelled=2; expected shares"):
        retrieval_report(hashers, X, y, labelled=2)
    with pytest.raises(ValueError, match="unseen_classes and labelled are missing"):
        retrieval_report(hashers, X, y)
