import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from sktgsh.task_geometric.learning.ridge import CentredProblem
from sktgsh.task_geometric.learning.statistics import RidgeStatistics

N_BITS, UNITS, N_ROWS = 3, 5, 60


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    hidden = np.maximum(rng.normal(size=(N_BITS, UNITS, N_ROWS)), 0).astype(np.float32)
    labels = rng.integers(0, 4, N_ROWS)
    weight = rng.uniform(0.5, 2, N_ROWS)
    codewords = rng.choice([-1, 1], size=(4, N_BITS))
    return hidden, labels, weight, codewords


def statistics_of(hidden, labels, weight, rows=slice(None), known=None):
    found = known or RidgeStatistics(N_BITS, UNITS)
    ones = np.ones((N_BITS, 1, hidden.shape[2]), np.float32)
    units = np.concatenate([hidden, ones], axis=1)[:, :, rows].transpose(0, 2, 1)
    shares = sparse.csr_array(np.eye(4)[labels[rows]])
    found.add(units, shares, list(range(4)), None if weight is None else weight[rows])
    return found


def solve(statistics, codewords, alphas):
    centred = CentredProblem(statistics)
    right, sums, squares = centred.targets(
        codewords[centred.classes], np.arange(N_BITS), np.arange(0)
    )
    return (*centred.solve(right, sums, alphas), centred, right, squares)


@pytest.mark.parametrize("weighted", [False, True])
def test_is_ridge_regression_with_intercept(problem, weighted):
    hidden, labels, weight, codewords = problem
    weight = weight if weighted else None
    weights, bias, centred, *_ = solve(
        statistics_of(hidden, labels, weight), codewords, np.full(N_BITS, 0.1)
    )
    for bit in range(N_BITS):
        model = Ridge(0.1 * centred.penalty_unit[bit])
        model.fit(hidden[bit].T, codewords[labels, bit], sample_weight=weight)
        np.testing.assert_allclose(weights[bit], model.coef_, rtol=1e-3, atol=1e-5)
        assert bias[bit] == pytest.approx(model.intercept_, abs=1e-4)


def test_chunks_in_any_order_add_up(problem):
    hidden, labels, weight, codewords = problem
    whole = statistics_of(hidden, labels, weight)
    parts = RidgeStatistics(N_BITS, UNITS)
    order = np.random.default_rng(1).permutation(N_ROWS)
    for rows in np.split(order, [7, 8, 30]):
        statistics_of(hidden, labels, weight, rows, parts)
    np.testing.assert_allclose(parts.gram.matrix, whole.gram.matrix, rtol=1e-5)
    alphas = np.full(N_BITS, 0.01)
    np.testing.assert_allclose(
        solve(parts, codewords, alphas)[0], solve(whole, codewords, alphas)[0], rtol=1e-3, atol=1e-5
    )


def test_generalised_cross_validation_is_its_definition(problem):
    hidden, labels, _, codewords = problem
    alphas = [1e-3, 0.1, 10.0]
    *_, centred, right, squares = solve(
        statistics_of(hidden, labels, None), codewords, np.full(N_BITS, 0.1)
    )
    found = centred.generalised_cross_validation(right, squares, alphas)
    for bit in range(N_BITS):
        H = hidden[bit].T.astype(float)
        H = H - H.mean(axis=0)
        target = codewords[labels, bit] - codewords[labels, bit].mean()
        for position, alpha in enumerate(alphas):
            penalty = alpha * centred.penalty_unit[bit] * np.eye(UNITS)
            hat = H @ np.linalg.solve(H.T @ H + penalty, H.T)
            residual = ((target - hat @ target) ** 2).sum()
            expected = N_ROWS * residual / (N_ROWS - 1 - np.trace(hat)) ** 2
            assert found[bit, position] == pytest.approx(expected, rel=1e-3)


def test_singular_problem_has_the_least_norm_solution(problem):
    hidden, labels, _, codewords = problem
    hidden = hidden.copy()
    hidden[:, 1] = hidden[:, 0]  # two equal units, and one that is constant
    hidden[:, 2] = 1.0
    weights, bias, *_ = solve(statistics_of(hidden, labels, None), codewords, np.zeros(N_BITS))
    assert np.isfinite(weights).all() and np.isfinite(bias).all()
    np.testing.assert_allclose(weights[:, 0], weights[:, 1], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(weights[:, 2], 0, atol=1e-5)


def test_explained_is_the_sum_of_squares_of_a_split(problem):
    hidden, labels, _, _ = problem
    centred = CentredProblem(statistics_of(hidden, labels, None))
    explained = centred.explained([0, 2], 1e-6, np.arange(4))
    order = np.array(centred.classes)
    split = np.array([1, -1, 1, 1])
    target = split[labels].astype(float)
    for position, bit in enumerate([0, 2]):
        model = Ridge(1e-6 * centred.penalty_unit[bit]).fit(hidden[bit].T, target)
        share = model.score(hidden[bit].T, target) * ((target - target.mean()) ** 2).sum()
        found = split[order] @ explained[position] @ split[order]
        assert found == pytest.approx(share, rel=1e-2)
