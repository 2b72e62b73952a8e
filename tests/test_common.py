"""The contract of a hasher, held against every public estimator."""

import pickle

import numpy as np
import pytest
from estimators import CHOOSERS, HASHERS, INDEXES, TRANSFORMERS, name
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

import sktgsh
from sktgsh.codes import pack_codes
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
CHECKED = [*BOUNDED, GRADIENTS, *CHOOSERS, *INDEXES, *TRANSFORMERS]


def expected_failures(estimator):
    names = ("complex_data", "dtype_object", "estimators_empty_data_messages")
    if isinstance(estimator, sktgsh.FeaturesOnly):
        reason = "the task column may hold anything, and the others are the transformer's to check"
        # The check puts its NaN into the first column, which is the task's here.
        return {f"check_{name}": reason for name in (*names, "estimators_nan_inf")}
    if isinstance(estimator, RescoredNeighbors):
        reason = "rows may stay in a file: they are refused in words of the index's own"
        return {f"check_{name}": reason for name in names}
    if not isinstance(getattr(estimator, "solver", None), sktgsh.GradientSolver):
        return {}
    # As for scikit-learn's own SGD estimators: batches of gradient steps hold rows, and a row of
    # weight 2 is in one batch where the same row twice may be in two.
    reason = "gradient steps over shuffled batches: a weight is a repetition on average only"
    kinds = ("dense", "sparse")
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in kinds}


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
def test_codes_are_bits(hasher, digits):
    codes = clone(hasher).fit(*digits).transform(digits[0])
    assert codes.dtype == np.uint8
    assert codes.shape == (300, hasher.n_bits)
    assert set(np.unique(codes)) == {0, 1}


@each_hasher
def test_packed_codes_are_packbits(hasher, digits):
    codes = clone(hasher).fit_transform(*digits)
    packed = clone(hasher).set_params(packed=True).fit_transform(*digits)
    np.testing.assert_array_equal(packed, pack_codes(codes))


@each_hasher
def test_code_depends_on_its_row_alone(hasher, digits):
    X, y = digits
    fitted = clone(hasher).fit(X, y)
    codes = fitted.transform(X)
    np.testing.assert_array_equal(codes[::-1], fitted.transform(X[::-1]))
    np.testing.assert_array_equal(
        codes[:7], np.vstack([fitted.transform(X[i : i + 1]) for i in range(7)])
    )
    with threadpool_limits(1):
        np.testing.assert_array_equal(codes, fitted.transform(X))


@each_hasher
def test_repeatable_and_pickles(hasher, digits):
    X, y = digits
    fitted = clone(hasher).fit(X, y)
    codes = fitted.transform(X)
    np.testing.assert_array_equal(codes, clone(hasher).fit(X, y).transform(X))
    np.testing.assert_array_equal(codes, pickle.loads(pickle.dumps(fitted)).transform(X))
    if "random_state" in hasher.get_params():
        assert (codes != clone(hasher).set_params(random_state=1).fit(X, y).transform(X)).any()


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
def test_sparse_input(hasher, digits):
    X, y = digits
    if not hasher.__sklearn_tags__().input_tags.sparse:
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            clone(hasher).fit(sparse.csr_array(X), y)
        return
    fitted = clone(hasher).fit(X, y)
    agree = fitted.transform(sparse.csr_array(X)) == fitted.transform(X)
    assert agree.mean() > 0.999  # sums run in another order


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
