import numpy as np
import pytest

from sktgsh.task_geometric.codebook import extend_codebook, learn_codebook


def empty(n_bits):
    return np.empty((0, n_bits), np.int8)


@pytest.mark.parametrize("kind", ["hadamard", "random", "learned"])
def test_extension_keeps_what_is_there_and_is_nested(kind):
    labels = list("abcdefghijkl")
    first = extend_codebook(empty(64), [], labels[:5], kind, seed=3)
    more = extend_codebook(first, labels[:5], labels[5:], kind, seed=3)
    np.testing.assert_array_equal(more[:5], first)
    assert set(np.unique(more)) == {-1, 1} and len(np.unique(more, axis=0)) == 12
    if kind != "learned":  # those that lie farthest depend on all bits
        short = extend_codebook(empty(16), [], labels, kind, seed=3)
        np.testing.assert_array_equal(more[:, :16], short)


@pytest.mark.parametrize("n_bits", [7, 15, 31, 63])
def test_hadamard_codewords_are_equally_far_apart(n_bits):
    book = extend_codebook(empty(n_bits), [], list(range(7)), "hadamard", 0).astype(int)
    distances = (n_bits - book @ book.T) // 2
    assert set(distances[np.triu_indices(7, 1)]) == {(n_bits + 1) // 2}


def test_random_codeword_hangs_on_its_label_alone():
    one = extend_codebook(empty(32), [], ["x", "y"], "random", 0)
    other = extend_codebook(empty(32), [], ["z", "y"], "random", 0)
    np.testing.assert_array_equal(one[1], other[1])
    assert (one[0] != other[0]).any()


def test_learned_codebook_takes_easy_splits_and_tells_all_apart():
    # Classes 0, 1 | 2, 3 are easy to tell apart for every bit; other splits explain little.
    easy = np.array([1.0, 1, -1, -1])
    explained = np.stack([25 * np.outer(easy, easy) / 4 + np.eye(4)] * 8)
    book = learn_codebook(explained, np.full(4, 25.0), seed=0)
    assert (np.abs(book.T @ easy) == 4).sum() >= 1
    assert len(np.unique(book, axis=0)) == 4
    nested = learn_codebook(explained[:3], np.full(4, 25.0), seed=0)
    np.testing.assert_array_equal(book[:, :3], nested)


def test_many_classes_are_sampled():
    explained = np.stack([np.eye(30)] * 16)
    book = learn_codebook(explained, np.full(30, 5.0), seed=0)
    assert book.shape == (30, 16) and len(np.unique(book, axis=0)) == 30
