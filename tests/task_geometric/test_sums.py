"""Sums of chunks and of parties give what all rows at once would give."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from sktgsh import TaskGeometricHasher, load

X, y = load_digits(return_X_y=True)
X, y = X[:1200], y[:1200]
task = np.array(["left", "right"])[np.arange(1200) // 3 % 2]
X = np.where((task == "right")[:, None], X[:, ::-1], X)


def hasher(**params):
    return TaskGeometricHasher(n_bits=16, n_hidden=200, random_state=0, **params)


def chunks(size):
    return [
        (X[rows], y[rows], task[rows])
        for rows in (slice(start, start + size) for start in range(0, len(X), size))
    ]


def agreement(one, other):
    return (one.transform(X, task=task) == other.transform(X, task=task)).mean()


def test_batches_are_one_fit():
    # The frozen network hangs on the rows that it is built from: here all of them, both times.
    at_once = hasher().fit(X, y, task=task)
    one_chunk = hasher().fit_batches([(X, y, task)])
    assert agreement(at_once, one_chunk) == 1
    np.testing.assert_array_equal(one_chunk.predict_task(X), at_once.predict_task(X))


def test_batches_are_partial_fit():
    # Learned codewords would follow the first chunk in one case, and all rows in the other.
    step_by_step = hasher(codebook="random")
    for few, labels, _ in chunks(400):
        step_by_step.partial_fit(few, labels)
    streamed = hasher(codebook="random").fit_batches(chunk[:2] for chunk in chunks(400))
    assert streamed.fingerprint() == step_by_step.fingerprint()
    agree = streamed.transform(X) == step_by_step.transform(X)
    assert agree.mean() > 0.9999
    streamed.partial_fit(X[:50], y[:50])


def test_batches_of_several_tasks():
    streamed = hasher().fit_batches(chunks(400))
    assert streamed.score(X, y, task=task) > 0.95
    assert (streamed.predict_task(X) == task).mean() > 0.9


def test_batches_of_a_loader_may_miss_classes():
    order = np.argsort(y, kind="stable")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X[order]), torch.from_numpy(y[order]))
    fitted = hasher().fit_batches(torch.utils.data.DataLoader(data, batch_size=100))
    assert fitted.score(X, y) > 0.9


def test_bad_batches_leave_no_trace():
    fitted = hasher().fit(X, y, task=task)
    codes = fitted.transform(X, task=task)
    with pytest.raises(ValueError, match="63 features"):
        fitted.fit_batches([(X, y), (X[:, 1:], y)])
    with pytest.raises(ValueError, match="one class only"):
        fitted.fit_batches([(X, np.zeros(len(y)))])
    with pytest.raises(ValueError, match="batches has no rows"):
        fitted.fit_batches([])
    with pytest.raises(ValueError, match="solver='ridge'"):
        hasher(solver="sgd").fit_batches([(X, y)])
    np.testing.assert_array_equal(fitted.transform(X, task=task), codes)


@pytest.fixture(params=[True, False], ids=["prior", "no prior"])
def parties(request, tmp_path):
    """Two copies of one network that learned a common task, each from its own half of the rows."""
    path = tmp_path / "start.safetensors"
    hasher(share_prior=request.param).fit(X[:200], y[:200], task="common").save(path)
    halves = slice(200, 700), slice(700, 1200)
    copies = [load(path) for _ in halves]
    for copy, half, own in zip(copies, halves, ("here", "there")):
        copy.partial_fit(X[half], y[half], task="shared")
        copy.partial_fit(X[half][:, ::-1], y[half], task=own)
    together = load(path)
    together.partial_fit(X[200:], y[200:], task="shared")
    return copies, together


def test_merge_is_learning_together(parties):
    (one, other), together = parties
    before = {t: one.transform(X, task=t) for t in ("common", "here")}
    theirs = other.transform(X, task="there")
    one.merge(other)
    assert list(one.modulations_) == ["common", "shared", "here", "there"]
    merged, expected = one.modulations_["shared"], together.modulations_["shared"]
    if not one.share_prior:  # a prior is mixed by the rows that a task is first learned from
        # Products of a batch are in float32, and batches are cut at other rows.
        distance = np.linalg.norm(merged.vector - expected.vector)
        assert distance < 1e-3 * np.linalg.norm(expected.vector)
    codes = one.transform(X, task="shared"), together.transform(X, task="shared")
    assert (codes[0] == codes[1]).mean() > 0.9999
    for label, codes in before.items():
        np.testing.assert_array_equal(one.transform(X, task=label), codes)
    np.testing.assert_array_equal(one.transform(X, task="there"), theirs)
    # Inference works with the density that was put together.
    assert set(one.predict_task(X)) <= set(one.modulations_)


def test_an_adopted_task_goes_on_learning_as_where_it_was_learned(parties):
    (one, other), _ = parties
    # Other classes: a task that means what the others mean goes on with the rows of all of them.
    other.partial_fit(X[:600], (3 * y[:600] + 1) % 10, task="elsewhere")
    one.merge(other)
    for party in (one, other):
        party.partial_fit(X[:300], (3 * y[:300] + 1) % 10, task="elsewhere")
    codes = [party.transform(X, task="elsewhere") for party in (one, other)]
    np.testing.assert_array_equal(*codes)


def test_an_adopted_task_that_is_common_goes_on_with_the_rows_known_here(parties):
    (one, other), _ = parties
    one.merge(other)
    for party in (one, other):
        party.partial_fit(X[:300], y[:300], task="there")
    codes = [party.transform(X, task="there") for party in (one, other)]
    assert (codes[0] == codes[1]).mean() > 0.95
    scores = [party.score(X, y, task=["there"] * len(X)) for party in (one, other)]
    assert scores[0] > scores[1] - 0.01


def test_adopted_tasks_count_as_open(parties):
    (one, other), _ = parties
    one.set_params(max_open_tasks=2).merge(other)
    assert list(one.model_.statistics) == ["shared", "there"]
    with pytest.raises(ValueError, match="task 'here' is closed"):
        one.partial_fit(X, y, task="here")


def test_merged_density_is_near_the_one_of_all_rows(parties):
    (one, other), together = parties
    merged = one.merge(other).modulations_["shared"].density
    expected = together.modulations_["shared"].density
    np.testing.assert_allclose(merged.axis_means, expected.axis_means, atol=1e-4)
    np.testing.assert_allclose(merged.log_priors, expected.log_priors, atol=1e-5)
    np.testing.assert_allclose(merged.probe_means, expected.probe_means, atol=0.2)


def test_merge_says_what_stands_in_its_way(parties, tmp_path):
    (one, other), _ = parties
    codes = one.transform(X, task="shared")
    with pytest.raises(ValueError, match="copies of one network"):
        one.merge(TaskGeometricHasher(n_bits=16, n_hidden=200, random_state=1).fit(X, y))
    other.save(tmp_path / "other")
    with pytest.raises(ValueError, match=r"closed: its sums were dropped by the other"):
        one.merge(load(tmp_path / "other"))
    np.testing.assert_array_equal(one.transform(X, task="shared"), codes)
    assert "there" not in one.modulations_


# -- single tasks ----------------------------------------------------------------------------------


def test_a_task_passes_between_copies(parties, tmp_path):
    (one, other), _ = parties
    path = tmp_path / "task.safetensors"
    other.export_task("there", path)
    other.save(tmp_path / "whole")
    assert path.stat().st_size < (tmp_path / "whole").stat().st_size / 2
    one.import_task(path)
    np.testing.assert_array_equal(one.transform(X, task="there"), other.transform(X, task="there"))
    one.import_task(path, task="again")
    np.testing.assert_array_equal(
        one.predict_class(X, task="again"), other.predict_class(X, task="there")
    )
    with pytest.raises(ValueError, match="known here already"):
        one.import_task(path)


def test_half_precision_is_half_the_size(parties, tmp_path):
    (one, other), _ = parties
    other.export_task("there", tmp_path / "whole")
    other.export_task("there", tmp_path / "half", half=True)
    one.import_task(tmp_path / "half")
    sizes = [(tmp_path / name).stat().st_size for name in ("half", "whole")]
    context = other.modulations_["there"].context
    assert sizes[1] - sizes[0] >= context.nbytes / 2 - 100
    agree = one.transform(X, task="there") == other.transform(X, task="there")
    assert agree.mean() > 0.99


def test_a_task_of_another_network_is_refused(parties, tmp_path):
    (one, other), _ = parties
    other.export_task("there", tmp_path / "task")
    stranger = hasher().fit(X[:300], y[:300], task="there")
    with pytest.raises(ValueError, match="copies of one network"):
        stranger.import_task(tmp_path / "task", task="new")
    other.save(tmp_path / "whole")
    with pytest.raises(ValueError, match="holds a estimator, not a task"):
        one.import_task(tmp_path / "whole")
    with pytest.raises(ValueError, match="unknown label"):
        one.export_task("nowhere", tmp_path / "none")


def test_a_class_with_another_codeword_is_refused(tmp_path):
    few = y < 5
    start = hasher().fit(X[few], y[few], task="left")
    start.save(tmp_path / "start")
    one, other = load(tmp_path / "start"), load(tmp_path / "start")
    one.partial_fit(X, y, task="all")
    only = y != 5
    other.partial_fit(X[only], y[only], task="most")
    other.export_task("most", tmp_path / "task")
    words = [h.model_.codebook.words for h in (one, other)]
    if all(np.array_equal(words[0][c], words[1][c]) for c in words[1]):
        one.import_task(tmp_path / "task")
    else:
        with pytest.raises(ValueError, match="another codeword"):
            one.import_task(tmp_path / "task")
        assert "most" not in one.modulations_


def test_fingerprint_is_of_the_network_alone(parties):
    (one, other), _ = parties
    assert one.fingerprint() == other.fingerprint()
    assert one.fingerprint() != hasher().fit(X[:300], y[:300]).fingerprint()
