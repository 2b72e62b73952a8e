"""Quality by the share of labels: what a hasher gives where most rows have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from ..metrics.retrieval import average_precisions
from .protocols import unpacked


def check_shares(labelled: Any) -> list[float]:
    """Shares of labels, checked; raises ValueError for anything that is no number from 0 to 1."""
    shares = list(labelled) if np.ndim(labelled) == 1 else [labelled]
    numbers = all(isinstance(share, Real) and not isinstance(share, bool) for share in shares)
    if not shares or not numbers or not all(0 <= float(share) <= 1 for share in shares):
        raise ValueError(f"labelled={labelled!r}; expected shares of labels, numbers from 0 to 1")
    return [float(share) for share in shares]


def drawn_labels(y: np.ndarray, share: float, random_state: int | None) -> np.ndarray:
    """Mask of the rows that keep their label: a share of each class, and at least one row of it.

    With the same `random_state`, a larger share keeps the rows of a smaller one, too.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    share : float
        Of the rows of each class; 0 keeps no label at all.
    random_state : int or None

    Returns
    -------
    kept : ndarray of shape (n_rows,), dtype bool
    """
    order = np.random.default_rng(random_state).permutation(len(y))
    kept = np.zeros(len(y), bool)
    if share > 0:
        for label in np.unique(y):
            rows = order[y[order] == label]
            kept[rows[: max(1, round(share * len(rows)))]] = True
    return kept


def rows_by_share(
    hashers: Mapping[str, Any],
    X: Any,
    y: np.ndarray,
    split: tuple[np.ndarray, np.ndarray],
    unseen: np.ndarray,
    shares: Sequence[float],
    max_queries: int,
    random_state: int | None,
) -> list[dict[str, Any]]:
    """Figures of each hasher for each share of labels.

    Every query is compared with all rows of the database. A hasher with a parameter
    `missing_label` gets all rows, those without a label among them; one that needs no labels gets
    all rows without any; and every other one gets the labelled rows alone.

    Parameters
    ----------
    hashers : mapping from name to estimator
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    split : tuple of ndarray of int
        Rows of the database, and queries.
    unseen : ndarray of shape (n_samples,), dtype bool
        Rows of classes that get no label.
    shares : sequence of float
    max_queries : int
    random_state : int or None

    Returns
    -------
    rows : list of dict
        ``labelled``, ``hasher``, ``bits``, ``labels`` (their number), ``seen_map``, ``unseen_map``
        and ``all_map``; nan for a hasher that cannot learn from so few labels.
    """
    database, queries = split
    asked = queries[np.random.default_rng(random_state).permutation(len(queries))[:max_queries]]
    found = []
    for share in shares:
        kept = drawn_labels(y[database], share, random_state) & ~unseen[database]
        for name, hasher in hashers.items():
            figures: dict[str, Any] = dict(labelled=share, hasher=name, bits=0)
            fitted = _fitted(hasher, X, y, database, kept)
            precisions = np.full(len(asked), np.nan)
            if fitted is not None:
                codes = unpacked(fitted, X[asked], None)
                stored = unpacked(fitted, X[database], None)
                precisions = average_precisions(codes, y[asked], stored, y[database])
                figures["bits"] = codes.shape[1]
            figures["labels"] = int(kept.sum())
            new = unseen[asked]
            for column, part in (("seen", ~new), ("unseen", new), ("all", new | True)):
                figures[f"{column}_map"] = _mean(precisions[part])
            found.append(figures)
    return found


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def _fitted(hasher: Any, X: Any, y: np.ndarray, rows: np.ndarray, kept: np.ndarray) -> Any:
    """A fitted copy; None if the hasher cannot learn from the labels that are left."""
    fitted = clone(hasher)
    if not hasattr(hasher, "missing_label"):
        if not get_tags(hasher).target_tags.required:
            return fitted.fit(X[rows])
        enough = len(np.unique(y[rows[kept]])) > 1
        return fitted.fit(X[rows[kept]], y[rows[kept]]) if enough else None
    if not kept.any():
        return fitted.fit(X[rows])
    if kept.all():
        return fitted.fit(X[rows], y[rows])
    partial = y[rows].astype(object)
    partial[~kept] = None
    return fitted.fit(X[rows], partial)
