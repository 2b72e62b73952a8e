import numpy as np
import pytest

from sktgsh.datasets import make_manifolds


def test_shapes_and_repeatability():
    found = make_manifolds(3, 5, 2, 4, n_features=8, n_tasks=2, random_state=0)
    again = make_manifolds(3, 5, 2, 4, n_features=8, n_tasks=2, random_state=0)
    assert (
        found.data.shape == (30, 8) and found.theta.shape == (30, 4) and found.gamma.shape == (3, 2)
    )
    np.testing.assert_array_equal(found.data, again.data)
    assert np.bincount(found.target).tolist() == [10, 10, 10] and np.bincount(
        found.task
    ).tolist() == [15, 15]


def test_samples_are_a_function_of_gamma_theta_and_task():
    # In the identity case the process is linear: rank gamma + theta + task, and no noise.
    linear = make_manifolds(
        20, 30, 2, 3, n_features=16, nonlinearity="identity", n_tasks=8, random_state=1
    )
    assert np.linalg.matrix_rank(linear.data, tol=1e-3) == 2 + 3 + 2
    single = make_manifolds(20, 30, 2, 3, n_features=16, nonlinearity="identity", random_state=1)
    assert np.linalg.matrix_rank(single.data, tol=1e-3) == 2 + 3


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_samples=0"):
        make_manifolds(n_samples=0)
    with pytest.raises(ValueError, match="'cube'"):
        make_manifolds(nonlinearity="cube")
