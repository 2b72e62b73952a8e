"""Streams of chunks: kinds of labels, chunks without rows, and chunks that hold several tasks."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from sktgsh import TaskGeometricHasher, load

X, y = load_digits(return_X_y=True)
X, y = X[:800], y[:800]
TASK = np.arange(800) // 3 % 2
TURNED = np.where(TASK[:, None] == 1, X[:, ::-1], X)
CUTS = [slice(start, start + 200) for start in range(0, 800, 200)]


def hasher(**params):
    return TaskGeometricHasher(n_bits=16, n_hidden=100, random_state=0, **params)


def chunks():
    return [(TURNED[rows], y[rows], TASK[rows]) for rows in CUTS]


def step_by_step(**params):
    fitted = hasher(**params)
    for few, labels, task in chunks():
        fitted.partial_fit(few, labels, task=task)
    return fitted


# -- kinds of labels -------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [(None, None), (0, 0), (0, 1)])
def test_labels_of_mixed_kinds_are_refused_as_by_partial_fit(tasks):
    parts = [(X[:400], y[:400], tasks[0]), (X[400:], y[400:].astype(str), tasks[1])]
    stepped = hasher().partial_fit(*parts[0][:2], task=tasks[0])
    with pytest.raises(ValueError, match="y has labels of type str") as expected:
        stepped.partial_fit(*parts[1][:2], task=tasks[1])
    fitted = hasher().fit(X, y)
    codes = fitted.transform(X)
    with pytest.raises(ValueError, match="y has labels of type str") as refused:
        fitted.fit_batches(parts)
    assert str(refused.value) == str(expected.value)
    np.testing.assert_array_equal(fitted.transform(X), codes)
    with pytest.raises(ValueError, match="y has labels of type int"):
        hasher().fit_batches(reversed(parts))


def test_tasks_of_mixed_kinds_are_refused():
    with pytest.raises(ValueError, match="task has labels of type str"):
        hasher().fit_batches([(X[:400], y[:400], 0), (X[400:], y[400:], "0")])


def test_sums_of_another_kind_are_not_added_to_what_is_known():
    fitted = hasher().fit(X, y, task=0)
    codes = fitted.transform(X)
    sums = fitted.sums_of(X, y.astype(str), 1)
    with pytest.raises(ValueError, match="y has labels of type str"):
        fitted.learn_sums(sums)
    np.testing.assert_array_equal(fitted.transform(X), codes)


@pytest.mark.parametrize("share_codebook", [True, False])
def test_tasks_of_parties_have_labels_of_one_kind(tmp_path, share_codebook):
    hasher(share_codebook=share_codebook).fit_codes(X, np.eye(16, dtype=int)[y], task=0).save(
        tmp_path / "start"
    )
    here, there = load(tmp_path / "start"), load(tmp_path / "start")
    here.partial_fit(X, y, task=1)
    there.partial_fit(X, y.astype(str), task=2)
    there.export_task(2, tmp_path / "task")
    for take in (lambda: here.merge(there), lambda: here.import_task(tmp_path / "task")):
        with pytest.raises(ValueError, match="the other task has labels of type str"):
            take()
    there.rename_task(2, 1)
    with pytest.raises(ValueError, match="the other task has labels of type str"):
        here.merge(there)
    assert here.classes_.dtype.kind == "i" and here.tasks_.tolist() == [0, 1]


# -- chunks without rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, sparse.csr_array])
def test_chunks_without_rows_are_skipped(kind):
    empty = X[:0], y[:0], TASK[:0]
    parts = [empty, *chunks()[:2], empty, *chunks()[2:], empty]
    fitted = hasher().fit_batches((kind(few), labels, task) for few, labels, task in parts)
    expected = hasher().fit_batches((kind(few), *rest) for few, *rest in chunks())
    np.testing.assert_array_equal(
        fitted.transform(kind(X), task=TASK), expected.transform(kind(X), task=TASK)
    )


def test_a_stream_of_chunks_without_rows_is_an_error():
    fitted = hasher().fit(X, y)
    codes = fitted.transform(X)
    with pytest.raises(ValueError, match="batches has no rows"):
        fitted.fit_batches([(X[:0], y[:0])] * 3)
    np.testing.assert_array_equal(fitted.transform(X), codes)


# -- several tasks in a chunk ----------------------------------------------------------------------


@pytest.mark.parametrize("codebook", ["learned", "random", "hadamard"])
@pytest.mark.parametrize("share_prior", [True, False])
def test_sums_of_steps_and_of_a_stream_are_the_same(codebook, share_prior):
    """So are codes, where nothing is chosen from rows: neither codewords nor a prior."""
    params = dict(codebook=codebook, share_prior=share_prior)
    stepped, streamed = step_by_step(**params), hasher(**params).fit_batches(chunks())
    assert stepped.fingerprint() == streamed.fingerprint()
    for task in (0, 1):
        one, other = (h.model_.statistics[task] for h in (stepped, streamed))
        np.testing.assert_allclose(one.gram.matrix, other.gram.matrix, rtol=1e-5, atol=1e-3)
        assert {c: one.weight_of(c) for c in range(10)} == {
            c: other.weight_of(c) for c in range(10)
        }
    codes = stepped.transform(TURNED, task=TASK), streamed.transform(TURNED, task=TASK)
    if codebook != "learned":
        np.testing.assert_array_equal(stepped.codebook_, streamed.codebook_)
        assert (codes[0] == codes[1]).mean() > (0.99 if share_prior else 0.9999)
    scores = [h.score(TURNED, y, task=TASK) for h in (stepped, streamed)]
    assert min(scores) > 0.99 and abs(scores[0] - scores[1]) < 0.005


def test_codewords_follow_the_first_chunk_in_steps_and_all_chunks_in_a_stream():
    stepped, streamed = step_by_step(), hasher().fit_batches(chunks())
    first = hasher().partial_fit(*chunks()[0][:2], task=chunks()[0][2])
    np.testing.assert_array_equal(stepped.codebook_, first.codebook_)
    assert (streamed.codebook_ != first.codebook_).any()
