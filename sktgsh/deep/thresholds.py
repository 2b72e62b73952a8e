"""Turn outputs of a network into bits: thresholds between clusters, separating rotations."""

from __future__ import annotations

import numpy as np

from ..random import generator

_N_ROTATIONS = 2000
# Numbers that are compared at once, which bounds memory.
_MOST_NUMBERS = 2**20


def split_thresholds(outputs: np.ndarray, n_steps: int = 20) -> np.ndarray:
    """For each output, a threshold half-way between the means of what lies above and below it.

    The loss depends on differences of outputs only, so the outputs of a network may all have one
    sign.

    Parameters
    ----------
    outputs : ndarray of shape (..., n_rows, n_outputs)
    n_steps : int, default=20

    Returns
    -------
    thresholds : ndarray of shape (..., n_outputs), dtype float32

    References
    ----------
    T. W. Ridler and S. Calvard, "Picture thresholding using an iterative selection method", 1978.
    """
    thresholds, n_rows = outputs.mean(axis=-2), outputs.shape[-2]
    for _ in range(n_steps):
        above = outputs > thresholds[..., None, :]
        n_above = above.sum(axis=-2)
        high = (outputs * above).sum(axis=-2) / np.maximum(n_above, 1)
        low = (outputs * ~above).sum(axis=-2) / np.maximum(n_rows - n_above, 1)
        thresholds = (high + low) / 2
    return thresholds.astype(np.float32)


def separating_rotation(
    outputs: np.ndarray, y: np.ndarray, seed: int
) -> tuple[np.ndarray | None, np.ndarray]:
    """A rotation of the outputs under which classes' codes are at least 2 bits apart.

    The pairwise loss is nearly blind to rotations: classes that are far apart may still fall on the
    same side of all thresholds but one. Of many random rotations the one is taken with the largest
    least distance between codes of classes (more than 2 bits do not count), then with class means
    farthest from the thresholds, for the spread of their classes.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_bits)
    y : ndarray of shape (n_rows,)
    seed : int

    Returns
    -------
    rotation : ndarray of shape (n_bits, n_bits), dtype float32, or None
        None if the outputs need no rotation, or no rotation is better.
    thresholds : ndarray of shape (n_bits,), dtype float32
        Of the rotated outputs.
    """
    classes, index = np.unique(y, return_inverse=True)
    means = np.stack([outputs[index == position].mean(axis=0) for position in range(len(classes))])
    n_bits = outputs.shape[1]
    within = np.cov((outputs - means[index]).T).reshape(n_bits, n_bits)
    thresholds = split_thresholds(outputs)
    kept = _qualities(means, within, np.eye(n_bits)[None], thresholds[None])
    best, found = max(kept), None
    if best[0] >= 2:
        return found, thresholds
    rng = generator(seed, "rotation")
    at_once = max(1, _MOST_NUMBERS // (max(len(means), n_bits) ** 2))
    for start in range(0, _N_ROTATIONS, at_once):
        count = min(at_once, _N_ROTATIONS - start)
        drawn = np.linalg.qr(rng.standard_normal((count, n_bits, n_bits)))[0].mT
        between = split_thresholds(means @ drawn.mT)
        scores = _qualities(means, within, drawn, between)
        place = max(range(count), key=scores.__getitem__)
        if scores[place] > best:
            best, thresholds = scores[place], between[place]
            found = drawn[place].astype(np.float32)
    return found, thresholds


def _qualities(
    means: np.ndarray, within: np.ndarray, rotations: np.ndarray, thresholds: np.ndarray
) -> list[tuple[int, float]]:
    """Least distance between codes of classes, at most 2, and distance from thresholds.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_bits)
    within : ndarray of shape (n_bits, n_bits)
        Covariance within the classes.
    rotations : ndarray of shape (n_rotations, n_bits, n_bits)
    thresholds : ndarray of shape (n_rotations, n_bits)

    Returns
    -------
    qualities : list of n_rotations tuples
    """
    offset = means @ rotations.mT - thresholds[:, None]
    signs = np.where(offset > 0, np.float32(1), np.float32(-1))
    alike = signs @ signs.mT
    alike[:, range(len(means)), range(len(means))] = -np.inf
    least = (means.shape[1] - alike.max(axis=(1, 2), initial=-np.inf)) / 2
    spread = np.sqrt(np.einsum("rbi,rbi->rb", rotations @ within, rotations)) + 1e-12
    firm = np.tanh(np.abs(offset) / spread[:, None] / 2).mean(axis=(1, 2))
    return list(zip(np.minimum(least, 2).tolist(), firm.tolist()))


def project_rows(outputs: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Each row along each direction, (n_rows, n_directions).

    The sums run direction by direction, so that they do not depend on the number of rows.
    """
    return np.stack([(outputs * direction).sum(axis=1) for direction in directions], axis=1)
