"""Rows without a label: each gets a class or a code before its task is learned."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from ..encoding.groups import Groups, UnlabelledRows
from ..encoding.modulation import Modulation
from ..encoding.network import TaskNetwork
from .codebook import ClassProjections
from .neighbourhoods import MOST_REFERENCES, Neighbourhoods
from .rows import Rows
from .shared_space import Nearest

# Neighbours of a row where their number is not given: with labels and without.
_WITH_LABELS, _WITHOUT = 20, 8
# Rows of a group, where the number of groups is not given; and rows that stand for a group.
_ROWS_PER_GROUP = 50
_N_EXAMPLES = 5
# Groups are found among at most so many rows, and begin at some of fewer rows: so many, or so many
# for each group.
_MOST_GROUPED = 8192
_FIRST_CENTRES, _FIRST_PER_GROUP = 2048, 8
# Weights of rows that neighbours gave a class, or a code, beside labelled rows.
_CLASS_WEIGHT, _CODE_WEIGHT = 0.3, 0.7
# A task learns from so many unlabelled rows, and from as many more each time that e times as many
# rows have come.
_ALL_UNLABELLED = 16384


def thin_unlabelled(rows: Rows, n_before: int, seed: int) -> Rows:
    """Draw some of many unlabelled rows of a task.

    Parameters
    ----------
    rows : Rows
    n_before : int
        Number of unlabelled rows that came before.
    seed : int
    """
    n_all = n_before + int(rows.lacks_label.sum())
    n_kept = round(_n_learned(n_all) - _n_learned(n_before))
    return rows.thinned(max(1, n_kept), seed)


def _n_learned(n_rows: int) -> float:
    """Number of unlabelled rows that a task learns from once `n_rows` have come."""
    return min(n_rows, _ALL_UNLABELLED) * (1 + max(0.0, np.log(max(n_rows, 1) / _ALL_UNLABELLED)))


class PreparedRows(NamedTuple):
    """Rows of a task, with what gives those without a label their targets.

    Attributes
    ----------
    rows : Rows
        Of many unlabelled rows some, and features in place of samples where these are costly.
    found : Neighbourhoods or None
        None if every row has a label.
    near : Nearest or None
        The nearest references of each row, if they are known.
    learned_from : Rows or None
        Rows that the neighbourhoods were learned from; None if earlier rows have decided.
    """

    rows: Rows
    found: Neighbourhoods | None = None
    near: Nearest | None = None
    learned_from: Rows | None = None


class CompletedRows(NamedTuple):
    """Rows of a task that all have a target.

    Attributes
    ----------
    rows : Rows
    found : Neighbourhoods or None
        What decides on later rows without a label.
    fate : UnlabelledRows
        What became of those among these rows.
    """

    rows: Rows
    found: Neighbourhoods | None = None
    fate: UnlabelledRows = UnlabelledRows()


def learn_neighbourhoods(
    network: TaskNetwork, rows: Rows, n_neighbors: int | None
) -> tuple[Neighbourhoods, Nearest | None]:
    """Learn what gives unlabelled rows their targets, from a sample of the rows.

    Parameters
    ----------
    network : TaskNetwork
    rows : Rows
    n_neighbors : int or None
        Number of neighbours that decide on a row.

    Returns
    -------
    neighbourhoods : Neighbourhoods
    near : Nearest or None
        The nearest references of each row, if the sample is all of the rows.
    """
    drawn, classes = _references(network, rows), tuple(rows.classes)
    labels, labelled = np.full(len(drawn.y), -1), ~drawn.lacks_label
    if not rows.multilabel and labelled.any():
        labels[labelled] = np.searchsorted(np.array(classes), drawn.y[labelled])
    n_bits = len(network.layout.codebook_bits)
    if n_neighbors is None:
        n_neighbors = _WITH_LABELS if classes else _WITHOUT
    features = _features(network, drawn)
    learned, near = Neighbourhoods.learn(
        features, labels, classes, n_bits, n_neighbors, network.seed
    )
    return learned, near if len(drawn.y) == len(rows.y) else None


def following(
    network: TaskNetwork, found: Neighbourhoods, projections: ClassProjections, rows: Rows
) -> Neighbourhoods:
    """Neighbourhoods that were learned from rows, with codes by projections of other tasks."""
    return found.following(projections, _features(network, _references(network, rows)))


def with_groups(
    network: TaskNetwork,
    learned: Modulation,
    rows: Rows,
    previous: Modulation | None,
    n_groups: int | None,
) -> Modulation:
    """Add groups of the rows that belong to no class; a task keeps those that it has.

    Parameters
    ----------
    network : TaskNetwork
    learned : Modulation
    rows : Rows
        Completed rows.
    previous : Modulation or None
        What the task had learned before.
    n_groups : int or None
        Number of groups; None for one per 50 rows.

    Returns
    -------
    modulation : Modulation
    """
    groups = None if previous is None else previous.groups
    if groups is None and rows.has_unlabelled and n_groups != 0:
        groups = _find_groups(network, rows, n_groups, learned)
    return replace(learned, groups=groups)


def _find_groups(
    network: TaskNetwork, rows: Rows, n_groups: int | None, learned: Modulation
) -> Groups | None:
    """Groups of the codes of the rows without a class; None if such rows have no codes."""
    free = rows.take(np.flatnonzero(rows.lacks_label))
    share = float(free.counts.sum() / rows.counts.sum())
    free = free.sample(_MOST_GROUPED, network.seed)
    places = free.positions if free.sources is None else free.sources
    if free.found_codes is None or not free.found_codes.any():
        return None
    codes = free.found_codes.astype(np.float32)
    n_groups = min(n_groups or max(1, len(codes) // _ROWS_PER_GROUP), _n_distinct(codes))
    means = _clusters(codes, n_groups, network.seed)
    distances = means.transform(codes)
    examples = np.full((n_groups, _N_EXAMPLES), -1)
    for group, own in enumerate(examples):
        members = np.flatnonzero(means.labels_ == group)
        nearest = members[np.argsort(distances[members, group], kind="stable")[:_N_EXAMPLES]]
        own[: len(nearest)] = places[nearest]
    words = np.where(means.cluster_centers_ > 0, 1, -1).astype(np.int8)
    # Bits that follow a structure spell nothing.
    words *= codes.any(axis=0)
    classes, codewords = learned.classes, learned.codewords.astype(int)
    near = (words @ codewords.T).argmax(axis=1) if len(classes) else []
    return Groups(
        words,
        share * np.bincount(means.labels_, minlength=n_groups) / len(codes),
        examples,
        tuple(classes[position] for position in near),
        tuple(range(n_groups)),
        {},
    )


def _clusters(codes: np.ndarray, n_groups: int, seed: int) -> KMeans:
    """Clusters of codes by k-means, whose first centres are some of fewer codes."""
    n_first = max(_FIRST_CENTRES, _FIRST_PER_GROUP * n_groups)
    few = codes[:: -(-len(codes) // n_first)]
    first = few if _n_distinct(few) >= n_groups else codes
    centres, _ = kmeans_plusplus(first, n_groups, random_state=seed)
    return KMeans(n_groups, init=centres, n_init=1, random_state=seed).fit(codes)


def _n_distinct(codes: np.ndarray) -> int:
    return len(np.unique(codes > 0, axis=0))


def complete_rows(
    network: TaskNetwork,
    rows: Rows,
    found: Neighbourhoods,
    flips: np.ndarray,
    near: Nearest | None = None,
) -> CompletedRows:
    """Give each unlabelled row a class or a code, or leave it out.

    Parameters
    ----------
    network : TaskNetwork
    rows : Rows
    found : Neighbourhoods
    flips : ndarray of shape (n_codebook_bits,)
        Signs of the codes.
    near : Nearest, optional
        The nearest references of the rows, if they are known.

    Returns
    -------
    completed : CompletedRows
        Without the rows that are left out.
    """
    missing, unlabelled, y = np.flatnonzero(rows.lacks_label), rows.lacks_label.copy(), rows.y
    known = None if near is None else near.take(missing)
    completion = found.complete(_features(network, rows.take(missing)), known)
    free = completion.labels < 0
    unlabelled[missing] = free
    codes = np.zeros((len(y), len(flips)), np.int8)
    codes[missing[free]] = completion.codes[free] * flips
    if found.classes and not rows.multilabel:
        # A row without a class counts for the nearest one in the task's density.
        nearest = np.array(found.classes)[np.maximum(completion.nearest, 0)]
        y = y.astype(np.result_type(y, nearest))
        y[missing] = nearest
    weights = rows.sample_weight
    if found.classes:
        weights = np.ones(len(y)) if weights is None else weights.copy()
        weights[missing] *= np.where(free, _CODE_WEIGHT, _CLASS_WEIGHT)
    completed = replace(
        rows,
        y=y,
        sample_weight=weights,
        unlabelled=unlabelled,
        found_codes=codes if found.has_others and free.any() else None,
    )
    left, counts = completion.left_out, rows.counts[missing]
    kinds = (~free & ~left, free & ~left, left)
    fate = UnlabelledRows(*(float(counts[kind].sum()) for kind in kinds))
    kept = np.setdiff1d(np.arange(len(y)), missing[left])
    return CompletedRows(completed.take(kept), found, fate)


def _references(network: TaskNetwork, rows: Rows) -> Rows:
    """Rows of a task among which neighbours are looked for."""
    return rows.sample(MOST_REFERENCES, network.seed)


def _features(network: TaskNetwork, rows: Rows) -> np.ndarray:
    """Features of the rows, (n_rows, n_features), dtype float32."""
    read = network.map_features(
        lambda batch, features: features[: len(batch)].cpu().numpy().copy(),
        rows.X,
        rows.positions,
        rows.extracted,
    )
    return np.concatenate(read)
