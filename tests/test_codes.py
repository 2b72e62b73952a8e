import numpy as np
import pytest

from sktgsh.codes import codes_to_hex, hamming_distances, modal_codes, pack_codes, unpack_codes


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 31, 64, 65, 200])
def test_packing_round_trip_and_distances(n_bits):
    rng = np.random.default_rng(n_bits)
    codes, other = rng.integers(0, 2, (20, n_bits)), rng.integers(0, 2, (13, n_bits))
    packed = pack_codes(codes)
    np.testing.assert_array_equal(packed, np.packbits(codes.astype(np.uint8), axis=1))
    np.testing.assert_array_equal(unpack_codes(packed, n_bits), codes)
    plain = (codes[:, None] != other[None]).sum(axis=2)
    np.testing.assert_array_equal(hamming_distances(codes, other), plain)
    np.testing.assert_array_equal(hamming_distances(packed, pack_codes(other), packed=True), plain)


def test_faiss_reads_packed_codes():
    faiss = pytest.importorskip("faiss")
    codes = np.random.default_rng(0).integers(0, 2, (50, 64))
    index = faiss.IndexBinaryFlat(64)
    index.add(pack_codes(codes))
    distances, _ = index.search(pack_codes(codes[:5]), 50)
    np.testing.assert_array_equal(distances, np.sort(hamming_distances(codes[:5], codes), axis=1))


def test_hex_is_first_bit_first():
    assert codes_to_hex([[1, 0, 1, 0, 1, 1, 1, 1, 1]])[0] == "af80"
    assert codes_to_hex([[175, 128]], packed=True)[0] == "af80"


@pytest.mark.parametrize(
    "codes, message",
    [
        ([[0, 2]], "packed=True"),
        ([[0.5, 1]], "whole numbers"),
        ([0, 1], "1 dimensions"),
        ([["a", "b"]], "dtype"),
    ],
)
def test_bad_codes(codes, message):
    with pytest.raises(ValueError, match=message):
        pack_codes(codes)


def test_widths_must_agree():
    with pytest.raises(ValueError, match="2 wide but other codes are 3 wide"):
        hamming_distances([[0, 1]], [[0, 1, 1]])
    with pytest.raises(ValueError, match="n_bits=17"):
        unpack_codes(np.zeros((1, 2), np.uint8), 17)


def test_modal_codes_take_the_most_frequent():
    classes, modal = modal_codes([[0, 0], [1, 1], [1, 1], [0, 1]], ["a", "a", "a", "b"])
    assert classes.tolist() == ["a", "b"]
    assert modal.tolist() == [[1, 1], [0, 1]]
