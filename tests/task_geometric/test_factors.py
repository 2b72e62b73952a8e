import numpy as np
import pytest
from scipy import sparse

from sktgsh.task_geometric.learning import ridge
from sktgsh.task_geometric.learning.factors import N_PROBES, GramFactors, search
from sktgsh.task_geometric.learning.ridge import CentredProblem
from sktgsh.task_geometric.learning.statistics import RidgeStatistics

UNITS, N_ROWS, N_CLASSES, N_BITS = 40, 400, 6, 12
ALPHAS = np.array([1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0])


def problem_of(n_rows=N_ROWS, n_dead=0):
    rng = np.random.default_rng(0)
    labels = rng.integers(N_CLASSES, size=n_rows)
    centres = rng.normal(size=(N_CLASSES, UNITS))
    hidden = np.maximum(centres[labels] + 2 * rng.normal(size=(n_rows, UNITS)), 0)
    hidden[:, :n_dead] = 0
    statistics = RidgeStatistics(1, UNITS)
    units = np.column_stack([hidden, np.ones(n_rows)]).astype(np.float32)[None]
    statistics.add(units, sparse.csr_array(np.eye(N_CLASSES)[labels]), list(range(N_CLASSES)))
    return CentredProblem(statistics)


@pytest.fixture
def factored(monkeypatch):
    monkeypatch.setattr(ridge, "_WIDE", UNITS - 1)


def targets(problem):
    words = np.random.default_rng(1).choice([-1, 1], size=(N_CLASSES, N_BITS))
    return problem.targets(words, np.arange(N_BITS), np.arange(0))


def both(monkeypatch, **given):
    """The same problem by eigenvectors and by factors."""
    plain = problem_of(**given)
    assert plain.factors is None
    monkeypatch.setattr(ridge, "_WIDE", UNITS - 1)
    tall = problem_of(**given)
    assert tall.factors is not None
    return plain, tall


def test_errors_are_those_of_the_eigenvectors(monkeypatch):
    plain, tall = both(monkeypatch)
    # The unit vectors give the trace itself.
    monkeypatch.setattr(GramFactors, "probes", np.sqrt(UNITS) * np.eye(UNITS))
    right, _, squares = targets(plain)
    expected = plain.generalised_cross_validation(right, squares, ALPHAS)
    found = tall.generalised_cross_validation(right, squares, ALPHAS)
    tried = np.isfinite(found)
    assert tried.any(axis=1).all()
    np.testing.assert_allclose(found[tried], expected[tried], rtol=1e-5)
    np.testing.assert_array_equal(found.argmin(axis=1), expected.argmin(axis=1))


def test_random_probes_choose_the_same_penalties(monkeypatch):
    plain, tall = both(monkeypatch)
    right, _, squares = targets(plain)
    expected, found = (
        problem.generalised_cross_validation(right, squares, ALPHAS) for problem in (plain, tall)
    )
    np.testing.assert_array_equal(found.argmin(axis=1), expected.argmin(axis=1))
    best = expected.argmin(axis=1)[:, None]
    errors = [np.take_along_axis(part, best, 1) for part in (found, expected)]
    np.testing.assert_allclose(*errors, rtol=0.02)


def test_order_and_repetitions_of_penalties_do_not_matter(factored):
    problem = problem_of()
    right, _, squares = targets(problem)
    alphas = np.array([1.0, 1e-3, 1.0, 10.0, 0.1, 1e-2])
    found = problem.generalised_cross_validation(right, squares, alphas)
    expected = problem.generalised_cross_validation(right, squares, np.unique(alphas))
    best = np.unique(alphas)[expected.argmin(axis=1)]
    np.testing.assert_array_equal(alphas[found.argmin(axis=1)], best)


def test_solutions_are_those_of_the_eigenvectors(monkeypatch):
    plain, tall = both(monkeypatch)
    right, sums, _ = targets(plain)
    alphas = np.resize(ALPHAS, N_BITS)
    for found, expected in zip(tall.solve(right, sums, alphas), plain.solve(right, sums, alphas)):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_explained_and_inner_products_are_those_of_the_eigenvectors(monkeypatch):
    plain, tall = both(monkeypatch)
    classes = np.arange(N_CLASSES)
    found, expected = (one.explained(np.arange(N_BITS), 0.1, classes) for one in (tall, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    weights = list(np.random.default_rng(2).normal(size=(3, 4, UNITS)))
    np.testing.assert_allclose(tall.inner(weights), plain.inner(weights), rtol=1e-4)


def test_units_without_variance_and_no_penalty(factored):
    problem = problem_of(n_dead=3)
    right, sums, squares = targets(problem)
    errors = problem.generalised_cross_validation(right, squares, np.array([0.0, 0.1]))
    assert np.isinf(errors[:, 0]).all() and np.isfinite(errors[:, 1]).all()
    weights, _ = problem.solve(right, sums, np.zeros(N_BITS))
    np.testing.assert_allclose(weights[:, :3], 0, atol=1e-5)
    assert np.isfinite(weights).all()


def test_freedom_is_an_estimate_of_the_trace_of_the_hat_matrix():
    gram, nothing = problem_of().gram[0], np.zeros((1, UNITS))
    judge = GramFactors(gram).judge(nothing, np.zeros(1))
    for penalty in (1e-9, 0.3, 50.0):
        inverse = np.linalg.inv(gram + penalty * np.eye(UNITS))
        beside = inverse - np.diag(inverse.diagonal())
        deviation = penalty * np.sqrt(2 * (beside**2).sum() / N_PROBES)
        expected = UNITS - penalty * inverse.trace()
        assert judge(penalty)[1] == pytest.approx(expected, abs=4 * deviation + 1e-3 * UNITS)


def test_more_freedom_is_left_by_each_larger_penalty():
    judge = GramFactors(problem_of().gram[0]).judge(np.zeros((1, UNITS)), np.zeros(1))
    used = [judge(penalty)[1] for penalty in (0.1, 0.3, 1.0, 3.0, 10.0)]
    assert used == sorted(used, reverse=True)


@pytest.mark.parametrize("first", [0.0, 3.0, 99.0])
def test_search_finds_the_lowest_point_of_each_bit(first):
    penalties, lowest = np.arange(10.0), np.array([2, 7, 7])
    tried = []

    def error(penalty):
        tried.append(penalty)
        return np.abs(penalty - lowest)

    found = search(error, penalties, first)
    np.testing.assert_array_equal(found.argmin(axis=1), lowest)
    assert len(tried) == len(set(tried)) == np.isfinite(found[0]).sum()


def test_search_passes_penalties_that_leave_no_freedom():
    penalties = np.arange(6.0)
    found = search(lambda p: np.array([np.inf if p < 4 else p]), penalties, 1.0)
    assert found.argmin(axis=1) == [4]
