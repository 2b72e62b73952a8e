"""Frozen encoders: built once from the first task, then streamed over."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.utils.sparsefuncs import mean_variance_axis, min_max_axis
from torch import nn

from ..batches import STATISTICS_ROWS, InputScaling
from ..networks import (
    DenseExpansion,
    FrozenEncoder,
    RandomConvolution,
    SparseExpansion,
    WhitenedPatchConvolution,
    difference_weights,
    gaussian_weights,
)
from ..networks.features import power_of_two
from ..networks.random import generator
from ..threads import map_batches, threads_for

N_AXES, N_PROBES = 32, 128
N_FILTERS, N_PHOTOGRAPH_FILTERS = 64, 192
# Features that a hidden unit sums, by measurement: of raw values, more of them; of features that
# an extractor made, few.
N_INPUTS_RAW, N_INPUTS_EXTRACTED = 7, 3
# Columns are summed into this many, with random signs, where they are half as many more: with fewer
# of them, sums would save little, and lose what two columns of one sum say.
MOST_FEATURES = 4096
# A column's deviation counts for no less than this share of its range: a pixel that is rarely on
# would otherwise outweigh all others where another task has it on.
_LEAST_SHARE_OF_RANGE = 0.05
# Scaled values are cut here: outliers, and columns that vary in later tasks only.
_MOST_DEVIATIONS = 10.0
_CHUNK_ROWS = 1024
# Up to this many features, their covariance in float64 is cheaper than random projections of them.
_NARROW = 512


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


def photograph_convolution(
    image_shape: tuple[int, ...], images: np.ndarray, seed: int
) -> WhitenedPatchConvolution:
    """Whitened patches of a sixth of the images' side, for images of several channels."""
    side = min(image_shape[:2])
    filter_size = min(side, int(np.clip(round(side / 6), 3, 9)))
    return WhitenedPatchConvolution(
        image_shape, N_PHOTOGRAPH_FILTERS, filter_size, 3, images=images, seed=seed
    )


def build_encoder(
    encoder: str | nn.Module,
    X: Any,
    rows: np.ndarray,
    *,
    n_blocks: int,
    units_per_block: int,
    n_inputs: int | None,
    image_shape: tuple[int, ...] | None,
    skip: bool,
    published: bool,
    seed: int,
    device: torch.device,
) -> tuple[InputScaling, FrozenEncoder]:
    """Draw the random weights, and take the statistics that are frozen with them.

    Parameters
    ----------
    encoder : {"samples", "gaussian", "fly", "conv"} or torch.nn.Module
        Kind of the encoder, or a module that makes features.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Samples.
    rows : ndarray of int
        Rows of the first task.
    n_blocks, units_per_block, n_inputs
        As in :class:`~sktgsh.networks.SparseExpansion`.
    image_shape : tuple of int or None
        As in ``TaskGeometricHasher``.
    skip : bool
        Let the features stand beside the rectified units.
    published : bool
        Standardise and inhibit as the published network does: one mean and deviation for all
        columns, the mean over the units that were drawn.
    seed : int
        Of all that is drawn.
    device : torch.device
        Where to compute.

    Returns
    -------
    inputs : InputScaling
        How samples enter.
    encoder : FrozenEncoder
    """
    if len(rows) > STATISTICS_ROWS:
        rows = np.random.default_rng(seed).choice(rows, STATISTICS_ROWS, replace=False)
    rows = _distinct(X, rows)
    inputs = _input_scaling(encoder, X, rows, published, seed)
    # In chunks: scaling holds a chunk in float64.
    chunks = [rows[start : start + _CHUNK_ROWS] for start in range(0, len(rows), _CHUNK_ROWS)]
    features = np.concatenate([inputs(X, chunk) for chunk in chunks])
    with threads_for(2.0 * features.size):
        features = features[_steady_order(features, seed)]
    mean = inverse_std = None
    extractor = _make_extractor(encoder, image_shape, features, seed)
    if extractor is not None:
        features = _extract(extractor.to(device), features, device)
        mean, std = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
        inverse_std = _inverse(std).astype(np.float32)
        features = (features - mean.astype(np.float32)) * inverse_std
    n_widest = max(features.shape[1], n_blocks * units_per_block)
    with threads_for(2.0 * features.size * n_widest):
        axes, axes_mean = _principal_axes(features, seed)
        expansion = _make_expansion(
            encoder, extractor, features, n_blocks, units_per_block, n_inputs, not published, seed
        )
        unit_scale = _unit_scale(expansion, features) if skip else 1.0
    return inputs, FrozenEncoder(
        extractor,
        None if mean is None else torch.from_numpy(mean.astype(np.float32)),
        None if inverse_std is None else torch.from_numpy(inverse_std),
        torch.from_numpy(axes),
        torch.from_numpy(axes_mean),
        torch.from_numpy(_random_probes(features.shape[1], seed)),
        expansion,
        unit_scale,
        skip,
    )


