"""Indexes remember the version of their codes, and refuse queries of another."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher, load
from sktgsh.neighbors import CodeStore, HammingNeighbors, LSHNeighbors, RescoredNeighbors
from sktgsh.persistence import saved

X = load_digits().data[:120]
CODES = np.random.default_rng(0).integers(0, 2, (40, 16))


@saved("VersionedHasherOfATest")
class VersionedHasher(SignedRandomProjectionHasher):
    """Its codes change with every fit."""

    def fit(self, X, y=None, *, task=None):
        super().fit(X, y, task=task)
        self.code_version_ = f"{getattr(self, 'code_version_', '')}+"
        return self

    def learn_more(self):
        self.code_version_ += "+"


def index_of(tmp_path):
    yield HammingNeighbors(1).fit(CODES, ids=np.arange(40), code_version="a")
    pytest.importorskip("lancedb")
    store = CodeStore(tmp_path, n_bits=16, code_version="a")
    store.add(CODES, ids=np.arange(40), code_version="a")
    yield store


def test_codes_of_another_version_are_refused(tmp_path):
    for index in index_of(tmp_path):
        expected = index.kneighbors(CODES, 1)
        for call in (index.kneighbors, index.add, index.upsert):
            more = {} if call == index.kneighbors else {"ids": [99]}
            with pytest.raises(ValueError, match=r"code_version='b'.*encode the rows.*again"):
                call(CODES[:1], code_version="b", **more)
        for given in (dict(code_version="a"), dict(code_version="b", check_version=False)):
            for one, other in zip(expected, index.kneighbors(CODES, 1, **given)):
                np.testing.assert_array_equal(one, other)
        index.add(1 - CODES[:1], ids=[100], code_version="a")
        assert index.kneighbors(1 - CODES[:1], 1, code_version="a")[1] == 100
    plain = HammingNeighbors(1).fit(CODES)
    plain.kneighbors(CODES, code_version="b")


def test_within_a_radius_and_after_a_file(tmp_path):
    index = HammingNeighbors().fit(CODES, code_version="a")
    with pytest.raises(ValueError, match="code_version='b'"):
        index.radius_neighbors(CODES, code_version="b")
    index.save(tmp_path / "index")
    again = load(tmp_path / "index")
    assert again.code_version_ == "a"
    with pytest.raises(ValueError, match="code_version='b'"):
        again.kneighbors(CODES, code_version="b")


def test_a_store_keeps_its_version(tmp_path):
    pytest.importorskip("lancedb")
    CodeStore(tmp_path, n_bits=16, code_version="a").add(CODES, ids=np.arange(40))
    store = CodeStore(tmp_path)
    assert store.code_version == "a" == store.to_index().code_version_
    with pytest.raises(ValueError, match="code_version='b', but the store has code_version='a'"):
        CodeStore(tmp_path, code_version="b")
    with pytest.raises(ValueError, match="code_version=3"):
        CodeStore(tmp_path / "other", n_bits=16, code_version=3)


@pytest.mark.parametrize("kind", [LSHNeighbors, RescoredNeighbors])
def test_a_hasher_that_went_on_learning(kind):
    hasher = VersionedHasher(16, random_state=0)
    if kind is RescoredNeighbors:
        hasher = FrozenEstimator(hasher.fit(X))
    index = kind(hasher).fit(X)
    expected = index.kneighbors(X)
    getattr(index.hasher_, "estimator", index.hasher_).learn_more()
    for call in (index.kneighbors, index.radius_neighbors, index.add):
        with pytest.raises(ValueError, match="code_version"):
            call(X)
    for one, other in zip(expected, index.kneighbors(X, check_version=False)):
        np.testing.assert_array_equal(one, other)


def test_versions_by_task(tmp_path):
    """A new task leaves the codes of others as they are; a task that learned more does not."""
    before, other = {"a": "1", "b": "2"}, {"a": "1", "b": "3"}
    grown = {**before, "c": "4"}
    task = np.repeat(["a", "b"], 20)
    index = HammingNeighbors(1).fit(CODES, task=task, code_version=before)
    index.add(CODES[:2], task="c", code_version=grown)
    assert index.code_version_ == grown
    for given in (before, grown, {"a": "1"}, None):
        index.kneighbors(CODES, code_version=given)
    for given in (other, {"c": "5"}):
        with pytest.raises(ValueError, match="code_version="):
            index.kneighbors(CODES, code_version=given)
    index.save(tmp_path / "index")
    assert load(tmp_path / "index").code_version_ == grown
    pytest.importorskip("lancedb")
    versions = {0: "1", "0": "2"}
    CodeStore(tmp_path / "store", n_bits=16, code_version=versions)
    store = CodeStore(tmp_path / "store", code_version={**versions, 7: "9"})
    assert store.code_version == versions
    with pytest.raises(ValueError, match="but the store has"):
        CodeStore(tmp_path / "store", code_version={0: "2"})
    with pytest.raises(ValueError, match="give check_version=False"):
        store.add(CODES, ids=np.arange(40), code_version={"0": "1"})


def test_the_flagship_that_went_on_learning():
    data = load_digits()
    rows, labels = data.data[:300], data.target[:300]
    hasher = TaskGeometricHasher(16, n_hidden=128, random_state=0)
    hasher.fit(rows[:150], labels[:150], task="a")
    index = RescoredNeighbors(FrozenEstimator(hasher)).fit(rows[:150], task="a")
    hasher.partial_fit(rows[150:], labels[150:], task="b")
    expected = index.kneighbors(rows[:5], task="a")
    index.add(rows[150:], task="b").kneighbors(rows[:5], task="b")
    assert set(index.index_.code_version_) == {"a", "b"}
    hasher.partial_fit(rows[150:], labels[150:], task="a")
    with pytest.raises(ValueError, match="encode the rows of the index again"):
        index.kneighbors(rows[:5], task="a")
    again = index.kneighbors(rows[:5], task="a", check_version=False)
    assert again[0].shape == expected[0].shape
