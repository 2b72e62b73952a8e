import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sktgsh.networks import (
    DenseExpansion,
    FrozenEncoder,
    RandomConvolution,
    SparseExpansion,
    difference_weights,
    gaussian_weights,
)
from sktgsh.random import generator, sample_without_replacement


@pytest.fixture
def features():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_gather_is_the_dense_product(features, signed, nested):
    expansion = SparseExpansion(50, 4, 30, 7, seed=1, signed=signed, nested=nested)
    matrix = np.zeros((120, 50))
    wiring = expansion.indices.numpy().reshape(120, 7)
    for unit, inputs in enumerate(wiring):
        assert len(set(inputs.tolist())) == 7
        matrix[unit, inputs] = 1 if not signed else expansion.signs.numpy().reshape(120, 7)[unit]
    values = features.numpy() @ matrix.T
    if not signed:
        values -= (
            7 * features.numpy().mean(axis=1, keepdims=True)
            if nested
            else values.mean(axis=1, keepdims=True)
        )
    np.testing.assert_allclose(expansion(features).numpy().T, np.maximum(values, 0), atol=1e-4)


def test_first_bits_do_not_depend_on_the_number_of_bits(features):
    samples = np.random.default_rng(1).normal(size=(300, 50)).astype(np.float32)
    for make in (
        lambda n, seed: SparseExpansion(50, n, 30, 7, seed=seed),
        lambda n, seed: DenseExpansion(gaussian_weights(50, n, 30, seed=seed)),
        lambda n, seed: DenseExpansion(difference_weights(samples, n, 30, seed=seed)),
    ):
        long, short = make(8, 1), make(3, 1)
        np.testing.assert_array_equal(long(features)[:90].numpy(), short(features).numpy())
        np.testing.assert_array_equal(long(features, 90).numpy(), short(features).numpy())
        assert (make(3, 2)(features) != short(features)).any()


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("wiring", ["dense", "sparse"])
def test_hidden_units_may_be_written_over_others(features, wiring, skip):
    expansion = {
        "dense": DenseExpansion(gaussian_weights(50, 4, 30, seed=0)),
        "sparse": SparseExpansion(50, 4, 30, 7, seed=0),
    }[wiring]
    axes, none = torch.zeros(0, 50), torch.zeros(0)
    encoder = FrozenEncoder(None, None, None, axes, none, torch.zeros(0, 50), expansion, 0.5, skip)
    out = torch.full((encoder.n_hidden, 20), -1.0)
    returned = encoder.hidden(features, out=out)
    assert returned.data_ptr() == out.data_ptr()
    np.testing.assert_array_equal(out.numpy(), encoder.hidden(features).numpy())


def test_differences_point_along_the_data():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 50))
    weight = difference_weights(flat.astype(np.float32), 2, 20, seed=0)
    assert weight.shape == (40, 50) and np.linalg.matrix_rank(weight, tol=1e-3) == 3
    np.testing.assert_allclose(np.linalg.norm(weight, axis=1), 1, rtol=1e-5)
    # Equal samples have no difference: noise takes its place.
    assert np.isfinite(difference_weights(np.ones((5, 50), np.float32), 1, 8, seed=0)).all()


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (32, 24, 3), (64, 64)])
@pytest.mark.parametrize("stride", [1, 2])
def test_random_convolution_is_convolution_normalisation_and_pooling(shape, stride):
    module = RandomConvolution(shape, 12, 3, 3, stride=stride, seed=0)
    images = torch.rand(5, int(np.prod(shape)), generator=torch.Generator().manual_seed(0))
    channels_first = images.reshape(5, *module.shape).permute(0, 3, 1, 2)
    responses = F.conv2d(channels_first, module.filters, stride=stride).abs()
    responses = responses / (1 + responses.mean(dim=1, keepdim=True))
    expected = F.adaptive_avg_pool2d(responses, 3).sqrt().permute(0, 2, 3, 1).flatten(1)
    np.testing.assert_allclose(module(images).numpy(), expected.numpy(), atol=1e-4)
    filters = module.filters.flatten(1)
    np.testing.assert_allclose(filters.sum(dim=1).numpy(), 0, atol=1e-5)
    np.testing.assert_allclose(filters.norm(dim=1).numpy(), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (12, 10, 3)])
