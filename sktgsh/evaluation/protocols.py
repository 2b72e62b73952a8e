"""Protocols: one-shot, transfer, across tasks, the manifold's identifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils import check_random_state

from .._sklearn import num_samples
from ..base import codes_of
from ..codes import hamming_distances
from ..metrics import mean_average_precision
from ..targets import check_targets
from ..tasks import check_task, iter_tasks


def unpacked(hasher: Any, X: Any, task: Any) -> np.ndarray:
    """Codes of rows as 0 and 1; without a hasher, the rows are codes."""
    if hasher is None:
        return np.asarray(X)
    return codes_of(hasher, X, task)


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
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Their class labels, or an indicator of labels. The example of a label is then any row that
        has it, and an answer is right if it is one of the row's labels; rows without do not count.
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

    See Also
    --------
    sktgsh.evaluation.transfer_accuracy : New classes from a few rows each, by a linear model.
    sktgsh.evaluation.retrieval_report : Several hashers side by side.

    Examples
    --------
    >>> from sktgsh.evaluation import one_shot_accuracy
    >>> one_shot_accuracy(None, [[0, 0], [0, 0], [1, 1], [1, 1]], [0, 0, 1, 1])
    1.0
    """
    codes = unpacked(hasher, X, task)
    member = _membership(check_targets(y, len(codes)))
    labelled = np.flatnonzero(member.any(axis=1))
    rng, found = check_random_state(random_state), []
    for _ in range(n_repeats):
        support = np.array([rng.choice(np.flatnonzero(rows)) for rows in member.T])
        others = np.setdiff1d(labelled, support)
        if not len(others):
            raise ValueError("every class has a single row; at least one needs another to classify")
        distances = hamming_distances(codes[others], codes[support])
        nearest = distances == distances.min(axis=1, keepdims=True)
        share = (nearest & member[others]).sum(axis=1) / nearest.sum(axis=1)
        found.append(share.mean())
    return float(np.mean(found))


def _membership(y: np.ndarray) -> np.ndarray:
    """Mask of rows by class, (n_samples, n_classes); classes that no row has are left out."""
    if y.ndim == 1:
        return y[:, None] == np.unique(y)
    return y[:, y.any(axis=0)] > 0


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
        Mean over the repeats, on the other rows. For an indicator, the share of rows whose
        likeliest label (one against the rest) is one of theirs; rows without do not count.

    See Also
    --------
    sktgsh.evaluation.one_shot_accuracy : New classes from one row each.
    sktgsh.evaluation.retrieval_report : Several hashers side by side.

    Examples
    --------
    >>> from sktgsh.evaluation import transfer_accuracy
    >>> codes, y = [[0, 0], [0, 0], [1, 1], [1, 1]], [0, 0, 1, 1]
    >>> transfer_accuracy(None, codes, y, n_labelled=1, random_state=0)
    1.0
    """
    codes = unpacked(hasher, X, task)
    y = check_targets(y, len(codes))
    member = _membership(y)
    if member.shape[1] < 2:
        raise ValueError("y has rows of a single class; there is nothing to tell apart")
    rng, found = check_random_state(random_state), []
    for _ in range(n_repeats):
        order = rng.permutation(np.flatnonzero(member.any(axis=1)))
        chosen = [order[rows][:n_labelled] for rows in member[order].T]
        labelled = np.unique(np.concatenate(chosen))
        others = np.setdiff1d(order, labelled)
        if not len(others):
            raise ValueError(f"n_labelled={n_labelled} leaves no row to classify")
        model = LogisticRegression(max_iter=500)
        if y.ndim == 1:
            answer = model.fit(codes[labelled], member[labelled].argmax(axis=1)).predict
            answers = answer(codes[others])
        else:
            each = OneVsRestClassifier(model).fit(codes[labelled], member[labelled])
            answers = each.decision_function(codes[others]).argmax(axis=1)
        found.append(member[others, answers].mean())
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

    See Also
    --------
    sktgsh.metrics.mean_average_precision : The figure of merit.

    Examples
    --------
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.datasets import load_digits_tasks
    >>> from sktgsh.evaluation import cross_task_retrieval
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> hasher = TaskGeometricHasher(n_bits=16, n_hidden=64, random_state=0)
    >>> hasher = hasher.fit(X, y, task=task)
    >>> tasks, scores = cross_task_retrieval(hasher, X, y, task=task)
    >>> tasks.tolist(), scores.shape
    ([0, 180], (2, 2))
    """
    labels = check_task(task, num_samples(X))
    y = check_targets(y, len(labels))
    codes = unpacked(hasher, X, labels)
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
    """Predict the identifier gamma of a manifold from representations of its samples.

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

    See Also
    --------
    sktgsh.datasets.make_manifolds : Manifolds with identifiers.
    sktgsh.metrics.geometric_sensitivity : How far manifolds lie apart.

    References
    ----------
    N. Dikkala, G. Kaplun and R. Panigrahy, arXiv 2103.06875, section 3 (recoverability).

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh.evaluation import identifier_recovery
    >>> gamma = np.linspace(-1, 1, 200)[:, None]
    >>> score = identifier_recovery(np.sin(gamma), gamma, np.arange(200), random_state=0)
    >>> score > 0.95
    True
    """
    r, gamma, manifold = map(np.asarray, (representation, gamma, manifold))
    rows = check_random_state(random_state).permutation(len(r))[:max_rows]
    model = KernelRidge(kernel="rbf", gamma=1.0, alpha=0.1)
    folds = GroupKFold(5)
    return float(
        cross_val_score(model, r[rows], gamma[rows], groups=manifold[rows], cv=folds).mean()
    )
