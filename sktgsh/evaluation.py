"""Evaluation that cannot be won by encoding a classifier's answer.

After Sablayrolles et al., "How should we evaluate supervised hashing?", arXiv 1609.06753: beside
retrieval on the classes trained on, always retrieval, one-shot classification and transfer on
classes never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from .base import HasherMixin
from .codebooks import extend_codebook
from .codes import hamming_distances, unpack_codes
from .metrics import mean_average_precision
from .tasks import check_task, iter_tasks


class ClassHoldOut:
    """Cross-validator that holds classes out: test rows are of classes never trained on.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits. Classes are dealt out so that each is held out once, where
        ``n_splits * n_held_out`` is the number of classes; else at random.
    n_held_out : int, optional
        Classes that a split holds out; by default the number of classes by `n_splits`, at least 2:
        with a single class there would be nothing to tell apart.
    random_state : int, RandomState instance or None, default=None
        Of the order of classes.

    Examples
    --------
    >>> from sktgsh.evaluation import ClassHoldOut
    >>> y = [0, 0, 1, 1, 2, 2, 3, 3]
    >>> for train, test in ClassHoldOut(n_splits=2, random_state=0).split(y, y):
    ...     print(train, test)
    [0 1 2 3] [4 5 6 7]
    [4 5 6 7] [0 1 2 3]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        n_held_out: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_splits = n_splits
        self.n_held_out = n_held_out
        self.random_state = random_state

    def split(
        self, X: Any, y: ArrayLike, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, test) rows.

        Parameters
        ----------
        X : ignored
        y : array-like of shape (n_samples,)
            Class labels.
        groups : ignored

        Raises
        ------
        ValueError
            If fewer than two classes would be left to train on or to test with.
        """
        y = np.asarray(y)
        classes = check_random_state(self.random_state).permutation(np.unique(y))
        n_held_out = self.n_held_out or max(2, len(classes) // self.n_splits)
        if n_held_out < 2 or len(classes) - n_held_out < 2:
            raise ValueError(
                f"n_held_out={n_held_out} of {len(classes)} classes; at least 2 must be held out, "
                "and at least 2 left"
            )
        for split in range(self.n_splits):
            held_out = np.take(classes, split * n_held_out + np.arange(n_held_out), mode="wrap")
            test = np.isin(y, held_out)
            yield np.flatnonzero(~test), np.flatnonzero(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits."""
        return self.n_splits


class ClassifierHasher(HasherMixin, BaseEstimator):
    """The trivial solution: the code of a row is a random codeword of its predicted class.

    Its mean average precision on the training classes is high, and it knows nothing else. A hasher
    that does not beat it on classes never seen has learned a classifier.

    Parameters
    ----------
    classifier : estimator, optional
        By default a logistic regression on standardised features.
    n_bits : int, default=32
        Length of a code.
    packed : bool, default=False
        Give eight bits in a byte.
    random_state : int, default=0
        Of the codewords.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh.evaluation import ClassifierHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> ClassifierHasher(n_bits=16).fit_transform(X, y).shape
    (1797, 16)
    """

    def __init__(
        self,
        classifier: Any = None,
        n_bits: int = 32,
        *,
        packed: bool = False,
        random_state: int = 0,
    ):
        self.classifier = classifier
        self.n_bits = n_bits
        self.packed = packed
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, task: Any = None) -> ClassifierHasher:
        """Fit the classifier, and draw a codeword for each class."""
        X, y = validate_data(self, X, y)
        classifier = self.classifier
        if classifier is None:
            classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        self.classifier_ = clone(classifier).fit(X, y)
        self.classes_ = np.unique(y)
        empty = np.empty((0, self.n_bits), np.int8)
        labels = self.classes_.tolist()
        self.codewords_ = extend_codebook(empty, [], labels, "random", self.random_state) > 0
        self.n_bits_ = int(self.n_bits)
        return self

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Codewords of the predicted classes, (n_samples, n_bits)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        index = np.searchsorted(self.classes_, self.classifier_.predict(X))
        bits = self.codewords_[index]
        return np.packbits(bits, axis=1) if self.packed else bits.astype(np.uint8)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _codes(hasher: Any, X: Any, task: Any) -> np.ndarray:
    codes = np.asarray(hasher.transform(X) if task is None else hasher.transform(X, task=task))
    return unpack_codes(codes, hasher.n_bits_) if getattr(hasher, "packed", False) else codes


