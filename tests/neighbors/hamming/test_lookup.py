"""Real-valued queries by lookup tables, against plain NumPy."""

import copy

import numpy as np
import pytest

from sktgsh.codes import hamming_distances
from sktgsh.neighbors import HammingNeighbors
from sktgsh.neighbors.hamming import lookup, weighted
from sktgsh.neighbors.hamming.distinct import DistinctCodes, build_index


def plain_distances(values, codes):
    values = values.astype(np.float64)
    return np.maximum(values, 0) @ (1.0 - codes).T + np.maximum(-values, 0) @ codes.T


def check(index, values, codes, k):
    distances, rows = index.kneighbors(values, k)
    plain = plain_distances(values, codes)
    sizes = np.abs(values).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        distances / sizes, np.sort(plain, axis=1)[:, :k] / sizes, rtol=0, atol=1e-5
    )
    found = np.take_along_axis(plain, rows, axis=1)
    np.testing.assert_allclose(distances / sizes, found / sizes, rtol=0, atol=1e-5)
    assert all(len(set(row)) == k for row in rows.tolist())


@pytest.fixture
def scans(monkeypatch):
    """How many queries each scan of all codes without tables had."""
    counts, scan = [], weighted.nearest

    def counted(values, packed, k):
        counts.append(len(values))
        return scan(values, packed, k)

    monkeypatch.setattr(weighted, "nearest", counted)
    return counts


@pytest.mark.parametrize("n_bits", [12, 27, 64, 250])
def test_tables_find_the_nearest_by_themselves(scans, n_bits):
    rng = np.random.default_rng(n_bits)
    codes = rng.integers(0, 2, (5000, n_bits), dtype=np.uint8)
    values = rng.normal(size=(10, n_bits)).astype(np.float32)
    index = HammingNeighbors().fit(codes)
    for k in (1, 10, 60):
        check(index, values, codes, k)
    assert sum(scans) <= (0 if n_bits > 12 else 30)  # 12 bits: hundreds of equal distances
    check(index, values, codes, 4500)
    check(index, values[:1], codes, 10)


@pytest.mark.parametrize("kind", ["heavy tails", "one large", "signs", "zeros", "tiny"])
def test_whatever_the_values(kind):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (6000, 64), dtype=np.uint8)
    values = rng.standard_cauchy((20, 64))
    if kind == "one large":
        values = np.where(np.arange(64) == 3, 1e6, rng.normal(size=(20, 64)))
    elif kind == "signs":
        values = np.where(values > 0, 1.0, -1.0)
    elif kind == "zeros":
        values[:, 5:] = 0
    elif kind == "tiny":
        values = 1e-30 * rng.normal(size=(20, 64))
    check(HammingNeighbors().fit(codes), values.astype(np.float32), codes, 10)


def test_a_clump_that_fills_all_proposals(scans):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (9000, 64), dtype=np.uint8)
    codes[:4000] = codes[0]
    codes[4000:4005] = codes[0] ^ (np.arange(64) == 7)
    values = np.where(codes[:1], 1.0, -1.0) * rng.uniform(0.5, 1, (5, 64))
    values[:, 7] = -0.01 * np.sign(values[:, 7])  # the few are nearer than the clump
    index = HammingNeighbors().fit(codes)
    assert len(index.shards_.by_task[None].index) == 9000
    check(index, values.astype(np.float32), codes, 10)
    assert sum(scans) == 5
    assert (np.sort(index.kneighbors(values, 5)[1], axis=1) == np.arange(4000, 4005)).all()


def test_codes_that_come_and_go(scans):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (12_000, 64), dtype=np.uint8)
    values = rng.normal(size=(10, 64)).astype(np.float32)
    index = HammingNeighbors().fit(codes[:6000])
    check(index, values, codes[:6000], 10)
    for start, stop in [(6000, 6001), (6001, 7000), (7000, 12_000)]:
        index.add(codes[start:stop])
        check(index, values, codes[:stop], 10)
    other = copy.deepcopy(index)
    gone = index.kneighbors(values, 3, return_distance=False).ravel()
    index.remove(np.unique(gone))
    check(index, values, np.delete(codes, gone, axis=0), 10)
    check(other, values, codes, 10)
    assert not scans


def test_without_trust_in_the_coarse_distances(scans, monkeypatch):
    # If faiss rounded more than it says, proposals would prove nothing.
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (6000, 64), dtype=np.uint8)
    values = rng.normal(size=(10, 64)).astype(np.float32)
    monkeypatch.setattr(lookup, "_N_STEPS", 25_500)
    check(HammingNeighbors().fit(codes), values, codes, 10)
    assert sum(scans) == 10


def test_codes_too_wide_for_tables(scans):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (4200, 1040), dtype=np.uint8)
    values = rng.normal(size=(3, 1040)).astype(np.float32)
    check(HammingNeighbors().fit(codes), values, codes, 10)
    assert scans == [3]


@pytest.mark.parametrize("n_bits", [5, 32, 64, 248, 256])
@pytest.mark.parametrize("n_distinct", [1, 20, 3000])
def test_distinct_codes_by_tables_are_exact(n_bits, n_distinct):
    rng = np.random.default_rng(n_bits)
    distinct = rng.integers(0, 2, (n_distinct, n_bits), dtype=np.uint8)
    codes = distinct[rng.integers(n_distinct, size=7000)]
    flips = rng.random((40, n_bits)) < rng.random((40, 1)) / 2
    queries = np.concatenate([codes[:40] ^ flips, 1 - codes[:3], codes[:3]])
    index = HammingNeighbors().fit(codes[:6000]).add(codes[6000:])
    inner = index.shards_.by_task[None].index.index
    assert inner.by_tables == (n_bits < 256)
    plain = hamming_distances(queries, codes)
    for k in (1, 12, 300, 7000):
        distances, rows = index.kneighbors(queries, k)
        np.testing.assert_array_equal(distances, np.sort(plain, axis=1)[:, :k])
        np.testing.assert_array_equal(distances, np.take_along_axis(plain, rows, axis=1))
        assert all(len(set(row)) == k for row in rows.tolist())


@pytest.mark.parametrize("n_distinct, is_distinct", [(100, True), (20_000, True), (200_000, False)])
def test_many_rows_are_judged_by_a_sample(n_distinct, is_distinct):
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 256, (n_distinct, 8), dtype=np.uint8)
    codes = distinct[rng.integers(n_distinct, size=80_000)]
    index = build_index(codes)
    assert isinstance(index, DistinctCodes) == is_distinct
    np.testing.assert_array_equal(index.codes(), codes)
