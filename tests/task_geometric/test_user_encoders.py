"""Encoders of a user's: what is accepted, and what an error says of the others."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from sktgsh import ModuleEncoder, TaskGeometricHasher

X, y = load_digits(return_X_y=True)
X, y = X[:400], y[:400]


def hasher(encoder):
    return TaskGeometricHasher(16, encoder=encoder, n_hidden=64, random_state=0)


class Gives(nn.Module):
    """A linear layer, and something made of its outputs."""

    def __init__(self, make):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.make = nn.Linear(64, 12), make

    def forward(self, samples):
        return self.make(self.layer(samples))


BAD = {
    "a dict": (Gives(lambda v: {"out": v}), "encoder gives a dict"),
    "a tuple": (Gives(lambda v: (v, v)), "encoder gives a tuple"),
    "nan": (Gives(lambda v: v / 0 * 0), "encoder gives outputs that are nan"),
    "no rows": (Gives(lambda v: v.sum()), r"encoder gives shape \(\)"),
    "complex": (Gives(lambda v: v * 1j), r"encoder gives values of type torch.complex64"),
    "half weights": (nn.Linear(64, 8).half(), r"encoder \(.*\) fails on a batch"),
    "another input": (nn.Linear(63, 8), r"encoder \(.*\) fails on a batch of shape \(128, 64\)"),
    "noise": (Gives(lambda v: v + torch.randn_like(v)), "encoder gives different outputs"),
    "dropout that stays on": (
        Gives(lambda v: nn.functional.dropout(v, training=True)),
        "encoder gives different outputs",
    ),
    "batch statistics": (
        nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8, track_running_stats=False)),
        "encoder gives a sample another .*BatchNorm1d with track_running_stats=False",
    ),
    "batch maximum": (Gives(lambda v: v / v.abs().max()), "encoder gives a sample another"),
}


@pytest.mark.parametrize("encoder, message", BAD.values(), ids=BAD)
@pytest.mark.parametrize("as_object", [False, True])
def test_errors_name_the_encoder_and_change_nothing(encoder, message, as_object):
    model = hasher("differences").fit(X, y)
    codes = model.transform(X)
    model.set_params(encoder=ModuleEncoder(encoder) if as_object else encoder)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.transform(X), codes)


def test_rows_whose_features_are_nan_are_counted():
    encoder = Gives(lambda v: torch.where(v[:, :1] > 1e6, np.nan, v))
    samples = X.copy()
    direction = encoder.layer.weight[0].detach().numpy()
    samples[300:303] = 1e8 * direction
    with pytest.raises(ValueError, match=r"encoder gives features that are nan .* 1 of 398 rows"):
        hasher(encoder).fit(samples, y)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_features_of_other_types_are_read_as_float32(kind):
    codes = hasher(Gives(lambda v: (8 * v).to(kind))).fit_transform(X, y)
    expected = hasher(Gives(lambda v: (8 * v).to(kind).float())).fit_transform(X, y)
    np.testing.assert_array_equal(codes, expected)


def test_lazy_layers_are_repeatable_and_stay_the_users_own():
    encoder, codes = nn.Sequential(nn.LazyLinear(20), nn.ReLU()), []
    for other_draws in range(2):
        torch.manual_seed(other_draws)
        codes.append(hasher(encoder).fit_transform(X, y))
    np.testing.assert_array_equal(*codes)
    assert isinstance(encoder[0].weight, nn.UninitializedParameter)


def test_a_bit_depends_on_its_row_alone():
    encoder = nn.Sequential(nn.Linear(64, 20), nn.BatchNorm1d(20), nn.Dropout(0.5), nn.ReLU())
    model = hasher(encoder).fit(X, y)
    codes = model.transform(X)
    np.testing.assert_array_equal(codes[::-1], model.transform(X[::-1]))
    np.testing.assert_array_equal(codes[:3], np.vstack([model.transform(X[[i]]) for i in range(3)]))
