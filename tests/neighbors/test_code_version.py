"""Indexes remember the version of their codes, and refuse queries of another."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from sktgsh import SignedRandomProjectionHasher, load
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
