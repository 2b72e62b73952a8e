import numpy as np
import pytest

from sktgsh.metrics import geometric_sensitivity


def test_by_hand():
    # Mean squared norm is 1 already: two tight manifolds at right angles.
    found = geometric_sensitivity([[1, 0.0], [1, 0], [0, 1], [0, 1]], [0, 0, 1, 1])
    assert found.epsilon == 0 and found.rho == pytest.approx(np.sqrt(2))
    spread = geometric_sensitivity([[1, 1.0], [1, -1], [-1, 1], [-1, -1]], [0, 0, 1, 1])
    assert spread.variance == pytest.approx([0.5, 0.5]) and spread.rho == pytest.approx(np.sqrt(2))


def test_scale_does_not_matter_and_tasks_are_told_apart():
    r = np.random.default_rng(0).normal(size=(40, 3))
    y, task = np.arange(40) % 2, np.arange(40) // 20
    one, other = (geometric_sensitivity(scale * r, y, task=task) for scale in (1, 100))
    np.testing.assert_allclose(one.separation, other.separation)
    assert one.labels == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert one.rho == min(one.rho_within_task, one.rho_across_tasks)
    assert np.isnan(geometric_sensitivity(r, y).rho_across_tasks)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="y has 3 labels for 2 rows"):
        geometric_sensitivity([[1.0], [2.0]], [0, 1, 1])
