import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktgsh import (
    ConvWinnerTakeAllAutoencoder,
    GradientSolver,
    SignedRandomProjectionHasher,
    TaskGeometricHasher,
    WinnerTakeAllAutoencoder,
)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X, y


@pytest.fixture(scope="module")
def dense(digits):
    return WinnerTakeAllAutoencoder(
        256, solver=GradientSolver(max_epochs=30, lr=3e-3), random_state=0
    ).fit(digits[0])


@pytest.fixture(scope="module")
def conv(digits):
    return ConvWinnerTakeAllAutoencoder(
        (8, 8),
        n_filters=(32, 32),
        filter_size=3,
        decoder_size=5,
        solver=GradientSolver(max_epochs=15),
        random_state=0,
    ).fit(digits[0])


def error_rate(features, y):
    model = LogisticRegression(max_iter=2000).fit(features[100:400], y[100:400])
    return 1 - model.score(features[400:], y[400:])


def test_reconstructs_and_helps_a_linear_classifier(digits, dense):
    X, y = digits
    again = dense.inverse_transform(dense.transform(X))
    assert again.shape == X.shape
    features = dense.transform(X)
    assert features.shape == (1797, 256) and features.min() >= 0
    assert error_rate(features, y) < error_rate(X / 16, y) + 0.01
    losses = [epoch["train_loss"] for epoch in dense.history_[0]]
    assert losses[-1] < 0.5 * losses[0]


def test_atoms_are_what_is_decoded(dense):
    alone = np.zeros((2, 256), np.float32)
    alone[1, 7] = 1
    black, one = dense.inverse_transform(alone)
    np.testing.assert_allclose(one - black, dense.components_[7], atol=1e-4)


def test_convolutional_features_and_reconstruction(digits, conv):
    X, y = digits
    features = conv.transform(X)
    assert features.shape == (1797, 32 * 4)
    assert error_rate(features, y) < error_rate(X / 16, y)
    explained = 1 - conv.reconstruction_err_ / X.var()
    assert explained > 0.3 and conv.components_.shape == (32, 5, 5, 1)


def test_stacks_train_one_layer_after_another(digits):
    X, _ = digits
    stack = WinnerTakeAllAutoencoder(
        32, hidden_layer_sizes=(64,), solver=GradientSolver(max_epochs=5), random_state=0
    ).fit(X)
    alone = WinnerTakeAllAutoencoder(64, solver=GradientSolver(max_epochs=5), random_state=0)
    assert stack.transform(X).shape == (1797, 32) and len(stack.history_) == 2
    assert stack.inverse_transform(stack.transform(X)).shape == X.shape
    # The second layer is trained on the first one's features, and does not change it.
    assert stack.components_.shape == alone.fit(X).components_.shape == (64, 64)
    maps = ConvWinnerTakeAllAutoencoder(
        (8, 8),
        n_filters=(8,),
        stacked_filters=(12,),
        decoder_size=5,
        pool=2,
        solver=GradientSolver(max_epochs=3),
        random_state=0,
    ).fit(X)
    assert maps.transform(X).shape == (1797, 12 * 4)


def test_partial_fit_goes_on(digits):
    X, _ = digits
    model = WinnerTakeAllAutoencoder(64, solver=GradientSolver(max_epochs=5), random_state=0)
    errors = [model.partial_fit(X).reconstruction_err_ for _ in range(3)]
    assert len(model.history_[0]) == 15
    losses = [epoch["train_loss"] for epoch in model.history_[0]]
    assert losses[-1] < losses[4]
    assert errors[2] < errors[1] < errors[0]


def test_patches_of_large_images():
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(6, 40 * 50 * 3)).astype(np.float32)
    model = ConvWinnerTakeAllAutoencoder(
        (40, 50, 3),
        n_filters=(8,),
        decoder_size=7,
        patch_size=12,
        n_patches=200,
        pool=10,
        solver=GradientSolver(max_epochs=2),
        random_state=0,
    ).fit(X)
    assert model.transform(X).shape == (6, 8 * 4 * 5)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_encoder_of_the_flagship_and_pipelines(digits, request, kind):
    X, y = digits
    model = request.getfixturevalue(kind)
    hasher = TaskGeometricHasher(16, n_hidden=2048, encoder=model.as_module(), random_state=0)
    assert hasher.fit(X, y).score(X, y) > 0.9
    codes = make_pipeline(model, SignedRandomProjectionHasher(16, random_state=0)).fit_transform(
        X, y
    )
    assert codes.shape == (1797, 16)
    features = model.as_module()(torch.from_numpy(X[:5].astype(np.float32)))
    np.testing.assert_allclose(features.detach().numpy(), model.transform(X[:5]), atol=1e-4)