def _distinct(X: Any, rows: np.ndarray) -> np.ndarray:
    """Rows without repetitions, in an order that hangs on their values alone.

    What is taken from them then depends neither on the order of rows nor on how often a row is
    there: a weight of 2 is the same as the row twice.
    """
    digests: dict[bytes, int] = {}
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        for content, row in zip(_contents(X[chunk]), chunk.tolist()):
            digests.setdefault(blake2b(content, digest_size=8).digest(), row)
    return np.array([digests[digest] for digest in sorted(digests)])


def _contents(part: Any) -> Iterator[bytes]:
    """The values of each row as bytes, the same for equal rows; sparse rows are never dense."""
    # In float64, whatever the type of X: float32 might not tell rows apart that do differ.
    if sparse.issparse(part):
        part = sparse.csr_array(part, dtype=np.float64)
        part.sum_duplicates()  # and in order
        part.eliminate_zeros()
        places = part.indices.astype(np.int64)
        for start, stop in pairwise(part.indptr.tolist()):
            yield places[start:stop].tobytes() + part.data[start:stop].tobytes()
    else:
        for values in np.asarray(part, np.float64) + 0.0:  # -0 is 0
            yield values.tobytes()


def _steady_order(features: np.ndarray, seed: int) -> np.ndarray:
    """Order of rows along a random direction: what is drawn survives noise in the last digits.

    Columns are standardised by then: a scaler in front, or other units, change nothing either.
    """
    direction = generator(seed, "order").standard_normal(features.shape[1], dtype=np.float32)
    return np.argsort(features @ direction, kind="stable")


# -- samples in ----------------------------------------------------------------------------------


def _input_scaling(
    encoder: str | nn.Module, X: Any, rows: np.ndarray, published: bool, seed: int
) -> InputScaling:
    if isinstance(encoder, nn.Module):
        return InputScaling()  # it was made for samples as they come
    mean, std, span = _moments(X, rows)
    if encoder in ("conv", "fly") or published:
        # One mean and deviation for all columns. The fly takes rates, which are not centred.
        centre = float(mean.mean())
        deviation = float(np.sqrt(np.mean(std**2 + (mean - centre) ** 2)))
        scale = 1 / (max(deviation, 1e-30) if published else power_of_two(deviation))
        return InputScaling(0.0 if encoder == "fly" else centre, scale)
    if X.shape[1] > 1.5 * MOST_FEATURES:
        return _sketched(X, rows, std, span, seed)
    return InputScaling(mean, _column_scale(std, span), _MOST_DEVIATIONS)


def _sketched(
    X: Any, rows: np.ndarray, std: np.ndarray, span: np.ndarray, seed: int
) -> InputScaling:
    """Each column is added to one of a few sums, with a random sign (Charikar et al. 2002)."""
    rng, n_columns = generator(seed, "sketch"), X.shape[1]
    target = rng.integers(MOST_FEATURES, size=n_columns)
    signs = rng.choice([-1.0, 1.0], size=n_columns)
    sketch = sparse.csr_array(
        (signs, (np.arange(n_columns), target)), shape=(n_columns, MOST_FEATURES)
    )
    scale = _column_scale(std, span)
    plain = InputScaling(0.0, scale, np.inf, sketch)
    total, squares = np.zeros(MOST_FEATURES), np.zeros(MOST_FEATURES)
    for start in range(0, len(rows), _CHUNK_ROWS):
        values = plain(X, rows[start : start + _CHUNK_ROWS]).astype(np.float64)
        total, squares = total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    mean = total / len(rows)
    spread = np.sqrt(np.maximum(squares / len(rows) - mean**2, 0))
    typical = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    sketch = sketch / typical
    return InputScaling(mean / typical, scale, _MOST_DEVIATIONS, sparse.csr_array(sketch))


