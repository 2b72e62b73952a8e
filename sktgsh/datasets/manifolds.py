"""Synthetic manifolds: what a geometric sensitive hash is defined on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.utils import Bunch, check_random_state

NONLINEARITIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, 0),
    "sin": np.sin,
    "identity": lambda values: values,
}


def make_manifolds(
    n_manifolds: int = 20,
    n_samples: int = 100,
    dim_gamma: int = 4,
    dim_theta: int = 4,
    n_features: int = 64,
    nonlinearity: str = "tanh",
    n_tasks: int = 1,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Draw samples from random manifolds, ``x = g(gamma, theta)``.

    Each manifold (class) has an identifier gamma; samples move along it with a nuisance theta. Both
    are normal, and g is a fixed random network with one hidden layer. With several tasks, g also
    sees an identifier of the task: the generative process of task-specific hashing.

    Parameters
    ----------
    n_manifolds : int, default=20
        Number of classes.
    n_samples : int, default=100
        Samples of each class in each task.
    dim_gamma, dim_theta : int, default=4
        Dimensions of the identifier and of the nuisance.
    n_features : int, default=64
        Dimension of a sample.
    nonlinearity : {"tanh", "relu", "sin", "identity"}, default="tanh"
        Of the hidden layer of g.
    n_tasks : int, default=1
        Number of tasks.
    random_state : int, RandomState instance or None, default=None
        Of all draws.

    Returns
    -------
    manifolds : Bunch
        - data : ndarray of shape (n_rows, n_features), dtype float32,
          ``n_rows = n_tasks * n_manifolds * n_samples``
        - target : ndarray of shape (n_rows,), the manifold of each row
        - task : ndarray of shape (n_rows,)
        - gamma : ndarray of shape (n_manifolds, dim_gamma)
        - theta : ndarray of shape (n_rows, dim_theta)

    Raises
    ------
    ValueError
        If a size is less than 1 or `nonlinearity` is unknown.

    See Also
    --------
    sktgsh.datasets.make_image_tasks : Tasks from any images.
    sktgsh.evaluation.identifier_recovery : A question about them.

    References
    ----------
    N. Dikkala, G. Kaplun and R. Panigrahy, arXiv 2103.06875, section 2.

    Examples
    --------
    >>> from sktgsh.datasets import make_manifolds
    >>> manifolds = make_manifolds(3, 5, n_features=8, random_state=0)
    >>> manifolds.data.shape, manifolds.gamma.shape, manifolds.theta.shape
    ((15, 8), (3, 4), (15, 4))
    """
    sizes = dict(
        n_manifolds=n_manifolds,
        n_samples=n_samples,
        dim_gamma=dim_gamma,
        dim_theta=dim_theta,
        n_features=n_features,
        n_tasks=n_tasks,
    )
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}={size}; expected at least 1")
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity={nonlinearity!r}; expected one of {list(NONLINEARITIES)}")
    rng = check_random_state(random_state)
    # A single task has no identifier to be seen by.
    dim_task = dim_gamma if n_tasks > 1 else 0
    n_inputs, n_hidden = dim_gamma + dim_theta + dim_task, 4 * n_features
    inner = rng.standard_normal((n_inputs, n_hidden)) / np.sqrt(n_inputs)
    outer = rng.standard_normal((n_hidden, n_features)) / np.sqrt(n_hidden)
    gamma = rng.standard_normal((n_manifolds, dim_gamma))
    of_task = rng.standard_normal((n_tasks, dim_task))
    target = np.tile(np.repeat(np.arange(n_manifolds), n_samples), n_tasks)
    task = np.repeat(np.arange(n_tasks), n_manifolds * n_samples)
    theta = rng.standard_normal((len(target), dim_theta))
    latent = np.hstack([gamma[target], theta, of_task[task]])
    # Inputs of standard deviation 2 reach the curved part of the nonlinearity.
    data = NONLINEARITIES[nonlinearity](2 * latent @ inner) @ outer
    return Bunch(data=data.astype(np.float32), target=target, task=task, gamma=gamma, theta=theta)
