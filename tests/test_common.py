"""The contract of a hasher, held against every public estimator."""

import numpy as np
import pytest
from estimators import CHOOSERS, HASHERS, INDEXES, TRANSFORMERS, name
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

import sktgsh
from sktgsh.neighbors import RescoredNeighbors

GRADIENTS = sktgsh.TaskGeometricHasher(
    n_bits=8,
    n_hidden=64,
    solver=sktgsh.GradientSolver(start="random", max_epochs=2),
    random_state=0,
)
# The checks transform rows that were not in fit, and a key that is longer than all those is an
# error of the asymmetric hashers unless a bound on norms is given.
BOUNDED = [
    clone(hasher).set_params(max_norm=1e3) if hasattr(hasher, "max_norm") else hasher
    for hasher in HASHERS
]
# Data of the checks have as few as two features, and so two principal axes.
BOUNDED = [
    clone(hasher).set_params(n_bits=2)
    if isinstance(hasher, (sktgsh.ITQHasher, sktgsh.PCAHasher))
    else hasher
    for hasher in BOUNDED
]
FIXED_PENALTY = sktgsh.TaskGeometricHasher(n_bits=8, n_hidden=96, alpha=0.1, random_state=0)
CHECKED = [*BOUNDED, GRADIENTS, FIXED_PENALTY, *CHOOSERS, *INDEXES, *TRANSFORMERS]


def expected_failures(estimator):
    names = ("complex_data", "dtype_object", "estimators_empty_data_messages")
    if isinstance(estimator, sktgsh.FeaturesOnly):
        reason = "the task column may hold anything, and the others are the transformer's to check"
        # The check puts its NaN into the first column, which is the task's here.
        return {f"check_{name}": reason for name in (*names, "estimators_nan_inf")}
    if isinstance(estimator, RescoredNeighbors):
        reason = "rows may stay in a file: they are refused in words of the index's own"
        return {f"check_{name}": reason for name in names}
    equivalence = [
        f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")
    ]
    if getattr(estimator, "solver", None) == "ridge" and np.ndim(estimator.alpha):
        reason = (
            "cross-validation counts rows by Kish's effective number, so that only ratios of "
            "weights matter: a row of weight 2 is one row there, and the penalty may differ"
        )
        return dict.fromkeys(equivalence, reason)
    if not isinstance(getattr(estimator, "solver", None), sktgsh.GradientSolver):
        return {}
    # As for scikit-learn's own SGD estimators: batches of gradient steps hold rows, and a row of
    # weight 2 is in one batch where the same row twice may be in two.
    reason = "gradient steps over shuffled batches: a weight is a repetition on average only"
    return dict.fromkeys(equivalence, reason)


@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300], y[:300]


def each_hasher(function):
    return pytest.mark.parametrize("hasher", HASHERS, ids=name)(function)


@each_hasher
def test_feature_names_and_pandas(hasher, digits):
    fitted = clone(hasher).set_output(transform="pandas").fit(*digits)
    frame = fitted.transform(digits[0])
    prefix = type(hasher).__name__.lower()
    assert list(frame.columns[:2]) == [f"{prefix}0", f"{prefix}1"]
    assert len(fitted.get_feature_names_out()) == hasher.n_bits


@each_hasher
def test_score_is_retrieval(hasher, digits):
    X, y = digits
    fitted = clone(hasher).fit(X, y)
    assert 0.1 < fitted.score(X, y) <= 1
    # Rows that do not count as queries do not change the figure of those that do.
    weight = np.zeros(len(y))
    weight[:50] = 2.0
    once = fitted.score(X, y, sample_weight=weight)
    assert once == pytest.approx(fitted.score(X, y, sample_weight=weight / 2))


@each_hasher
def test_wrong_width(hasher, digits):
    fitted = clone(hasher).fit(*digits)
    with pytest.raises(ValueError, match="63 features"):
        fitted.transform(digits[0][:, 1:])


@each_hasher
@pytest.mark.parametrize("value", [0, -3, 2.5])
def test_n_bits_is_checked(hasher, digits, value):
    with pytest.raises(ValueError, match="n_bits"):
        clone(hasher).set_params(n_bits=value).fit(*digits)


@each_hasher
@pytest.mark.parametrize(
    "texts", [["a text", "another"] * 5, np.array([["Rome", 1.0], ["Oslo", 2.0]] * 5, dtype=object)]
)
def test_texts_get_a_word_of_embeddings_and_task_columns(hasher, texts):
    with pytest.raises(ValueError, match=r"(?s)holds texts.*embedding.*task_column"):
        clone(hasher).fit(texts, [0, 1] * 5)
