"""Callbacks of scikit-learn follow a fit down to its epochs."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sktgsh import (
    DeepSupervisedHasher,
    FeaturesOnly,
    GeometricHasher,
    GradientSolver,
    TaskGeometricHasher,
    TaskGeometricHasherCV,
    WinnerTakeAllAutoencoder,
    load,
)
from sktgsh.metrics import make_retrieval_scorer
from sktgsh.persistence import save

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*units are dead:UserWarning", "ignore:classes share:UserWarning"
)
X, y = load_digits(return_X_y=True)
X, y = X[:200], y[:200]
STEPS = GradientSolver(max_epochs=3)
NETWORKS = [
    DeepSupervisedHasher(8, solver=STEPS, random_state=0),
    DeepSupervisedHasher(
        8, solver=STEPS, early_stopping=True, validation_fraction=0.4, random_state=0
    ),
    GeometricHasher(8, solver=STEPS, random_state=0),
    WinnerTakeAllAutoencoder(8, hidden_layer_sizes=(12,), solver=STEPS, random_state=0),
]


class Log:
    """What happens in a fit, as lines."""

    max_propagation_depth = None

    def __init__(self, stop_at=None):
        self.lines, self.stop_at, self.estimators = [], stop_at, []

    def setup(self, estimator, context):
        self.lines.append("setup")

    def teardown(self, estimator, context):
        self.lines.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.lines.append(f"begin {context.task_name} {context.task_id}")
        self.estimators.append(estimator)

    def on_fit_task_end(self, estimator, context):
        line = f"{context.task_name} {context.task_id}"
        self.lines.append(f"end {line}")
        return line == self.stop_at


def each_network(function):
    return pytest.mark.parametrize("estimator", NETWORKS, ids=str)(function)


def epochs(n_epochs):
    return [f"{what} epoch {n}" for n in range(n_epochs) for what in ("begin", "end")]


def expected_lines(estimator):
    if not isinstance(estimator, WinnerTakeAllAutoencoder):
        inside = epochs(3)
    else:
        inside = [
            line for n in range(2) for line in (f"begin layer {n}", *epochs(3), f"end layer {n}")
        ]
    return ["setup", "begin fit 0", *inside, "end fit 0", "teardown"]


@each_network
def test_an_epoch_is_a_task(estimator):
    log, fitted = Log(), clone(estimator)
    fitted.set_callbacks(log).fit(X, y)
    assert log.lines == expected_lines(estimator)
    assert all(seen is fitted for seen in log.estimators)
    np.testing.assert_array_equal(fitted.transform(X), clone(estimator).fit(X, y).transform(X))
    assert not [name for name in vars(fitted) if name.startswith("_callback_fit")]


@each_network
def test_a_callback_ends_training_early(estimator):
    fitted = clone(estimator).set_callbacks(Log("epoch 1")).fit(X, y)
    assert np.shape(fitted.history_)[-1] == 2
    codes = fitted.transform(X)
    expected = clone(estimator).set_params(solver__lr_schedule=None, solver__max_epochs=2)
    stopped = clone(estimator).set_params(solver__lr_schedule=None)
    stopped.set_callbacks(Log("epoch 1")).fit(X, y)
    np.testing.assert_array_equal(stopped.transform(X), expected.fit(X, y).transform(X))
    assert codes.shape == (200, 8)


@each_network
def test_an_error_tears_down_and_changes_nothing(estimator):
    class Broken(Log):
        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            if context.task_name == "epoch":
                raise RuntimeError("broken callback")

    fitted = clone(estimator).fit(X, y)
    codes, log = fitted.transform(X), Broken()
    with pytest.raises(RuntimeError, match="broken callback"):
        fitted.set_callbacks(log).fit(X[:100], y[:100])
    assert log.lines[-1] == "teardown"
    np.testing.assert_array_equal(fitted.transform(X), codes)
    assert not [name for name in vars(fitted) if "callback_fit" in name or "teardown" in name]


@pytest.mark.parametrize("estimator", NETWORKS[:3], ids=str)
def test_scores_after_each_epoch(estimator):
    monitor = callback.ScoringMonitor(scoring={"score": make_retrieval_scorer()})
    fitted = clone(estimator).set_params(solver__lr_schedule=None).set_callbacks(monitor)
    fitted.fit(X, y)
    logged = {entry["task_id_path"]: entry["score"] for entry in monitor.get_logs().data}
    scores = [logged[0, epoch] for epoch in range(3)]
    for n_epochs, score in enumerate(scores, 1):
        alone = clone(fitted).set_callbacks().set_params(solver__max_epochs=n_epochs).fit(X, y)
        assert score == pytest.approx(alone.score(X, y))
    assert logged[(0,)] == pytest.approx(fitted.score(X, y))


@pytest.mark.parametrize(
    "estimator, n_jobs", [*((one, 1) for one in NETWORKS), (NETWORKS[0], 2)], ids=str
)
def test_from_a_grid_search_down_to_the_epoch(estimator, n_jobs):
    log = Log()
    model = make_pipeline(StandardScaler(), estimator)
    name = f"{type(estimator).__name__.lower()}__solver__lr"
    search = GridSearchCV(model, {name: [1e-3, 1e-2]}, cv=2, scoring=lambda m, X, y: 0.0)
    search.set_params(n_jobs=n_jobs).set_callbacks(log).fit(X, y)
    if n_jobs == 1:  # processes have logs of their own
        inside = expected_lines(estimator)[2:-2]
        assert log.lines.count("begin epoch 0") == 5 * inside.count("begin epoch 0")
    assert log.lines.count("setup") == log.lines.count("teardown") == 1


@each_network
def test_one_progress_bar(estimator, capfd):
    pytest.importorskip("rich")
    fitted = clone(estimator).set_params(verbose=1)
    fitted.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    out, err = capfd.readouterr()
    assert "100%" in out
    assert "epochs:" not in err
    fitted.set_callbacks().fit(X, y)
    assert "epochs: 100%" in capfd.readouterr().err


@each_network
def test_files_and_pickles_hold_no_callbacks(estimator, tmp_path):
    fitted = clone(estimator).set_callbacks(Log()).fit(X, y)
    fitted.save(tmp_path / "file")
    again = load(tmp_path / "file")
    assert not hasattr(again, "_skl_callbacks")
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.transform(X), fitted.transform(X))


TASK = np.where(np.arange(200) % 2, "odd", "even")
HASHERS = {
    "ridge": TaskGeometricHasher(8, n_hidden=32, random_state=0),
    "ridge+sgd": TaskGeometricHasher(8, n_hidden=32, solver=STEPS, random_state=0),
    "sgd": TaskGeometricHasher(
        8, n_hidden=32, solver=GradientSolver(start="random", max_epochs=3), random_state=0
    ),
}


@pytest.mark.parametrize("solver", HASHERS)
def test_a_task_is_a_part_of_a_fit_and_an_epoch_a_part_of_a_task(solver):
    log, fitted = Log(), clone(HASHERS[solver])
    fitted.set_callbacks(log).fit(X, y, task=TASK)
    inside = [] if solver == "ridge" else epochs(3)
    parts = [
        line
        for n, name in enumerate(("even", "odd"))
        for line in (f"begin task {name} {n}", *inside, f"end task {name} {n}")
    ]
    assert log.lines == ["setup", "begin fit 0", *parts, "end fit 0", "teardown"]
    assert all(seen is fitted for seen in log.estimators)
    expected = clone(HASHERS[solver]).fit(X, y, task=TASK)
    np.testing.assert_array_equal(fitted.transform(X, task=TASK), expected.transform(X, task=TASK))


@pytest.mark.parametrize("solver", HASHERS)
def test_tasks_that_were_finished_stay_where_a_callback_stops(solver):
    log = Log("task even 0")
    fitted = clone(HASHERS[solver]).set_callbacks(log).fit(X, y, task=TASK)
    assert fitted.tasks_.tolist() == ["even"]
    assert log.lines[-2:] == ["end fit 0", "teardown"]
    fitted.set_callbacks().partial_fit(X[TASK == "odd"], y[TASK == "odd"], task="odd")
    assert fitted.transform(X, task=TASK).shape == (200, 8)


@pytest.mark.parametrize("where", ["argument", "column"])
def test_scores_of_each_task(where):
    monitor = callback.ScoringMonitor(scoring={"score": make_retrieval_scorer()})
    frame = pd.DataFrame(X).rename(columns=str)
    frame["shop"] = TASK
    model = clone(HASHERS["ridge"])
    model.set_callbacks(monitor)
    if where == "column":
        model.set_params(task_column="shop").fit(frame, y)
    else:
        model.fit(X, y, task=TASK)
    logged = {entry["task_id_path"]: entry["score"] for entry in monitor.get_logs().data}
    for position, name in enumerate(("even", "odd")):
        own = TASK == name
        if where == "column":
            expected = model.score(frame[own], y[own])
        else:
            expected = model.score(X[own], y[own], task=name)
        assert logged[0, position] == pytest.approx(expected)
    assert set(logged) == {(0,), (0, 0), (0, 1)}


def test_a_routed_task_in_a_grid_search():
    log = Log()
    hasher = clone(HASHERS["ridge+sgd"])
    with sklearn.config_context(enable_metadata_routing=True):
        hasher.set_fit_request(task=True).set_score_request(task=True)
        search = GridSearchCV(hasher, {"solver__lr": [0.01, 0.1]}, cv=2)
        search.set_callbacks(log).fit(X, y, task=TASK)
    assert log.lines.count("begin task even 0") == 5
    assert log.lines.count("begin epoch 2") == 10


def test_one_progress_bar_over_tasks_and_epochs(capfd):
    pytest.importorskip("rich")
    fitted = clone(HASHERS["sgd"]).set_params(verbose=2)
    fitted.set_callbacks(callback.ProgressBar()).fit(X, y, task=TASK)
    out, err = capfd.readouterr()
    assert "100%" in out
    assert "tasks:" not in err and "epochs:" not in err


def test_folds_of_a_chooser_and_the_chosen():
    log = Log()
    chooser = TaskGeometricHasherCV([4, 8], estimator=HASHERS["ridge"], cv=2)
    fitted = clone(chooser).set_params(random_state=0).set_callbacks(log).fit(X, y, task=TASK)
    assert log.lines.count("begin task odd 1") == 3
    assert log.lines.count("setup") == log.lines.count("teardown") == 1
    assert log.lines[:2] == ["setup", "begin fit 0"] and log.lines[-2] == "end fit 0"
    expected = clone(chooser).set_params(random_state=0).fit(X, y, task=TASK)
    np.testing.assert_array_equal(fitted.transform(X, task=TASK), expected.transform(X, task=TASK))
    assert not hasattr(fitted.best_estimator_, "_skl_callbacks")


# -- streams and steps before the last -------------------------------------------------------------


def streamed(chunks=None):
    for few in chunks or (slice(0, 100), slice(100, 200)):
        yield X[few], y[few], TASK[few]


def test_chunks_and_tasks_of_a_stream():
    log, fitted = Log(), clone(HASHERS["ridge"])
    fitted.set_callbacks(log).fit_batches(streamed())
    chunks = [f"{what} chunk {n} {n}" for n in range(2) for what in ("begin", "end")]
    tasks = [
        f"{what} task {name} {n}"
        for n, name in enumerate(("even", "odd"))
        for what in ("begin", "end")
    ]
    parts = ["begin chunks 0", *chunks, "end chunks 0", "begin tasks 1", *tasks, "end tasks 1"]
    assert log.lines == ["setup", "begin fit 0", *parts, "end fit 0", "teardown"]
    assert all(seen is fitted for seen in log.estimators)
    expected = clone(HASHERS["ridge"]).fit_batches(streamed())
    np.testing.assert_array_equal(fitted.transform(X, task=TASK), expected.transform(X, task=TASK))
    assert not [name for name in vars(fitted) if name.startswith("_callback_fit")]


def test_a_callback_ends_a_stream_early():
    one_chunk = clone(HASHERS["ridge"]).set_callbacks(Log("chunk 0 0")).fit_batches(streamed())
    expected = clone(HASHERS["ridge"]).fit_batches(streamed([slice(0, 100)]))
    np.testing.assert_array_equal(
        one_chunk.transform(X, task=TASK), expected.transform(X, task=TASK)
    )
    one_task = clone(HASHERS["ridge"]).set_callbacks(Log("task even 0")).fit_batches(streamed())
    assert one_task.tasks_.tolist() == ["even"]


def test_an_error_in_a_stream_tears_down_and_changes_nothing():
    log = Log()
    fitted = clone(HASHERS["ridge"]).fit(X, y, task=TASK).set_callbacks(log)
    codes = fitted.transform(X, task=TASK)
    with pytest.raises(ValueError, match="63 features"):
        fitted.fit_batches([*streamed(), (X[:, 1:], y, TASK)])
    assert log.lines[-1] == "teardown"
    np.testing.assert_array_equal(fitted.transform(X, task=TASK), codes)


def test_one_progress_bar_over_chunks_and_tasks(capfd):
    pytest.importorskip("rich")
    fitted = clone(HASHERS["ridge"]).set_params(verbose=1)
    bar = callback.ProgressBar(max_propagation_depth=None)
    fitted.set_callbacks(bar).fit_batches(streamed())
    out, err = capfd.readouterr()
    assert "100%" in out
    assert "chunks:" not in err and "tasks:" not in err


def piped(log, transformer, **search):
    frame = pd.DataFrame(X).rename(columns=str).assign(shop=TASK)
    hasher = clone(HASHERS["ridge"]).set_params(task_column="shop")
    model = make_pipeline(FeaturesOnly(transformer, "shop"), hasher)
    if search:
        model = GridSearchCV(model, **search, cv=2)
    return model.set_callbacks(log).fit(frame, y), frame


def test_steps_beside_a_task_column(tmp_path):
    log = Log()
    autoencoder = WinnerTakeAllAutoencoder(
        8, hidden_layer_sizes=(12,), solver=STEPS, random_state=0
    )
    fitted, frame = piped(log, autoencoder)
    assert log.lines.count("begin epoch 2") == 2  # of two layers
    assert log.lines.count("begin task odd 1") == 1
    assert log.lines.count("setup") == log.lines.count("teardown") == 1
    expected = piped(Log(), clone(autoencoder))[0].transform(frame)
    np.testing.assert_array_equal(fitted.transform(frame), expected)
    inner = fitted[0].columns_.named_transformers_["features"]
    assert not hasattr(inner, "_parent_callback_ctx") and "__sklearn_clone__" not in vars(inner)
    assert not getattr(inner, "_skl_callbacks", [])
    save(fitted, tmp_path / "file")
    again = load(tmp_path / "file")
    assert not hasattr(again[0], "_skl_callbacks")
    np.testing.assert_array_equal(again.transform(frame), expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_from_a_grid_search_through_features_only(n_jobs):
    log = Log()
    piped(log, MinMaxScaler(), param_grid={"taskgeometrichasher__alpha": [0.1]}, n_jobs=n_jobs)
    if n_jobs == 1:
        assert log.lines.count("begin features 0") == log.lines.count("begin task odd 1") == 3
    assert log.lines.count("setup") == log.lines.count("teardown") == 1


def test_rows_without_a_label_have_no_score():
    monitor = callback.ScoringMonitor(scoring={"score": make_retrieval_scorer()})
    partly = y.astype(float)
    partly[::3] = np.nan
    labelled = ~np.isnan(partly)
    for task in (None, TASK):
        model = clone(HASHERS["ridge"]).set_callbacks(monitor).fit(X, partly, task=task)
        own = None if task is None else task[labelled]
        expected = model.score(X[labelled], partly[labelled], task=own)
        logged = {entry["task_id_path"]: entry["score"] for entry in monitor.get_logs().data}
        assert logged[(0,)] == pytest.approx(expected)
