"""Few classes leave bits that follow the structure of the data."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from learned_tasks import small
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from sktgsh import load
from sktgsh.metrics import mean_average_precision
from sktgsh.task_geometric.learning.structure import repetitions


@pytest.fixture(scope="module")
def two_classes():
    X, y = load_breast_cancer(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)


def distinct_columns(codes):
    """Number of bits that are no copy of another one, or of its opposite."""
    return len(np.unique(codes ^ codes[:1], axis=1).T)


def neighbours_found(queries, database, Q, X):
    """Share of the 10 nearest rows among the 30 rows of nearest code."""
    scale = X.std(axis=0)
    apart = np.square(Q[:, None] / scale - X / scale).sum(axis=2)
    near = np.argsort(apart, axis=1, kind="stable")[:, :10]
    codes = (queries[:, None] != database).sum(axis=2)
    found = np.argsort(codes, axis=1, kind="stable")[:, :30]
    return np.mean([np.isin(a, b).mean() for a, b in zip(near, found)])


def test_repetitions_count_splits_and_their_opposites():
    words = np.array([[1, 1, -1, 1], [-1, 1, 1, -1], [1, -1, -1, 1]])
    np.testing.assert_array_equal(repetitions(words), [0, 0, 1, 2])


def test_two_classes_fill_a_long_code(two_classes):
    X, Q, y, q = two_classes
    filled, copies = small(n_bits=64).fit(X, y), small(n_bits=64).partial_fit(X, y)
    found = {}
    for name, hasher in (("filled", filled), ("copies", copies)):
        codes, database = hasher.transform(Q), hasher.transform(X)
        assert (hasher.predict_class(Q) == q).mean() > 0.93
        found[name] = (
            distinct_columns(database),
            mean_average_precision(codes, q, database, y),
            neighbours_found(codes, database, Q, X),
        )
    assert found["copies"][0] == 1 and found["filled"][0] >= 60
    assert found["filled"][1] > found["copies"][1] - 0.01
    assert found["filled"][2] > found["copies"][2] + 0.4


@pytest.mark.parametrize("n_bits", [16, 64])
def test_four_classes_have_no_column_twice(n_bits):
    X, y = load_digits(return_X_y=True)
    filled = small(n_bits=n_bits).fit(X, y % 4)
    assert distinct_columns(filled.transform(X)) == n_bits
    assert (filled.predict_class(X) == y % 4).mean() > 0.95


def test_a_short_code_is_the_beginning_of_a_long_one(two_classes):
    X, _, y, _ = two_classes
    short, long = (small(n_bits=n).fit(X, y).transform(X) for n in (16, 48))
    np.testing.assert_array_equal(short, long[:, :16])


def test_chunks_of_one_pass_add_up(two_classes):
    X, _, y, _ = two_classes
    halves = [(X[part::2], y[part::2]) for part in (0, 1)]
    streamed = small(codebook="hadamard").fit_batches(halves)
    known = small(codebook="hadamard").fit(*halves[0])
    assert streamed.fingerprint() == known.fingerprint()
    at_once = known.set_params(warm_start=True).fit(X, y)
    assert (streamed.transform(X) == at_once.transform(X)).mean() > 0.999


def test_more_rows_and_classes_change_few_bits(two_classes):
    X, Q, y, _ = two_classes
    hasher = small(n_bits=32).fit(X[::2], y[::2])
    codes, structure = hasher.transform(Q), hasher.modulations_[0].structure
    hasher.partial_fit(X[1::2], y[1::2])
    assert hasher.modulations_[0].structure is structure
    assert (hasher.transform(Q) != codes).mean() < 0.03
    more = X[y == 1][:60] + 5 * X.std(axis=0)
    hasher.partial_fit(more, np.full(60, 2))
    assert (hasher.codebook_[:, structure.alone] == 0).all()
    assert (hasher.codebook_[:, ~structure.alone] != 0).all()


def test_a_class_that_comes_later_is_mostly_found(two_classes):
    X, _, y, _ = two_classes
    more, found = X[y == 1][:60] + 5 * X.std(axis=0), []
    for seed in range(5):  # a few draws of directions leave the new class hardly any bit
        hasher = small(n_bits=32, random_state=seed).fit(X, y).partial_fit(more, np.full(60, 2))
        found.append((hasher.predict_class(more) == 2).mean())
    assert np.median(found) > 0.9


def test_structure_bits_of_tasks_can_be_compared(two_classes, tmp_path: Path):
    X, _, y, _ = two_classes
    task = np.arange(len(X)) % 3
    hasher = small(n_bits=32).fit(X[task < 2], y[task < 2], task=task[task < 2])
    hasher.partial_fit(X[task == 2], y[task == 2], task=2)
    codes = [hasher.transform(X, task=label) for label in range(3)]
    bits = hasher.modulations_[0].structure.alone
    assert bits.sum() > 10
    for other in codes[1:]:
        np.testing.assert_array_equal(codes[0][:, bits], other[:, bits])
    hasher.save(tmp_path / "hasher")
    again = load(tmp_path / "hasher")
    np.testing.assert_array_equal(again.transform(X, task=2), codes[2])
    again.partial_fit(X[:60], y[:60], task=3)
    np.testing.assert_array_equal(again.transform(X, task=3)[:, bits], codes[0][:, bits])


def test_tasks_with_codebooks_of_their_own_have_structure_of_their_own(two_classes):
    X, Q, y, q = two_classes
    task = np.arange(len(X)) % 2
    hasher = small(n_bits=32, share_codebook=False).fit(X, y, task=task)
    for label in range(2):
        database = hasher.transform(X, task=label)
        assert distinct_columns(database) > 25
        codes = hasher.transform(Q, task=label)
        assert mean_average_precision(codes, q, database, y) > 0.93
    hasher.partial_fit(X[:40], y[:40], task=0)
    assert distinct_columns(hasher.transform(X, task=0)) > 25


def test_more_classes_than_codes_warn(digit_tasks):
    (X, y, task), _ = digit_tasks
    rows = task == 0
    with pytest.warns(UserWarning, match="10 classes, but 3 bits spell at most 8 codewords"):
        small(n_bits=3).fit(X[rows], y[rows])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(n_bits=4).fit(X[rows], y[rows])


@pytest.mark.parametrize("share_codebook", [True, False])
def test_rows_without_labels_have_codes_of_their_own(two_classes, share_codebook):
    """Bits of two classes would be copies, or follow directions that were chosen for them."""
    X, Q, y, q = two_classes
    hasher = small(n_bits=32, share_codebook=share_codebook).fit(X, y, task="labelled")
    hasher.partial_fit(X, None, task="unlabelled")
    codes, database = (hasher.transform(rows, task="unlabelled") for rows in (Q, X))
    assert (database.any(axis=0) & ~database.all(axis=0)).all()
    assert distinct_columns(database) > 20
    assert mean_average_precision(codes, q, database, y) > 0.8


def test_a_task_stays_with_what_it_follows(two_classes):
    X, Q, y, _ = two_classes
    hasher = small(n_bits=32, warm_start=True).fit(X, None, task="unlabelled")
    codes = hasher.transform(Q, task="unlabelled")
    hasher.fit(X, y, task="labelled")
    assert hasher.modulations_["labelled"].structure is not None
    hasher.partial_fit(X[:5], None, task="unlabelled")
    assert (hasher.transform(Q, task="unlabelled") != codes).mean() < 0.02


def test_a_named_group_spells_nothing_where_other_tasks_follow_a_structure(two_classes):
    X, Q, y, _ = two_classes
    hasher = small(n_bits=32).fit(X, y, task="labelled").partial_fit(X, None, task="unlabelled")
    codes = hasher.transform(Q, task="unlabelled")
    hasher.name_group(0, 7, task="unlabelled")
    hasher.partial_fit(X, np.where(y == 0, 7, 1), task="more")
    np.testing.assert_array_equal(hasher.transform(Q, task="unlabelled"), codes)
    known = hasher.modulations_["unlabelled"]
    word = hasher.codebook_[hasher.classes_.tolist().index(7)]
    np.testing.assert_array_equal(known.codewords[known.classes.index(7)], word)
    assert (word[hasher.modulations_["more"].structure.alone] == 0).all()


def test_an_imported_task_brings_its_structure(two_classes, tmp_path: Path):
    X, Q, y, q = two_classes
    whole = small(n_bits=32, share_codebook=True).fit(X, None, task="first")
    whole.save(tmp_path / "whole")
    copy = load(tmp_path / "whole").set_params(warm_start=True)
    copy.fit(X[:200], y[:200], task="second")
    assert copy.modulations_["second"].structure is not None
    copy.export_task("second", tmp_path / "second")
    whole.import_task(tmp_path / "second").partial_fit(X[200:], y[200:], task="third")
    codes = whole.transform(X, task="third")
    assert (codes.any(axis=0) & ~codes.all(axis=0)).all()
    assert (whole.predict_class(Q, task="third") == q).mean() > 0.9
