import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import sktgsh
from sktgsh import ITQHasher, PCAHasher, RidgeHasher, SignedRandomProjectionHasher
from sktgsh.metrics import mean_average_precision


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.25, random_state=0)


def quality(hasher, digits):
    X, Q, y, q = digits
    hasher.fit(X, y)
    return mean_average_precision(hasher.transform(Q), q, hasher.transform(X), y)


def test_order_of_the_rivals(digits):
    found = {
        type(hasher).__name__: quality(hasher, digits)
        for hasher in (
            SignedRandomProjectionHasher(random_state=0),
            PCAHasher(),
            ITQHasher(random_state=0),
            RidgeHasher(random_state=0),
        )
    }
    random, pca, itq, ridge = found.values()
    # Of many axes that count the same, the last hold little: random projections are better.
    assert ridge > itq > 1.3 * random and random > pca > 0.2


def test_pca_is_scikit_learns(digits):
    from sklearn.decomposition import PCA

    X = digits[0] + 1e4  # a common offset costs no digit
    values = PCA(16, svd_solver="full").fit(digits[0]).transform(digits[0])
    own = PCAHasher(16).fit(X).decision_function(X)
    np.testing.assert_allclose(np.abs(own), np.abs(values), atol=1e-3)
    np.testing.assert_array_equal(PCAHasher(4).fit_transform(X), (own > 0)[:, :4])


def test_itq_is_that_of_faiss(digits):
    import faiss

    X = np.ascontiguousarray(digits[0], np.float32)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    model = faiss.ITQTransform(64, 16, True)
    model.itq.seed = seed
    model.train(X)
    agree = (model.apply(X) > 0) == ITQHasher(16, random_state=0).fit_transform(X)
    assert agree.mean() > 0.999


def test_axes_without_variance_give_constant_bits():
    X = np.random.default_rng(0).normal(size=(50, 3)) @ np.ones((3, 6))
    codes = PCAHasher(4).fit_transform(X)
    assert set(codes[:, 0]) == {0, 1} and not codes[:, 1:].any()


@pytest.mark.parametrize("kind", [PCAHasher, ITQHasher])
def test_more_bits_than_axes_are_refused(kind, digits):
    with pytest.raises(ValueError, match=r"n_bits=65.*SignedRandomProjectionHasher"):
        kind(65).fit(digits[0])


def test_ridge_of_several_labels(digits):
    X, _, y, _ = digits
    labels = np.stack([y % 2 == 0, y > 4, y % 3 == 0], axis=1).astype(int)
    hasher = RidgeHasher(24, random_state=0).fit(X, labels)
    assert hasher.codebook_.shape == (3, 24) and set(hasher.codebook_.ravel()) == {-1, 1}
    assert hasher.score(X, labels) > 0.75 > PCAHasher(24).fit(X).score(X, labels)


def test_ridge_penalty_is_chosen_where_none_is_given(digits):
    X, _, y, _ = digits
    chosen = RidgeHasher(16, random_state=0).fit(X, y)
    given = RidgeHasher(16, alpha=chosen.alpha_, random_state=0).fit(X, y)
    np.testing.assert_array_equal(chosen.components_, given.components_)
    with pytest.raises(ValueError, match="one class only"):
        RidgeHasher().fit(X, np.zeros(len(X)))


@pytest.mark.parametrize(
    "hasher", [PCAHasher(8), ITQHasher(8, random_state=0), RidgeHasher(8, random_state=0)]
)
def test_saved_and_sparse(hasher, digits, tmp_path):
    X, Q, y, _ = digits
    hasher.fit(X, y)
    hasher.save(tmp_path / "hasher.safetensors")
    again = sktgsh.load(tmp_path / "hasher.safetensors")
    np.testing.assert_array_equal(again.transform(Q), hasher.transform(Q))
    np.testing.assert_array_equal(hasher.transform(sparse.csr_array(Q)), hasher.transform(Q))


@pytest.mark.parametrize(
    "hasher", [PCAHasher(64), ITQHasher(64, random_state=0), RidgeHasher(64, random_state=0)]
)
def test_any_number_of_threads_learns_the_same(hasher):
    X, y = load_digits(return_X_y=True)
    X = np.hstack([X, X[:, ::-1] ** 2, np.sqrt(X)])
    learned, before = set(), torch.get_num_threads()
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            with threadpool_limits(n_threads):
                values = hasher.fit(X, y).decision_function(X)
            learned.add(hasher.components_.tobytes() + values.tobytes())
    finally:
        torch.set_num_threads(before)
    assert len(learned) == 1
