"""No tensor stays behind when a network moves to another device.

The meta device takes the place of a GPU: it computes shapes alone, and refuses tensors of the CPU.
"""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import sktgsh
from sktgsh.networks import CodewordLoss, apply_weights

X, y = load_digits(return_X_y=True)
X, y = X[:200], y[:200]
META = torch.device("meta")

HASHERS = {
    "default": {},
    "block": {"head": "block"},
    "structure": {"structure_fraction": 0.5},
    "fly": {"encoder": "fly"},
    "conv": {"encoder": "conv"},
    "readout": {"head": "readout", "solver": sktgsh.GradientSolver(start="random", max_epochs=1)},
}


@pytest.mark.parametrize("name", HASHERS)
def test_flagship(name):
    hasher = sktgsh.TaskGeometricHasher(n_bits=8, n_hidden=64, random_state=0, **HASHERS[name])
    hasher.fit(X, y)
    modulation = hasher.modulations_[0]
    network = copy.deepcopy(hasher.model_.network).to(META)
    samples = torch.empty(128, 64, device=META)
    features = network.encoder.features(samples)
    hidden = network.encoder.hidden(features)
    weights, bias = network.folded_weights(modulation)
    values = apply_weights(weights, hidden) + bias[:, None]
    assert values.shape == (8, 128)
    found = [features, hidden, values, network.encoder.structure(features)]
    head = network.modulated_head(modulation)
    found += head.read(hidden)
    # Batches of a whole matrix, whose hidden units are written one over another.
    network.map_hidden(lambda _, *tensors: found.extend(tensors), X)
    assert {tensor.device.type for tensor in found} == {"meta"}
    # A copy moved; the hasher's own network did not.
    assert {b.device.type for b in hasher.model_.network.encoder.buffers()} == {"cpu"}
    np.testing.assert_array_equal(hasher.transform(X[:3]), hasher.transform(X)[:3])


def test_an_encoder_of_a_file_is_made_on_its_device(tmp_path):
    hasher = sktgsh.TaskGeometricHasher(n_bits=8, n_hidden=64, random_state=0).fit(X, y)
    hasher.save(tmp_path / "hasher.safetensors")
    network = sktgsh.load(tmp_path / "hasher.safetensors").model_.network.to("meta")
    modulation, row = hasher.modulations_[0], np.arange(1)
    bits, certain = network.short_bits(X, row, modulation)
    assert certain
    np.testing.assert_array_equal(bits, hasher.transform(X[:1]))
    assert {buffer.device.type for buffer in network.encoder.buffers()} == {"meta"}
    assert network.short_bits(X, row, modulation) is None


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("shape", [None, (8, 8)])
def test_deep_hashers_and_autoencoders(shape):
    hasher = sktgsh.DeepSupervisedHasher(
        8, image_shape=shape, solver=sktgsh.GradientSolver(max_epochs=1), random_state=0
    )
    modules = [hasher.fit(X, y).module_]
    autoencoder = sktgsh.WinnerTakeAllAutoencoder(
        8, solver=sktgsh.GradientSolver(max_epochs=1), random_state=0
    )
    if shape is not None:
        autoencoder = sktgsh.ConvWinnerTakeAllAutoencoder(
            shape,
            n_filters=(4,),
            decoder_size=5,
            solver=sktgsh.GradientSolver(max_epochs=1),
            random_state=0,
        )
    modules.append(autoencoder.fit(X).as_module())
    for module in modules:
        made = copy.deepcopy(module).to(META)(torch.empty(16, 64, device=META))
        assert made.device.type == "meta"


def test_loss():
    words = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    loss = CodewordLoss("joint", words, torch.arange(2), torch.arange(0)).to(META)
    outputs = torch.empty(5, 2, device=META), torch.empty(5, 2, device=META)
    assert loss(outputs, torch.empty(5, 2, device=META)).device.type == "meta"
