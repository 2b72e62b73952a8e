from enum import Enum, IntEnum

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sktgsh
from sktgsh.targets import check_comparable, check_targets, n_shared_labels
from sktgsh.tasks import check_task


class Colour(str, Enum):  # noqa: UP042 (a StrEnum is written by its value anyway)
    """Labels that NumPy would write as the class's name, cut to one letter."""

    RED = "r"
    GREEN = "g"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@pytest.mark.parametrize(
    "container", [list, tuple, pd.Series, lambda labels: np.array(labels, dtype=object)]
)
def test_members_of_an_enum_are_their_values(container):
    colours = container([Colour.RED, Colour.GREEN, "g"])
    assert check_targets(colours).tolist() == ["r", "g", "g"]
    assert check_targets(container([Size.LARGE, Size.SMALL, 3])).tolist() == [2, 1, 3]
    assert check_task(colours, 3).tolist() == ["r", "g", "g"]
    assert check_task(Colour.GREEN, 2).tolist() == ["g", "g"]
    X = np.eye(6) + 1
    y, task = [Colour.RED] * 3 + [Colour.GREEN] * 3, [Colour.RED, Colour.GREEN] * 3
    hasher = sktgsh.TaskGeometricHasher(4, n_hidden=8, random_state=0)
    hasher.fit(X, container(y), task=container(task))
    assert sorted(hasher.classes_) == ["g", "r"]
    assert hasher.tasks_.tolist() == ["r", "g"]
    assert hasher.transform(X[:1], task=Colour.RED).shape == (1, 4)


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
    assert check_targets([[3], [4]], multilabel=False).tolist() == [3, 4]
    with pytest.raises(ValueError, match="one class label for each row"):
        check_targets([[1, 0]], multilabel=False)


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
