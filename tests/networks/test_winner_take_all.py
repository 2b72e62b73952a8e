import numpy as np
import pytest
import torch

from sktgsh.networks.winner_take_all import (
    ConvWinnerTakeAllLayer,
    WinnerTakeAllLayer,
    keep_largest,
    n_lifetime_winners,
)


@pytest.mark.parametrize("n_winners", [1, 3, 10, 20])
def test_exactly_the_largest_survive(n_winners):
    values = torch.randn(10, 7, generator=torch.Generator().manual_seed(0))
    kept = keep_largest(values, n_winners, dim=0)
    for column, found in zip(values.T, kept.T):
        order = np.argsort(-column.numpy(), kind="stable")
        expected = np.zeros(10, np.float32)
        expected[order[:n_winners]] = column.numpy()[order[:n_winners]]
        np.testing.assert_array_equal(found.numpy(), expected)


def test_of_equal_values_the_first_win():
    values = torch.tensor([[1.0, 2.0], [1.0, 5.0], [1.0, 2.0], [0.0, 2.0]])
    kept = keep_largest(values, 2, dim=0)
    assert kept.tolist() == [[1, 2], [1, 5], [0, 0], [0, 0]]


def test_gradients_flow_through_winners_only():
    layer = WinnerTakeAllLayer(5, 6, sparsity=0.2, tied=False)
    samples = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    features = layer.encode(samples)
    features.retain_grad()
    kept = keep_largest(features, n_lifetime_winners(20, 0.2), dim=0)
    layer.decode(kept).square().sum().backward()
    won = kept != 0
    assert (won.sum(dim=0) <= 4).all() and won.any()
    assert (features.grad[~won & (features > 0)] == 0).all()
    assert (features.grad[won] != 0).all()


def test_no_unit_starts_silent_on_samples_far_from_the_origin():
    torch.manual_seed(4)
    layer = WinnerTakeAllLayer(20, 300, sparsity=0.05, tied=False)
    samples = 100 + torch.randn(200, 20)
    assert (layer.encode(samples).amax(dim=0) == 0).float().mean() > 0.3
    layer.start_at(samples)
    active = (layer.encode(samples) > 0).float().mean(dim=0)
    assert active.min() > 0.3 and active.max() < 0.7


def test_at_least_one_winner():
    assert n_lifetime_winners(10, 0.01) == 1 and n_lifetime_winners(100, 0.05) == 5


def test_spatial_then_lifetime_sparsity():
    layer = ConvWinnerTakeAllLayer(1, (4, 6), 3, 5, sparsity=0.25)
    images = torch.rand(8, 1, 9, 9, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        maps, sparse = layer.encode(images), layer.sparse_code(images)
    peaks = maps.flatten(2).max(dim=2).values
    for unit in range(6):
        alive = sparse[:, unit].flatten(1)
        # One position an image at the most, in a quarter of the batch, with the largest peaks.
        assert ((alive != 0).sum(dim=1) <= 1).all() and (alive != 0).sum() <= 2
        order = np.argsort(-peaks[:, unit].numpy(), kind="stable")[:2]
        expected = np.zeros(8, np.float32)
        expected[order] = peaks[order, unit].numpy()
        np.testing.assert_array_equal(alive.max(dim=1).values.numpy(), expected)
    assert layer(images).shape == images.shape


@pytest.mark.parametrize("n_filters", [(6,), (4, 6)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_work_at_the_winners_equals_work_everywhere(n_filters, n_channels):
    torch.manual_seed(3)
    layer = ConvWinnerTakeAllLayer(n_channels, n_filters, 3, 7, sparsity=0.3).double()
    images = torch.rand(10, n_channels, 6, 9, dtype=torch.float64)
    everywhere = layer.decode(layer.sparse_code(images))
    at_winners = layer(images)
    torch.testing.assert_close(at_winners, everywhere)
    weights = list(layer.parameters())
    for found, expected in zip(
        torch.autograd.grad(at_winners.square().sum(), weights),
        torch.autograd.grad(everywhere.square().sum(), weights),
    ):
        torch.testing.assert_close(found, expected)


def test_tied_decoder_is_the_transpose():
    layer = WinnerTakeAllLayer(5, 6, sparsity=1.0, tied=True)
    features = torch.rand(3, 6)
    with torch.no_grad():
        np.testing.assert_allclose(
            layer.decode(features).numpy(),
            (features @ layer.encoder.weight + layer.bias).numpy(),
            rtol=1e-5,
        )
