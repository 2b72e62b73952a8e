"""Whatever ``save`` accepts, ``load`` gives back with equal answers, nested or not."""

import os

import numpy as np
import pytest
import torch
from estimators import CHOOSERS, HASHERS, INDEXES, TRANSFORMERS, autoencoders, everything, name
from safetensors import safe_open
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from skorch.callbacks import Callback

import sktgsh
from sktgsh import GradientSolver, load
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors, RescoredNeighbors
from sktgsh.persistence import save, saved
from sktgsh.persistence.registry import _CLASSES

DIGITS, y = load_digits(return_X_y=True)
X, y = DIGITS[:120, 20:36], y[:120] % 3
SIGNS = sktgsh.SignedRandomProjectionHasher(16, random_state=0)
pytestmark = pytest.mark.filterwarnings("ignore:.*share their most frequent code:UserWarning")


class Layer(torch.nn.Module):
    """A layer of a user's."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(16, 12)

    def forward(self, samples):
        return self.layer(samples).relu()


class Thresholds(TransformerMixin, BaseEstimator):
    """A hasher of a user's."""

    def fit(self, X, y=None):
        self.medians_ = np.median(X, axis=0)
        return self

    def transform(self, X):
        return (X > self.medians_).astype(np.uint8)


class Silent(Callback):
    """A callback of a user's."""


def doubled(samples):
    return 2 * samples


def answer(estimator, samples):
    if hasattr(estimator, "kneighbors"):
        codes = isinstance(estimator, HammingNeighbors)
        return estimator.kneighbors(samples > 7 if codes else samples)
    return (estimator.transform(samples),)


def check_comes_back(estimator, path, **given):
    estimator.fit(X > 7 if isinstance(estimator, HammingNeighbors) else X, y)
    save(estimator, path)
    loaded = load(path, **given)
    for found, expected in zip(answer(loaded, X), answer(estimator, X)):
        np.testing.assert_array_equal(found, expected)
    assert loaded.get_params().keys() == estimator.get_params().keys()
    return loaded


@pytest.fixture
def path(tmp_path):
    return tmp_path / "saved.sktgsh"


@pytest.mark.parametrize("estimator", everything((4, 4)), ids=name)
def test_each_public_estimator(estimator, path):
    check_comes_back(clone(estimator), path)


@pytest.mark.parametrize("frozen", [False, True], ids=["to be fitted", "frozen"])
@pytest.mark.parametrize("hasher", [*HASHERS, *CHOOSERS], ids=name)
def test_each_hasher_inside_of_indexes_and_pipelines(hasher, frozen, path):
    inside = FrozenEstimator(clone(hasher).fit(X, y)) if frozen else hasher
    check_comes_back(RescoredNeighbors(inside), path)
    check_comes_back(make_pipeline(StandardScaler(), inside), path)


@pytest.mark.parametrize(
    "hasher",
    [hasher for hasher in HASHERS if "Task" not in name(hasher) and "ALSH" not in name(hasher)],
    ids=name,
)
def test_hash_tables_of_each_hasher(hasher, path):
    metric = "euclidean"
    check_comes_back(LSHNeighbors(hasher, n_bits=2, n_tables=2, metric=metric), path)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        MinMaxScaler(),
        MaxAbsScaler(),
        RobustScaler(),
        Normalizer(),
        PCA(4),
        TruncatedSVD(4, random_state=0),
        VarianceThreshold(),
        SimpleImputer(),
        QuantileTransformer(n_quantiles=20),
        PowerTransformer(),
        TfidfTransformer(),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
        OrdinalEncoder(),
        FeatureUnion([("scaled", StandardScaler()), ("turned", PCA(2))]),
        ColumnTransformer([("scaled", StandardScaler(), slice(0, 8))], remainder="passthrough"),
        ColumnTransformer([("scaled", make_pipeline(SimpleImputer(), PCA(2)), [0, 3, 5])]),
    ],
    ids=name,
)
def test_transformers_of_scikit_learn(transformer, path):
    model = make_pipeline(transformer, sktgsh.TaskGeometricHasher(8, n_hidden=32, random_state=0))
    loaded = check_comes_back(model, path)
    assert type(loaded[0]) is type(transformer)


def test_features_beside_a_task_column(path):
    tasks = np.arange(len(X)) % 2
    hasher = sktgsh.TaskGeometricHasher(8, n_hidden=32, task_column=-1, random_state=0)
    model = make_pipeline(sktgsh.FeaturesOnly(StandardScaler(), 0), hasher)
    samples = np.column_stack([tasks, X])
    model.fit(samples, y)
    save(model, path)
    np.testing.assert_array_equal(load(path).transform(samples), model.transform(samples))


@pytest.mark.parametrize(
    "encoder",
    [
        lambda: Layer(),
        lambda: torch.nn.Sequential(torch.nn.Linear(16, 16), Layer()),
        lambda: torch.nn.Sequential(torch.nn.Sequential(Layer()), torch.nn.ReLU()),
    ],
    ids=["a layer", "a container", "a container of containers"],
)
def test_modules_of_the_users_at_any_depth(encoder, path):
    hasher = sktgsh.TaskGeometricHasher(8, encoder=encoder(), n_hidden=32, random_state=0)
    check_comes_back(hasher, path, encoder=encoder())
    check_comes_back(RescoredNeighbors(hasher), path, hasher__encoder=encoder())
    name = "taskgeometrichasher__encoder"
    check_comes_back(make_pipeline(StandardScaler(), hasher), path, **{name: encoder()})
    chooser = sktgsh.TaskGeometricHasherCV([4, 8], estimator=hasher, cv=2, random_state=0)
    check_comes_back(chooser, path, estimator__encoder=encoder())
    with pytest.raises(ValueError, match=r"load\(path, estimator__encoder=\.\.\.\)"):
        load(path)


