"""Codebooks: the target code of each class.

Every codebook is nested: the codewords of 16 bits are the first 16 bits of those of 64.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...persistence import saved
from ...random import generator, random_signs
from ..encoding.structure import Structure

CODEBOOKS = ("learned", "hadamard", "random")
# Dichotomies of the classes that a bit of a learned codebook is chosen from.
N_CANDIDATES = 2048
# Bits are chosen by at most this many classes; the other classes follow the same projections.
MOST_JUDGED_CLASSES = 512
# Deviation of the noise in the codeword of a class that joins a single other one; it falls with
# the number of classes.
JOIN_NOISE = 8.0
_N_FARTHEST = 512
_MOST_DRAWS_OF_ROWS = 64


def hadamard_codebook(n_classes: int, n_bits: int, seed: int) -> np.ndarray:
    """Make codewords from rows of a Hadamard matrix: any two differ in half of the bits.

    With few classes the columns of the matrix are soon used up. The rows are then dealt out again,
    and further columns are taken as long as they split the classes in a new way.

    Parameters
    ----------
    n_classes, n_bits, seed : int

    Returns
    -------
    codebook : ndarray of shape (n_classes, n_bits), dtype int8
        Values -1 and +1.
    """
    order = 1 << int(np.ceil(np.log2(n_classes + 1)))
    powers = 1 << np.arange(order.bit_length() - 1)
    # Columns of powers of two come first, so that log2(order) bits tell all classes apart.
    rng, rows = generator(seed, "hadamard"), np.arange(1, n_classes + 1)
    others = rng.permutation(np.setdiff1d(np.arange(1, order), powers))
    columns = np.concatenate([powers, others])
    bits: list[np.ndarray] = []
    seen: set[bytes] = set()
    for _ in range(_MOST_DRAWS_OF_ROWS):
        for start in range(0, len(columns), 64):
            chunk = columns[start : start + 64]
            parity = (np.bitwise_count(rows[:, None] & chunk) & 1).astype(np.int8)
            for split in 1 - 2 * parity.T:
                # A split and its opposite are the same.
                key = (split * split[0]).tobytes()
                if key not in seen:
                    seen.add(key)
                    bits.append(split)
            if len(bits) >= n_bits:
                return np.stack(bits[:n_bits], axis=1)
        rows = 1 + rng.permutation(order - 1)[:n_classes]
    repeated = [bits[position % len(bits)] for position in range(n_bits)]
    return np.stack(repeated, axis=1)


def _farthest_codeword(known: np.ndarray, n_bits: int, rng: np.random.Generator) -> np.ndarray:
    candidates = rng.choice(np.array([-1, 1], np.int8), size=(_N_FARTHEST, n_bits))
    agreement = candidates.astype(np.float32) @ known.T.astype(np.float32)
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
        ``"random"`` codewords depend on their labels alone. The first codewords of the other kinds
        are a Hadamard codebook. A later codeword is the one of several random candidates that lies
        farthest from all codewords before it.
    seed : int
        Seed of the random codewords.

    Returns
    -------
    codebook : ndarray of shape (n_known + n_labels, n_bits), dtype int8
    """
    n_bits = codebook.shape[1]
    if not len(labels):
        return codebook
    if not n_bits:  # all bits are structure bits
        return np.zeros((len(codebook) + len(labels), 0), np.int8)
    if kind == "random":
        rows = np.stack([random_signs(label, n_bits, seed) for label in labels])
        return np.concatenate([codebook, rows])
    if not len(codebook):
        return hadamard_codebook(len(labels), n_bits, seed)
    for index in range(len(known), len(known) + len(labels)):
        row = _farthest_codeword(codebook, n_bits, generator(seed, "codeword", index))
        codebook = np.concatenate([codebook, row[None]])
    return codebook


