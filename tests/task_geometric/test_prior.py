"""Tasks shrink towards what the other tasks have learned."""

import pickle

import numpy as np
import pytest
from learned_tasks import held_out_map, small
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from sktgsh.inspection import TaskGainDisplay, task_gains
from sktgsh.metrics import mean_average_precision
from sktgsh.persistence import load, save
from sktgsh.task_geometric.learning import together
from sktgsh.task_geometric.learning.prior import (
    Common,
    FirmSolution,
    Solution,
    TaskPrior,
    mixture,
)
from sktgsh.task_geometric.learning.ridge import CentredProblem
from sktgsh.task_geometric.learning.statistics import RidgeStatistics
from sktgsh.task_geometric.learning.together import Pool
from sktgsh.task_geometric.learning.towards import solve_towards

N_UNITS = 40


def statistics_of(H, y, n_blocks=1):
    blocks = np.stack([np.column_stack([H, np.ones(len(H))])] * n_blocks).astype(np.float32)
    statistics = RidgeStatistics(n_blocks, H.shape[1])
    classes = sorted(set(y.tolist()))
    shares = sparse.csr_array(np.equal.outer(y, classes).astype(float))
    statistics.add(blocks, shares, classes)
    return statistics


def rows(seed, n_rows=60):
    rng = np.random.default_rng(seed)
    H = np.maximum(rng.standard_normal((n_rows, N_UNITS)), 0).astype(np.float32)
    return H, rng.integers(3, size=n_rows)


# -- the algebra ---------------------------------------------------------------------------------


def test_ridge_towards_a_prior_is_that_of_the_definition():
    H, y = rows(0)
    words = np.random.default_rng(1).choice([-1.0, 1.0], (3, 5))
    problem = CentredProblem(statistics_of(H, y))
    targets = problem.targets(words, np.arange(5), np.arange(0))
    prior = TaskPrior(0.3 * np.random.default_rng(2).standard_normal((5, N_UNITS)), np.zeros(5), 1)
    solution, alpha, gain = solve_towards(problem, targets, np.array([0.5]), prior)
    centred, K = (part - part.mean(axis=0) for part in (H.astype(float), words[y]))
    penalty = 0.5 * problem.penalty_unit[0]
    gram = centred.T @ centred + penalty * np.eye(N_UNITS)
    own = np.linalg.solve(gram, centred.T @ K).T
    moved = prior.weights + np.linalg.solve(gram, centred.T @ (K - centred @ prior.weights.T)).T
    for bit in range(5):
        candidates = [own[bit], moved[bit], prior.weights[bit]]
        assert min(np.abs(solution.weights[bit] - c).max() for c in candidates) < 1e-5
    scores = H @ solution.weights.T + solution.intercepts
    np.testing.assert_allclose(scores.mean(axis=0), words[y].mean(axis=0), atol=1e-5)
    assert gain.error <= min(gain.own_error, gain.prior_error) and gain.n_bits == len(alpha)


@pytest.mark.parametrize("n_own", [3, 40], ids=["few rows", "many rows"])
@pytest.mark.parametrize("n_blocks", [1, 2])
def test_the_pool_leaves_out_a_task_exactly(n_own, n_blocks):
    tasks = [rows(seed, n_own if seed == 1 else 90) for seed in range(3)]
    parts = [statistics_of(*task, n_blocks) for task in tasks]
    pool = Pool(parts[0] + parts[1] + parts[2])
    found = pool.solution(parts[1])
    rest = CentredProblem(parts[0] + parts[2])
    expected = FirmSolution.of(rest, pool.penalties[0] / rest.penalty_unit[0])
    assert found.classes == expected.classes
    np.testing.assert_allclose(found.weights, expected.weights, atol=2e-4)
    np.testing.assert_allclose(found.intercepts, expected.intercepts, atol=2e-4)
    assert Pool(parts[1]).solution(parts[1]) is None


@pytest.mark.parametrize("noise", [0.0, 0.7, 1.0])
def test_the_penalty_of_the_pool_is_that_of_least_error(noise):
    """By generalised cross-validation, in NumPy; noisy classes need a firmer penalty."""
    H, y = rows(0, 400)
    rng = np.random.default_rng(1)
    by_units = (H @ rng.standard_normal((N_UNITS, 3))).argmax(axis=1)
    y = np.where(rng.random(400) < noise, y, by_units)
    alphas = (0.01, 0.1, 1.0, 10.0)
    problem = Pool(statistics_of(H, y)).problem
    centred, K = (part - part.mean(axis=0) for part in (H.astype(float), np.eye(3)[y]))
    errors = []
    for alpha in alphas:
        gram = centred.T @ centred + alpha * problem.penalty_unit[0] * np.eye(N_UNITS)
        hat = centred @ np.linalg.solve(gram, centred.T)
        errors.append(np.square(K - hat @ K).sum() / (399 - np.trace(hat)) ** 2)
    assert problem.best_alpha(alphas) == alphas[int(np.argmin(errors))]


