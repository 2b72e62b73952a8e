import builtins

import numpy as np
import pytest

from sktgsh import TaskGeometricHasher
from sktgsh.codes import hamming_distances
from sktgsh.inspection import (
    CodeMapDisplay,
    CodeTableDisplay,
    RepresentationSimilarityDisplay,
    RetrievalCurveDisplay,
    TaskSimilarityDisplay,
)


@pytest.fixture(scope="module")
def fitted(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = TaskGeometricHasher(16, n_hidden=512, packed=True, random_state=0).fit(X, y, task=task)
    return hasher, X[task == 0][:200], y[task == 0][:200]


def test_task_similarity(fitted):
    display = TaskSimilarityDisplay.from_estimator(fitted[0])
    np.testing.assert_allclose(display.similarity, fitted[0].task_similarity())
    assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["0", "30", "60"]


def test_representations_are_grouped_by_label():
    representation = np.array([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    display = RepresentationSimilarityDisplay.from_predictions(
        representation, ["a", "b", "a", "b"], task=[0, 0, 1, 1]
    )
    # Same task, other class: (0, 1) and (2, 3). Same class, other task: (0, 2) and (1, 3).
    assert display.other_class.tolist() == [0, 1] and display.other_task.tolist() == [1, 0]


def test_representations_of_an_estimator(digit_tasks, fitted):
    (X, y, task), _ = digit_tasks
    display = RepresentationSimilarityDisplay.from_estimator(
        fitted[0], X, y, task=task, max_rows=90
    )
    assert len(display.other_class) > 100 and len(display.ax_.patches) == 100


def test_retrieval_curve(fitted):
    hasher, X, y = fitted
    display = RetrievalCurveDisplay.from_estimator(hasher, X, y, task=0)
    assert (np.diff(display.recall) >= 0).all() and display.recall[-1] == pytest.approx(1)
    again = RetrievalCurveDisplay.from_predictions(
        hasher.transform(X, task=0), y, packed=True, name="b", ax=display.axes_
    )
    np.testing.assert_allclose(again.precision, display.precision)
    with pytest.raises(ValueError, match="ax holds 1 axes; expected 2"):
        again.plot(ax=display.axes_[0])


def test_code_table(fitted):
    hasher, X, y = fitted
    display = CodeTableDisplay.from_estimator(hasher, X, y, task=0)
    np.testing.assert_array_equal(display.distances, hamming_distances(display.codes))
    lines = display.to_text().splitlines()
    assert len(lines) == 11 and lines[1].split()[2] == display.hex[0]


def test_code_map_keeps_neighbours_near(fitted):
    hasher, X, y = fitted
    display = CodeMapDisplay.from_estimator(hasher, X, y, task=0, max_rows=150)
    distances = ((display.positions[:, None] - display.positions) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (display.y[distances.argmin(axis=1)] == display.y).mean() > 0.8
    with pytest.raises(ValueError, match="method='pca'"):
        CodeMapDisplay.from_estimator(hasher, X, y, task=0, method="pca")


def test_umap_is_optional(fitted, monkeypatch):
    real = builtins.__import__

    def without_umap(name, *args, **kwargs):
        if name == "umap":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_umap)
    with pytest.raises(ImportError, match="needs umap-learn"):
        CodeMapDisplay.from_estimator(fitted[0], *fitted[1:], task=0, method="umap")