def test_repeatable_and_pickles(digits, dense):
    X, _ = digits
    again = pickle.loads(pickle.dumps(dense))
    np.testing.assert_array_equal(again.transform(X), dense.transform(X))
    one, other = (
        WinnerTakeAllAutoencoder(16, solver=GradientSolver(max_epochs=2), random_state=0).fit(X)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


def test_dead_units_are_counted_and_reported(digits):
    X, _ = digits
    with pytest.warns(UserWarning, match="of 200 units are dead"):
        model = WinnerTakeAllAutoencoder(
            200,
            sparsity=0.01,
            solver=GradientSolver(batch_size=64, lr=0.5, max_epochs=3),
            random_state=0,
        ).fit(X)
    dead = (model.transform(X).max(axis=0) == 0).sum()
    assert model.n_dead_units_ == dead > 0


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(image_shape=(8, 9)), "image_shape"),
        (dict(image_shape=(8, 8), decoder_size=4), "decoder_size=4"),
        (dict(image_shape=(8, 8), patch_size=9), "patch_size=9"),
    ],
)
def test_bad_shapes_are_named(digits, params, message):
    with pytest.raises(ValueError, match=message):
        ConvWinnerTakeAllAutoencoder(**params).fit(digits[0])


def test_features_of_another_width(dense):
    with pytest.raises(ValueError, match=r"expected \(n_samples, 256\)"):
        dense.inverse_transform(np.zeros((2, 3)))


def test_sizes_of_any_integer(digits):
    X = digits[0][:65]  # and a last batch of a single row
    solver = GradientSolver(max_epochs=np.int64(1), batch_size=np.int32(32))
    sizes = dict(solver=solver, random_state=0)
    dense = WinnerTakeAllAutoencoder(np.int64(16), hidden_layer_sizes=np.array([24]), **sizes)
    assert dense.fit(X).transform(X).shape == (65, 16)
    conv = ConvWinnerTakeAllAutoencoder(
        np.array([8, 8]),
        n_filters=np.array([4]),
        stacked_filters=np.array([6]),
        filter_size=np.int64(3),
        decoder_size=np.int16(5),
        pool=np.uint8(2),
        patch_size=np.int64(6),
        n_patches=np.int64(100),
        **sizes,
    )
    assert conv.fit(X).transform(X).shape == (65, 6 * 4)


def test_an_offset_that_float32_cannot_hold(digits):
    with pytest.raises(ValueError, match=r"X lies so far from 0 .*subtract the mean"):
        WinnerTakeAllAutoencoder(16).fit(digits[0] + 1.7e9)


DENSE = WinnerTakeAllAutoencoder(8, solver=GradientSolver(max_epochs=1), random_state=0)
CONVOLUTIONAL = ConvWinnerTakeAllAutoencoder(
    (8, 8),
    n_filters=(4,),
    filter_size=3,
    decoder_size=3,
    solver=GradientSolver(max_epochs=1),
    random_state=0,
)


@pytest.mark.parametrize("autoencoder", [DENSE, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_a_fit_on_a_frame_for_a_frame_warns_of_nothing(digits, autoencoder):
    X = digits[0][:100]
    frame = pd.DataFrame(X).rename(columns=str)
    expected = clone(autoencoder).fit(X)
    fitted = clone(autoencoder).set_output(transform="pandas")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*units are dead")
        features = fitted.fit(frame).transform(frame)
        if autoencoder is DENSE:
            back = expected.inverse_transform(expected.transform(X))
            np.testing.assert_array_equal(fitted.inverse_transform(features), back)
    assert isinstance(features, pd.DataFrame)
    assert fitted.reconstruction_err_ == expected.reconstruction_err_
