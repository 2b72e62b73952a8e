"""Sums of products, which are kept as rows while these are few."""

import numpy as np
import pytest

from sktgsh.task_geometric.learning.gram import GramSums

WIDTH = 12


def rows_of(n_rows, seed, n_blocks=2):
    drawn = np.random.default_rng(seed).normal(size=(n_blocks, n_rows, WIDTH))
    drawn[:, :, -1] = 1
    return drawn.astype(np.float32)


def lower(rows):
    return np.tril(np.einsum("brv,brw->bvw", rows, rows, dtype=np.float64))


@pytest.mark.parametrize("sizes", [(2, 3), (4, 4, 4), (30,), (3, 30, 2)], ids=str)
def test_sums_are_those_of_all_rows(sizes):
    parts = [rows_of(size, seed) for seed, size in enumerate(sizes)]
    sums, whole = GramSums(2, WIDTH), np.concatenate(parts, axis=1)
    for part in parts:
        sums.add(part)
    assert sums.is_thin == (sum(sizes) <= WIDTH // 2)
    assert sums.total == pytest.approx(sum(sizes))
    np.testing.assert_allclose(sums.sums, whole.sum(axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.tril(sums.product(1)), lower(whole)[1], atol=1e-4)
    np.testing.assert_allclose(sums.without_rows().matrix, lower(whole), atol=1e-4)
    np.testing.assert_allclose(sums.matrix, lower(whole), atol=1e-4)
    assert not sums.is_thin and sums.rows.shape[1] == 0


@pytest.mark.parametrize("n_more", [2, 30])
def test_other_sums_are_added_and_taken_away(n_more):
    first, second = (rows_of(size, seed) for seed, size in enumerate((3, n_more)))
    sums, other = GramSums(2, WIDTH), GramSums(2, WIDTH)
    sums.add(first)
    other.add(second)
    sums.increase(other)
    np.testing.assert_allclose(
        sums.sums, np.concatenate([first, second], axis=1).sum(axis=1), rtol=1e-4, atol=1e-4
    )
    sums.increase(other, -1.0)
    assert sums.total == pytest.approx(3)
    np.testing.assert_allclose(sums.matrix, lower(first), atol=1e-4)


def test_a_factor_takes_the_place_of_rows():
    sums = GramSums(1, WIDTH)
    sums.add(rows_of(5, 0, 1))
    factor = sums.without_rows().rows[0]
    assert factor.shape == (5, WIDTH)
    assert np.allclose(np.tril(factor[:, :5], -1), 0)
