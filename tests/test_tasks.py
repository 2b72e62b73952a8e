import numpy as np
import pandas as pd
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
        ([None] * 7, "NoneType"),
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
