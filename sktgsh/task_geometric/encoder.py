"""Frozen encoders: built once from the first task, then streamed over."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn

from ..batches import STATISTICS_ROWS, dense_rows, iter_batches
from ..networks import DenseExpansion, FrozenEncoder, RandomConvolution, SparseExpansion
from ..networks.features import power_of_two

N_AXES = 32
N_FILTERS = 64
# Features that a hidden unit sums, by measurement: of raw values, more of them; of features that
# an extractor made, few.
N_INPUTS_RAW, N_INPUTS_EXTRACTED = 7, 3


def default_convolution(
    image_shape: tuple[int, ...], images: np.ndarray | None, seed: int, stride: int = 1
) -> RandomConvolution:
    """Filters of a quarter of the images' side, patches where there are images; a coarse grid."""
    side = min(image_shape[:2])
    filter_size = int(np.clip(round(side / 4), 3, 9))
    pool = int(np.clip(side // 7, 3, 6))
    return RandomConvolution(
        image_shape, N_FILTERS, filter_size, pool, stride=stride, images=images, seed=seed
    )


def build_encoder(
    encoder: str | nn.Module,
    X: Any,
    rows: np.ndarray,
    *,
    n_bits: int,
    units_per_bit: int,
    n_inputs: int | None,
    image_shape: tuple[int, ...] | None,
    nested: bool,
    seed: int,
    device: torch.device,
) -> FrozenEncoder:
    """Draw the random weights, and take the statistics that are frozen with them.

    Parameters
    ----------
    encoder : {"fly", "gaussian", "conv"} or torch.nn.Module
        Kind of the encoder, or a module that makes features.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Samples.
    rows : ndarray of int
        Rows of the first task.
    n_bits, units_per_bit, n_inputs, image_shape, nested, seed
        As in ``TaskGeometricHasher`` and :class:`~sktgsh.networks.SparseExpansion`.
    device : torch.device
        Where to compute.

    Returns
    -------
    encoder : FrozenEncoder
    """
    if len(rows) > STATISTICS_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, STATISTICS_ROWS, replace=False))
    sample = dense_rows(X, rows)
    # A module gets samples as they come: it was made for them.
    shift, scale = 0.0, 1.0
    if not isinstance(encoder, nn.Module):
        deviation = float(sample.std(dtype=np.float64))
        # The published network (not nested) takes standardised inputs.
        scale = 1 / (power_of_two(deviation) if nested else max(deviation, 1e-30))
        shift = 0.0 if encoder == "fly" else float(sample.mean(dtype=np.float64))
    mean = inverse_std = None
    features = (sample - np.float32(shift)) * np.float32(scale)
    extractor = _make_extractor(encoder, image_shape, features, seed)
    if extractor is not None:
        features = _extract(extractor.to(device), features, device)
        mean = features.mean(axis=0, dtype=np.float64)
        std = features.std(axis=0, dtype=np.float64)
        # A constant feature carries nothing: it is mapped to 0, not divided by 0.
        alive = std > 1e-6 * max(float(std.max(initial=0)), 1e-30)
        inverse_std = np.divide(1.0, std, out=np.zeros_like(std), where=alive).astype(np.float32)
        features = (features - mean.astype(np.float32)) * inverse_std
    axes, axes_mean = _principal_axes(features, seed)
    n_features = features.shape[1]
    if n_inputs is None:
        n_inputs = N_INPUTS_RAW if extractor is None else N_INPUTS_EXTRACTED
    # With every feature as an input all units would be equal.
    n_inputs = max(1, min(n_inputs, n_features // 2))
    if encoder == "gaussian":
        expansion: nn.Module = DenseExpansion(n_features, n_bits, units_per_bit, seed=seed)
    else:
        expansion = SparseExpansion(
            n_features,
            n_bits,
            units_per_bit,
            n_inputs,
            seed=seed,
            signed=encoder != "fly",
            nested=nested,
        )
    return FrozenEncoder(
        shift,
        scale,
        extractor,
        None if mean is None else torch.from_numpy(mean.astype(np.float32)),
        None if inverse_std is None else torch.from_numpy(inverse_std),
        torch.from_numpy(axes),
        torch.from_numpy(axes_mean),
        expansion,
    )


def _make_extractor(
    encoder: str | nn.Module, image_shape: tuple[int, ...] | None, images: np.ndarray, seed: int
) -> nn.Module | None:
    if isinstance(encoder, nn.Module):
        shaped = [nn.Unflatten(1, image_shape)] if image_shape is not None else []
        # A copy: freezing and moving it must not reach the user's own.
        return nn.Sequential(*shaped, deepcopy(encoder)).eval()
    return default_convolution(image_shape, images, seed) if encoder == "conv" else None


@torch.no_grad()
def _extract(extractor: nn.Module, samples: np.ndarray, device: torch.device) -> np.ndarray:
    parts = [
        extractor(samples_batch.to(device)).flatten(1).cpu().numpy()[: len(positions)]
        for positions, samples_batch in iter_batches(samples)
    ]
    return np.concatenate(parts)


def _principal_axes(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Axes of largest variance, each scaled to give coordinates of unit variance."""
    mean = features.mean(axis=0, dtype=np.float64)
    n_axes = min(N_AXES, *features.shape)
    pca = PCA(n_axes, svd_solver="randomized", random_state=seed).fit(features)
    deviation = np.sqrt(pca.explained_variance_)
    alive = deviation > 1e-6 * max(float(deviation.max(initial=0)), 1e-30)
    axes = pca.components_[alive] / deviation[alive, None]
    return axes.astype(np.float32), (axes @ mean).astype(np.float32)
