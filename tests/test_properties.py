"""The contract of a hasher under whatever hypothesis thinks of."""

import numpy as np
import pytest
from bad_inputs import SUBJECTS
from bad_inputs.harness import X, Y, quietly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sktgsh import TaskGeometricHasher

FEW = settings(
    derandomize=True,
    max_examples=12,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TYPES = ["float64", "float32", "int64", "uint8", ">f8"]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@FEW
@given(
    rows=st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=300),
    dtype=st.sampled_from(TYPES),
    order=st.sampled_from("CF"),
    threads=st.integers(1, 3),
)
def test_a_code_depends_on_its_row_alone(subject, rows, dtype, order, threads):
    with threadpool_limits(threads):
        codes = subject.fitted().transform(np.asarray(X[rows], dtype, order=order))
    np.testing.assert_array_equal(codes, subject.codes[rows])


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@settings(FEW, max_examples=4)
@given(
    seed=st.integers(0, 2**32 - 1),
    packed=st.booleans(),
    rows=st.permutations(range(len(X))),
    dtype=st.sampled_from(TYPES),
)
def test_shape_type_and_repeatability(subject, seed, packed, rows, dtype):
    parameters = {"random_state": seed} if "random_state" in subject.estimator.get_params() else {}
    if subject.is_hasher:
        parameters["packed"] = packed
    samples, labels = X[rows].astype(dtype), Y[rows]
    one, other = (
        quietly(lambda: clone(subject.estimator).set_params(**parameters).fit(samples, labels))
        for _ in range(2)
    )
    codes = one.transform(samples)
    np.testing.assert_array_equal(codes, other.transform(samples))
    assert codes.shape == (len(X), len(one.get_feature_names_out()))
    if subject.is_hasher:
        assert codes.dtype == np.uint8 and codes.max() <= (255 if packed else 1)
        assert one.n_bits_ == subject.codes.shape[1] or subject.name == "TaskGeometricHasherCV"
        assert 0 <= one.score(samples, labels) <= 1


# -- labels that are missing -----------------------------------------------------------------------


@settings(FEW, max_examples=8)
@given(
    kind=st.sampled_from(["no label", "one a class", "some", "all"]),
    seed=st.integers(0, 2**16),
    rows=st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=60),
)
def test_whatever_labels_are_missing(kind, seed, rows):
    rng = np.random.default_rng(seed)
    order, partial = rng.permutation(len(X)), np.full(len(Y), -1)
    first = [order[np.flatnonzero(Y[order] == label)[0]] for label in np.unique(Y)]
    shown = {"no label": [], "one a class": first, "some": order[:20], "all": order}[kind]
    partial[shown] = Y[shown]
    hasher = TaskGeometricHasher(8, n_hidden=32, missing_label=-1, random_state=seed)
    codes = clone(hasher).fit(X, partial).transform(X)
    np.testing.assert_array_equal(clone(hasher).fit(X, partial).transform(X), codes)
    fitted = clone(hasher).fit_batches([(X, partial)])
    np.testing.assert_array_equal(fitted.transform(X[rows]), codes[rows])
    if kind == "all":
        complete = clone(hasher).set_params(missing_label=None).fit(X, Y)
        np.testing.assert_array_equal(complete.transform(X), codes)