def test_callbacks_optimizers_and_functions_are_given_again(path):
    solver = GradientSolver(max_epochs=1, callbacks=[Silent()], optimizer=torch.optim.Adagrad)
    deep = sktgsh.DeepSupervisedHasher(8, solver=solver, random_state=0)
    again = {"solver__callbacks": [Silent()], "solver__optimizer": torch.optim.Adagrad}
    loaded = check_comes_back(deep, path, **again)
    assert loaded.solver.callbacks is again["solver__callbacks"]
    inside = {f"hasher__{name}": value for name, value in again.items()}
    check_comes_back(RescoredNeighbors(deep), path, **inside)
    model = make_pipeline(FunctionTransformer(doubled), SIGNS)
    check_comes_back(model, path, functiontransformer__func=doubled)


def test_a_fitted_estimator_of_the_users_is_given_again_or_refused(path):
    fitted = Thresholds().fit(X)
    index = RescoredNeighbors(FrozenEstimator(fitted)).fit(X)
    save(index, path)
    loaded = load(path, hasher__estimator=fitted)
    np.testing.assert_array_equal(loaded.kneighbors(X)[1], index.kneighbors(X)[1])
    path.unlink()
    # The index has fitted a clone, which no parameter holds.
    with pytest.raises(TypeError, match=r"hasher_ is a .*Thresholds, which files cannot hold"):
        save(RescoredNeighbors(Thresholds()).fit(X), path)
    frozen = FrozenEstimator(make_pipeline(StandardScaler(), Thresholds()).fit(X))
    with pytest.raises(TypeError, match=r"steps is a .*Thresholds, which files cannot hold"):
        save(RescoredNeighbors(frozen).fit(X), path)
    hasher = sktgsh.TaskGeometricHasher(8, encoder=Layer(), n_hidden=32, random_state=0).fit(X, y)
    with pytest.raises(TypeError, match=r"extractor is a .*Sequential, which files cannot hold"):
        save(hasher.set_params(encoder="samples"), path)
    assert not path.exists()


def test_a_parameter_that_the_file_holds_is_not_given(path):
    SIGNS.fit(X)
    save(SIGNS, path)
    with pytest.raises(ValueError, match=r"holds the parameter n_bits=16 of .* itself"):
        load(path, n_bits=8)


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "behind").mkdir()
    target, link = tmp_path / "behind" / "target.sktgsh", tmp_path / "link.sktgsh"
    first, second = clone(SIGNS).fit(X), clone(SIGNS).set_params(n_bits=8).fit(X)
    first.save(target)
    try:
        os.symlink(target, link)
    except OSError:
        pytest.skip("no symbolic links on this system")
    second.save(link)
    assert link.is_symlink() and load(target).n_bits == load(link).n_bits == 8
    assert sorted(os.listdir(tmp_path)) == ["behind", "link.sktgsh"]
    assert os.listdir(tmp_path / "behind") == ["target.sktgsh"]
    target.unlink()  # a link to a file that is gone, or not there yet
    first.save(link)
    assert link.is_symlink() and load(target).n_bits == 16


@pytest.mark.parametrize(
    "make",
    [
        np.asfortranarray,
        lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
        lambda rows: rows[::-1],
        lambda rows: rows.astype(">f8"),
        lambda rows: torch.from_numpy(rows.copy()).T.contiguous().T,
        lambda rows: torch.from_numpy(rows.copy())[:, ::2],
    ],
    ids=["columns", "every other column", "reversed", "big-endian", "tensor", "part of a tensor"],
)
def test_arrays_go_to_the_file_in_row_order(make, path):
    """safetensors writes memory as it lies, and reads it as rows, without a word."""
    rows = np.arange(40.0).reshape(5, 8)
    hasher = clone(SIGNS).fit(X)
    hasher.random_state, hasher.extra_ = None, make(rows)
    save(hasher, path)
    found = load(path).extra_
    np.testing.assert_array_equal(np.asarray(found), np.asarray(hasher.extra_))
    with safe_open(path, "numpy") as file:
        stored = [file.get_tensor(name) for name in file.keys()]
    orders = [hasher.extra_, np.asarray(hasher.extra_).T]
    assert any(np.array_equal(array, order) for array in stored for order in orders)


def test_a_name_belongs_to_one_class():
    with pytest.raises(ValueError, match="another class of the name 'PStableHasher'"):
        saved("PStableHasher")(type("Mine", (), {}))
    with pytest.raises(ValueError, match="another class of the name 'Linear'"):
        saved("Linear")(type("Linear", (), {}))
    assert _CLASSES["PStableHasher"] is sktgsh.PStableHasher


def test_every_public_estimator_is_on_the_list():
    listed = set(_CLASSES.values())
    estimators = [*HASHERS, *CHOOSERS, *INDEXES, *TRANSFORMERS, *autoencoders((4, 4))]
    assert listed >= {type(estimator) for estimator in estimators}
