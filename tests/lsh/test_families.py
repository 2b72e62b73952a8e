import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from sktgsh import (
    DenseFlyHasher,
    FlyHasher,
    PStableHasher,
    SignedRandomProjectionHasher,
    SparseProjectionHasher,
)
from sktgsh.batches import BATCH_ROWS

N_PAIRS, N_FEATURES = 300, 60


def normal_pairs(angle, rng):
    """Pairs of rows whose coordinates are jointly normal, with correlation cos(angle)."""
    x, noise = rng.normal(size=(2, N_PAIRS, N_FEATURES))
    return x, np.cos(angle) * x + np.sin(angle) * noise


def assert_within_standard_errors(agree, expected, most=4):
    """Compare a rate with a probability, by the spread of the rate between pairs of rows."""
    rates = agree.mean(axis=1)
    error = max(rates.std(ddof=1), np.sqrt(expected * (1 - expected) / agree.shape[1])) / np.sqrt(
        len(rates)
    )
    assert abs(rates.mean() - expected) <= most * error + 1e-12


@pytest.mark.parametrize("angle", [0.0, 0.2, 0.7, 1.2, np.pi / 2, 2.2, np.pi])
@pytest.mark.parametrize(
    "hasher",
    [
        SignedRandomProjectionHasher(256),
        SparseProjectionHasher(128, n_tables=2, n_inputs=8),
        DenseFlyHasher(256),
    ],
    ids=lambda h: type(h).__name__,
)
def test_sign_families_collide_by_angle(hasher, angle):
    rng = np.random.default_rng(int(100 * angle))
    agree = []
    for seed in range(4):  # projections are random too, not the rows alone
        x, other = normal_pairs(angle, rng)
        fitted = hasher.set_params(random_state=seed).fit(x)
        agree.append(fitted.transform(x) == fitted.transform(other))
    assert_within_standard_errors(np.concatenate(agree), float(hasher.collision_probability(angle)))


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0, 4.0, 9.0])
def test_p_stable_values_and_parities_collide_by_distance(distance):
    rng = np.random.default_rng(0)
    values, bits = [], []
    for seed in range(4):
        x, step = rng.normal(size=(2, N_PAIRS, 30))
        other = x + distance * step / np.linalg.norm(step, axis=1, keepdims=True)
        fitted = PStableHasher(200, r=2.5, random_state=seed).fit(x)
        values.append(fitted.hash_values(x) == fitted.hash_values(other))
        bits.append(fitted.transform(x) == fitted.transform(other))
    assert_within_standard_errors(
        np.concatenate(values), float(fitted.collision_probability(distance))
    )
    assert_within_standard_errors(
        np.concatenate(bits), float(fitted.bit_collision_probability(distance))
    )


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.8, 1.3, np.pi / 2, 2.5])
def test_fly_winners_collide_by_angle(angle):
    rng = np.random.default_rng(1)
    rates = []
    for seed in range(4):
        x, other = normal_pairs(angle, rng)
        fitted = FlyHasher(4000, sparsity=0.05, n_inputs=10, random_state=seed).fit(x)
        both = (fitted.transform(x) & fitted.transform(other)).sum(axis=1)
        rates.append(both / fitted.n_active_)
    # The angle of the sample is random around that of the distribution: compare with its mean.
    expected = float(fitted.collision_probability(angle))
    rates = np.concatenate(rates)
    assert abs(rates.mean() - expected) <= 4 * rates.std(ddof=1) / np.sqrt(len(rates)) + 0.012


def test_fly_keeps_exactly_the_most_active():
    X = np.random.default_rng(0).normal(size=(50, 40))
    fitted = FlyHasher(200, sparsity=0.1, random_state=0).fit(X)
    codes = fitted.transform(X)
    assert (codes.sum(axis=1) == 20).all()
    values = X @ fitted.components_.toarray().T
    assert all(v[c == 1].min() >= v[c == 0].max() for v, c in zip(values, codes))
    ties = fitted.transform(np.ones((1, 40)))  # all units are equal: the first win
    assert ties[0, :20].all()


def test_sparse_projection_adds_and_subtracts_a_few():
    fitted = SparseProjectionHasher(22, n_tables=24, n_inputs=5, random_state=0).fit(np.eye(30))
    matrix = fitted.components_.toarray()
    assert matrix.shape == (528, 30) and ((matrix != 0).sum(axis=1) == 5).all()
    assert set(np.unique(matrix)) == {-1, 0, 1}
    X = np.random.default_rng(0).integers(-5, 5, (20, 30))
    np.testing.assert_array_equal(fitted.transform(X), X @ matrix.T >= 0)


