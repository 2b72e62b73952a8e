"""Everything that a supervised hash must be asked, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from ..linear import ITQHasher, PCAHasher, RidgeHasher
from ..metrics import mean_average_precision
from ..targets import check_targets
from .protocols import one_shot_accuracy, transfer_accuracy, unpacked
from .shares import check_shares, rows_by_share
from .splits import has_label
from .trivial import ClassifierHasher


@dataclass(frozen=True)
class RetrievalReport:
    """Figures of :func:`~sktgsh.evaluation.retrieval_report`.

    Attributes
    ----------
    rows : list of dict
        One for each hasher: ``hasher``, ``bits``, ``seen_map``, ``unseen_map``, ``one_shot``,
        ``transfer``. With `labelled`, one for each share and hasher: ``labelled``, ``hasher``,
        ``bits``, ``labels`` (their number), ``seen_map``, ``unseen_map``, ``all_map``.

    See Also
    --------
    sktgsh.evaluation.retrieval_report : Several hashers side by side.

    Examples
    --------
    >>> from sktgsh.evaluation import RetrievalReport
    >>> print(RetrievalReport([{"hasher": "random", "bits": 8, "seen_map": 0.25}]))
    hasher  bits  seen_map
    random  8     0.250
    """

    rows: list[dict[str, Any]]

    def __str__(self) -> str:
        columns = list(self.rows[0])
        text = [
            [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()]
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(columns, *text)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in [columns, *text]
        ]
        return "\n".join(lines)


def _hold_out(y: np.ndarray, unseen_classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of rows that have an unseen class, and the labels that they are compared by."""
    if y.ndim == 2 and (
        unseen_classes.dtype.kind not in "iu"
        or len(np.unique(unseen_classes)) < 2
        or not np.isin(unseen_classes, np.arange(y.shape[1])).all()
    ):
        raise ValueError(
            f"unseen_classes={unseen_classes.tolist()}; for an indicator, expected at least two "
            f"numbers of its {y.shape[1]} columns"
        )
    unseen = has_label(y, unseen_classes)
    if not unseen.any() or unseen.all():
        raise ValueError("unseen_classes must hold some of the classes in y, and not all of them")
    return unseen, y if y.ndim == 1 else y[:, np.unique(unseen_classes)]


def _linear_rivals(beside: Any, X: np.ndarray, random_state: int | None) -> dict[str, Any]:
    """Rivals of the length of a hasher's codes, or of as many bits as there are axes."""
    n_bits = getattr(beside, "n_bits", ClassifierHasher().n_bits)
    n_axes = min(n_bits, X.shape[1])
    return {
        "ridge": RidgeHasher(n_bits, random_state=random_state),
        "ITQ": ITQHasher(n_axes, random_state=random_state),
        "PCA signs": PCAHasher(n_axes),
    }


