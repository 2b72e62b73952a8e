"""Rows without a label: each gets a class or a code before its task is learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..encoding.network import TaskNetwork
from .codebook import ClassProjections
from .neighbourhoods import MOST_REFERENCES, Neighbourhoods
from .rows import Rows


def learn_neighbourhoods(
    network: TaskNetwork, rows: Rows, n_neighbors: int, projections: ClassProjections | None
) -> Neighbourhoods:
    """Learn what gives unlabelled rows their targets, from a sample of the rows.

    Parameters
    ----------
    network : TaskNetwork
    rows : Rows
    n_neighbors : int
        Number of neighbours that decide on a row.
    projections : ClassProjections or None
        Projections of the shared codebook, if there are any.

    Returns
    -------
    neighbourhoods : Neighbourhoods
    """
    drawn, classes = rows.sample(MOST_REFERENCES, network.seed), tuple(rows.classes)
    labels, labelled = np.full(len(drawn.y), -1), ~drawn.lacks_label
    if not rows.multilabel and labelled.any():
        labels[labelled] = np.searchsorted(np.array(classes), drawn.y[labelled])
    n_bits = len(network.layout.codebook_bits)
    features = _features(network, drawn)
    return Neighbourhoods.learn(
        features, labels, classes, n_bits, n_neighbors, network.seed, projections
    )


def complete_rows(
    network: TaskNetwork, rows: Rows, found: Neighbourhoods, flips: np.ndarray
) -> Rows:
    """Give each unlabelled row a class or a code.

    Parameters
    ----------
    network : TaskNetwork
    rows : Rows
    found : Neighbourhoods
    flips : ndarray of shape (n_codebook_bits,)
        Signs of the codes.

    Returns
    -------
    rows : Rows
    """
    missing, unlabelled, y = np.flatnonzero(rows.lacks_label), rows.lacks_label.copy(), rows.y
    completion = found.complete(_features(network, rows.take(missing)))
    free = completion.labels < 0
    unlabelled[missing] = free
    codes = np.zeros((len(y), len(flips)), np.int8)
    codes[missing[free]] = completion.codes[free] * flips
    if found.classes and not rows.multilabel:
        # A row without a class counts for the nearest one in the task's density.
        nearest = np.array(found.classes)[np.maximum(completion.nearest, 0)]
        y = y.astype(np.result_type(y, nearest))
        y[missing] = nearest
    return replace(rows, y=y, unlabelled=unlabelled, found_codes=codes)


def _features(network: TaskNetwork, rows: Rows) -> np.ndarray:
    """Features of the rows, (n_rows, n_features), dtype float32."""
    read = network.map_features(
        lambda batch, features: features[: len(batch)].cpu().numpy().copy(),
        rows.X,
        rows.positions,
        rows.extracted,
    )
    return np.concatenate(read)