@pytest.mark.parametrize("n_own", [3, 90], ids=["few rows", "many rows"])
def test_what_the_solution_of_all_rows_uses_is_the_trace_of_its_hat_matrix(monkeypatch, n_own):
    parts = [rows(seed, n_own if seed == 1 else 90) for seed in range(3)]
    pool = Pool(sum((statistics_of(*part) for part in parts[1:]), statistics_of(*parts[0])))
    everything = np.concatenate([part[0] for part in parts]).astype(float)
    everything -= everything.mean(axis=0)
    own = parts[1][0].astype(float)
    own -= own.mean(axis=0)
    damped = everything.T @ everything + pool.penalties[0] * np.eye(N_UNITS)
    expected = np.trace(own @ np.linalg.solve(damped, own.T))
    # The unit vectors give the trace itself.
    unit_vectors = np.sqrt(N_UNITS) * np.eye(N_UNITS)
    monkeypatch.setattr(together, "random_probes", lambda n_units: unit_vectors)
    problem = CentredProblem(statistics_of(*parts[1]))
    np.testing.assert_allclose(pool.used_by(problem), expected, rtol=1e-4)


def test_the_common_solution_is_taken_where_it_is_as_good():
    H, y = rows(0, 200)
    words = np.random.default_rng(1).choice([-1.0, 1.0], (3, 8))
    problem = CentredProblem(statistics_of(H, y))
    targets = problem.targets(words, np.arange(8), np.arange(0))
    prior = TaskPrior(np.zeros((8, N_UNITS)), np.zeros(8), 1)
    good = Solution(*problem.solve(targets[0], targets[1], np.full(8, 0.1)))
    used = np.array([1.0])
    found = solve_towards(problem, targets, np.array([0.1]), prior, Common(good, used))
    assert found.gain.is_common and found.gain.share == 0 and np.isinf(found.alpha).all()
    np.testing.assert_array_equal(found.solution.weights, good.weights)
    bad = Common(Solution(-good.weights, good.intercepts), used)
    assert not solve_towards(problem, targets, np.array([0.1]), prior, bad).gain.is_common
    # A solution that spends all rows on fitting them has no finite error.
    greedy = Common(good, np.array([199.0]))
    assert not solve_towards(problem, targets, np.array([0.1]), prior, greedy).gain.is_common


def test_the_mixture_finds_the_solution_that_fits():
    H, y = rows(0, 200)
    words = np.random.default_rng(1).choice([-1.0, 1.0], (3, 8))
    problem = CentredProblem(statistics_of(H, y))
    right, sums, _ = problem.targets(words, np.arange(8), np.arange(0))
    good = problem.solve(right, sums, np.full(8, 0.1))[0]
    others = [np.random.default_rng(s).standard_normal(good.shape) for s in (5, 6)]
    shares = mixture(problem, right, [others[0], good, others[1]])
    assert shares.argmax() == 1 and shares[1] > 0.5 and (shares >= 0).all()
    assert not mixture(problem, right, [-good]).any()


# -- tasks ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tenants(digit_tasks):
    """One set of digits, dealt to ten tenants at random."""
    (X, y, task), (Q, q, qtask) = digit_tasks
    X, y, Q, q = X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]
    rng = np.random.default_rng(0)
    return (X, y, rng.integers(10, size=len(X))), (Q, q, rng.integers(10, size=len(Q)))


@pytest.mark.parametrize("params", [{}, dict(share_codebook=False), dict(head="block", n_bits=32)])
def test_tenants_that_mean_the_same_help_one_another(tenants, params):
    train, test = tenants
    params = {"n_hidden": 1024, **params}
    alone, helped = (
        small(share_prior=prior, **params).fit(train[0], train[1], task=train[2])
        for prior in (False, True)
    )
    one = small(**params).fit(*train[:2])
    queries = [one.transform(part[0]) for part in (test, train)]
    bound = mean_average_precision(queries[0], test[1], queries[1], train[1])
    value = held_out_map(helped, train, test)
    assert value > bound - 0.01
    assert value > held_out_map(alone, train, test) + 0.03
    gains = [m.task_gain.share for m in helped.modulations_.values()]
    assert max(gains) < 0.2


