import numpy as np
import pytest
from learned_tasks import small


def test_task_is_inferred(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    hasher = small(n_hidden=1024).fit(X, y, task=task)
    found, score = hasher.predict_task(Q, return_score=True)
    assert (found == qtask).mean() > 0.9
    assert score.mean() == pytest.approx((found == qtask).mean(), abs=0.05)  # calibrated
    groups = np.concatenate([np.full(len(rows), i) for i, rows in enumerate(np.array_split(Q, 90))])
    grouped = hasher.predict_task(Q, groups=groups)
    middle = np.array([np.bincount(qtask[groups == g] // 30).argmax() * 30 for g in groups])
    assert (grouped == middle).mean() > 0.97
    inferred = hasher.transform(Q, task="infer")
    np.testing.assert_array_equal(inferred, hasher.transform(Q, task=found))
    with pytest.raises(ValueError, match="groups has shape"):
        hasher.predict_task(Q, groups=[1])


def test_unknown_task_is_noticed(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    hasher = small(n_hidden=1024).fit(X, y, task=task)
    assert (hasher.predict_task(Q, unknown=-1) == -1).mean() < 0.1
    strange = np.random.RandomState(0).uniform(0, 16, size=(100, 64))
    assert (hasher.predict_task(strange, unknown=-1) == -1).mean() > 0.9


def test_related_tasks_have_similar_modulations(digit_tasks):
    (X, y, task), _ = digit_tasks
    similarity = small(n_hidden=1024).fit(X, y, task=task).task_similarity()
    assert similarity[0, 1] > similarity[0, 2] and similarity[1, 2] > similarity[0, 2]
    np.testing.assert_allclose(np.diag(similarity), 1, rtol=1e-5)


def test_reconstructions_look_like_their_class_in_their_task(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(n_hidden=1024).fit(X, y, task=task)
    means = {(t, c): X[(task == t) & (y == c)].mean(axis=0) for t in (0, 60) for c in range(10)}
    pictures = {key: hasher.reconstruct(key[1], key[0])[0] for key in means}
    right = 0
    for key, picture in pictures.items():
        likeness = {other: np.corrcoef(picture, mean)[0, 1] for other, mean in means.items()}
        right += max(likeness, key=likeness.get) == key
    assert right >= 18  # of 20
    drawn = hasher.reconstruct(3, 60, n_samples=5, noise=1.0, random_state=0)
    assert drawn.shape == (5, 64) and drawn.std(axis=0).mean() > 0.5
    with pytest.raises(ValueError, match="label=11 is not a class"):
        hasher.reconstruct(11, 0)


def test_representation_is_what_bits_are_read_from(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(head="block").fit(X, y, task=task)
    r = hasher.representation(X[:20], task=0)
    assert r.shape == (20, 512) and r.dtype == np.float32
    projection = hasher.model_.network.projection.ravel()
    values = (r * projection).reshape(20, 16, 32).sum(axis=2) + hasher.biases_[0]
    np.testing.assert_array_equal(values > 0, hasher.transform(X[:20], task=0))


@pytest.mark.parametrize("head", ["shared", "block"])
def test_representations_are_compared_as_the_whole_modulated_activity(digit_tasks, head):
    (X, y, task), _ = digit_tasks
    hasher = small(head=head).fit(X, y, task=task)
    rows = np.concatenate([np.flatnonzero(task == label)[:4] for label in (0, 30)])
    X, task = X[rows], task[rows]
    hidden = hasher.model_.network.hidden_rows(X)
    contexts = {label: hasher.contexts_[i] for i, label in enumerate(hasher.tasks_.tolist())}
    whole = np.array([(contexts[t] * h).ravel() for t, h in zip(task.tolist(), hidden)])
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    found = hasher.representation_similarity(X, task=task)
    np.testing.assert_allclose(found, whole @ whole.T, atol=1e-4)
    r = hasher.representation(X[:4], task=0)
    r /= np.linalg.norm(r, axis=1, keepdims=True)
    np.testing.assert_allclose(r @ r.T, found[:4, :4], atol=1e-4)


def test_values_before_the_threshold(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small().fit(X, y, task=task)
    values = hasher.decision_function(X, task=task)
    assert values.dtype == np.float32
    assert np.abs(values).max() <= 1
    np.testing.assert_array_equal(values > 0, hasher.transform(X, task=task))


# -- other targets -------------------------------------------------------------------------------


def test_codes_of_structure_alone_say_no_class(digit_tasks):
    X, y, _ = digit_tasks[0]
    hasher = small(structure_fraction=1.0, n_hidden=64)
    codes = hasher.fit(X[:300], y[:300]).transform(X)
    assert (codes.mean(axis=0) > 0.1).all() and (codes.mean(axis=0) < 0.9).all()
    with pytest.raises(ValueError, match=r"structure_fraction=1\.0 leaves no bit"):
        hasher.predict_class(X)