def retrieval_report(
    hashers: Mapping[str, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    unseen_classes: Iterable | None = None,
    labelled: ArrayLike | None = None,
    rivals: bool = False,
    test_size: float = 0.25,
    max_queries: int = 1000,
    random_state: int | None = 0,
) -> RetrievalReport:
    """Train hashers on some classes or few labels, and look at those rows and at the others.

    The trivial solution, :class:`ClassifierHasher`, is measured beside them, and the linear rivals
    if wanted.

    Parameters
    ----------
    hashers : mapping from name to estimator
        Unfitted; each is cloned.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples; sparse ones where all hashers take them.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Class labels, or an indicator of labels.
    unseen_classes : array-like, optional
        Classes that are held out from training; of an indicator, numbers of columns. Rows that
        have any of them are not trained on, and are compared by these labels alone. May be left
        out where `labelled` is given.
    labelled : float or array-like, optional
        Shares of labels, such as ``[0.01, 0.1, 0.5, 1]``: quality is measured for each. A share of
        the database's rows of each class (at least one row) keeps its label, and rows of unseen
        classes have none. Hashers with a parameter `missing_label` are given all rows, hashers
        that need no labels all rows, too, and all others the labelled rows. Queries are compared
        with all rows of the database. Class labels only.
    rivals : bool, default=False
        Whether to measure :class:`~sktgsh.RidgeHasher`, :class:`~sktgsh.ITQHasher` and
        :class:`~sktgsh.PCAHasher` as well, at the length of the first hasher's codes.
    test_size : float, default=0.25
        Share of the rows that are queries; the others are database, and of seen classes training.
    max_queries : int, default=1000
        At most so many queries are used, of seen and of unseen classes.
    random_state : int or None, default=0
        Of the split and the protocols.

    Returns
    -------
    report : RetrievalReport
        Prints as a table.

    See Also
    --------
    sktgsh.evaluation.ClassHoldOut : Folds that hold classes out.
    sktgsh.evaluation.one_shot_accuracy : New classes from one row each.
    sktgsh.evaluation.transfer_accuracy : New classes from a few rows each, by a linear model.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
    >>> from sktgsh.evaluation import retrieval_report
    >>> X, y = load_digits(return_X_y=True)
    >>> report = retrieval_report(
    ...     {"ours": TaskGeometricHasher(structure_fraction=0.5, random_state=0),
    ...      "random": SignedRandomProjectionHasher(random_state=0)}, X, y, unseen_classes=range(5))
    >>> [row["hasher"] for row in report.rows]
    ['ours', 'random', 'trivial']

    Quality by the share of labels:

    >>> report = retrieval_report(
    ...     {"ours": TaskGeometricHasher(random_state=0)}, X, y, labelled=[0.05, 1])
    >>> [(row["hasher"], row["labels"]) for row in report.rows]
    [('ours', 70), ('trivial', 70), ('ours', 1347), ('trivial', 1347)]
    """
    X = sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)
    y = check_targets(y, X.shape[0])
    if unseen_classes is None and labelled is None:
        raise ValueError("unseen_classes and labelled are missing; give at least one of them")
    if labelled is not None and y.ndim == 2:
        raise ValueError(f"labelled={labelled!r} needs class labels, and y is an indicator")
    unseen, new_y = np.zeros(len(y), bool), y
    if unseen_classes is not None:
        unseen, new_y = _hold_out(y, np.asarray(list(unseen_classes)))
    database, queries = train_test_split(
        np.arange(len(y)),
        test_size=test_size,
        stratify=y if y.ndim == 1 else None,
        random_state=random_state,
    )
    rows = []
    asked = {**hashers, "trivial": ClassifierHasher()}
    if rivals:
        asked |= _linear_rivals(next(iter(hashers.values()), None), X, random_state)
    if labelled is not None:
        split, shares = (database, queries), check_shares(labelled)
        return RetrievalReport(
            rows_by_share(asked, X, y, split, unseen, shares, max_queries, random_state)
        )
    new = queries[unseen[queries]][:max_queries]
    protocol: dict[str, Any] = dict(random_state=random_state)
    for name, hasher in asked.items():
        train = database[~unseen[database]]
        fitted = clone(hasher).fit(X[train], y[train])
        found, kept = unpacked(fitted, X[queries], None), unpacked(fitted, X[database], None)

        def retrieval(
            wanted: np.ndarray, y: np.ndarray, found: np.ndarray = found, kept: np.ndarray = kept
        ) -> float:
            asked_for = np.flatnonzero(wanted[queries])[:max_queries]
            known = wanted[database]
            relevance = y[queries][asked_for], kept[known], y[database][known]
            return mean_average_precision(found[asked_for], *relevance)

        rows.append(
            dict(
                hasher=name,
                bits=found.shape[1],
                seen_map=retrieval(~unseen, y),
                unseen_map=retrieval(unseen, new_y),
                one_shot=one_shot_accuracy(fitted, X[new], new_y[new], **protocol),
                transfer=transfer_accuracy(fitted, X[new], new_y[new], **protocol),
            )
        )
    return RetrievalReport(rows)
