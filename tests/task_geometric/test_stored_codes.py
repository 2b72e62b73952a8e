"""Codes that are stored stay valid while learning goes on."""

import pickle

import numpy as np
import pytest
from learned_tasks import small
from sklearn.base import clone

from sktgsh.metrics import mean_average_precision
from sktgsh.persistence import load, save


@pytest.fixture(scope="module")
def digits(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    return X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]


@pytest.mark.parametrize("codebook", ["learned", "hadamard", "random"])
@pytest.mark.parametrize("shared", [True, False])
def test_classes_keep_their_codewords(digits, codebook, shared):
    X, y, _, _ = digits
    few = np.isin(y, [2, 5, 7])
    hasher = small(codebook=codebook, share_codebook=shared).partial_fit(X[few], y[few])
    before = dict(zip(hasher.classes_, np.atleast_3d(hasher.codebook_.T).T[0]))
    hasher.partial_fit(X, y)
    after = dict(zip(hasher.classes_, np.atleast_3d(hasher.codebook_.T).T[0]))
    assert all((after[label] == word).all() for label, word in before.items())
    assert len({word.tobytes() for word in after.values()}) == 10


def test_a_chunk_of_equal_size_changes_few_bits(digits):
    X, y, Q, q = digits
    half = len(X) // 2
    hasher = small(n_hidden=None, n_bits=32).fit(X[:half], y[:half])
    stored = hasher.transform(X[:half])
    hasher.partial_fit(X[half:], y[half:])
    again = hasher.transform(X[:half])
    assert (stored != again).mean() < 0.01
    on_stored, on_again = (
        mean_average_precision(hasher.transform(Q), q, codes, y[:half]) for codes in (stored, again)
    )
    assert on_stored > on_again - 0.005


@pytest.mark.parametrize("first", [[3, 8], [0, 1, 2, 3, 4]], ids=len)
def test_new_classes_do_not_spoil_stored_codes(digits, first):
    X, y, Q, q = digits
    hasher, stored, labels = small(n_bits=32), [], []
    for classes in (first, *([c] for c in range(10) if c not in first)):
        rows = np.isin(y, classes)
        hasher.partial_fit(X[rows], y[rows], classes=classes)
        stored.append(hasher.transform(X[rows]))
        labels.append(y[rows])
    value = mean_average_precision(
        hasher.transform(Q), q, np.concatenate(stored), np.concatenate(labels)
    )
    whole = small(n_bits=32).fit(X, y)
    assert value > mean_average_precision(whole.transform(Q), q, whole.transform(X), y) - 0.02


# -- the version of codes ------------------------------------------------------------------------


def test_a_version_for_each_task(few, tmp_path):
    X, y, task = few
    hasher = small().fit(X[task != 60], y[task != 60], task=task[task != 60])
    versions = hasher.code_version_
    assert list(versions) == [0, 30] and len(set(versions.values())) == 2
    save(hasher, tmp_path / "hasher")
    for copied in (load(tmp_path / "hasher"), pickle.loads(pickle.dumps(hasher))):
        assert copied.code_version_ == versions
    again = clone(hasher).fit(X[task != 60], y[task != 60], task=task[task != 60])
    assert again.code_version_ == versions
    hasher.partial_fit(X[task == 60], y[task == 60], task=60)
    assert {label: hasher.code_version_[label] for label in (0, 30)} == versions
    hasher.partial_fit(X[task == 0], y[task == 0], task=0)
    assert hasher.code_version_[0] != versions[0] and hasher.code_version_[30] == versions[30]


@pytest.mark.parametrize("params", [dict(alpha=1.0), dict(random_state=1), dict(codebook="random")])
def test_another_setting_is_another_version(few, params):
    X, y, task = few
    fitted = [small(**p).fit(X[task == 0], y[task == 0]) for p in ({}, params)]
    assert fitted[0].code_version_ != fitted[1].code_version_


def test_frozen_codes(few, tmp_path):
    X, y, task = few
    first, second = task == 0, task == 30
    hasher = small(freeze_codes=True).fit(X[first], y[first], task="a")
    codes, copied = hasher.transform(X), pickle.loads(pickle.dumps(hasher))
    for learn in (
        lambda: hasher.partial_fit(X[second], y[second], task="a"),
        lambda: hasher.fit(X, y, task="b"),
        lambda: hasher.fit_codes(X, codes, task="a"),
        lambda: hasher.fit_batches([(X, y)]),
        lambda: hasher.learn_sums(hasher.sums_of(X, y, "a")),
    ):
        with pytest.raises(ValueError, match=r"freeze_codes=True.*learned tasks would change: 'a'"):
            learn()
    copied.set_params(freeze_codes=False).fit(X[second], y[second], task="a")
    with pytest.raises(ValueError, match="the frozen network is"):
        hasher.merge(copied)
    hasher.partial_fit(X[second], y[second], task="b")
    np.testing.assert_array_equal(hasher.transform(X, task="a"), codes)
    hasher.set_params(freeze_codes=False).partial_fit(X[second], y[second], task="a")
    assert hasher.tasks_.tolist() == ["a", "b"]
