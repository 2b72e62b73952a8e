"""Turn outputs of a network into bits: thresholds between clusters, separating rotations."""

from __future__ import annotations

import numpy as np

from ..random import generator

_N_ROTATIONS = 2000


def split_thresholds(outputs: np.ndarray, n_steps: int = 20) -> np.ndarray:
    """For each output, a threshold half-way between the means of what lies above and below it.

    The loss depends on differences of outputs only, so the outputs of a network may all have one
    sign.

    References
    ----------
    T. W. Ridler and S. Calvard, "Picture thresholding using an iterative selection method", 1978.
    """
    thresholds = outputs.mean(axis=0)
    for _ in range(n_steps):
        above = outputs > thresholds
        n_above = above.sum(axis=0)
        high = (outputs * above).sum(axis=0) / np.maximum(n_above, 1)
        low = (outputs * ~above).sum(axis=0) / np.maximum(len(outputs) - n_above, 1)
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
    within = np.cov((outputs - means[index]).T).reshape((outputs.shape[1],) * 2)
    first, second = np.triu_indices(len(means), 1)

    def quality(rotation: np.ndarray, thresholds: np.ndarray) -> tuple[int, float]:
        offset = means @ rotation.T - thresholds
        bits = offset > 0
        least = int((bits[first] != bits[second]).sum(axis=1).min())
        spread = np.sqrt(np.einsum("bi,ij,bj->b", rotation, within, rotation)) + 1e-12
        return min(least, 2), float(np.tanh(np.abs(offset) / spread / 2).mean())

    thresholds = split_thresholds(outputs)
    best, found = quality(np.eye(outputs.shape[1]), thresholds), None
    if best[0] >= 2:
        return found, thresholds
    rng = generator(seed, "rotation")
    for _ in range(_N_ROTATIONS):
        rotation = np.linalg.qr(rng.standard_normal((outputs.shape[1],) * 2))[0].T
        between = split_thresholds(means @ rotation.T)
        score = quality(rotation, between)
        if score > best:
            best, found, thresholds = score, rotation.astype(np.float32), between
    return found, thresholds


def project_rows(outputs: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Each row along each direction, (n_rows, n_directions).

    The sums run direction by direction, so that they do not depend on the number of rows.
    """
    return np.stack([(outputs * direction).sum(axis=1) for direction in directions], axis=1)
