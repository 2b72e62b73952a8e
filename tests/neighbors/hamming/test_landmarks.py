"""Search around frequent codes: exact, whatever the codes."""

import numpy as np
import pytest

from sktgsh.codes import hamming_distances, pack_codes
from sktgsh.neighbors import HammingNeighbors
from sktgsh.neighbors.hamming.distinct import DistinctCodes
from sktgsh.neighbors.hamming.landmarks import Landmarks


def clustered(rng, n_rows, n_bits, n_classes=40, flipped=0.04):
    """Rows half of which have the code of their class, the others codes around it."""
    codes = rng.integers(0, 2, (n_classes, n_bits))[rng.integers(n_classes, size=n_rows)]
    unsure = rng.random((n_rows, 1)) < 0.5
    return codes ^ (unsure & (rng.random(codes.shape) < flipped))


@pytest.mark.parametrize("n_bits", [8, 21, 64, 100, 256])
@pytest.mark.parametrize("k", [1, 10, 400])
def test_the_nearest_codes_cover_the_nearest_rows(n_bits, k):
    rng = np.random.default_rng(n_bits + k)
    codes = clustered(rng, 3000, n_bits)
    queries = np.vstack([clustered(rng, 100, n_bits), rng.integers(0, 2, (50, n_bits))])
    index = DistinctCodes(pack_codes(codes))
    distinct, sizes = index.index.codes(), index.sizes
    landmarks = Landmarks(distinct, sizes, index.starts, index.rows)
    answered, (query_of, distances, places) = landmarks.near(pack_codes(queries), k)
    # Some are answered so, unless no code has enough rows.
    assert answered.any() == (sizes >= k).any()
    assert answered[query_of].all()
    to_codes = hamming_distances(pack_codes(queries), distinct, packed=True)
    np.testing.assert_array_equal(distances, to_codes[query_of, places])
    expected = np.argsort(hamming_distances(queries, codes), axis=1, kind="stable")
    for query in np.flatnonzero(answered):
        where = places[query_of == query].tolist()
        assert len(set(where)) == len(where)
        assert set(index.place[expected[query, :k]]) <= set(where)


@pytest.mark.parametrize("k", [1, 10, 500])
def test_an_index_answers_alike_before_and_after_it_has_landmarks(k):
    rng = np.random.default_rng(k)
    codes, queries = clustered(rng, 4000, 32), clustered(rng, 900, 32, flipped=0.15)
    index = HammingNeighbors(k).fit(codes[:3000])
    for n_rows in (3000, 4000):
        index.add(codes[index.n_samples_fit_ : n_rows])
        expected = np.sort(hamming_distances(queries, codes[:n_rows]), axis=1)[:, :k]
        for part in (slice(1), slice(None), slice(1)):
            distances, rows = index.kneighbors(queries[part])
            np.testing.assert_array_equal(distances, expected[part])
            found = hamming_distances(queries[part], codes[:n_rows])
            np.testing.assert_array_equal(np.take_along_axis(found, rows, 1), distances)
            assert all(len(set(row)) == k for row in rows.tolist())
