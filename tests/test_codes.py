import numpy as np
import pytest

from sktgsh.codes import (
    asymmetric_hamming_distances,
    codes_to_hex,
    hamming_distances,
    modal_codes,
    pack_codes,
    unpack_codes,
)


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


@pytest.mark.parametrize("n_bits", [9, 15, 3])
def test_bits_beyond_a_code_are_refused(n_bits):
    n_bytes = -(-n_bits // 8)
    full = np.full((2, n_bytes), 255, np.uint8)
    with pytest.raises(ValueError, match=f"packed has bits set beyond the {n_bits} of a code"):
        unpack_codes(full, n_bits)
    with pytest.raises(ValueError, match="packed has bits set beyond"):
        asymmetric_hamming_distances(np.ones((1, n_bits)), full, packed=True)
    np.testing.assert_array_equal(unpack_codes(full), np.ones((2, 8 * n_bytes)))
    np.testing.assert_array_equal(
        unpack_codes(pack_codes(np.ones((2, n_bits))), n_bits), np.ones((2, n_bits))
    )


@pytest.mark.parametrize("take", [pack_codes, hamming_distances, codes_to_hex])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_signs_are_named(take, dtype):
    with pytest.raises(ValueError, match="of signs -1 and 1, give codes > 0"):
        take(np.array([[-1, 1], [1, 1]], dtype))


def test_modal_codes_take_the_most_frequent():
    classes, modal = modal_codes([[0, 0], [1, 1], [1, 1], [0, 1]], ["a", "a", "a", "b"])
    assert classes.tolist() == ["a", "b"]
    assert modal.tolist() == [[1, 1], [0, 1]]
