"""The frozen network is built once, from rows of the first task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA

from ... import networks
from ...batches import STATISTICS_ROWS, InputScaling
from ...random import generator
from ...threads import map_batches, threads_for
from .encoder import Encoder, UnitDraw
from .layout import BitLayout
from .network import TaskNetwork
from .scaling import CHUNK_ROWS, distinct_rows

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ...networks import FrozenEncoder

N_AXES, N_PROBES = 32, 128
# The covariance of at most this many features is cheaper in float64 than random projections.
_NARROW = 512
# Default number of units that all bits share, and of units of each bit under another head.
N_UNITS, UNITS_PER_BIT = 2048, 256


def build_network(
    encoder: Encoder,
    X: Any,
    rows: np.ndarray,
    *,
    n_bits: int,
    n_hidden: int | None,
    head: str,
    passthrough: bool,
    structure_share: float,
    seed: int,
    device: torch.device,
) -> TaskNetwork:
    """Draw the random weights, and estimate the statistics that are frozen with them.

    Parameters
    ----------
    encoder : Encoder
        The kind of encoder.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Samples.
    rows : ndarray of int
        Rows of the first task.
    n_bits : int
        Length of a code.
    n_hidden : int or None
        Number of rectified units; None for the default of the head.
    head : {"shared", "block", "dense", "readout"}
        As in ``TaskGeometricHasher``.
    passthrough : bool
        Let the features stand beside units that all bits share.
    structure_share : float
        Share of structure bits.
    seed : int
        Of all draws.
    device : torch.device
        The device to compute on.
    """
    n_blocks = 1 if head == "shared" else n_bits
    n_units = _units_per_block(encoder, head, n_hidden, X.shape[1], n_blocks)
    if len(rows) > STATISTICS_ROWS:
        rows = np.random.default_rng(seed).choice(rows, STATISTICS_ROWS, replace=False)
    rows = distinct_rows(X, rows)
    published = head == "readout"
    inputs = encoder.scaling(X, rows, published, seed)
    draw = UnitDraw(n_blocks, n_units, not published, seed)
    beside = passthrough and head == "shared"
    frozen = _build_encoder(encoder, _scaled(inputs, X, rows, seed), draw, beside, device)
    layout = BitLayout(n_bits, n_blocks, frozen.n_hidden // n_blocks, structure_share)
    return TaskNetwork(inputs, frozen, layout, head, seed, device)


def _units_per_block(
    encoder: Encoder, head: str, n_hidden: int | None, n_columns: int, n_blocks: int
) -> int:
    """Number of rectified units of a block."""
    if n_hidden is not None:
        return int(n_hidden) // n_blocks
    if head != "shared":
        return UNITS_PER_BIT
    # Many columns beside the units carry most of the information, and the time to learn grows with
    # the square of both together.
    return N_UNITS // 2 if encoder.keeps_columns and n_columns > N_UNITS else N_UNITS


def _scaled(inputs: InputScaling, X: Any, rows: np.ndarray, seed: int) -> np.ndarray:
    """Scaled rows in a steady order, float32."""
    # Scaling holds one chunk at a time in float64.
    chunks = [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
    samples = np.concatenate([inputs(X, chunk) for chunk in chunks])
    with threads_for(2.0 * samples.size):
        return samples[_steady_order(samples, seed)]


def _steady_order(features: np.ndarray, seed: int) -> np.ndarray:
    """Order of rows along a random direction, so that later draws survive rounding noise.

    The columns are standardised by then, so a scaler in front changes nothing either.
    """
    direction = generator(seed, "order").standard_normal(features.shape[1], dtype=np.float32)
    return np.argsort(features @ direction, kind="stable")


def _build_encoder(
    encoder: Encoder,
    features: np.ndarray,
    draw: UnitDraw,
    passthrough: bool,
    device: torch.device,
) -> FrozenEncoder:
    """Make the frozen encoder from scaled samples."""
    import torch

    seed = draw.seed
    mean = inverse_std = None
    extractor = encoder.extractor(features, seed)
    if extractor is not None:
        features = _extract(extractor.to(device), features, device)
        mean, std = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
        inverse_std = _inverse(std).astype(np.float32)
        features = (features - mean.astype(np.float32)) * inverse_std
    n_widest = max(features.shape[1], draw.n_blocks * draw.units_per_block)
    with threads_for(2.0 * features.size * n_widest):
        axes, axes_mean = _principal_axes(features, seed)
        expansion = encoder.expansion(features, extractor, draw)
        unit_scale = _unit_scale(expansion, features) if passthrough else 1.0
    return networks.FrozenEncoder(
        extractor,
        None if mean is None else torch.from_numpy(mean.astype(np.float32)),
        None if inverse_std is None else torch.from_numpy(inverse_std),
        torch.from_numpy(axes),
        torch.from_numpy(axes_mean),
        torch.from_numpy(_random_probes(features.shape[1], seed)),
        expansion,
        unit_scale,
        passthrough,
    )


def _inverse(std: np.ndarray) -> np.ndarray:
    """Inverse deviations; 0 for a constant feature, which is then mapped to 0."""
    alive = std > 1e-6 * max(float(std.max(initial=0)), 1e-30)
    return np.divide(1.0, std, out=np.zeros_like(std), where=alive)


def _extract(extractor: nn.Module, samples: np.ndarray, device: torch.device) -> np.ndarray:
    def extract(rows: np.ndarray, batch: torch.Tensor) -> np.ndarray:
        return extractor(batch).flatten(1).float().cpu().numpy()[: len(rows)]

    features = np.concatenate(map_batches(extract, samples, device=device))
    if not np.isfinite(features).all():
        n_bad = int((~np.isfinite(features)).any(axis=1).sum())
        raise ValueError(
            f"encoder gives features that are nan or infinite for {n_bad} of {len(features)} rows; "
            "check its weights, and the scale of X"
        )
    return features


def _principal_axes(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Axes of largest variance, each scaled to give coordinates of unit variance."""
    if len(features) < 2:  # a single row has no variance
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
    """Normal random directions, which see more than a few principal axes."""
    shape = (min(N_PROBES, n_features), n_features)
    drawn = generator(seed, "probes").standard_normal(shape, dtype=np.float32)
    return drawn / np.float32(np.sqrt(n_features))


def _unit_scale(expansion: nn.Module, features: np.ndarray) -> float:
    """Factor that gives the rectified units the mean deviation of the features, which is 1."""
    import torch

    with torch.no_grad():
        units = expansion(torch.from_numpy(features[: 4 * CHUNK_ROWS]).to(_device_of(expansion)))
    deviation = float(units.std(dim=1, correction=0).mean())
    return 1 / deviation if deviation > 0 else 1.0


def _device_of(module: nn.Module) -> torch.device:
    return next(module.buffers()).device
