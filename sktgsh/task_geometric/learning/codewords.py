"""The choice of codewords: known classes keep theirs, new classes get new ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...random import generator
from .codebook import (
    MOST_JUDGED_CLASSES,
    ClassProjections,
    Codebook,
    extend_codebook,
    join_codeword,
    learn_projections,
)
from .ridge import CentredProblem

# Ridge penalty that judges how easy a split of the classes is. It is large, because everything can
# be fitted where units outnumber rows.
_JUDGING_PENALTY = 0.1


@dataclass(frozen=True)
class CodewordChooser:
    """Chooses codewords for the classes of one task after another.

    Attributes
    ----------
    bits : ndarray of int
        Bits that spell the codeword.
    geometry : slice
        Units whose class means the codewords follow.
    seed : int
    """

    bits: np.ndarray
    geometry: slice
    seed: int

    def choose(
        self,
        problem: CentredProblem | None,
        known: Codebook,
        new: Sequence[Hashable],
        kind: str,
        own_to: Hashable = None,
    ) -> Codebook:
        """Keep the codewords of the known classes, and choose those of the new ones.

        Parameters
        ----------
        problem : CentredProblem or None
            Problem of the task's rows, which a new codebook is learned from.
        known : Codebook
        new : sequence of class labels
        kind : {"learned", "hadamard", "random"}
        own_to : task label, optional
            Task that does not share its codewords. Their bits are flipped at random, which keeps
            the distances within the task and breaks those to other tasks.
        """
        if known.structure is not None and known.structure.alone[self.bits].any():
            return self._choose_spelled(problem, known, new, kind, own_to)
        n_bits, flips = len(self.bits), self.flips(own_to)
        words = {label: word * flips for label, word in known.words.items()}
        projections = known.projections
        if kind == "learned" and problem is not None and problem.classes and n_bits:
            if projections is None and not words and len(problem.classes) > 1:
                projections, words = self._first_codewords(problem)
            elif any(label in words for label in problem.classes):
                words = self._joined(problem, words)
            follow = [label for label in problem.classes if label not in words]
            if projections is not None and follow:
                means = dict(zip(problem.classes, problem.class_means(self.geometry)))
                taken = np.array(list(words.values()), np.int8).reshape(len(words), n_bits)
                rest = np.array([means[label] for label in follow])
                words |= dict(zip(follow, projections.later_codewords(rest, taken)))
        later = [label for label in new if label not in words]
        table = np.array(list(words.values()), np.int8).reshape(len(words), n_bits)
        extended = extend_codebook(table, list(words), later, kind, self.seed) * flips
        words = dict(zip([*words, *later], extended))
        return replace(known, words=words, projections=projections)

    def _choose_spelled(
        self,
        problem: CentredProblem | None,
        known: Codebook,
        new: Sequence[Hashable],
        kind: str,
        own_to: Hashable,
    ) -> Codebook:
        """Choose the bits that spell a codeword; it is 0 in bits that follow a structure."""
        assert known.structure is not None
        spells = ~known.structure.alone[self.bits]
        projections = known.projections
        reduced = Codebook(
            {label: word[spells] for label, word in known.words.items()},
            None if projections is None else projections.of_bits(np.flatnonzero(spells)),
        )
        chosen = replace(self, bits=self.bits[spells]).choose(problem, reduced, new, kind, own_to)
        words = dict(known.words)
        for label, word in chosen.words.items():
            if label not in words:
                words[label] = np.zeros(len(spells), np.int8)
                words[label][spells] = word
        return replace(known, words=words)

    def flips(self, own_to: Hashable = None) -> np.ndarray:
        """Signs (n_bits,) that the codes of a task which does not share its codewords get."""
        if own_to is None:
            return np.ones(len(self.bits), np.int8)
        rng = generator(self.seed, f"flips {own_to!r}")
        return rng.choice(np.array([-1, 1], np.int8), size=len(self.bits))

    def _first_codewords(
        self, problem: CentredProblem
    ) -> tuple[ClassProjections, dict[Hashable, np.ndarray]]:
        """Learn projections from the classes of a first task, and their codewords."""
        judged = self._judged(problem)
        projections = self._learn_projections(problem, judged)
        words = projections.codewords(problem.class_means(self.geometry)[judged])
        return projections, dict(zip([problem.classes[position] for position in judged], words))

    def _joined(
        self, problem: CentredProblem, words: dict[Hashable, np.ndarray]
    ) -> dict[Hashable, np.ndarray]:
        """Add codewords of the task's new classes, which join those that are known."""
        labels = problem.classes
        joined = [place for place, label in enumerate(labels) if label in words]
        coming = [place for place, label in enumerate(labels) if label not in words]
        if not coming or len(labels) > MOST_JUDGED_CLASSES:
            return words
        explained = problem.explained(self.bits, _JUDGING_PENALTY, np.arange(len(labels)))
        words, taken = dict(words), {word.tobytes() for word in words.values()}
        for place in coming:
            known = np.array([words[labels[other]] for other in joined])
            share = explained[:, place, joined] / problem.counts[place]
            rng = generator(self.seed, "join", len(words))
            words[labels[place]] = join_codeword(known, share, taken, rng)
            joined.append(place)
        return words

    def _judged(self, problem: CentredProblem) -> np.ndarray:
        """Positions of the classes that a codebook is learned from."""
        n_classes = len(problem.classes)
        if n_classes <= MOST_JUDGED_CLASSES:
            return np.arange(n_classes)
        drawn = generator(self.seed, "judged").permutation(n_classes)
        return np.sort(drawn[:MOST_JUDGED_CLASSES])

    def _learn_projections(self, problem: CentredProblem, judged: np.ndarray) -> ClassProjections:
        return learn_projections(
            problem.class_means(self.geometry)[judged],
            problem.explained(self.bits, _JUDGING_PENALTY, judged),
            problem.counts[judged],
            len(self.bits),
            self.seed,
        )