def _moments(X: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and range of each column, in float64."""
    if sparse.issparse(X):
        part = sparse.csr_matrix(X[rows], dtype=np.float64)
        mean, variance = mean_variance_axis(part, axis=0)
        least, most = min_max_axis(part, axis=0)
        return mean, np.sqrt(variance), most - least
    chunks = [rows[start : start + _CHUNK_ROWS] for start in range(0, len(rows), _CHUNK_ROWS)]
    mean = sum(X[chunk].sum(axis=0, dtype=np.float64) for chunk in chunks) / len(rows)
    squares = sum(np.square(X[chunk] - mean).sum(axis=0) for chunk in chunks)
    least = np.min([X[chunk].min(axis=0) for chunk in chunks], axis=0).astype(np.float64)
    most = np.max([X[chunk].max(axis=0) for chunk in chunks], axis=0).astype(np.float64)
    return mean, np.sqrt(squares / len(rows)), most - least


def _column_scale(std: np.ndarray, span: np.ndarray) -> np.ndarray:
    """What columns are multiplied by; one that is constant gets the others' typical scale."""
    deviation = np.maximum(std, _LEAST_SHARE_OF_RANGE * span)
    alive = deviation > 0
    typical = float(np.median(deviation[alive])) if alive.any() else 1.0
    return 1 / np.where(alive, deviation, typical)


# -- features, axes, units -----------------------------------------------------------------------


def _inverse(std: np.ndarray) -> np.ndarray:
    """A constant feature carries nothing: it is mapped to 0, not divided by 0."""
    alive = std > 1e-6 * max(float(std.max(initial=0)), 1e-30)
    return np.divide(1.0, std, out=np.zeros_like(std), where=alive)


def _make_extractor(
    encoder: str | nn.Module, image_shape: tuple[int, ...] | None, images: np.ndarray, seed: int
) -> nn.Module | None:
    if isinstance(encoder, nn.Module):
        shaped = [nn.Unflatten(1, image_shape)] if image_shape is not None else []
        # A copy: freezing and moving it must not reach the user's own.
        return nn.Sequential(*shaped, deepcopy(encoder)).eval()
    if encoder != "conv" or image_shape is None:
        return None
    # Channels are what tells photographs: in grey images whitening gains nothing.
    if len(image_shape) == 3 and image_shape[2] > 1:
        return photograph_convolution(image_shape, images, seed)
    return default_convolution(image_shape, images, seed)


def _extract(extractor: nn.Module, samples: np.ndarray, device: torch.device) -> np.ndarray:
    def extract(rows: np.ndarray, batch: torch.Tensor) -> np.ndarray:
        return extractor(batch).flatten(1).cpu().numpy()[: len(rows)]

    return np.concatenate(map_batches(extract, samples, device=device))


def _principal_axes(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Axes of largest variance, each scaled to give coordinates of unit variance."""
    if len(features) < 2:  # a single row varies along none
        return np.empty((0, features.shape[1]), np.float32), np.empty(0, np.float32)
    mean = features.mean(axis=0, dtype=np.float64)
    n_axes = min(N_AXES, *features.shape)
    narrow = features.shape[1] <= _NARROW
    pca = PCA(n_axes, svd_solver="covariance_eigh" if narrow else "randomized", random_state=seed)
    with np.errstate(invalid="ignore"):  # where nothing varies
        pca.fit(features.astype(np.float64) if narrow else features)
    deviation = np.sqrt(pca.explained_variance_)
    alive = deviation > 1e-6 * max(float(deviation.max(initial=0)), 1e-30)
    axes = pca.components_[alive] / deviation[alive, None]
    return axes.astype(np.float32), (axes @ mean).astype(np.float32)


def _random_probes(n_features: int, seed: int) -> np.ndarray:
    """Normal random directions: they see what few principal axes do not."""
    shape = (min(N_PROBES, n_features), n_features)
    drawn = generator(seed, "probes").standard_normal(shape, dtype=np.float32)
    return drawn / np.float32(np.sqrt(n_features))


def _make_expansion(
    encoder: str | nn.Module,
    extractor: nn.Module | None,
    features: np.ndarray,
    n_blocks: int,
    units_per_block: int,
    n_inputs: int | None,
    nested: bool,
    seed: int,
) -> nn.Module:
    n_features, sizes = features.shape[1], (n_blocks, units_per_block)
    if encoder == "gaussian":
        return DenseExpansion(gaussian_weights(n_features, *sizes, seed=seed))
    # Strokes are seen by few features each, photographs and embeddings by all (measured: 0.994
    # against 0.991 for digits, 0.611 against 0.585 for photographs).
    strokes = encoder == "fly" or isinstance(extractor, RandomConvolution)
    if not strokes and n_inputs is None:
        return DenseExpansion(difference_weights(features, *sizes, seed=seed))
    if n_inputs is None:
        n_inputs = N_INPUTS_RAW if encoder == "fly" else N_INPUTS_EXTRACTED
    # With every feature as an input all units would be equal.
    n_inputs = max(1, min(n_inputs, n_features // 2))
    return SparseExpansion(
        n_features, *sizes, n_inputs, seed=seed, signed=encoder != "fly", nested=nested
    )


@torch.no_grad()
def _unit_scale(expansion: nn.Module, features: np.ndarray) -> float:
    """Brings the rectified units to the deviation that the features have: 1, on average."""
    units = expansion(torch.from_numpy(features[: 4 * _CHUNK_ROWS]).to(_device_of(expansion)))
    deviation = float(units.std(dim=1, correction=0).mean())
    return 1 / deviation if deviation > 0 else 1.0


def _device_of(module: nn.Module) -> torch.device:
    return next(module.buffers()).device