def test_tenants_that_mean_the_same_are_one_task(tenants):
    (X, y, task), (Q, q, qtask) = tenants
    together, one = small().fit(X, y, task=task), small().fit(X, y)
    common = [m.task_gain.is_common for m in together.modulations_.values()]
    assert np.mean(common) > 0.5
    rows = np.isin(task, np.array(together.tasks_)[common])
    # Only the intercepts are those of a tenant's own rows.
    same = together.transform(X[rows], task=task[rows]) == one.transform(X[rows])
    assert same.mean() > 0.95
    turned = np.where((task % 2 == 1)[:, None], X[:, ::-1], X)
    two = small().fit(turned, y, task=task % 2)
    assert not any(m.task_gain.is_common for m in two.modulations_.values())


def test_stored_codes_of_tenants_that_go_on_learning(tenants):
    (X, y, task), (Q, q, qtask) = tenants
    task, qtask = task % 5, qtask % 5
    hasher = small()
    stored, changed = np.zeros((len(X), 16), np.uint8), []
    for step in range(3):
        rows, seen = np.arange(step, len(X), 3), np.flatnonzero(np.arange(len(X)) % 3 < step)
        before = None if step == 0 else hasher.transform(X[seen], task=task[seen])
        hasher.partial_fit(X[rows], y[rows], task=task[rows])
        if step:
            changed.append((hasher.transform(X[seen], task=task[seen]) != before).mean())
        stored[rows] = hasher.transform(X[rows], task=task[rows])
    # The step in which tenants join the others changes most.
    assert np.mean(changed) < 0.01 and max(changed) < 0.015
    queries = hasher.transform(Q, task=qtask)
    at_once = small().fit(X, y, task=task)
    bound = held_out_map(at_once, (X, y, task), (Q, q, qtask))
    found = [
        mean_average_precision(queries[qtask == t], q[qtask == t], stored[task == t], y[task == t])
        for t in range(5)
    ]
    assert np.mean(found) > bound - 0.01


