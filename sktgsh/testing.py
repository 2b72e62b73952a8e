"""Checks for hashers, of this package or of others': the contract, and what bad input must do.

scikit-learn's own ``check_estimator`` sees an estimator; :func:`check_hasher` sees a hasher.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from .codes import pack_codes

__all__ = ["check_hasher"]

# Sums over sparse rows run in another order: so many bits may differ by it.
_LEAST_AGREEMENT = 0.999


@dataclass
class _Subject:
    """A hasher that is checked, and what it was fitted on."""

    hasher: Any
    X: np.ndarray
    y: np.ndarray

    def fit(self, **params: Any) -> Any:
        """A fitted clone, with some parameters changed."""
        return clone(self.hasher).set_params(**params).fit(self.X, self.y)

    @cached_property
    def fitted(self) -> Any:
        """A fitted clone, which checks leave as it is."""
        return self.fit()

    @cached_property
    def codes(self) -> np.ndarray:
        """Codes of all rows."""
        return np.asarray(self.fitted.transform(self.X))


def check_hasher(hasher: Any, X: ArrayLike | None = None, y: ArrayLike | None = None) -> None:
    """Check that an estimator keeps the contract of a hasher.

    That is: ``fit(X, y)`` and ``transform(X)`` give arrays of 0 and 1, ``packed=True`` gives them
    in bytes; a code depends on its row and the fitted state alone; equal seeds give equal codes,
    clones and pickles too; output has names; ``score`` is a share; bad samples are errors that
    change nothing. Estimators of scikit-learn promise more, which its ``check_estimator`` looks at.

    Parameters
    ----------
    hasher : estimator
        Not fitted; it is cloned. Of random ones, `random_state` must be an int.
    X : array-like of shape (n_samples, n_features), optional
        Rows to try it on, at least 20, none of them constant; by default 120 handwritten digits.
    y : array-like of shape (n_samples,), optional
        Class labels of the rows.

    Raises
    ------
    AssertionError
        If a check fails; the message has a line for each that did.

    See Also
    --------
    sklearn.utils.estimator_checks.check_estimator : What every estimator of scikit-learn keeps.

    Examples
    --------
    >>> from sktgsh import SignedRandomProjectionHasher
    >>> from sktgsh.testing import check_hasher
    >>> check_hasher(SignedRandomProjectionHasher(16, random_state=0))
    """
    if X is None:
        X, y = (part[:120] for part in load_digits(return_X_y=True))
    samples = np.asarray(X, dtype=np.float64)
    labels = np.arange(len(samples)) % 2 if y is None else np.asarray(y)
    subject = _Subject(hasher, samples, labels)
    problems = []
    for check in _CHECKS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                check(subject)
            except Exception as error:
                name = check.__name__.removeprefix("_check_").replace("_", " ")
                problems.append(f"{name}: {error or type(error).__name__}")
    if problems:
        raise AssertionError(
            f"{type(hasher).__name__} does not keep the contract of a hasher:\n- "
            + "\n- ".join(problems)
        )


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _require_equal(found: Any, expected: np.ndarray, message: str) -> None:
    _require(np.array_equal(np.asarray(found), expected), message)


def _check_codes_are_bits(subject: _Subject) -> None:
    codes, n_bits = subject.codes, getattr(subject.fitted, "n_bits_", None)
    _require(n_bits is not None, "fit sets no n_bits_")
    shape = (len(subject.X), n_bits)
    _require(codes.shape == shape, f"codes have shape {codes.shape}; expected {shape}")
    _require(codes.dtype == np.uint8, f"codes have dtype {codes.dtype}; expected uint8")
    _require(set(np.unique(codes)) <= {0, 1}, "codes hold other values than 0 and 1")
    _require(len(np.unique(codes, axis=0)) > 1, "all rows have the same code")


def _check_packed(subject: _Subject) -> None:
    packed = subject.fit(packed=True).transform(subject.X)
    _require_equal(packed, pack_codes(subject.codes), "packed=True does not give pack_codes")


def _check_fit_transform(subject: _Subject) -> None:
    codes = clone(subject.hasher).fit_transform(subject.X, subject.y)
    _require_equal(codes, subject.codes, "fit_transform differs from fit and transform")
    hasher = clone(subject.hasher)
    _require(hasher.fit(subject.X, subject.y) is hasher, "fit does not return self")


def _check_a_code_depends_on_its_row_alone(subject: _Subject) -> None:
    transform, X, codes = subject.fitted.transform, subject.X, subject.codes
    _require_equal(transform(X[::-1]), codes[::-1], "codes depend on the order of rows")
    alone = np.vstack([transform(X[row : row + 1]) for row in range(7)])
    _require_equal(alone, codes[:7], "codes depend on the rows beside them")
    with threadpool_limits(1):
        _require_equal(transform(X), codes, "codes depend on the number of threads")


def _check_equal_seeds(subject: _Subject) -> None:
    _require_equal(subject.fit().transform(subject.X), subject.codes, "a second fit differs")
    if "random_state" in subject.hasher.get_params(deep=False):
        seeds = [subject.fit(random_state=seed).transform(subject.X) for seed in (101, 102)]
        _require(not np.array_equal(*seeds), "random_state changes nothing")


def _check_pickles(subject: _Subject) -> None:
    opened = pickle.loads(pickle.dumps(subject.fitted))
    _require_equal(opened.transform(subject.X), subject.codes, "a pickle gives other codes")


def _check_names_of_output(subject: _Subject) -> None:
    names = subject.fitted.get_feature_names_out()
    _require(len(names) == subject.codes.shape[1], f"{len(names)} names for the bits")
    prefix = type(subject.hasher).__name__.lower()
    _require(names[0] == f"{prefix}0", f"names begin with {names[0]!r}; expected {prefix}0")


def _check_score_is_a_share(subject: _Subject) -> None:
    score = subject.fitted.score
    share = score(subject.X, subject.y)
    _require(0 <= share <= 1, f"score is {share}")
    weight = np.zeros(len(subject.y))
    weight[: len(weight) // 2] = 2.0
    weighted = [
        subject.fitted.score(subject.X, subject.y, sample_weight=w) for w in (weight, weight / 2)
    ]
    _require(np.isclose(*weighted), "score depends on the sum of sample_weight")


def _check_sparse_rows(subject: _Subject) -> None:
    rows = sparse.csr_array(subject.X)
    if not get_tags(subject.hasher).input_tags.sparse:
        fit = clone(subject.hasher).fit
        _require_error("sparse rows", fit, rows, subject.y, kinds=(TypeError,))
        return
    agreement = np.mean(np.asarray(subject.fitted.transform(rows)) == subject.codes)
    _require(agreement >= _LEAST_AGREEMENT, f"{agreement:.1%} of the bits of sparse rows agree")


def _check_not_fitted(subject: _Subject) -> None:
    hasher = clone(subject.hasher)
    _require_error("transform before fit", hasher.transform, subject.X, kinds=(NotFittedError,))


def _require_error(
    what: str, call: Callable, *given: Any, kinds: tuple = (ValueError, TypeError)
) -> None:
    try:
        call(*given)
    except kinds:
        return
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    raise AssertionError(f"{what}: no error")


def _bad_samples(X: np.ndarray) -> dict[str, Any]:
    with_nan, with_infinity = X.copy(), X.copy()
    with_nan[3, 1], with_infinity[3, 1] = np.nan, np.inf
    return {
        "a column less": X[:, 1:],
        "NaN": with_nan,
        "infinity": with_infinity,
        "one dimension": X[0],
        "no rows": X[:0],
        "complex numbers": X + 1j,
        "texts": [["a"] * X.shape[1]] * len(X),
        "masked values": np.ma.masked_greater(X, np.median(X)),
    }


def _check_bad_samples_are_errors_that_change_nothing(subject: _Subject) -> None:
    problems = []
    for name, samples in _bad_samples(subject.X).items():
        fitted = pickle.loads(pickle.dumps(subject.fitted))
        try:
            _require_error(f"transform of {name}", fitted.transform, samples)
            if name != "a column less":
                _require_error(f"fit of {name}", fitted.fit, samples, subject.y)
            after = fitted.transform(subject.X)
            _require_equal(after, subject.codes, f"after an error on {name} codes are others")
        except AssertionError as error:
            problems.append(str(error))
    _require(not problems, "; ".join(problems))


_CHECKS = (
    _check_codes_are_bits,
    _check_packed,
    _check_fit_transform,
    _check_a_code_depends_on_its_row_alone,
    _check_equal_seeds,
    _check_pickles,
    _check_names_of_output,
    _check_score_is_a_share,
    _check_sparse_rows,
    _check_not_fitted,
    _check_bad_samples_are_errors_that_change_nothing,
)
