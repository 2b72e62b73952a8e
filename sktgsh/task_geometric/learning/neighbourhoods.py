"""Targets of unlabelled rows, from the rows that lie near them.

An unlabelled row among rows of a labelled class belongs to that class. Every other unlabelled row
gets a code: the signs of projections of the mean of its neighbours. The mean keeps what neighbours
share and drops what tells them apart, so the codes follow classes that nobody has named. Rows among
several labelled classes are left out. If nearly all unlabelled rows lie among labelled ones, there
is no class without a name, and the few others are left out, too.

Neighbours are found twice: by the cosine of the features, and then in the space of what the first
neighbours share (:mod:`.shared_space`). The second ones decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ...persistence import saved
from ...random import generator
from .codebook import ClassProjections
from .shared_space import ROWS_AT_ONCE, Nearest, SharedSpace, nearest, principal_axes, unit

# Neighbours are looked for among a sample of this many rows; the first ones among fewer.
MOST_REFERENCES = 16384
_FIRST_REFERENCES = 4096
# Share of the labelled rows that may have fewer labelled neighbours than a known row must have.
_MISSED = 0.1
# A row belongs to the class with at least this share of the votes.
_LEAST_VOTE = 0.5
# If at most this share of so many unlabelled rows have no class, there are none but the labelled.
_FEW_OTHERS, _LEAST_UNLABELLED = 2 * _MISSED, 50
# Steps from a random rotation of the axes; more of them find classes better, and neighbours worse.
_ROTATION_STEPS = 2
# Neighbours vote with the weight exp(sharpness * cosine).
_SHARPNESS, _LEAST_WEIGHT = 10.0, 1e-30
# A task follows the projections of others if their contrast is more than this share of that of its
# own; it is taken from this many rows.
_LEAST_CONTRAST, _MOST_ASKED = 0.8, 1024
# Of fewer rows than so many times the neighbours that decide, most are neighbours.
_FEWEST_TOLD = 3
_UNLABELLED = -1


class Completion(NamedTuple):
    """Targets of rows.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), dtype int64
        Index of the class that each row is taken to belong to, -1 for none.
    nearest : ndarray of shape (n_rows,), dtype int64
        Index of the class that has most of the labelled neighbours, -1 without any.
    left_out : ndarray of shape (n_rows,), dtype bool
        Rows without a target.
    codes : ndarray of shape (n_rows, n_bits), dtype int8
        Code of the neighbourhood, -1 and +1.
    """

    labels: np.ndarray
    nearest: np.ndarray
    left_out: np.ndarray
    codes: np.ndarray


@saved("Neighbourhoods")
@dataclass(frozen=True)
class Neighbourhoods:
    """Reference rows of a task, which give every later row its target.

    They are frozen when the first unlabelled rows of a task arrive. Targets of later chunks then
    depend on the chunk alone, so sums of chunks still add up.

    Attributes
    ----------
    projections : ClassProjections
        Code of a point of the feature space; class means get their codewords from it, too.
    centre : ndarray of shape (n_features,), dtype float32
        Mean of the features.
    scale : float
        Root mean square distance of the features from their mean.
    space : SharedSpace
        Where neighbours are looked for.
    references : ndarray of shape (n_references, n_axes), dtype float32
        The reference rows in that space, of norm 1.
    margins : ndarray of shape (n_references, n_bits), dtype float32
        Projections of the reference rows.
    classes : tuple
        Labels of the classes that were known.
    labels : ndarray of shape (n_references,), dtype int64
        Index of the class that a reference row was given, -1 for none.
    taken : ndarray of shape (n_references,), dtype bool
        Whether a reference row belongs to a class, by its label or by its neighbours.
    n_neighbors : int
        Number of neighbours that decide on a row.
    least_share : float
        Share of labelled neighbours from which on a row belongs to a class.
    has_others : bool
        Whether there are rows of other classes than the labelled ones.
    shares_codes : bool
        Whether the projections are those of other tasks, too, so that codes mean the same.
    """

    projections: ClassProjections
    centre: np.ndarray
    scale: float
    space: SharedSpace
    references: np.ndarray
    margins: np.ndarray
    classes: tuple
    labels: np.ndarray
    taken: np.ndarray
    n_neighbors: int
    least_share: float
    has_others: bool = True
    shares_codes: bool = False

    @classmethod
    def learn(
        cls,
        features: np.ndarray,
        labels: np.ndarray,
        classes: tuple,
        n_bits: int,
        n_neighbors: int,
        seed: int,
    ) -> tuple[Neighbourhoods, Nearest]:
        """Learn from some rows of a task.

        Parameters
        ----------
        features : ndarray of shape (n_references, n_features), dtype float32
        labels : ndarray of shape (n_references,)
            Index of each row's class, -1 where there is none.
        classes : tuple
            Labels of the classes.
        n_bits : int
        n_neighbors : int
        seed : int
            Seed of the rotation of the codes.

        Returns
        -------
        neighbourhoods : Neighbourhoods
        near : Nearest
            The nearest of these rows to each of them, which is among them.
        """
        centre = features.mean(axis=0)
        angles = unit(features - centre)
        scale = float(np.sqrt(np.square(features - centre).sum(axis=1).mean()))
        n_neighbors = max(1, min(n_neighbors, len(features) - 1))
        first = _spread(len(features), _FIRST_REFERENCES)
        # Half as many neighbours in fewer rows.
        count = max(1, min(n_neighbors // 2, len(first) - 1))
        near = nearest(angles[first], angles[first], count + 1).but_self()
        taken = _taken(near, labels[first])[0]
        space = SharedSpace.learn(features[first], _shared_points(angles[first], near, taken))
        references = space.directions(features)
        found = nearest(references, references, n_neighbors + 1)
        near = found.but_self()
        taken, least = _taken(near, labels)
        points = centre + scale * _shared_points(angles, near, taken)
        projections = _learn_projections(points, n_bits, seed)
        margins = projections.margins(centre + scale * angles).astype(np.float32)
        learned = cls(
            projections,
            centre,
            scale,
            space,
            references,
            margins,
            classes,
            labels,
            taken >= 0,
            n_neighbors,
            least,
            _has_others(taken, labels, classes),
        )
        return learned, found.first(n_neighbors)

    def __deepcopy__(self, memo: dict) -> Neighbourhoods:
        # Nothing changes it, so copies share it.
        return self

    def following(self, projections: ClassProjections, features: np.ndarray) -> Neighbourhoods:
        """The same neighbourhoods with codes by projections of the shared codebook.

        Projections of a task of another meaning tell the rows of this one apart too badly: it then
        keeps its own.

        Parameters
        ----------
        projections : ClassProjections
            Projections that the codewords of known classes follow.
        features : ndarray of shape (n_references, n_features), dtype float32
            The rows that these were learned from.
        """
        points = self.centre + self.scale * unit(features - self.centre)
        margins = projections.margins(points).astype(np.float32)
        following = replace(self, projections=projections, margins=margins, shares_codes=True)
        # Labelled rows need the codewords that their classes have elsewhere; few rows cannot tell.
        if self.classes or len(self.references) < _FEWEST_TOLD * self.n_neighbors:
            return following
        own = self.contrast
        return following if own <= 0 or following.contrast > _LEAST_CONTRAST * own else self

    @property
    def may_found(self) -> bool:
        """Whether there are rows enough to say for other tasks what bits mean."""
        return bool(self.classes) or len(self.references) >= _LEAST_UNLABELLED

    @property
    def contrast(self) -> float:
        """How much more often the codes of neighbours agree in a bit than those of any two rows."""
        asked, count = _spread(len(self.references), _MOST_ASKED), self.n_neighbors + 1
        near, bits = nearest(self.references[asked], self.references, count), self.margins > 0
        agree = np.mean([bits[asked] == bits[rows] for rows in near.rows[:, 1:].T])
        share, n_rows = bits.mean(axis=0), len(bits)
        # No row is paired with itself.
        pairs = (n_rows * (share**2 + (1 - share) ** 2) - 1) / (n_rows - 1)
        return float(agree - np.mean(pairs))

    @property
    def nbytes(self) -> int:
        """Memory of the reference rows, in bytes."""
        return self.references.nbytes + self.margins.nbytes

    def is_equal(self, other: Neighbourhoods) -> bool:
        """Whether both give every row the same target."""
        return self is other or all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("references", "margins", "labels", "taken", "n_neighbors")
        )

    def complete(self, features: np.ndarray, near: Nearest | None = None) -> Completion:
        """Targets of rows that have no label.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n_features), dtype float32
        near : Nearest, optional
            The nearest references of these rows, if they are known.

        Returns
        -------
        completion : Completion
        """
        parts = []
        for start in range(0, len(features), ROWS_AT_ONCE):
            span = slice(start, start + ROWS_AT_ONCE)
            known = None if near is None else near.take(span)
            parts.append(self._complete(features[span], known))
        return Completion(*(np.concatenate(column) for column in zip(*parts)))

    def _complete(self, features: np.ndarray, near: Nearest | None) -> Completion:
        if near is None:
            near = nearest(self.space.directions(features), self.references, self.n_neighbors)
        voted, share, agreement = _votes(near, self.labels)
        known = (share >= self.least_share) & (voted >= 0)
        angles = unit(features - self.centre)
        margins = self.projections.margins(self.centre + self.scale * angles)
        # Rows of a class say nothing about the classes that have no name.
        for rows in near.rows.T:
            margins += self.margins[rows] * ~self.taken[rows, None]
        codes = np.where(margins > 0, 1, -1).astype(np.int8)
        left_out = np.where(known, agreement < _LEAST_VOTE, not self.has_others)
        return Completion(np.where(known, voted, _UNLABELLED), voted, left_out, codes)


def _spread(n_rows: int, most: int) -> np.ndarray:
    """At most `most` positions, evenly spread over the rows."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, most)).astype(int))


