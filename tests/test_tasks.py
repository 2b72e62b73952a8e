import numpy as np
import pandas as pd
import polars as pl
import pytest

from sktgsh.tasks import check_task, iter_tasks, split_task_column


def test_one_label_or_one_per_row():
    assert check_task("a", 2).tolist() == ["a", "a"]
    assert check_task([3, 1], 2).tolist() == [3, 1]
    assert check_task(None, 2).tolist() == [0, 0]
    assert check_task(np.array([2.0, 3.0]), 2).dtype == np.int64


@pytest.mark.parametrize(
    "task, message",
    [
        ([1, 2, 3, 4, 5], "task has 5 labels for 7 rows of X"),
        ([1, "a"] * 3 + [1], "int and str"),
        ([0.5] * 7, "float"),
        ([None] * 7, r"no label \(None\) for 7 of 7 rows"),
        (np.zeros((7, 2), int), "shape"),
    ],
)
def test_malformed_labels(task, message):
    with pytest.raises(ValueError, match=message):
        check_task(task, 7)


def test_tasks_come_in_order_of_appearance():
    found = [(label, rows.tolist()) for label, rows in iter_tasks(np.array([5, 2, 5]))]
    assert found == [(5, [0, 2]), (2, [1])]


def test_task_column():
    frame = pd.DataFrame({"a": [1.0, 2.0], "camera": ["x", "y"], "b": [3.0, 4.0]})
    features, labels = split_task_column(frame, "camera")
    assert list(features.columns) == ["a", "b"] and labels.tolist() == ["x", "y"]
    features, labels = split_task_column(np.array([[1, 7, 2], [3, 8, 4]]), 1)
    assert features.tolist() == [[1, 2], [3, 4]] and labels.tolist() == [7, 8]
    with pytest.raises(ValueError, match="'lens' is not a column"):
        split_task_column(frame, "lens")
    with pytest.raises(ValueError, match="without column names"):
        split_task_column(np.zeros((2, 2)), "camera")
    with pytest.raises(ValueError, match="not a column of X with shape"):
        split_task_column(np.zeros((2, 2)), 2)


def test_labels_become_int64_or_str():
    for labels in (
        np.array([2, 3], np.uint64),
        np.array([2, 3], ">i2"),
        [2.0, 3.0],
        pd.Series([2, 3], dtype="Int64"),
        pd.Series([2, 3], dtype="category"),
        pl.Series([2, 3], dtype=pl.UInt8),
        range(2, 4),
    ):
        checked = check_task(labels, 2)
        assert checked.tolist() == [2, 3] and checked.dtype == np.int64
    for labels in (
        pd.Series(["é", "b"], index=[7, 7]),
        pd.Series(["é", "b"], dtype="category"),
        pl.Series(["é", "b"], dtype=pl.Categorical),
        np.array(["é", "b"], dtype=np.dtypes.StringDType()),
        ("é", np.str_("b")),
    ):
        checked = check_task(labels, 2)
        assert checked.tolist() == ["é", "b"] and checked.dtype.kind == "U"


@pytest.mark.parametrize("label", [3, 3.0, np.uint64(3), np.array(3)])
def test_one_label_of_any_kind_of_number(label):
    assert check_task(label, 2).tolist() == [3, 3]


@pytest.mark.parametrize(
    "task, message",
    [
        (np.array([1.0, np.nan]), r"task has no label \(nan\) for 1 of 2 rows, row 1"),
        (["a", None], r"no label \(None\) for 1 of 2 rows"),
        (pd.Series(["a", None], dtype="category"), r"no label \(nan\)"),
        (pd.Series([True, None], dtype="boolean"), r"no label \(<NA>\)"),
        (pl.Series([None, 1]), r"no label \(nan\) for 1 of 2 rows, row 0"),
        (np.ma.array([1, 2], mask=[0, 1]), "masked labels"),
        (pd.Series([True, False]), "of type bool"),
        (pd.to_datetime(pd.Series(["2020", "2021"])), r"type datetime64.*task.astype\(str\)"),
        (np.array([0, 1], "timedelta64[ns]"), "timedelta64"),
        (np.array([1.0, 0.5]), "float, 0.5 among them"),
        (np.array([1.0, np.inf]), "label inf; whole numbers go to"),
        (np.array([1.0, 2.0**53 + 2]), "label 9007199254740994.0; whole numbers go to"),
        (np.array([1, 2**63], np.uint64), "label 9223372036854775808; whole numbers go to"),
        ([1, -(2**70)], "label -1180591620717411303424; whole numbers go to"),
        ([b"a", b"b"], "of type bytes"),
        ([[1], [2, 3]], "of type list"),
        (iter([1, 2]), "of type list_iterator"),
    ],
)
def test_labels_that_are_none(task, message):
    with pytest.raises(ValueError, match=message):
        check_task(task, 2)


@pytest.mark.parametrize("frames", [pd, pl])
def test_task_column_of_a_data_frame(frames):
    frame = frames.DataFrame({"a": [1.0, 2.0], "camera": ["x", "y"], "b": [3.0, 4.0]})
    for column in ("camera", 1, -2, np.int64(1)):
        features, labels = split_task_column(frame, column)
        assert list(features.columns) == ["a", "b"] and features.shape == (2, 2)
        assert check_task(labels, 2).tolist() == ["x", "y"]
    for column in (3, -4, "lens"):
        with pytest.raises(ValueError, match=f"task_column={column!r} is not a column of X"):
            split_task_column(frame, column)
