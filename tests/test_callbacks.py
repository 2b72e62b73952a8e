"""Callbacks of scikit-learn follow a fit down to its epochs."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktgsh import (
    DeepSupervisedHasher,
    GeometricHasher,
    GradientSolver,
    WinnerTakeAllAutoencoder,
    load,
)
from sktgsh.metrics import make_retrieval_scorer

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


@each_network
@pytest.mark.parametrize("n_jobs", [1, 2])
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
