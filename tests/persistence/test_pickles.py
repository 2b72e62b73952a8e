"""Pickles: equal for equal estimators, and of a version that is known."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sktgsh
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors, RescoredNeighbors
from sktgsh.persistence.pickles import PickledModule

X, y = load_digits(return_X_y=True)
X, y = X[:150], y[:150]


class Tied(torch.nn.Module):
    """Layers that share their weights, a buffer, and a tensor that is neither."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(64, 64)
        self.second = torch.nn.Linear(64, 64, bias=False, dtype=torch.float32)
        self.second.weight = self.first.weight
        self.register_buffer("shift", torch.arange(64))
        self.gain = torch.nn.Parameter(torch.ones(64, dtype=torch.bfloat16), requires_grad=False)
        self.plain = torch.ones(2)
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(64) + 0.01)
            self.first.bias.zero_()

    def forward(self, samples):
        return torch.relu(self.second(self.first(samples)) + self.shift) * self.gain.float()


def with_encoder(encoder, **params):
    return sktgsh.TaskGeometricHasher(8, n_hidden=64, encoder=encoder, random_state=0, **params)


def network(scale=1.0):
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.BatchNorm1d(16))
    with torch.no_grad():
        layers[0].weight.mul_(scale)
    return layers


ESTIMATORS = [
    with_encoder(network()),
    sktgsh.DeepSupervisedHasher(
        16, module=network(), solver=sktgsh.GradientSolver(max_epochs=1), random_state=0
    ),
    sktgsh.WinnerTakeAllAutoencoder(8, solver=sktgsh.GradientSolver(max_epochs=1), random_state=0),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_equal_estimators_have_equal_pickles(estimator):
    assert joblib.hash(clone(estimator)) == joblib.hash(estimator)
    fitted = clone(estimator).fit(X, y)
    assert joblib.hash(fitted) == joblib.hash(copy.deepcopy(fitted))
    assert joblib.hash(fitted) == joblib.hash(pickle.loads(pickle.dumps(fitted)))
    assert joblib.hash(fitted) != joblib.hash(clone(estimator).fit(X[:100], y[:100]))
    if isinstance(fitted, sktgsh.TaskGeometricHasher):  # no seconds in its history
        assert joblib.hash(fitted) == joblib.hash(clone(estimator).fit(X, y))


def test_other_weights_have_another_pickle():
    encoder = network()
    before = joblib.hash(with_encoder(encoder))
    with torch.no_grad():
        encoder[0].weight[3, 5] += 1
    assert joblib.hash(with_encoder(encoder)) != before


def test_a_module_comes_back_as_it_was():
    module = Tied().train()
    opened = pickle.loads(pickle.dumps(PickledModule.of(module))).module()
    assert opened.second.weight is opened.first.weight and opened.training
    assert opened.first.weight is not module.first.weight
    assert [p.requires_grad for p in opened.parameters()] == [False, True, True]
    for one, other in zip(module.state_dict().items(), opened.state_dict().items()):
        assert one[0] == other[0] and one[1].dtype == other[1].dtype
        assert torch.equal(one[1], other[1])
    samples = torch.from_numpy(X[:4].astype(np.float32))
    assert torch.equal(module(samples), opened(samples))
    opened(samples).sum().backward()
    assert module.first.weight.grad is None


def test_the_memory_of_a_pipeline_hits(tmp_path, monkeypatch):
    def fitted(encoder):
        steps = with_encoder(encoder), KNeighborsClassifier(3, metric="hamming")
        return make_pipeline(StandardScaler(), *steps, memory=str(tmp_path)).fit(X, y)

    first = fitted(network()).predict(X)
    fits = []
    fit = sktgsh.TaskGeometricHasher.fit
    monkeypatch.setattr(
        sktgsh.TaskGeometricHasher, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k)
    )
    np.testing.assert_array_equal(fitted(network()).predict(X), first)
    assert not fits
    fitted(network(scale=2.0))
    assert fits


CODES = sktgsh.SignedRandomProjectionHasher(8, random_state=0).fit_transform(X)
VERSIONED = [
    (sktgsh.PStableHasher(8), X, "transform"),
    (
        sktgsh.WinnerTakeAllAutoencoder(8, solver=sktgsh.GradientSolver(max_epochs=1)),
        X,
        "transform",
    ),
    (sktgsh.FeaturesOnly(StandardScaler(), 0), X, "transform"),
    (HammingNeighbors(), CODES, "kneighbors"),
    (LSHNeighbors(n_bits=4, n_tables=2, random_state=0), X[:, 2:], "kneighbors"),
    (RescoredNeighbors(), X, "kneighbors"),
]


@pytest.mark.parametrize("estimator, data, method", VERSIONED)
def test_a_pickle_of_another_version_warns(estimator, data, method, monkeypatch):
    fitted = estimator.fit(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not hasattr(pickle.loads(pickle.dumps(fitted)), "_sktgsh_version")
    with monkeypatch.context() as patch:
        patch.setattr("sktgsh.persistence.pickles.__version__", "0.0.7")
        old = pickle.dumps(fitted)
    with pytest.warns(UserWarning, match="saved by sktgsh 0.0.7 and is opened by"):
        opened = pickle.loads(old)
    for one, other in zip(getattr(opened, method)(data), getattr(fitted, method)(data)):
        np.testing.assert_array_equal(one, other)
