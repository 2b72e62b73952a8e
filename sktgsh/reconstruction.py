"""From a class's code back to samples: the approximate data-generating process."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from .modulation import Modulation
from .solvers.learner import TaskLearner


def reconstruct_class(
    learner: TaskLearner,
    modulation: Modulation,
    label: Hashable,
    n_samples: int,
    noise: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Draw samples of a class around what the modulated head reads it along.

    All happens in the coordinates of the encoder's principal axes, where the task's density knows
    the covariance of its samples.

    Returns
    -------
    samples : ndarray of shape (n_samples, n_features), dtype float32
    """
    encoder, density = learner.encoder, modulation.density
    axes = encoder.axes.cpu().numpy().astype(np.float64)
    # Axes are orthogonal, each divided by its standard deviation.
    to_features = axes / np.maximum((axes**2).sum(axis=1, keepdims=True), 1e-30)
    direction = learner.class_pattern(modulation, label) @ encoder.expansion.matrix()
    pattern = density.covariance() @ (to_features @ direction)
    centre, position = density.centre(), modulation.classes.index(label)
    distance = np.linalg.norm(density.axis_means[position] - centre)
    pattern *= distance / max(np.linalg.norm(pattern), 1e-30)
    drawn = rng.standard_normal((n_samples, len(axes))) @ density.axis_factor(position).T
    coordinates = centre + pattern + noise * drawn
    origin = encoder.axes_mean.cpu().numpy()
    features = (coordinates + origin) @ to_features
    if encoder.extractor is None:
        features = features / encoder.scale + encoder.shift
    return features.astype(np.float32)
