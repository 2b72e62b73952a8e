"""Settings of gradient steps: one object for all estimators that have such steps."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sktgsh import (
    ConvWinnerTakeAllAutoencoder,
    DeepSupervisedHasher,
    GeometricHasher,
    GradientSolver,
    WinnerTakeAllAutoencoder,
    load,
)

X, y = load_digits(return_X_y=True)
X, y = X[:300], y[:300]
FAST = GradientSolver(max_epochs=1)
ESTIMATORS = [
    DeepSupervisedHasher(8, solver=FAST, random_state=0),
    GeometricHasher(8, solver=FAST, random_state=0),
    WinnerTakeAllAutoencoder(8, solver=FAST, random_state=0),
    ConvWinnerTakeAllAutoencoder(
        (8, 8), n_filters=(4,), decoder_size=5, solver=FAST, random_state=0
    ),
]
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*units are dead:UserWarning", "ignore:classes share:UserWarning"
)


def each_estimator(function):
    names = [type(estimator).__name__ for estimator in ESTIMATORS]
    return pytest.mark.parametrize("estimator", ESTIMATORS, ids=names)(function)


def steps(estimator):
    """Step sizes and sizes of the batches that a fit takes, and what its history says."""
    seen = []

    class Watch(Callback):
        def on_batch_end(self, net, batch, training, **kwargs):
            seen.append((net.optimizer_.param_groups[0]["lr"], len(batch[0])))

    estimator = clone(estimator)
    solver = estimator.solver or GradientSolver()
    estimator.set_params(solver=clone(solver).set_params(callbacks=[Watch()])).fit(X, y)
    return [lr for lr, _ in seen], [size for _, size in seen], np.ravel(estimator.history_)


DEFAULTS = [(20, 1e-2, 128), (20, 3e-3, 256), (20, 1e-3, 128), (10, 3e-3, 100)]


@pytest.mark.parametrize("estimator, defaults", zip(ESTIMATORS, DEFAULTS), ids=str)
def test_none_takes_the_estimators_default(estimator, defaults):
    n_epochs, lr, batch_size = defaults
    lrs, sizes, history = steps(clone(estimator).set_params(solver=None))
    assert len(history) == n_epochs
    assert sizes[0] == batch_size
    assert max(lrs) == pytest.approx(lr, rel=0.05) and min(lrs) < lr / 100


@each_estimator
def test_every_setting_counts(estimator):
    solver = GradientSolver(
        max_epochs=2, lr=2e-3, lr_schedule=None, batch_size=50, optimizer="rmsprop"
    )
    lrs, sizes, history = steps(clone(estimator).set_params(solver=solver))
    assert lrs == [2e-3] * 12
    assert sizes == [50] * 12
    assert len(history) == 2


@each_estimator
def test_optimizer_by_name_or_class(estimator):
    one, other, adam = (
        clone(estimator).set_params(solver__optimizer=optimizer).fit(X, y).transform(X)
        for optimizer in ("rmsprop", torch.optim.RMSprop, "adam")
    )
    np.testing.assert_array_equal(one, other)
    assert (one != adam).any()


@pytest.fixture(scope="module")
def fitted_before():
    """Fitted estimators, by their class; tests change copies of them."""
    return {}


@each_estimator
@pytest.mark.parametrize(
    "name, value",
    [
        ("max_epochs", 0),
        ("max_epochs", 1.5),
        ("lr", 0.0),
        ("lr", "small"),
        ("lr_schedule", "steep"),
        ("batch_size", 0),
        ("batch_size", 1),
        ("optimizer", "best"),
        ("callbacks", 3),
        ("loss", "l2"),
        ("loss", "hinge"),
        ("start", "ridge"),
        ("start", "ones"),
    ],
)
def test_bad_settings_are_named_and_change_nothing(estimator, name, value, fitted_before):
    kind = type(estimator)
    if kind not in fitted_before:
        fitted_before[kind] = clone(estimator).fit(X, y)
    fitted = deepcopy(fitted_before[kind])
    codes = fitted.transform(X)
    fitted.set_params(**{f"solver__{name}": value})
    with pytest.raises(
        ValueError, match=rf"'{name}' parameter of GradientSolver|solver has {name}="
    ):
        fitted.fit(X, y)
    np.testing.assert_array_equal(fitted.transform(X), codes)


@each_estimator
def test_what_is_no_solver(estimator):
    with pytest.raises(ValueError, match="'solver' parameter of"):
        clone(estimator).set_params(solver="sgd").fit(X, y)


def test_settings_are_searched():
    hasher = DeepSupervisedHasher(8, solver=FAST, random_state=0)
    grid = {"solver__lr": [1e-7, 1e-2], "solver__max_epochs": [3]}
    search = GridSearchCV(hasher, grid, cv=2).fit(X, y)
    assert search.best_params_["solver__lr"] == 1e-2
    assert len(search.best_estimator_.history_) == 3
    assert hasher.solver is FAST and FAST.max_epochs == 1 and FAST.lr is None


@each_estimator
def test_a_fit_leaves_the_solver_as_it_was(estimator):
    solver = GradientSolver(max_epochs=np.int64(1))
    before = dict(vars(solver))
    model = clone(estimator).set_params(solver=solver).fit(X, y)
    assert model.solver is solver
    assert vars(solver) == before


@each_estimator
def test_clone_repr_pickle_and_files(estimator, tmp_path):
    assert "solver=GradientSolver(max_epochs=1)" in repr(estimator).replace("\n", "")
    assert estimator.get_params()["solver__max_epochs"] == 1
    copied = clone(estimator)
    assert copied.solver is not estimator.solver
    fitted = copied.fit(X, y)
    fitted.save(tmp_path / "file")
    for again in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "file")):
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
        assert again.solver.get_params() == fitted.solver.get_params()
        np.testing.assert_array_equal(clone(again).fit_transform(X, y), fitted.transform(X))


class Quiet(Callback):
    """A callback of a user's."""


@each_estimator
@pytest.mark.parametrize(
    "given", [{"callbacks": [Quiet()]}, {"optimizer": torch.optim.RMSprop}], ids=" ".join
)
def test_what_files_do_not_hold_is_given_again(estimator, given, tmp_path):
    fitted = clone(estimator)
    fitted.solver.set_params(**given)
    fitted.fit(X, y).save(tmp_path / "file")
    ((name, value),) = given.items()
    with pytest.raises(ValueError, match=rf"load\(path, solver__{name}=\.\.\.\)"):
        load(tmp_path / "file")
    again = load(tmp_path / "file", **{f"solver__{name}": value})
    assert getattr(again.solver, name) == value
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
