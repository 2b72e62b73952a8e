"""Reconstruction of samples of a class: the approximate data-generating process."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from scipy.special import softmax

from .modulation import Modulation
from .network import TaskNetwork

N_CANDIDATES = 4096


def reconstruct_class(
    network: TaskNetwork,
    modulation: Modulation,
    label: Hashable,
    n_samples: int,
    noise: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Draw samples that the modulated network assigns to a class.

    Candidates are drawn from the task's density in the coordinates of the encoder's principal axes.
    Each is weighted by the probability that the network gives the class.

    Returns
    -------
    samples : ndarray of shape (n_samples, n_features), dtype float32
    """
    encoder = network.encoder
    candidates = modulation.known_density().sample(N_CANDIDATES, rng)
    features = network.features_at(candidates)
    scores = network.class_scores(features, np.arange(len(features)), modulation, extracted=True)
    weight = softmax(scores.astype(np.float64), axis=1)[:, modulation.classes.index(label)]
    weight /= weight.sum()
    centre = weight @ features
    drawn = features[rng.choice(len(features), n_samples, p=weight)]
    samples = centre + noise * (drawn - centre)
    if encoder.extractor is None and network.inputs.sketch is None:
        samples = samples / network.inputs.scale + network.inputs.shift
    return samples.astype(np.float32)
