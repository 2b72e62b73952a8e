import numpy as np
import pytest

from sktgsh.task_geometric.learning.codebook import (
    ClassProjections,
    choose_splits,
    extend_codebook,
    hadamard_codebook,
    learn_projections,
)


def empty(n_bits):
    return np.empty((0, n_bits), np.int8)


def distances(book):
    book = book.astype(int)
    return ((book.shape[1] - book @ book.T) // 2)[np.triu_indices(len(book), 1)]


@pytest.mark.parametrize("kind", ["hadamard", "random", "learned"])
def test_extension_keeps_what_is_there(kind):
    labels = list("abcdefghijkl")
    first = extend_codebook(empty(64), [], labels[:5], kind, seed=3)
    more = extend_codebook(first, labels[:5], labels[5:], kind, seed=3)
    np.testing.assert_array_equal(more[:5], first)
    assert set(np.unique(more)) == {-1, 1} and len(np.unique(more, axis=0)) == 12
    short = extend_codebook(empty(16), [], labels[:5], kind, seed=3)
    np.testing.assert_array_equal(first[:, :16], short)


@pytest.mark.parametrize("n_bits", [7])
def test_hadamard_codewords_are_equally_far_apart(n_bits):
    assert set(distances(hadamard_codebook(7, n_bits, 0))) == {4 * n_bits // 7}


@pytest.mark.parametrize("n_classes, n_bits", [(10, 64), (150, 64), (3, 3)])
def test_hadamard_bits_split_the_classes_in_different_ways(n_classes, n_bits):
    book = hadamard_codebook(n_classes, n_bits, 0)
    splits = book.T * book.T[:, :1]
    assert len(np.unique(splits, axis=0)) == n_bits
    assert distances(book).min() >= n_bits // 4


def test_hadamard_bits_repeat_where_there_are_no_other_splits():
    assert hadamard_codebook(2, 8, 0).shape == (2, 8)
    assert len(np.unique(hadamard_codebook(10, 4, 0), axis=0)) == 10


def test_random_signs_hangs_on_its_label_alone():
    one = extend_codebook(empty(32), [], ["x", "y"], "random", 0)
    other = extend_codebook(empty(32), [], ["z", "y"], "random", 0)
    np.testing.assert_array_equal(one[1], other[1])
    assert (one[0] != other[0]).any()


ALL_SPLITS = 1.0 - 2 * ((np.arange(1, 8)[:, None] >> np.arange(4)) & 1)


def test_chosen_splits_are_easy_and_tell_all_apart():
    # Classes 0, 1 | 2, 3 are easy to tell apart for every bit; other splits explain little.
    easy = np.array([1.0, 1, -1, -1])
    explained = (25 * np.outer(easy, easy) / 4 + np.eye(4))[None]
    chosen = choose_splits(ALL_SPLITS, explained, np.full(4, 25.0), 8)
    book = ALL_SPLITS[chosen].T
    assert (np.abs(book.T @ easy) == 4).sum() >= 1
    assert len(np.unique(book, axis=0)) == 4
    nested = choose_splits(ALL_SPLITS, explained, np.full(4, 25.0), 3)
    np.testing.assert_array_equal(chosen[:3], nested)
    by_bit = choose_splits(ALL_SPLITS, np.repeat(explained, 8, axis=0), np.full(4, 25.0), 8)
    np.testing.assert_array_equal(chosen, by_bit)


def test_near_classes_get_near_codewords():
    rng = np.random.default_rng(0)
    families = np.repeat(rng.normal(size=(5, 20)), 6, axis=0)
    means = families + 0.2 * rng.normal(size=families.shape)
    projections = learn_projections(means, np.eye(30)[None], np.full(30, 5.0), 48, seed=0)
    book = projections.codewords(means)
    assert len(np.unique(book, axis=0)) == 30
    family = np.repeat(np.arange(5), 6)
    same = (family[:, None] == family)[np.triu_indices(30, 1)]
    assert distances(book)[same].mean() < 0.7 * distances(book)[~same].mean()
    # A class that comes later gets the codeword that its mean asks for.
    later = families[[0]] + 0.2 * rng.normal(size=(1, 20))
    word = projections.later_codewords(later, book)
    apart = (word != book).sum(axis=1)
    assert apart[family == 0].mean() < 0.7 * apart[family != 0].mean()


def test_codewords_of_equal_means_are_kept_apart():
    projections = ClassProjections(np.eye(4, 6, dtype=np.float32), np.zeros(4))
    words = projections.later_codewords(np.ones((4, 6)), np.ones((1, 4), np.int8))
    assert len(np.unique(np.concatenate([words, np.ones((1, 4), np.int8)]), axis=0)) == 5


def test_many_classes_follow_the_projections_of_some():
    means = np.random.default_rng(0).normal(size=(2000, 16))
    projections = learn_projections(means[:100], np.eye(100)[None], np.ones(100), 32, seed=0)
    assert len(np.unique(projections.later_codewords(means, means[:0]), axis=0)) == 2000
