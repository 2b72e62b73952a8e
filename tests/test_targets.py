import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sktgsh.targets import check_comparable, check_targets, n_shared_labels


def test_one_column_holds_class_labels():
    for column in ([[2], [0], [5]], sparse.csr_array([[2], [0], [5]])):
        assert check_targets(column).tolist() == [2, 0, 5]
    assert check_targets(np.array([["a"], ["b"]])).tolist() == ["a", "b"]


@pytest.mark.parametrize("kind", [bool, int, float, np.uint8, sparse.csr_matrix])
def test_indicator(kind):
    given = np.array([[1, 0, 1], [0, 0, 0]])
    found = check_targets(kind(given) if kind is sparse.csr_matrix else given.astype(kind), 2)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize(
    "y, came",
    [
        ([[0, 2], [1, 0]], r"target has shape \(2, 2\) and the value 2; .*indicator"),
        ([[0.5, 0], [1, 0]], "the value 0.5"),
        ([[np.nan, 0], [1, 0]], "the value nan"),
        ([["a", "b"], ["c", "d"]], "dtype <U1"),
        ([[1, 2], [1]], "rows of different length.*MultiLabelBinarizer"),
        ([{1, 2}, {1}], "lists of labels.*MultiLabelBinarizer"),
        ([1, np.nan], "nan or infinity"),
        (None, "is None"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
        ([1, 2, 3], "3 labels for 2 rows"),
        (np.zeros((1, 4)), "1 labels for 2 rows"),
    ],
)
def test_what_is_neither_is_named(y, came):
    with pytest.raises(ValueError, match=came) as raised:
        check_targets(y, 2, name="target")
    assert "target" in str(raised.value)


def test_where_a_row_has_one_label():
    assert check_targets([[3], [4]], several=False).tolist() == [3, 4]
    with pytest.raises(ValueError, match="one class label for each row"):
        check_targets([[1, 0]], several=False)


def test_shared_labels():
    assert n_shared_labels(np.array([1, 2]), np.array([2, 2, 1])).tolist() == [
        [False, False, True],
        [True, True, False],
    ]
    rng = np.random.default_rng(0)
    y, other = (rng.random((n, 400)) < 0.9 for n in (3, 5))
    expected = [[(a & b).sum() for b in other] for a in y]  # more than 255, the most of a uint8
    assert np.min(expected) > 255
    found = n_shared_labels(check_targets(y), check_targets(other))
    np.testing.assert_array_equal(found, expected)


def test_labels_are_not_compared_with_indicators():
    with pytest.raises(ValueError, match=r"y has shape \(2,\) and database_y \(2, 2\)"):
        check_comparable(np.zeros(2), np.zeros((2, 2)), "y", "database_y")


@pytest.mark.parametrize(
    "labels, message",
    [
        (["a", None, "b"], r"y has no label \(None\) for 1 of 3 rows, row 1"),
        (pd.Series(["a", pd.NA, "b"]), "y has no label"),
        (["a", 1, "b"], "y has labels of type int and str; '0' and 0 are different"),
        ([0.5, "a", "b"], "y has labels of type float and str"),
    ],
)
def test_labels_of_two_types_are_none(labels, message):
    with pytest.raises(ValueError, match=message):
        check_targets(np.array(labels, object))
