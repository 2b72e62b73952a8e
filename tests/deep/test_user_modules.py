"""Networks of a user's: what is kept of them, and what they are told when they do not fit."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn

from sktgsh import DeepSupervisedHasher, GeometricHasher, GradientSolver

X, y = load_digits(return_X_y=True)
X, y = X[:300], y[:300]
pytestmark = pytest.mark.filterwarnings("ignore:classes share:UserWarning")


def hasher(module, kind=DeepSupervisedHasher, n_outputs=8):
    params = {"n_components": n_outputs} if kind is GeometricHasher else {}
    solver = GradientSolver(max_epochs=2, batch_size=64)
    return kind(8, module=module, solver=solver, random_state=0, **params)


@cache
def fitted_once(kind):
    return hasher("auto", kind).fit(X, y)


def each_kind(function):
    return pytest.mark.parametrize("kind", [DeepSupervisedHasher, GeometricHasher])(function)


def drawn(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*(layer() for layer in layers))


def backbone():
    return drawn(lambda: nn.Linear(64, 16), lambda: nn.BatchNorm1d(16), nn.ReLU)


def statistics(module):
    """Running statistics of the first normalisation, in order of the modules."""
    norm = next(part for part in module.modules() if isinstance(part, nn.BatchNorm1d))
    return torch.cat([norm.running_mean, norm.running_var]).clone()


@each_kind
@pytest.mark.parametrize("whole_in_eval", [False, True])
def test_a_frozen_backbone_stays_as_it_was(kind, whole_in_eval):
    frozen = backbone().requires_grad_(False)
    frozen(torch.randn(50, 64))  # statistics of its own
    frozen.eval()
    module = nn.Sequential(frozen, nn.Linear(16, 8))
    module.train(False) if whole_in_eval else None
    before = {name: value.clone() for name, value in module.state_dict().items()}
    fitted = hasher(module, kind).fit(X, y)
    trained = fitted.module_ if kind is DeepSupervisedHasher else fitted.module_[0]
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("0."), name
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


@each_kind
def test_what_trains_learns_its_statistics(kind):
    """A module that was left in evaluation mode as a whole is trained like one that was not."""
    module = nn.Sequential(backbone(), nn.Linear(16, 8))
    before = statistics(module)
    one = hasher(module, kind).fit(X, y)
    other = hasher(module.eval(), kind).fit(X, y)
    assert not torch.equal(statistics(one.module_), before)
    assert torch.equal(statistics(one.module_), statistics(other.module_))
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


def test_a_normalisation_in_evaluation_mode_keeps_its_statistics_and_learns_its_weights():
    module = nn.Sequential(backbone(), nn.Linear(16, 8))
    module[0][1].eval()
    fitted = hasher(module).fit(X, y)
    assert torch.equal(statistics(fitted.module_), statistics(module))
    assert not torch.equal(fitted.module_[0][1].weight, module[0][1].weight)


RANDOM = {
    "dropout": lambda: drawn(
        lambda: nn.Linear(64, 32), lambda: nn.Dropout(0.5), lambda: nn.Linear(32, 8)
    ),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(8)),
}


@each_kind
@pytest.mark.parametrize("name", RANDOM)
def test_draws_in_training_are_repeatable(kind, name):
    module, codes = RANDOM[name](), []
    for other_draws in range(2):
        torch.manual_seed(other_draws)
        state = torch.get_rng_state()
        fitted = hasher(module, kind).fit(X, y)
        assert torch.equal(torch.get_rng_state(), state)
        codes.append(fitted.decision_function(X))
    np.testing.assert_array_equal(*codes)
    other = hasher(module, kind).set_params(random_state=1).fit(X, y)
    assert (other.decision_function(X) != codes[0]).any()


def test_draws_in_threads_are_repeatable():
    model = hasher(RANDOM["dropout"]())
    expected = clone(model).fit(X, y).transform(X)
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: clone(model).fit(X, y).transform(X), range(4)))
    assert all(np.array_equal(found, expected) for found in codes)


class Gives(nn.Module):
    """A linear layer, and something made of what it gives."""

    def __init__(self, make, n_outputs=8, **layer):
        super().__init__()
        self.layer, self.make = nn.Linear(64, n_outputs, **layer), make

    def forward(self, samples):
        return self.make(self.layer(samples))


BAD = {
    "a dict": (Gives(lambda v: {"out": v}), "module gives a dict"),
    "a tuple": (Gives(lambda v: (v, v)), "module gives a tuple"),
    "half": (Gives(lambda v: v.half()), "module gives values of type torch.float16"),
    "double": (Gives(lambda v: v.double()), "module gives values of type torch.float64"),
    "half weights": (Gives(lambda v: v, dtype=torch.half), r"module \(.*\) fails on a batch"),
    "nan": (Gives(lambda v: v / 0 * 0), "module gives outputs that are nan"),
    "more outputs": (Gives(lambda v: v, 12), r"module gives \(12,\) .* expected \(8,\)"),
    "fewer outputs": (Gives(lambda v: v, 5), r"module gives \(5,\) .* expected \(8,\)"),
    "maps": (Gives(lambda v: v[:, :, None]), r"module gives \(8, 1\) .* expected \(8,\)"),
    "one mean": (Gives(lambda v: v.mean(0, keepdim=True)), r"module gives shape \(1, 8\)"),
    "no rows": (Gives(lambda v: v.sum()), r"module gives shape \(\)"),
    "another input": (nn.Linear(63, 8), r"module \(.*\) fails on a batch of shape \(128, 64\)"),
    "nothing to train": (nn.Linear(64, 8).requires_grad_(False), "module .* nothing to train"),
    "no parameters": (nn.Flatten(), "module .* nothing to train"),
    "noise": (Gives(lambda v: v + torch.randn_like(v)), "module gives different outputs"),
    "batch statistics": (
        nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8, track_running_stats=False)),
        "module gives a sample another .*BatchNorm1d with track_running_stats=False",
    ),
    "batch maximum": (Gives(lambda v: v / v.abs().max()), "module gives a sample another"),
}


@each_kind
@pytest.mark.parametrize("module, message", BAD.values(), ids=BAD)
def test_errors_name_the_module_and_change_nothing(kind, module, message):
    model = deepcopy(fitted_once(kind))
    codes = model.transform(X)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model.set_params(module=module).fit(X, y)
    np.testing.assert_array_equal(model.transform(X), codes)


def test_the_parameter_that_says_how_many_outputs():
    with pytest.raises(ValueError, match="because n_bits=8"):
        hasher(nn.Linear(64, 12)).fit(X, y)
    with pytest.raises(ValueError, match="because n_components=5"):
        hasher(nn.Linear(64, 8), GeometricHasher, n_outputs=5).fit(X, y)


def test_instance_norms_and_training_of_one_row_beside_others():
    """Layers that look at one row only are no batch statistics."""
    module = nn.Sequential(nn.Unflatten(1, (1, 64)), nn.InstanceNorm1d(1), nn.Flatten())
    fitted = hasher(nn.Sequential(module, nn.Linear(64, 8))).fit(X, y)
    codes = fitted.transform(X)
    np.testing.assert_array_equal(codes[::-1], fitted.transform(X[::-1]))
