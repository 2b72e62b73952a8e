"""Codebooks: which code each class should get.

Every codebook here is nested: the codewords of 16 bits are the first 16 bits of those of 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from scipy.linalg import hadamard

from ..networks.random import generator

CODEWORDS = ("learned", "hadamard", "random")
# Up to this many classes all dichotomies are tried; beyond, this many random ones.
_MOST_ENUMERATED_CLASSES = 10
_N_CANDIDATES = 512


def random_codeword(label: object, n_bits: int, seed: int) -> np.ndarray:
    """A codeword that depends on the class label and the seed alone.

    Machines that never exchange a word give a class the same codeword.
    """
    rng = generator(seed, "codeword", crc32(repr(label).encode()))
    return rng.choice(np.int8([-1, 1]), size=n_bits)


def hadamard_codeword(index: int, n_bits: int) -> np.ndarray:
    """The codeword of the class that came as number `index`.

    Rows of a Hadamard matrix: any two differ in half of the bits. Signs follow the Thue-Morse
    sequence over groups of eight rows, so that rows which agree on a short prefix are each other's
    complement there.
    """
    order = 1 << max(3, int(np.ceil(np.log2(max(n_bits + 1, index + 2)))))
    sign = 1 - 2 * ((index >> 3).bit_count() % 2)
    return (sign * hadamard(order, dtype=np.int8)[index + 1, 1 : n_bits + 1]).astype(np.int8)


def _farthest_codeword(known: np.ndarray, n_bits: int, rng: np.random.Generator) -> np.ndarray:
    candidates = rng.choice(np.int8([-1, 1]), size=(_N_CANDIDATES, n_bits))
    agreement = candidates.astype(np.int32) @ known.T.astype(np.int32)
    return candidates[agreement.max(axis=1).argmin()]


def extend_codebook(
    codebook: np.ndarray, known: Sequence, labels: Sequence, kind: str, seed: int
) -> np.ndarray:
    """Append a codeword for each new label; the known ones stay as they are.

    Parameters
    ----------
    codebook : ndarray of shape (n_known, n_bits), dtype int8
        Values -1 and +1.
    known, labels : sequence
        Labels of the codebook's rows, and the labels to add.
    kind : {"learned", "hadamard", "random"}
        A learned codebook is extended by the random codewords that lie farthest from its own.
    seed : int
        Of random codewords.

    Returns
    -------
    codebook : ndarray of shape (n_known + n_labels, n_bits), dtype int8
    """
    n_bits = codebook.shape[1]
    for index, label in enumerate(labels, start=len(known)):
        if kind == "random":
            row = random_codeword(label, n_bits, seed)
        elif kind == "hadamard" or not len(codebook):
            row = hadamard_codeword(index, n_bits)
        else:
            row = _farthest_codeword(codebook, n_bits, generator(seed, "codeword", index))
        codebook = np.concatenate([codebook, row[None]])
    return codebook


def _dichotomies(n_classes: int, seed: int) -> np.ndarray:
    """Ways to split the classes in two, as rows of -1 and +1."""
    if n_classes <= _MOST_ENUMERATED_CLASSES:
        members = np.arange(1, 2 ** (n_classes - 1))
        return 1 - 2 * ((members[:, None] >> np.arange(n_classes)) & 1)
    drawn = generator(seed, "dichotomies").choice([-1, 1], size=(_N_CANDIDATES, n_classes))
    return drawn[np.abs(drawn.sum(axis=1)) < n_classes]


def _quadratic(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``row' matrix row`` for each row."""
    return np.einsum("vc,vc->v", rows @ matrix, rows)


def learn_codebook(explained: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """Choose, bit after bit, a dichotomy of the classes that is easy and keeps close classes apart.

    A bit is worth the pairs of classes that it separates, each weighted by how close their
    codewords are so far, less the share of variance that the bit's units leave unexplained. A good
    code's least distance grows with a quarter of its length; where it lags behind, separation
    counts for more. The closed form gives that share for every dichotomy from class sums alone.

    Parameters
    ----------
    explained : ndarray of shape (n_bits, n_classes, n_classes)
        For bit b and a dichotomy v, ``v' explained[b] v`` is the sum of squares that the bit's
        units explain.
    counts : ndarray of shape (n_classes,)
        Rows (or sum of weights) of each class.
    seed : int
        Of the dichotomies that are tried where there are too many to try all.

    Returns
    -------
    codebook : ndarray of shape (n_classes, n_bits), dtype int8
        Values -1 and +1.
    """
    n_bits, n_classes, _ = explained.shape
    splits = _dichotomies(n_classes, seed).astype(np.float64)
    total = counts.sum()
    variance = 1 - (splits @ counts / total) ** 2
    pairs = ~np.eye(n_classes, dtype=bool)
    distance = np.zeros((n_classes, n_classes))
    chosen = []
    for bit in range(n_bits):
        unexplained = variance - _quadratic(splits, explained[bit]) / total
        closeness = pairs * np.exp(-0.5 * (distance - distance[pairs].min()))
        separated = 0.5 * (1 - _quadratic(splits, closeness / closeness.sum()))
        # Classes that stay close while the code grows outweigh ease: they must be told apart.
        urgency = 1 + max(0.0, bit / 4 - distance[pairs].min())
        best = splits[np.argmax(urgency * separated - unexplained)]
        chosen.append(best)
        distance += 0.5 * (1 - np.outer(best, best))
    return np.stack(chosen, axis=1).astype(np.int8)