@saved("ClassProjections")
@dataclass(frozen=True)
class ClassProjections:
    """Codewords by a locality sensitive hash of the class means.

    Each bit of a codeword says on which side of a hyperplane the class mean lies in the frozen
    feature space. Near classes get near codewords. A class that comes later, or on another machine,
    gets its codeword from its own mean alone.

    Attributes
    ----------
    directions : ndarray of shape (n_bits, n_features), dtype float32
    thresholds : ndarray of shape (n_bits,), dtype float64
    """

    directions: np.ndarray
    thresholds: np.ndarray

    def of_bits(self, bits: np.ndarray) -> ClassProjections:
        """The projections of some bits."""
        return ClassProjections(self.directions[bits], self.thresholds[bits])

    def codewords(self, means: np.ndarray) -> np.ndarray:
        """Codewords of classes, (n_classes, n_bits), from their means (n_classes, n_features)."""
        return np.where(self.margins(means) > 0, 1, -1).astype(np.int8)

    def later_codewords(self, means: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Distinct codewords of classes that come later.

        If a codeword is taken, its bit of least margin is flipped.

        Parameters
        ----------
        means : ndarray of shape (n_classes, n_features)
        known : ndarray of shape (n_known, n_bits)
            Codewords of other classes.

        Returns
        -------
        codewords : ndarray of shape (n_classes, n_bits), dtype int8
        """
        words = self.codewords(means)
        taken = {word.tobytes() for word in known}
        for word, margin in zip(words, self.margins(means)):
            _make_distinct(word, margin, taken)
        return words

    def margins(self, means: np.ndarray) -> np.ndarray:
        """Signed distances of points from the hyperplanes, (n_points, n_bits)."""
        return means @ self.directions.T.astype(np.float64) - self.thresholds


@saved("Codebook")
@dataclass(frozen=True)
class Codebook:
    """Target codes of classes, and the projections that give codes to later classes.

    Attributes
    ----------
    words : dict of ndarray of shape (n_codebook_bits,), dtype int8
        Codeword of each class, -1 and +1.
    projections : ClassProjections or None
        None if codewords do not follow the class means.
    structure : Structure or None
        What bits follow beside codewords, or in place of them: codewords are 0 there.
    unnamed : ClassProjections or None
        Projections that tasks without any label share.
    """

    words: dict[Hashable, np.ndarray]
    projections: ClassProjections | None = None
    structure: Structure | None = None
    unnamed: ClassProjections | None = None

    def with_structure(self, structure: Structure, bits: np.ndarray) -> Codebook:
        """Let bits follow a structure; `bits` are those that codewords were chosen for."""
        spells = (~structure.alone[bits]).astype(np.int8)
        words = {label: word * spells for label, word in self.words.items()}
        return replace(self, words=words, structure=structure)

    def joined(self, words: Mapping[Hashable, np.ndarray], task: Hashable) -> Codebook:
        """Add the codewords of a task; raises ValueError if a class has another one here."""
        for label, word in words.items():
            if label in self.words and not np.array_equal(self.words[label], word):
                raise ValueError(
                    f"class {label!r} of task {task!r} has another codeword here: both sides "
                    "have learned the class on their own. Learn it before copies part, or use "
                    "share_codebook=False"
                )
        return replace(self, words=self.words | dict(words))


def _make_distinct(word: np.ndarray, margin: np.ndarray, taken: set[bytes]) -> None:
    """Flip the bit of least margin that makes a codeword distinct, in place; the word is taken."""
    if word.tobytes() in taken:
        for bit in np.argsort(np.abs(margin), kind="stable"):
            word[bit] *= -1
            if word.tobytes() not in taken:
                break
            word[bit] *= -1
    taken.add(word.tobytes())


def join_codeword(
    known: np.ndarray, explained: np.ndarray, taken: set[bytes], rng: np.random.Generator
) -> np.ndarray:
    """Choose the codeword of a class that joins others whose codewords stay as they are.

    Each bit takes the side that the units explain best, next to the codewords of similar classes,
    unless the class then stays too close to one of them; the weights are those of
    :func:`choose_splits`. Beside few classes there is little to be similar to, and noise keeps the
    bits from becoming copies of each other.

    Parameters
    ----------
    known : ndarray of shape (n_known, n_bits)
        Codewords of the other classes, -1 and +1.
    explained : ndarray of shape (n_bits or 1, n_known)
        Sum of squares that a bit's units explain for each pair of the class and another one, per
        row of the class.
    taken : set of bytes
        Codewords of all classes; the new one is added.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    codeword : ndarray of shape (n_bits,), dtype int8
    """
    n_known, n_bits = known.shape
    words, distance = known.astype(np.float64), np.zeros(n_known)
    noise = JOIN_NOISE / n_known * rng.standard_normal(n_bits)
    ease = 4 * np.einsum("bk,kb->b", np.broadcast_to(explained, (n_bits, n_known)), words) + noise
    margin = np.empty(n_bits)
    for bit in range(n_bits):
        least = distance.min()
        closeness = np.exp(-0.5 * (distance - least))
        urgency = 1 + max(0.0, bit / 4 - least)
        margin[bit] = ease[bit] - urgency * (closeness @ words[:, bit]) / closeness.sum()
        distance += words[:, bit] != (1 if margin[bit] > 0 else -1)
    codeword = np.where(margin > 0, 1, -1).astype(np.int8)
    _make_distinct(codeword, margin, taken)
    return codeword


def _balanced_splits(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split the classes in halves by each row of scores; returns splits and thresholds."""
    n_classes = scores.shape[1]
    middle = (n_classes - 1) // 2
    ordered = np.sort(scores, axis=1)
    thresholds = 0.5 * (ordered[:, middle] + ordered[:, min(middle + 1, n_classes - 1)])
    return np.where(scores > thresholds[:, None], 1.0, -1.0), thresholds


def learn_projections(
    means: np.ndarray, explained: np.ndarray, counts: np.ndarray, n_bits: int, seed: int
) -> ClassProjections:
    """Choose good bits among many random projections of the class means.

    Each projection splits the classes in halves. Near classes fall on one side, so the bit is easy
    to learn and generalises to new classes. :func:`choose_splits` decides which ones are taken.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_features)
        Class means in the frozen feature space.
    explained : ndarray of shape (n_bits or 1, n_classes, n_classes)
        As in :func:`choose_splits`.
    counts : ndarray of shape (n_classes,)
        Rows (or sum of weights) of each class.
    n_bits : int
    seed : int
        Seed of the projections.

    Returns
    -------
    projections : ClassProjections
    """
    rng, n_features = generator(seed, "class projections"), means.shape[1]
    drawn = rng.standard_normal((N_CANDIDATES, n_features), dtype=np.float32)
    drawn /= np.float32(np.sqrt(n_features))
    splits, thresholds = _balanced_splits(drawn.astype(np.float64) @ means.T)
    chosen = choose_splits(splits, explained, counts, n_bits)
    return ClassProjections(drawn[chosen], thresholds[chosen])


def _quadratic(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``row' matrix row`` for each row."""
    return np.einsum("vc,vc->v", rows @ matrix, rows)


def choose_splits(
    splits: np.ndarray, explained: np.ndarray, counts: np.ndarray, n_bits: int
) -> np.ndarray:
    """Choose, bit after bit, a dichotomy that is easy and separates classes with close codewords.

    The value of a bit is the share of class pairs that it separates, each pair weighted by how
    close its codewords are so far, minus the share of variance that the bit's units leave
    unexplained. The least distance of a good code grows with a quarter of its length; if it lags
    behind, separation counts for more. The closed form gives the unexplained share of every
    dichotomy from class sums.

    Parameters
    ----------
    splits : ndarray of shape (n_splits, n_classes)
        Values -1 and +1.
    explained : ndarray of shape (n_bits or 1, n_classes, n_classes)
        For bit b and a dichotomy v, ``v' explained[b] v`` is the sum of squares that the bit's
        units explain; the same for all bits where it has length 1.
    counts : ndarray of shape (n_classes,)
        Rows (or sum of weights) of each class.
    n_bits : int

    Returns
    -------
    chosen : ndarray of shape (n_bits,)
        Indices of splits.
    """
    n_classes, total = splits.shape[1], counts.sum()
    variance = 1 - (splits @ counts / total) ** 2
    pairs = ~np.eye(n_classes, dtype=bool)
    distance = np.zeros((n_classes, n_classes))
    chosen, unexplained = np.empty(n_bits, dtype=int), variance
    for bit in range(n_bits):
        if bit < len(explained):
            unexplained = variance - _quadratic(splits, explained[bit]) / total
        least = distance[pairs].min(initial=np.inf)
        closeness = pairs * np.exp(-0.5 * (distance - least))
        separated = 0.5 * (1 - _quadratic(splits, closeness / max(closeness.sum(), 1e-300)))
        # Separation outweighs ease if classes stay close while the code grows.
        urgency = 1 + max(0.0, bit / 4 - least)
        chosen[bit] = np.argmax(urgency * separated - unexplained)
        best = splits[chosen[bit]]
        distance += 0.5 * (1 - np.outer(best, best))
    return chosen
