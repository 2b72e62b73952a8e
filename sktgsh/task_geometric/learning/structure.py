"""Bits that follow the structure of the data: directions that tell samples of a class apart.

Few classes have few ways to be split, so most bits of a long code would be copies of each other.
Every second copy becomes a structure bit, the sign of a direction of the features. The other copies
add a part of a direction along which classes do not differ, if there is one, to the score of the
class: far from the threshold between classes they stay copies, and near it they tell samples apart.

Directions are principal axes after whitening by the covariance within the classes, which keeps what
varies between classes, rotated so that signs lose little. All of this comes from sums over rows.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ...random import generator
from ..encoding.layout import BitLayout
from ..encoding.structure import Structure
from .ridge import CentredProblem

# The covariance within the classes is shrunk by this share of its mean eigenvalue.
_SHRINKAGE = 3.0
# Deviation of what a copy adds to the score of the class, which is trained to be -1 or +1.
_PART = 0.4
# Axes are rotated together for so many bits, each time with as many axes more; so a short code has
# the first directions of a long one.
_BITS_AT_ONCE, _MOST_AXES = 16, 64
# With more bits than axes, thresholds lie at quantiles between this and one minus this, spread by
# multiples of the golden section.
_FIRST_QUANTILE, _GOLDEN = 0.15, 0.618034
_N_DRAWN, _ROTATION_STEPS = 4096, 2
# The covariance of more features is that along given axes.
_WIDE = 1024
# Least variance of a direction within the classes that it is lengthened to 1 from: where classes
# differ along nearly all axes, what is left is mostly noise.
_LEAST_VARIANCE = 0.25


def repetitions(words: np.ndarray) -> np.ndarray:
    """How many earlier bits split the classes as a bit does, (n_bits,).

    Parameters
    ----------
    words : ndarray of shape (n_classes, n_bits)
        Codewords, -1 and +1.
    """
    seen: dict[bytes, int] = {}
    found = np.zeros(words.shape[1], dtype=int)
    for bit, split in enumerate((words * words[:1]).T):
        key = split.tobytes()
        found[bit] = seen.get(key, 0)
        seen[key] = found[bit] + 1
    return found


def learn_structure(
    problem: CentredProblem,
    features: slice,
    words: np.ndarray,
    layout: BitLayout,
    axes: np.ndarray,
    seed: int,
) -> Structure | None:
    """Choose the bits that follow directions, and the directions; None if there is no such bit.

    Parameters
    ----------
    problem : CentredProblem
        Problem of the rows, whose units are one block.
    features : slice
        Units that are the features.
    words : ndarray of shape (n_classes, n_codebook_bits)
        Codewords.
    layout : BitLayout
    axes : ndarray of shape (n_axes, n_features)
        Axes that stand for the features where these are many.
    seed : int

    Returns
    -------
    structure : Structure or None
    """
    repeated = repetitions(words)
    # Before this bit there may still be a new way to split the classes: copies stay copies.
    n_ways = min(2 ** (len(words) - 1) - 1, len(repeated))
    alone, part = np.zeros(layout.n_bits, dtype=bool), np.zeros(layout.n_bits)
    alone[layout.codebook_bits] = (repeated % 2 == 1) & (np.arange(len(repeated)) >= n_ways)
    part[layout.codebook_bits] = np.where(repeated > 0, _PART, 0)
    part[alone] = 1
    bits = np.flatnonzero(part)
    if not alone.any():
        return None
    n_features = len(range(problem.means.shape[1])[features])
    directions, thresholds = np.zeros((layout.n_bits, n_features)), np.zeros(layout.n_bits)
    found = _rotated_axes(problem, features, axes, seed, alone[bits])
    if found is None:
        return None
    directions[bits], thresholds[bits] = part[bits, None] * found[0].T, part[bits] * found[1]
    return Structure(directions.astype(np.float32), thresholds, alone)


def _rotated_axes(
    problem: CentredProblem, features: slice, axes: np.ndarray, seed: int, alone: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Directions (n_features, n_bits) and thresholds (n_bits,); None if no class varies.

    Bits that are not `alone` (n_bits,) follow axes along which classes do not differ, if there are
    some.
    """
    n_bits = len(alone)
    means = problem.class_sums[:, 0, features] / np.maximum(problem.counts, 1e-300)[:, None]
    basis = np.eye(means.shape[1])
    if len(basis) > _WIDE:
        basis = np.linalg.qr(axes.T.astype(np.float64))[0]
    means, share = means @ basis, problem.counts / problem.total
    total = problem.covariance(features, basis)
    within = total - (means.T * share) @ means
    scale = np.trace(within) / max(len(within), 1)
    values, vectors = np.linalg.eigh(within)
    if not len(values) or not values[-1] > 0:
        return None
    values = np.maximum(values, 0)
    # With symmetric roots and fixed signs, rounding errors turn no direction.
    whitening = (vectors / np.sqrt(values + _SHRINKAGE * scale)) @ vectors.T
    variance, turned = np.linalg.eigh(whitening @ total @ whitening)
    kept = np.argsort(-variance, kind="stable")[:_MOST_AXES]
    kept = kept[variance[kept] > 1e-9 * variance.max()]
    turned = turned[:, kept]
    largest = np.abs(turned).argmax(axis=0)
    whitening = whitening @ (turned * np.sign(turned[largest, np.arange(len(kept))]))
    spread_within = whitening.T @ within @ whitening
    # Rows with these means and this covariance stand for the rows, which sums do not hold.
    rng, width = generator(seed, "structure"), len(kept)
    drawn = rng.standard_normal((_N_DRAWN, width)) @ _root(spread_within)
    drawn += (means @ whitening)[rng.choice(len(share), _N_DRAWN, p=share / share.sum())]
    columns = list[np.ndarray]()
    while len(columns) < n_bits:
        used = min(len(columns) + _BITS_AT_ONCE, width)
        rotation = np.linalg.qr(rng.standard_normal((used, used)))[0]
        along = drawn[:, :used]
        # Once all axes are used, more rotations of them had better be random ones.
        for _ in range(_ROTATION_STEPS if len(columns) < width else 0):
            left, _, right = np.linalg.svd(along.T @ np.sign(along @ rotation))
            rotation = left @ right
        columns.extend(np.pad(rotation, ((0, width - used), (0, 0))).T[:_BITS_AT_ONCE])
    turned = np.array(columns)[:n_bits].T
    turned /= np.maximum((drawn @ turned).std(axis=0), 1e-12)
    apart = (means - share @ means) @ whitening * np.sqrt(share)[:, None]
    turned[:, ~alone] = _within_classes(turned[:, ~alone], apart, spread_within)
    directions = basis @ whitening @ turned
    spread = np.arange(n_bits) * _GOLDEN % 1 * (1 - 2 * _FIRST_QUANTILE) + _FIRST_QUANTILE
    offset = np.where(np.arange(n_bits) < width, 0.0, ndtri(spread))
    return directions, problem.means[0, features] @ directions + offset


def _within_classes(turned: np.ndarray, apart: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Directions (width, n_bits) at right angles to the differences of the classes.

    They are lengthened to a deviation of 1 within the classes, but at most twice. They stay as they
    are where classes differ along all axes.
    """
    _, values, axes = np.linalg.svd(apart, full_matrices=False)
    axes = axes[values > 1e-6 * values.max(initial=0.0)]
    if len(axes) >= len(turned):
        return turned
    turned = turned - axes.T @ (axes @ turned)
    variance = np.einsum("ib,ij,jb->b", turned, within, turned)
    return turned / np.sqrt(np.maximum(variance, _LEAST_VARIANCE))


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
