import numpy as np
import pytest

from sktgsh import L2ALSH, SignALSH, SimpleLSH

HASHERS = [SignALSH(400), L2ALSH(400), SimpleLSH(400)]
each_hasher = pytest.mark.parametrize("hasher", HASHERS, ids=lambda h: type(h).__name__)


def rates(hasher, query, keys, seed):
    fitted = hasher.set_params(random_state=seed).fit(keys)
    if isinstance(hasher, L2ALSH):
        return (fitted.hash_values(keys) == fitted.hash_query_values(query)).mean(axis=1)
    return (fitted.transform(keys) == fitted.transform_queries(query)).mean(axis=1)


@each_hasher
def test_collision_rate_is_the_formula(hasher):
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(12, 8)) * np.linspace(0.1, 1, 12)[:, None]
    query = rng.normal(size=(1, 8)) * 7  # the length of a query does not matter
    largest = np.linalg.norm(keys, axis=1).max()
    inner = keys @ query[0] / np.linalg.norm(query) / largest
    norms = np.linalg.norm(keys, axis=1) / largest
    expected = hasher.collision_probability(inner, norms)
    found = np.array([rates(hasher, query, keys, seed) for seed in range(40)])
    error = np.sqrt(expected * (1 - expected) / (400 * 40))
    assert (np.abs(found.mean(axis=0) - expected) <= 4 * error).all()


@each_hasher
def test_larger_inner_products_collide_more(hasher):
    inner = np.linspace(-0.9, 0.9, 19)
    assert (np.diff(hasher.collision_probability(inner, 0.9)) > 0).all()


@each_hasher
def test_extended_vectors_are_the_papers(hasher):
    keys = np.array([[3.0, 0.0], [0.0, 1.0]])
    fitted = hasher.set_params(random_state=0).fit(keys)
    extended, query = fitted._keys(keys), fitted._queries(np.array([[0.0, 5.0]]))
    U = hasher.U
    small = U / 3
    if isinstance(hasher, SignALSH):
        expected = [[U, 0, 0.5 - U**2, 0.5 - U**4], [0, small, 0.5 - small**2, 0.5 - small**4]]
        asked = [[0, 1, 0, 0]]
    elif isinstance(hasher, L2ALSH):
        expected = [[U, 0, U**2, U**4, U**8], [0, small, small**2, small**4, small**8]]
        asked = [[0, 1, 0.5, 0.5, 0.5]]
    else:
        expected = [[1, 0, 0], [0, 1 / 3, np.sqrt(1 - 1 / 9)]]
        asked = [[0, 1, 0]]
    np.testing.assert_allclose(extended, expected)
    np.testing.assert_allclose(query, asked)


@each_hasher
def test_longer_keys_and_zero_queries(hasher):
    keys = np.eye(3)
    fitted = hasher.set_params(random_state=0).fit(keys)
    with pytest.raises(ValueError, match=r"norm 2.*above the largest norm 1.*max_norm"):
        fitted.transform(2 * keys)
    with pytest.raises(ValueError, match=r"query that is zero .row 1"):
        fitted.transform_queries([[1.0, 0, 0], [0, 0, 0]])
    bound = type(hasher)(16, max_norm=5.0, random_state=0).fit(keys)
    assert bound.transform(4 * keys).shape == (3, 16)
    with pytest.raises(ValueError, match=r"above max_norm=0.5"):
        type(hasher)(16, max_norm=0.5).fit(keys)
    with pytest.raises(ValueError, match="inner_product"):
        hasher.collision_probability(0.9, 0.5)


@each_hasher
def test_bits_are_the_signs_of_values(hasher):
    rng = np.random.default_rng(0)
    keys, queries = rng.normal(size=(50, 6)), rng.normal(size=(20, 6))
    fitted = hasher.set_params(random_state=0).fit(keys)
    values, asked = fitted.decision_function(keys), fitted.decision_function_queries(queries)
    assert values.dtype == asked.dtype == np.float32
    np.testing.assert_array_equal(values >= 0, fitted.transform(keys))
    np.testing.assert_array_equal(asked >= 0, fitted.transform_queries(queries))
    with pytest.raises(ValueError, match="query that is zero"):
        fitted.decision_function_queries(np.zeros((1, 6)))
    with pytest.raises(ValueError, match="above the largest norm"):
        fitted.decision_function(100 * keys)