def test_signs_are_those_of_the_projections():
    X = np.random.default_rng(0).normal(size=(20, 9))
    fitted = SignedRandomProjectionHasher(40, random_state=0).fit(X)
    np.testing.assert_array_equal(fitted.transform(X), X @ fitted.components_.T.astype(float) >= 0)
    short = SignedRandomProjectionHasher(12, random_state=0).fit(X)
    np.testing.assert_array_equal(fitted.transform(X)[:, :12], short.transform(X))


def test_pseudo_hashes_are_signs_of_group_sums():
    X = np.random.default_rng(0).normal(size=(20, 40))
    fitted = DenseFlyHasher(64, random_state=0).fit(X)
    values = X @ fitted.components_.toarray().T
    values -= X.mean(axis=1, keepdims=True) * 4
    expected = values.reshape(20, 8, 8).sum(axis=2) >= 0
    np.testing.assert_array_equal(fitted.pseudo_hashes(X, 8), expected)
    with pytest.raises(ValueError, match="n_keys=65"):
        fitted.pseudo_hashes(X, 65)


@pytest.mark.parametrize(
    "hasher",
    [
        SparseProjectionHasher(64, random_state=0),
        FlyHasher(64, n_inputs=20, random_state=0),
        DenseFlyHasher(8, random_state=0),
    ],
    ids=lambda hasher: type(hasher).__name__,
)
def test_sparse_rows_are_not_made_dense(hasher):
    """Beyond a batch of them, memory would have to hold 100 MB in float32."""
    rng, shape = np.random.default_rng(0), (200, 200_000)
    place = np.repeat(np.arange(200), 20), rng.integers(0, shape[1], 4000)
    X = sparse.csr_array((rng.normal(size=4000), place), shape)
    fitted = hasher.fit(X)
    tracemalloc.start()
    codes = fitted.transform(X)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    matrix = fitted.components_
    held = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    assert most < 20e6 + 2 * held < 0.5 * 4 * BATCH_ROWS * X.shape[1]
    rows = X[:20].toarray()
    assert (fitted.transform(rows) == codes[:20]).mean() > 0.99


@pytest.mark.parametrize("angle", [-0.1, 3.2])
def test_angles_are_checked(angle):
    for hasher in (SignedRandomProjectionHasher(), FlyHasher()):
        with pytest.raises(ValueError, match="angle"):
            hasher.collision_probability(angle)
    with pytest.raises(ValueError, match="distance"):
        PStableHasher().collision_probability(-1)


@pytest.mark.parametrize(
    "hasher",
    [
        SignedRandomProjectionHasher(64, random_state=0),
        SparseProjectionHasher(32, n_tables=2, random_state=0),
        PStableHasher(64, random_state=0),
        FlyHasher(64, random_state=0),
        FlyHasher(64, sparsity=1.0, random_state=0),
        DenseFlyHasher(64, random_state=0),
    ],
    ids=str,
)
def test_values_before_the_threshold(hasher):
    X = np.random.default_rng(0).normal(size=(200, 30))
    X[:20] = 0  # all units of the fly tie
    codes = hasher.fit(X).transform(X)
    for samples in (X, sparse.csr_array(X)):
        values = hasher.decision_function(samples)
        assert values.dtype == np.float32 and values.shape == codes.shape
        np.testing.assert_array_equal(values >= 0, hasher.transform(samples))
    packed = hasher.set_params(packed=True).fit(X)
    np.testing.assert_array_equal(packed.decision_function(X), hasher.decision_function(X))


def test_values_before_the_threshold_are_distances_from_it():
    X = np.random.default_rng(0).normal(size=(50, 30))
    signed = SignedRandomProjectionHasher(16, random_state=0).fit(X)
    np.testing.assert_allclose(
        signed.decision_function(X), X @ signed.components_.T, rtol=1e-4, atol=1e-5
    )
    stable = PStableHasher(16, random_state=0).fit(X)
    inside = X @ stable.components_.T + stable.offsets_
    sizes = np.abs(inside - np.rint(inside))
    np.testing.assert_allclose(np.abs(stable.decision_function(X)), sizes, atol=1e-5)
    values = np.sort(FlyHasher(64, sparsity=0.25, random_state=0).fit(X).decision_function(X))
    np.testing.assert_allclose(values[:, 48], -values[:, 47], atol=1e-5)  # half-way