def one_shot_accuracy(
    hasher: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    task: Any = None,
    n_repeats: int = 20,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Classify by the nearest code of one example a class.

    Parameters
    ----------
    hasher : estimator
        Fitted; or None, for codes that are given as X.
    X : array-like of shape (n_samples, n_features)
        Rows of classes that the hasher was not trained on.
    y : array-like of shape (n_samples,)
        Their labels.
    task : int, str or array-like of shape (n_samples,), optional
        Given to `transform`.
    n_repeats : int, default=20
        Random choices of the examples.
    random_state : int, RandomState instance or None, default=None
        Of these choices.

    Returns
    -------
    accuracy : float
        Mean over the repeats and the other rows. Among classes at the same distance, each counts
        by its share.

    Examples
    --------
    >>> from sktgsh.evaluation import one_shot_accuracy
    >>> one_shot_accuracy(None, [[0, 0], [0, 0], [1, 1], [1, 1]], [0, 0, 1, 1])
    1.0
    """
    codes = np.asarray(X) if hasher is None else _codes(hasher, X, task)
    classes, index = np.unique(y, return_inverse=True)
    rng, found = check_random_state(random_state), []
    for _ in range(n_repeats):
        support = np.array([rng.choice(np.flatnonzero(index == c)) for c in range(len(classes))])
        others = np.setdiff1d(np.arange(len(codes)), support)
        if not len(others):
            raise ValueError("every class has a single row; at least one needs another to classify")
        distances = hamming_distances(codes[others], codes[support])
        nearest = distances == distances.min(axis=1, keepdims=True)
        share = nearest[np.arange(len(others)), index[others]] / nearest.sum(axis=1)
        found.append(share.mean())
    return float(np.mean(found))


def transfer_accuracy(
    hasher: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    task: Any = None,
    n_labelled: int = 10,
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Accuracy of a linear model on the codes of new classes, from few labelled rows of each.

    Parameters
    ----------
    hasher, X, y, task, n_repeats, random_state
        As in :func:`one_shot_accuracy`.
    n_labelled : int, default=10
        Labelled rows of each class.

    Returns
    -------
    accuracy : float
        Mean over the repeats, on the other rows.
    """
    codes, y = _codes(hasher, X, task), np.asarray(y)
    rng, found = check_random_state(random_state), []
    for _ in range(n_repeats):
        order = rng.permutation(len(y))
        labelled = np.concatenate([order[y[order] == label][:n_labelled] for label in np.unique(y)])
        others = np.setdiff1d(order, labelled)
        if not len(others):
            raise ValueError(f"n_labelled={n_labelled} leaves no row to classify")
        model = LogisticRegression(max_iter=500).fit(codes[labelled], y[labelled])
        found.append(model.score(codes[others], y[others]))
    return float(np.mean(found))


def cross_task_retrieval(
    hasher: Any, X: ArrayLike, y: ArrayLike, *, task: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Mean average precision of queries in one task against the database of another.

    High away from the diagonal with a shared codebook; at chance with one for each task.

    Parameters
    ----------
    hasher : estimator
        Fitted on the tasks.
    X, y : array-like
        Rows and labels.
    task : array-like of shape (n_samples,)
        Task of each row.

    Returns
    -------
    tasks : ndarray of shape (n_tasks,)
        Task labels.
    scores : ndarray of shape (n_tasks, n_tasks)
        Row: task of the queries; column: task of the database. On the diagonal, each row against
        the others.
    """
    y, labels = np.asarray(y), check_task(task, _num_samples(X))
    codes = _codes(hasher, X, labels)
    groups = list(iter_tasks(labels))
    scores = np.empty((len(groups), len(groups)))
    for i, (_, queries) in enumerate(groups):
        for j, (_, database) in enumerate(groups):
            other = () if i == j else (codes[database], y[database])
            scores[i, j] = mean_average_precision(codes[queries], y[queries], *other)
    return np.array([label for label, _ in groups]), scores


def identifier_recovery(
    representation: ArrayLike,
    gamma: ArrayLike,
    manifold: ArrayLike,
    *,
    max_rows: int = 4000,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Can the identifier gamma of a manifold be read off the representation of its samples?

    A kernel regression is fitted on some manifolds and scored on others, in five folds.

    Parameters
    ----------
    representation : array-like of shape (n_samples, n_components)
        Representations, of norm about 1.
    gamma : array-like of shape (n_samples, dim_gamma)
        Identifier of each row's manifold.
    manifold : array-like of shape (n_samples,)
        Label of each row's manifold; those of a test fold are not trained on.
    max_rows : int, default=4000
        Rows that are looked at, chosen at random.
    random_state : int, RandomState instance or None, default=None
        Of the choice.

    Returns
    -------
    r2 : float
        Mean coefficient of determination on manifolds never seen.

    References
    ----------
    N. Dikkala, G. Kaplun and R. Panigrahy, arXiv 2103.06875, section 3 (recoverability).
    """
    r, gamma, manifold = map(np.asarray, (representation, gamma, manifold))
    rows = check_random_state(random_state).permutation(len(r))[:max_rows]
    model = KernelRidge(kernel="rbf", gamma=1.0, alpha=0.1)
    folds = GroupKFold(5)
    return float(
        cross_val_score(model, r[rows], gamma[rows], groups=manifold[rows], cv=folds).mean()
    )


@dataclass(frozen=True)
class RetrievalReport:
    """What :func:`retrieval_report` measured.

    Attributes
    ----------
    rows : list of dict
        One for each hasher: ``hasher``, ``bits``, ``seen_map``, ``unseen_map``, ``one_shot``,
        ``transfer``.
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


def retrieval_report(
    hashers: Mapping[str, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    unseen_classes: ArrayLike,
    test_size: float = 0.25,
    max_queries: int = 1000,
    random_state: int | None = 0,
) -> RetrievalReport:
    """Train hashers on some classes, and look at those and at the others.

    The trivial solution, :class:`ClassifierHasher`, is measured beside them.

    Parameters
    ----------
    hashers : mapping from name to estimator
        Unfitted; each is cloned.
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Class labels.
    unseen_classes : array-like
        Classes that are held out from training.
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

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
    >>> from sktgsh.evaluation import retrieval_report
    >>> X, y = load_digits(return_X_y=True)
    >>> report = retrieval_report(
    ...     {"ours": TaskGeometricHasher(structure_bits=0.5, random_state=0),
    ...      "random": SignedRandomProjectionHasher(random_state=0)}, X, y, unseen_classes=range(5))
    >>> [row["hasher"] for row in report.rows]
    ['ours', 'random', 'trivial']
    """
    X, y = np.asarray(X), np.asarray(y)
    unseen = np.isin(y, np.asarray(list(unseen_classes)))
    if not unseen.any() or unseen.all():
        raise ValueError("unseen_classes must hold some of the classes in y, and not all of them")
    database, queries = train_test_split(
        np.arange(len(y)), test_size=test_size, stratify=y, random_state=random_state
    )
    rows = []
    for name, hasher in {**hashers, "trivial": ClassifierHasher()}.items():
        train = database[~unseen[database]]
        fitted = clone(hasher).fit(X[train], y[train])
        codes = {
            part: _codes(fitted, X[part_rows], None)
            for part, part_rows in (("database", database), ("queries", queries))
        }

        def retrieval(wanted: np.ndarray, codes: dict = codes) -> float:
            chosen = np.flatnonzero(wanted[queries])[:max_queries]
            kept = wanted[database]
            return mean_average_precision(
                codes["queries"][chosen],
                y[queries][chosen],
                codes["database"][kept],
                y[database][kept],
            )

        new = queries[unseen[queries]][:max_queries]
        protocol = dict(random_state=random_state)
        rows.append(
            dict(
                hasher=name,
                bits=codes["queries"].shape[1],
                seen_map=retrieval(~unseen),
                unseen_map=retrieval(unseen),
                one_shot=one_shot_accuracy(fitted, X[new], y[new], **protocol),
                transfer=transfer_accuracy(fitted, X[new], y[new], **protocol),
            )
        )
    return RetrievalReport(rows)