def _taken(near: Nearest, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """The class that each row belongs to or is taken to, or -1; and the share that decides."""
    voted, share, _ = _votes(near, labels)
    least = _least_share(share[labels >= 0])
    taken = np.where(share >= least, voted, _UNLABELLED)
    taken[labels >= 0] = labels[labels >= 0]
    return taken, least


def _votes(near: Nearest, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The class with most votes of labelled neighbours, -1 without any; two shares.

    The first is the share of neighbours with a label, the second that of the votes for the class.
    """
    found = labels[near.rows]
    labelled = found >= 0
    weights = np.where(labelled, np.exp(_SHARPNESS * (near.cosines - 1)), 0)
    votes = np.stack([(weights * (found == own[:, None])).sum(axis=1) for own in found.T], axis=1)
    votes = np.where(labelled, votes, -1)
    best = found[np.arange(len(found)), votes.argmax(axis=1)]
    agreement = votes.max(axis=1) / np.maximum(weights.sum(axis=1), _LEAST_WEIGHT)
    return best, labelled.mean(axis=1), agreement


def _least_share(shares: np.ndarray) -> float:
    """Share of labelled neighbours that nearly all labelled rows have themselves.

    Labelled rows are taken to be a random part of their classes: unlabelled rows of the same
    classes then have as many labelled neighbours.
    """
    return float(np.quantile(shares, _MISSED)) if len(shares) else np.inf


def _has_others(taken: np.ndarray, labels: np.ndarray, classes: tuple) -> bool:
    """Whether there seem to be other classes than the labelled ones."""
    n_unlabelled, n_free = int((labels < 0).sum()), int((taken < 0).sum())
    few = n_unlabelled < _LEAST_UNLABELLED or len(classes) < 2
    return few or n_free > _FEW_OTHERS * n_unlabelled


def _shared_points(angles: np.ndarray, near: Nearest, taken: np.ndarray) -> np.ndarray:
    """The mean of a row's class, or of itself and its neighbours without a class."""
    free = taken < 0
    points, counts = angles.copy(), np.ones((len(angles), 1), np.float32)
    for rows in near.rows.T:
        points += angles[rows] * free[rows, None]
        counts += free[rows, None]
    points /= counts
    for label in np.unique(taken[~free]):
        members = taken == label
        points[members] = angles[members].mean(axis=0)
    return points


def _learn_projections(points: np.ndarray, n_bits: int, seed: int) -> ClassProjections:
    """Principal axes of points, rotated so that signs keep more of them.

    Source of the rotation: Gong & Lazebnik, "Iterative quantization", CVPR 2011. A code longer than
    the number of axes gets several rotations of the same axes.
    """
    rng = generator(seed, "rotation")
    centre = points.mean(axis=0)
    # Norms are dropped: the sign of a projection does not depend on them.
    points = unit(points - centre)
    axes = principal_axes(points, n_bits)
    along, width = points @ axes, axes.shape[1]
    rotations = []
    for _ in range(0, n_bits, width):
        rotation = np.linalg.qr(rng.standard_normal((width, width)))[0]
        for _ in range(_ROTATION_STEPS):
            left, _, right = np.linalg.svd(along.T @ np.sign(along @ rotation))
            rotation = left @ right
        rotations.append(rotation)
    directions = (axes @ np.concatenate(rotations, axis=1)[:, :n_bits]).T
    return ClassProjections(directions.astype(np.float32), directions @ centre.astype(np.float64))
