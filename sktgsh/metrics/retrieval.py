"""Retrieval by Hamming distance, exact under ties.

Hamming distances tie massively, so the order of a sorted list is arbitrary. Every figure here is
the expected value over a random order of the tied rows (McSherry & Najork, ECIR 2008). It is
computed from counts per distance level, not by sorting, and does not depend on the order of rows.

All functions take queries and, optionally, a database; without one, each row is a query against
the other rows. Rows are relevant to a query if they have its label or, for labels given as an
indicator matrix of 0 and 1, if they share at least one.

Labels may be missing (None, nan, pandas.NA). Rows without one are unknown, not wrong: they are left
out as queries and of the database. This is the induced average precision of Yilmaz & Aslam (CIKM
2006). It estimates the figure of complete labels where labels are missing at random; the estimate
is too high where rows of some classes, or rows far from their class, lack labels more often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import has_floats
from .levels import iter_level_counts, iter_relevant


def _expected_average_precision(
    relevant: np.ndarray, total: np.ndarray, top_k: int | None
) -> np.ndarray:
    n_database = int(total.sum(axis=1).max(initial=0))
    top_k = n_database if top_k is None else min(top_k, n_database)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n_database + 1))])
    before = np.cumsum(total, axis=1) - total
    relevant_before = np.cumsum(relevant, axis=1) - relevant
    # Positions of the level that are still within the first top_k.
    used = np.clip(top_k - before, 0, total)
    # Given a relevant row at the level's position j (from 1), (j - 1) * slope of the rows of the
    # level that precede it are relevant: the precision there is
    # (relevant_before + 1 + (j - 1) * slope) / (before + j).
    slope = (relevant - 1) / np.maximum(total - 1, 1) * (total > 1)
    sums = harmonic[before + used] - harmonic[before]
    precisions = slope * used + (relevant_before + 1 - slope - slope * before) * sums
    gain = (relevant / np.maximum(total, 1) * precisions).sum(axis=1)
    n_relevant = np.minimum(relevant.sum(axis=1), max(top_k, 1))
    return np.where(n_relevant > 0, gain / np.maximum(n_relevant, 1), np.nan)


def average_precisions(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    packed: bool = False,
    top_k: int | None = None,
) -> np.ndarray:
    """Expected average precision of each query; nan where nothing is relevant to it.

    Parameters are those of :func:`mean_average_precision`.

    Returns
    -------
    precisions : ndarray of shape (n_queries,)
    """
    _check_top(top_k, "top_k", optional=True)
    precisions = np.full(len(np.asarray(codes)), np.nan)
    counts = iter_relevant(codes, y, database_codes, database_y, packed=packed)
    for rows, relevant, total in counts:
        precisions[rows] = _expected_average_precision(relevant, total, top_k)
    return precisions


def _check_top(k: int | None, name: str, optional: bool = False) -> None:
    if optional and k is None:
        return
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"{name}={k!r}; expected an integer of at least 1")


def _mean(parts: list[np.ndarray]) -> float:
    values = np.concatenate(parts or [np.empty(0)])
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")


def mean_average_precision(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    packed: bool = False,
    top_k: int | None = None,
) -> float:
    """Mean average precision of retrieval by Hamming distance, exact under ties.

    Parameters
    ----------
    codes : array-like of shape (n_queries, n_bits) or (n_queries, n_bytes)
        Codes of the queries, integers or booleans; or scores of their bits, floating point numbers
        (n_queries, n_bits), by which :func:`~sktgsh.codes.asymmetric_hamming_distances` ranks.
    y : array-like of shape (n_queries,) or (n_queries, n_labels)
        Class labels; or 1 where a row has a label, 0 elsewhere. A single column holds class labels.
        Rows whose label is missing (None, nan, pandas.NA) are left out, here and in the database.
    database_codes : array-like of shape (n_database, n_bits) or (n_database, n_bytes), optional
        By default the queries themselves, each against the others.
    database_y : array-like of shape (n_database,) or (n_database, n_labels), optional
        Labels of the database.
    packed : bool, default=False
        Whether each byte of a code holds eight bits.
    top_k : int, optional
        Count the nearest `top_k` rows only; the sum of precisions is then divided by the smaller
        of `top_k` and the number of relevant rows. By default all rows count.

    Returns
    -------
    score : float
        Between 0 and 1. Queries that nothing is relevant to do not count; nan if none counts.

    See Also
    --------
    sktgsh.metrics.ndcg_at_k : For several labels a row.

    Notes
    -----
    Memory is bounded (about 64 MB) and does not grow with the number of queries; time is a few
    nanoseconds for each pair of codes.

    References
    ----------
    F. McSherry and M. Najork, "Computing information retrieval performance measures efficiently in
    the presence of tied scores", ECIR 2008.

    Examples
    --------
    The two rows at distance 1 tie, and one of them is relevant: precision 1 or 1/2, each as likely.

    >>> from sktgsh.metrics import mean_average_precision
    >>> mean_average_precision([[0, 0]], ["a"], [[0, 1], [1, 0], [1, 1]], ["a", "b", "b"])
    0.75
    """
    found = average_precisions(codes, y, database_codes, database_y, packed=packed, top_k=top_k)
    return _mean([found])


def _expected_hits(relevant: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    before = np.cumsum(total, axis=1) - total
    used = np.clip(k - before, 0, total)
    return (relevant * used / np.maximum(total, 1)).sum(axis=1)


def precision_at_k(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    k: int = 10,
    packed: bool = False,
) -> float:
    """Share of relevant rows among the `k` nearest, expected over random order of ties.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    k : int, default=10
        Number of rows retrieved. Where the database has fewer, the missing ones count as misses.

    Returns
    -------
    score : float
        Between 0 and 1.

    See Also
    --------
    sktgsh.metrics.recall_at_k : Found among the first k.

    Examples
    --------
    >>> from sktgsh.metrics import precision_at_k
    >>> precision_at_k([[0, 0]], ["a"], [[0, 1], [1, 0], [1, 1]], ["a", "b", "b"], k=1)
    0.5
    """
    _check_top(k, "k")
    counts = iter_relevant(codes, y, database_codes, database_y, packed=packed)
    found = [_expected_hits(relevant, total, k) / k for _, relevant, total in counts]
    return _mean(found)


def recall_at_k(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    k: int = 10,
    packed: bool = False,
) -> float:
    """Share of all relevant rows among the `k` nearest, expected over random order of ties.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    k : int, default=10
        Number of rows retrieved.

    Returns
    -------
    score : float
        Between 0 and 1. Queries that nothing is relevant to do not count.

    See Also
    --------
    sktgsh.metrics.precision_at_k : Among the first k.

    Examples
    --------
    >>> from sktgsh.metrics import recall_at_k
    >>> recall_at_k([[0, 0]], ["a"], [[0, 0], [1, 0], [1, 1]], ["a", "b", "a"], k=1)
    0.5
    """
    _check_top(k, "k")
    recalls = []
    counts = iter_relevant(codes, y, database_codes, database_y, packed=packed)
    for _, relevant, total in counts:
        n_relevant = relevant.sum(axis=1)
        hits = _expected_hits(relevant, total, k)
        recalls.append(np.where(n_relevant > 0, hits / np.maximum(n_relevant, 1), np.nan))
    return _mean(recalls)


def ndcg_at_k(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    k: int = 100,
    gain: str = "linear",
    packed: bool = False,
) -> float:
    """Normalised discounted cumulative gain of the `k` nearest, expected over random order of ties.

    Graded: a row gains by how many labels it shares with the query. The row at rank r counts
    ``gain / log2(r + 1)``, and the sum is divided by that of the best order.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    k : int, default=100
        Number of rows retrieved.
    gain : {"linear", "exponential"}, default="linear"
        The number of shared labels s, or ``2**s - 1``.

    Returns
    -------
    score : float
        Between 0 and 1. Queries that nothing is relevant to do not count; nan if none counts.

    See Also
    --------
    sktgsh.metrics.mean_average_precision : All ranks, in one number.

    References
    ----------
    K. Jarvelin and J. Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS
    2002. F. McSherry and M. Najork, ECIR 2008, for ties.

    Examples
    --------
    The nearest row shares one label of two, the other both.

    >>> from sktgsh.metrics import ndcg_at_k
    >>> round(ndcg_at_k([[0, 0]], [[1, 1]], [[0, 0], [1, 1]], [[1, 0], [1, 1]]), 3)
    0.86
    """
    _check_top(k, "k")
    if gain not in ("linear", "exponential"):
        raise ValueError(f"gain={gain!r}; expected 'linear' or 'exponential'")
    found = []
    for _, counts in iter_level_counts(
        codes, y, database_codes, database_y, packed=packed, graded=True
    ):
        grades = np.arange(counts.shape[2], dtype=np.float64)
        gains = grades if gain == "linear" else np.exp2(grades) - 1
        by_grade = counts.sum(axis=1)[:, ::-1]
        best = _expected_dcg(by_grade * gains[::-1], by_grade, k)
        score = _expected_dcg(counts @ gains, counts.sum(axis=2), k)
        found.append(np.where(best > 0, score / np.where(best > 0, best, 1), np.nan))
    return _mean(found)


def _expected_dcg(gains: np.ndarray, total: np.ndarray, k: int) -> np.ndarray:
    """Of rows in groups of known order, each with the sum of its gains and its number of rows."""
    k = min(k, int(total.sum(axis=1).max(initial=0)))
    discounts = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    after = np.cumsum(total, axis=1)
    share = discounts[np.minimum(after, k)] - discounts[np.minimum(after - total, k)]
    return (gains / np.maximum(total, 1) * share).sum(axis=1)


def precision_within_radius(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    radius: int = 2,
    packed: bool = False,
) -> float:
    """Share of relevant rows among those within a Hamming radius.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    radius : int, default=2
        Rows that differ in at most this many bits are retrieved.

    Returns
    -------
    score : float
        Between 0 and 1; a query that retrieves nothing counts as 0, as is usual in the field.

    See Also
    --------
    sktgsh.metrics.precision_at_k : Among the first k.

    Examples
    --------
    >>> from sktgsh.metrics import precision_within_radius
    >>> precision_within_radius(
    ...     [[0, 0]], ["a"], [[0, 0], [1, 0], [1, 1]], ["a", "b", "a"], radius=1)
    0.5
    """
    if isinstance(radius, bool) or not isinstance(radius, (int, np.integer)) or radius < 0:
        raise ValueError(f"radius={radius!r}; expected an integer of at least 0")
    if has_floats(codes):
        raise ValueError("codes are floating point; a Hamming radius is between bits: codes > 0")
    precisions = []
    counts = iter_relevant(codes, y, database_codes, database_y, packed=packed)
    for _, relevant, total in counts:
        hits = relevant[:, : radius + 1].sum(axis=1)
        precisions.append(hits / np.maximum(total[:, : radius + 1].sum(axis=1), 1))
    return _mean(precisions)


def retrieval_curve(
    codes: ArrayLike,
    y: ArrayLike,
    database_codes: ArrayLike | None = None,
    database_y: ArrayLike | None = None,
    *,
    n_ranks: int = 100,
    packed: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and recall after k rows, for many k, expected over random order of ties.

    Parameters
    ----------
    codes, y, database_codes, database_y, packed
        As in :func:`mean_average_precision`.
    n_ranks : int, default=100
        At most so many k, evenly spaced on a logarithmic scale from 1 to the whole database.

    Returns
    -------
    ranks : ndarray of shape (n_ranks,)
        Numbers of rows retrieved.
    precision, recall : ndarray of shape (n_ranks,)
        Means over the queries that something is relevant to.

    See Also
    --------
    sktgsh.metrics.mean_average_precision : All ranks, in one number.

    Examples
    --------
    >>> from sktgsh.metrics import retrieval_curve
    >>> ranks, precision, recall = retrieval_curve([[0], [0], [1]], [0, 0, 1])
    >>> ranks, precision, recall
    (array([1, 2]), array([1. , 0.5]), array([1., 1.]))
    """
    _check_top(n_ranks, "n_ranks")
    n_database = len(np.asarray(codes if database_codes is None else database_codes))
    n_database -= database_codes is None
    ranks = np.unique(np.geomspace(1, max(1, n_database), n_ranks).round().astype(int))
    precision, recall, n_queries = np.zeros(len(ranks)), np.zeros(len(ranks)), 0
    counts = iter_relevant(codes, y, database_codes, database_y, packed=packed)
    for _, relevant, total in counts:
        n_relevant = relevant.sum(axis=1)
        used = n_relevant > 0
        n_queries += used.sum()
        for position, k in enumerate(ranks):
            hits = _expected_hits(relevant[used], total[used], k)
            precision[position] += (hits / k).sum()
            recall[position] += (hits / n_relevant[used]).sum()
    n_queries = n_queries or np.nan
    return ranks, precision / n_queries, recall / n_queries
