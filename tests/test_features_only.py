import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sktgsh import FeaturesOnly, TaskGeometricHasher

X, Y = load_iris(return_X_y=True)
NAMES = ["a", "b", "c", "d"]
TASKS = {
    "strings": np.array(["Oslo", "Rome"] * 75),
    "integers": np.arange(150) % 2,
}


def frame(kind, shop):
    if kind == "polars":
        return pl.DataFrame(dict(zip(NAMES, X.T)) | {"shop": shop})
    table = pd.DataFrame(X, columns=NAMES)
    table.insert(1, "shop", pd.Categorical(shop) if kind == "categories" else shop)
    return table


def piped(column):
    hasher = TaskGeometricHasher(n_bits=8, n_hidden=64, task_column=column, random_state=0)
    return make_pipeline(FeaturesOnly(MinMaxScaler(), column), hasher)


def alone(shop):
    """Codes without a task column: what a pipeline has to give, too."""
    scaled = MinMaxScaler().fit_transform(X)
    hasher = TaskGeometricHasher(n_bits=8, n_hidden=64, random_state=0)
    return hasher.fit(scaled, Y, task=shop).transform(scaled, task=shop)


@pytest.mark.parametrize("asked", [None, "pandas", "polars", "default"])
@pytest.mark.parametrize("tasks", TASKS)
@pytest.mark.parametrize("kind", ["pandas", "polars", "categories"])
def test_a_frame_with_a_task_column_in_a_pipeline(kind, tasks, asked):
    if kind == "categories" and tasks == "integers":
        pytest.skip("categories are strings here")
    model = piped("shop")
    if asked:
        model.set_output(transform=asked)
    data = frame(kind, TASKS[tasks])
    codes = np.asarray(model.fit(data, Y).transform(data))
    assert np.array_equal(codes, alone(TASKS[tasks]))
    assert sorted(model[-1].tasks_.tolist()) == sorted(set(TASKS[tasks].tolist()))


def test_columns_of_an_array_beside_one_with_a_name():
    data = pd.DataFrame(X).assign(shop=TASKS["strings"])
    model = piped("shop")
    assert np.array_equal(model.fit(data, Y).transform(data), alone(TASKS["strings"]))
    assert list(model[0].get_feature_names_out()) == ["0", "1", "2", "3", "shop"]
    assert list(data.columns) == [0, 1, 2, 3, "shop"]


def test_an_array_with_a_task_column_in_a_pipeline():
    shop = TASKS["integers"]
    data = np.column_stack([X, shop])
    assert np.array_equal(piped(-1).fit(data, Y).transform(data), alone(shop))


def test_the_transformer_may_change_the_columns():
    data = frame("pandas", TASKS["strings"])
    found = FeaturesOnly(PCA(2), "shop").fit(data).transform(data.iloc[:3])
    assert list(found.columns) == ["pca0", "pca1", "shop"]
    assert found["shop"].tolist() == ["Oslo", "Rome", "Oslo"]
    assert list(FeaturesOnly(PCA(2), "shop").fit(data).get_feature_names_out()) == list(
        found.columns
    )


@pytest.mark.parametrize(
    "scaler", [StandardScaler(), StandardScaler().set_output(transform="pandas")]
)
def test_a_task_column_that_was_scaled_is_an_error(scaler):
    data = frame("pandas", TASKS["integers"])
    column = "shop" if hasattr(scaler, "_sklearn_output_config") else 1
    hasher = TaskGeometricHasher(n_bits=8, n_hidden=64, task_column=column)
    with pytest.raises(ValueError, match=r"holds the number -1.0.*FeaturesOnly"):
        make_pipeline(scaler, hasher).fit(data, Y)
    with pytest.raises(ValueError, match=r"holds the number 0.5.*FeaturesOnly"):
        make_pipeline(MinMaxScaler((0, 0.5)).set_output(transform="pandas"), hasher).fit(
            data.assign(shop=1 - data["shop"]), Y
        )


def test_whole_numbers_in_an_array_of_floats_are_tasks():
    data = np.column_stack([X, TASKS["integers"]])
    hasher = TaskGeometricHasher(n_bits=8, n_hidden=64, task_column=-1).fit(data, Y)
    assert hasher.tasks_.tolist() == [0, 1]
    negative = frame("pandas", -TASKS["integers"])
    assert hasher.set_params(task_column="shop").fit(negative, Y).tasks_.tolist() == [0, -1]


def test_an_unknown_task_column_is_named():
    with pytest.raises(ValueError, match="task_column='till' is not a column of X"):
        FeaturesOnly(StandardScaler(), "till").fit(frame("pandas", TASKS["strings"]))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_missing_task_is_an_error(kind):
    data = frame(kind, np.array([None, "Rome"] * 75, dtype=object).tolist())
    with pytest.raises(ValueError, match=r"task has no label.*give every row a task"):
        piped("shop").fit(data, Y)
