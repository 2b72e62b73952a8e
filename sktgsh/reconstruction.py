"""From a class's code back to samples: the approximate data-generating process."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import torch

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
    """Draw hidden activity around a class's readout, and map it back to features.

    Parameters
    ----------
    learner : TaskLearner
    modulation : Modulation
        Of the task.
    label : class label
    n_samples : int
    noise : float
        Standard deviation, as a share of that of the hidden activity.
    rng : RandomState

    Returns
    -------
    samples : ndarray of shape (n_samples, n_features), dtype float32
    """
    target = learner.class_target(modulation, label)
    drawn = target + noise * target.std() * rng.standard_normal((n_samples, len(target)))
    features = drawn @ learner.expansion_pseudo_inverse()
    return features.astype(np.float32)