def test_sums_of_all_rows_have_those_of_tasks_that_go_on(tenants):
    (X, y, task), _ = tenants
    task, y = task % 3, y.copy()
    y[(task == 2) & (np.arange(len(y)) // 4 % 3 == 0)] = -1
    hasher = small(missing_label=-1)
    for half in (slice(0, None, 2), slice(1, None, 2)):
        rows = np.arange(len(y))[: len(y) // 4 * 4].reshape(-1, 4)[:, half].ravel()
        hasher.partial_fit(X[rows], y[rows], task=task[rows])
    model = hasher.model_
    total = sum(sums.total for sums in model.statistics.values())
    assert model.pools["classes"].total == pytest.approx(total)


def test_tasks_with_nothing_in_common_are_left_alone(tenants):
    (X, y, task), (Q, q, qtask) = tenants
    # Each of three tenants has other meanings of the classes.
    train, test = (
        (A, np.where(t % 3 == 0, b, np.where(t % 3 == 1, (b + 3) % 10, (7 * b + 1) % 10)), t % 3)
        for A, b, t in ((X, y, task), (Q, q, qtask))
    )
    alone, helped = (
        small(share_prior=prior).fit(train[0], train[1], task=train[2]) for prior in (False, True)
    )
    assert held_out_map(helped, train, test) > held_out_map(alone, train, test) - 0.01
    assert min(m.task_gain.share for m in helped.modulations_.values()) > 0.5


def test_the_order_of_tasks_does_not_matter(tenants):
    (X, y, task), _ = tenants
    order = np.argsort((task * 7) % 10, kind="stable")
    fitted = small().fit(X, y, task=task)
    turned = small().fit(X[order], y[order], task=task[order])
    assert (fitted.transform(X, task=task) == turned.transform(X, task=task)).mean() > 0.999


def test_a_new_task_changes_no_other_one(tenants):
    (X, y, task), _ = tenants
    old = task < 5
    hasher = small().fit(X[old], y[old], task=task[old])
    codes, versions = hasher.transform(X[old], task=task[old]), hasher.code_version_
    copied = pickle.loads(pickle.dumps(hasher))
    for learner in (hasher, copied):  # the copy has no sums, and learns from the contexts alone
        learner.partial_fit(X[~old], y[~old], task=task[~old])
        np.testing.assert_array_equal(learner.transform(X[old], task=task[old]), codes)
        assert {t: learner.code_version_[t] for t in versions} == versions
        assert learner.score(X[~old], y[~old], task=task[~old]) > 0.9


def test_chunks_of_several_tasks_are_as_good_as_all_rows(tenants):
    (X, y, task), _ = tenants
    halves = [(X[part::2], y[part::2], task[part::2]) for part in (0, 1)]
    # The network and the codebook of the stream know the first chunk alone.
    streamed = small(codebook="random").fit_batches(halves)
    known = small(codebook="random").fit(*halves[0][:2], task=halves[0][2])
    assert streamed.fingerprint() == known.fingerprint()
    known.set_params(warm_start=True).fit(X, y, task=task)
    assert (streamed.transform(X, task=task) == known.transform(X, task=task)).mean() > 0.999


def test_gains_as_a_table_and_a_picture(tenants):
    (X, y, task), _ = tenants
    hasher = small().fit(X[task < 1], y[task < 1], task=task[task < 1])
    assert np.isnan(hasher.task_gain_).all()
    hasher.partial_fit(X[task > 0], y[task > 0], task=task[task > 0])
    gains = task_gains(hasher)
    assert gains.tasks == hasher.tasks_.tolist() and np.isnan(gains.gain[0])
    np.testing.assert_array_equal(gains.gain, hasher.task_gain_)
    assert (gains.gain[1:] < 0.3).all() and (gains.prior_bits[1:] > 0.5).all()
    assert (gains.improvement[1:] > 0.2).all()
    assert all(set(related) < set(gains.tasks) for related in gains.related)
    assert len(str(gains).splitlines()) == 11 and "related tasks" in str(gains)
    assert 0 < len(gains.common) < 10 and 0 not in gains.common
    assert str(gains).count("all, as one task") == len(gains.common)
    display = TaskGainDisplay.from_estimator(hasher)
    assert [bar.get_width() for bar in display.ax_.patches] == np.nan_to_num(gains.gain).tolist()


# -- small tasks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("few", ["one row", "one class"])
def test_a_small_task_takes_what_the_others_know(tenants, few):
    (X, y, task), (Q, q, _) = tenants
    keep = task != 3
    own = np.flatnonzero(~keep & (y == 5))[: 1 if few == "one row" else None]
    rows = np.concatenate([np.flatnonzero(keep), own])
    hasher = small().fit(X[rows], y[rows], task=task[rows])
    assert sorted(hasher.tasks_) == [*range(10)]
    codes = hasher.transform(Q, task=3), hasher.transform(X[keep], task=task[keep])
    assert mean_average_precision(codes[0], q, codes[1], y[keep]) > 0.9
    later = clone(hasher).fit(X[keep], y[keep], task=task[keep])
    later.partial_fit(X[own], y[own], task=3)
    codes = later.transform(Q, task=3), later.transform(X[keep], task=task[keep])
    assert mean_average_precision(codes[0], q, codes[1], y[keep]) > 0.9
    with pytest.raises(ValueError, match="one class only"):
        small(share_prior=False).fit(X[rows], y[rows], task=task[rows])
    with pytest.raises(ValueError, match="one class only"):
        small().fit(X[own], y[own], task=3)


def test_a_grid_search_with_small_tenants_has_scores(tenants):
    (X, y, task), _ = tenants
    task = np.where((task == 3) & (np.arange(len(task)) > 40), 4, task)
    table = np.column_stack([X, task])
    hasher = small(task_column=-1, unknown_task="pool")
    search = GridSearchCV(hasher, {"n_bits": [8, 16]}, cv=KFold(3)).fit(table, y)
    assert (search.cv_results_["mean_test_score"] > 0.8).all()


@pytest.mark.parametrize("unknown_task", ["raise", "pool", "infer"])
def test_rows_of_an_unknown_task(tenants, unknown_task, tmp_path):
    (X, y, task), (Q, q, qtask) = tenants
    known = task < 8
    hasher = small(unknown_task=unknown_task).fit(X[known], y[known], task=task[known])
    save(hasher, tmp_path / "hasher")
    if unknown_task == "raise":
        with pytest.raises(ValueError, match=r"unknown label 9, 8|8, 9 in \d+ of 450 rows"):
            hasher.transform(Q, task=qtask)
        return
    for fitted in (hasher, load(tmp_path / "hasher")):
        codes = fitted.transform(Q, task=qtask)
        stored = fitted.transform(X[known], task=task[known])
        rows = qtask >= 8
        assert mean_average_precision(codes[rows], q[rows], stored, y[known]) > 0.95
        assert (fitted.predict_class(Q, task=qtask)[rows] == q[rows]).mean() > 0.9
        np.testing.assert_array_equal(codes[~rows], fitted.transform(Q[~rows], task=qtask[~rows]))
        np.testing.assert_array_equal(codes[:3], fitted.transform(Q[:3], task=qtask[:3]))
