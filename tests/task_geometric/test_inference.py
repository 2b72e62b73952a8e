import numpy as np
import pytest
from scipy.stats import multivariate_normal

from sktgsh.task_geometric.encoding.density import TaskDensity
from sktgsh.task_geometric.encoding.inference import TaskInference


def draw(n_samples, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n_samples // 2)
    means = np.array([[0.0, 0, 0], [4, 1, 0]])
    probes = means[labels] + rng.normal(size=(n_samples, 3)) @ np.array(
        [[1, 0.5, 0], [0, 1, 0], [0, 0, 2]]
    )
    axes = means[labels][:, :2] + rng.normal(size=(n_samples, 2))
    return probes, axes, labels


@pytest.fixture
def samples():
    return draw(800, 0)


def test_density_is_a_mixture_of_normals(samples):
    probes, axes, labels = samples
    density = TaskDensity.fit(probes, axes, labels)
    found = density.log_density(probes, axes)
    parts = []
    residual = np.concatenate(
        [probes[labels == c] - probes[labels == c].mean(axis=0) for c in (0, 1)]
    )
    for c in (0, 1):
        own = labels == c
        parts.append(
            0.5
            * multivariate_normal(probes[own].mean(axis=0), np.cov(residual.T, bias=True)).pdf(
                probes
            )
            * multivariate_normal(axes[own].mean(axis=0), np.cov(axes[own].T)).pdf(axes)
        )
    expected = np.log(np.sum(parts, axis=0))
    difference = found - expected  # a constant is left out
    assert difference.std() < 0.05 * expected.std()


def test_threshold_and_groups(samples):
    probes, axes, labels = samples
    near = TaskDensity.fit(probes, axes, labels)
    far = TaskDensity.fit(probes + 20, axes + 20, labels)
    recognition = TaskInference([near, far])
    own = np.stack([near.log_density(probes, axes), far.log_density(probes, axes)], axis=1)
    best, scores, unlikely = recognition.infer(own)
    assert (best == 0).all() and scores.min() > 0.99
    assert unlikely.mean() <= 0.01
    new = draw(8000, 1)[:2]
    share = (near.log_density(*new) < near.threshold).mean()
    assert share == pytest.approx(0.01, abs=0.006)
    grouped = recognition.infer(own, np.arange(800) // 10)
    assert (grouped[0] == 0).all() and grouped[2].mean() < 0.1
    strange = np.stack([d.log_density(probes + 10, axes - 10) for d in (near, far)], axis=1)
    assert recognition.infer(strange)[2].all()


def test_samples_follow_the_density(samples):
    probes, axes, labels = samples
    drawn = TaskDensity.fit(probes, axes, labels).sample(4000, np.random.RandomState(0))
    np.testing.assert_allclose(drawn.mean(axis=0), axes.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(axes.T), atol=0.4)