def test_filters_are_patches_of_the_images(shape):
    # Images whose only contrast is a bright square: most patches are background.
    images = np.zeros((6, *shape), np.float32)
    images[:, 2:4, 3:6] = np.random.RandomState(0).uniform(size=(6, 2, 3, *shape[2:]))
    module = RandomConvolution(shape, 10, 3, 2, images=images.reshape(6, -1), seed=0)
    filters = module.filters.permute(0, 2, 3, 1).flatten(1).numpy()
    windows = np.lib.stride_tricks.sliding_window_view(
        images.reshape(6, *module.shape), (3, 3), axis=(1, 2)
    )
    patches = np.moveaxis(windows, 3, -1).reshape(-1, filters.shape[1])
    patches = patches - patches.mean(axis=1, keepdims=True)
    patches = patches[np.linalg.norm(patches, axis=1) > 0]
    patches /= np.linalg.norm(patches, axis=1, keepdims=True)
    np.testing.assert_allclose((filters @ patches.T).max(axis=1), 1, atol=1e-5)


def test_filters_must_fit_into_the_images():
    with pytest.raises(ValueError, match=r"filter_size=5 is larger than image_shape=\(4, 9\)"):
        RandomConvolution((4, 9), 10, 5, 2, seed=0)


def test_images_without_contrast_give_random_filters():
    blank = np.ones((4, 64), np.float32)
    module = RandomConvolution((8, 8), 10, 3, 2, images=blank, seed=0)
    filters = module.filters.flatten(1).numpy()
    np.testing.assert_allclose(np.linalg.norm(filters, axis=1), 1, atol=1e-5)
    assert np.linalg.matrix_rank(filters) == 8


def floyd(n_population, n_samples, n_rows, rng):
    """Step by step, as the sets of older versions were drawn."""
    chosen = np.empty((n_rows, n_samples), np.int64)
    for taken, top in enumerate(range(n_population - n_samples, n_population)):
        draw = rng.integers(0, top + 1, size=n_rows)
        repeated = (chosen[:, :taken] == draw[:, None]).any(axis=1)
        chosen[:, taken] = np.where(repeated, top, draw)
    return chosen


@pytest.mark.parametrize(
    "n_population, n_samples, n_rows",
    [
        *[(10, 4, 500), (64, 6, 1000), (384, 38, 500), (784, 78, 300), (784, 300, 100)],
        *[(3072, 307, 64), (320, 320, 40), (1, 1, 5), (5, 5, 50), (262_144, 50, 30)],
        *[(200_000, 320, 20), (7, 3, 0)],
    ],
)
def test_small_sets_are_those_of_older_versions(n_population, n_samples, n_rows):
    sizes = n_population, n_samples, n_rows
    drawn = sample_without_replacement(*sizes, generator(3, "test"))
    np.testing.assert_array_equal(drawn, floyd(*sizes, generator(3, "test")))


@pytest.mark.parametrize("n_population", [10, 400, 300_000])
@pytest.mark.parametrize("n_samples", [1, 4, 350])
def test_draws_are_sets_and_uniform(n_population, n_samples):
    n_samples = min(n_samples, n_population)
    n_rows = 40_000 // n_samples
    drawn = sample_without_replacement(n_population, n_samples, n_rows, generator(0, "test"))
    assert drawn.shape == (n_rows, n_samples)
    assert drawn.min() >= 0 and drawn.max() < n_population
    assert all(len(set(row)) == n_samples for row in drawn[:200].tolist())
    counts = np.histogram(drawn, bins=10, range=(0, n_population))[0]
    assert np.abs(counts / counts.mean() - 1).max() < 0.1
