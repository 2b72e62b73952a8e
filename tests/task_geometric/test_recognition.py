import numpy as np
import pytest
from scipy.stats import multivariate_normal

from sktgsh.task_geometric.recognition import TaskDensity, TaskRecognition


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 400)
    means = np.array([[0.0, 0, 0], [4, 1, 0]])
    outputs = means[labels] + rng.normal(size=(800, 3)) @ np.array(
        [[1, 0.5, 0], [0, 1, 0], [0, 0, 2]]
    )
    axes = means[labels][:, :2] + rng.normal(size=(800, 2))
    return outputs, axes, labels


def test_density_is_a_mixture_of_normals(samples):
    outputs, axes, labels = samples
    density = TaskDensity.fit(outputs, axes, labels)
    found = density.log_density(outputs, axes)
    parts = []
    residual = np.concatenate(
        [outputs[labels == c] - outputs[labels == c].mean(axis=0) for c in (0, 1)]
    )
    for c in (0, 1):
        own = labels == c
        parts.append(
            0.5
            * multivariate_normal(outputs[own].mean(axis=0), np.cov(residual.T, bias=True)).pdf(
                outputs
            )
            * multivariate_normal(axes[own].mean(axis=0), np.cov(axes[own].T)).pdf(axes)
        )
    expected = np.log(np.sum(parts, axis=0))
    difference = found - expected  # a constant is left out
    assert difference.std() < 0.05 * expected.std()


def test_threshold_and_groups(samples):
    outputs, axes, labels = samples
    near = TaskDensity.fit(outputs, axes, labels)
    far = TaskDensity.fit(outputs + 20, axes + 20, labels)
    recognition = TaskRecognition([near, far])
    own = np.stack([near.log_density(outputs, axes), far.log_density(outputs, axes)], axis=1)
    best, scores, unlikely = recognition.recognise(own)
    assert (best == 0).all() and scores.min() > 0.99
    assert unlikely.mean() == pytest.approx(0.01, abs=0.002)
    grouped = recognition.recognise(own, np.arange(800) // 10)
    assert (grouped[0] == 0).all() and grouped[2].mean() < 0.1
    strange = np.stack([d.log_density(outputs + 10, axes - 10) for d in (near, far)], axis=1)
    assert recognition.recognise(strange)[2].all()


def test_samples_follow_the_density(samples):
    outputs, axes, labels = samples
    drawn = TaskDensity.fit(outputs, axes, labels).sample(4000, np.random.RandomState(0))
    np.testing.assert_allclose(drawn.mean(axis=0), axes.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(axes.T), atol=0.4)
