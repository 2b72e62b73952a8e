"""What a query is, codes or scores, follows from its type alone."""

import numpy as np
import pandas as pd
import pytest

from sktgsh.codes import hamming_distances
from sktgsh.neighbors import CodeStore, HammingNeighbors

CODES = np.array([[0, 0], [0, 1], [1, 1]])


def scored(values, codes):
    return np.maximum(values, 0) @ (1 - codes).T + np.maximum(-values, 0) @ codes.T


def index_of(codes):
    return HammingNeighbors().fit(codes)


def store_of(codes, folder):
    pytest.importorskip("lancedb")
    store = CodeStore(folder, n_bits=codes.shape[1])
    store.add(codes, ids=np.arange(len(codes)))
    return store


@pytest.mark.parametrize("kind", ["index", "store"])
def test_a_score_of_zero_expects_neither_bit_in_any_batch(kind, tmp_path):
    index = index_of(CODES) if kind == "index" else store_of(CODES, tmp_path)
    alone = [[1.0, 0.0]]
    with pytest.warns(UserWarning, match="floating point numbers that are all 0 or 1"):
        np.testing.assert_array_equal(index.kneighbors(alone, 3)[0], [[0, 1, 1]])
    beside = index.kneighbors([*alone, [1.0, -1.0]], 3)[0]
    np.testing.assert_array_equal(beside[0], [0, 1, 1])


@pytest.mark.filterwarnings("ignore:X has floating")
@pytest.mark.parametrize("kind", ["index", "store"])
@pytest.mark.parametrize("n_bits", [16, 64])
def test_values_with_zeros_asked_one_by_one(kind, n_bits, tmp_path):
    rng = np.random.default_rng(n_bits)
    codes = rng.integers(0, 2, (50, n_bits))
    values = rng.choice([0.0, 1.0], (20, n_bits))
    index = index_of(codes) if kind == "index" else store_of(codes, tmp_path)
    expected = np.sort(scored(values, codes), axis=1)[:, :5]
    np.testing.assert_array_equal(index.kneighbors(values, 5)[0], expected)
    alone = np.concatenate([index.kneighbors(one[None], 5)[0] for one in values])
    np.testing.assert_array_equal(alone, expected)


@pytest.mark.filterwarnings("ignore:X has floating")
@pytest.mark.parametrize(
    "cast, is_score",
    [(np.dtype(name).type, False) for name in "bool int8 uint8 int64 uint64".split()]
    + [(np.dtype(name).type, True) for name in "float16 float32 float64 longdouble".split()]
    + [
        ("Int64", False),
        ("boolean", False),
        (object, False),
        ("Float64", True),
    ],
)
def test_integers_are_codes_and_floating_point_numbers_are_scores(cast, is_score):
    rng = np.random.default_rng(0)
    codes, queries = rng.integers(0, 2, (30, 12)), rng.integers(0, 2, (6, 12))
    given = pd.DataFrame(queries).astype(cast) if isinstance(cast, str) else queries.astype(cast)
    expected = scored(queries, codes) if is_score else hamming_distances(queries, codes)
    distances = index_of(codes).kneighbors(given, 4)[0]
    np.testing.assert_array_equal(distances, np.sort(expected, axis=1)[:, :4])
    # Rows to be indexed are codes in any case.
    again = HammingNeighbors().fit(given).kneighbors(codes, 1)[0]
    np.testing.assert_array_equal(again[:, 0], hamming_distances(codes, queries).min(axis=1))
