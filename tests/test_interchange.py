import faiss
import numpy as np
import pytest

from sktgsh import interchange
from sktgsh.codes import hamming_distances, pack_codes

WIDTHS = [8, 60, 64, 128, 256]
FORMS = {
    "uint64": (interchange.to_uint64, interchange.from_uint64),
    "bit_string": (interchange.to_bit_string, lambda form, _: interchange.from_bit_string(form)),
    "bytes": (interchange.to_bytes, interchange.from_bytes),
    "signed": (interchange.to_signed, interchange.from_signed),
    "offset": (
        lambda codes, **kind: interchange.to_signed(codes, convention="offset", **kind),
        lambda form, n_bits: interchange.from_signed(form, n_bits, convention="offset"),
    ),
    "lowest_first": (interchange.to_lowest_first, interchange.from_lowest_first),
    "floats": (interchange.to_floats, lambda form, _: interchange.from_floats(form)),
    "signs": (
        lambda codes, **kind: interchange.to_floats(codes, low=-1, **kind),
        lambda form, _: interchange.from_floats(form),
    ),
}
# Forms with a place for each bit must be told how many bits of the last byte count.
BY_BIT = ("bit_string", "floats", "signs")


@pytest.fixture(params=WIDTHS)
def codes(request):
    rng = np.random.default_rng(request.param)
    drawn = rng.integers(0, 2, (30, request.param), dtype=np.uint8)
    drawn[0], drawn[1] = 0, 1
    return drawn


@pytest.mark.parametrize("form", FORMS)
def test_there_and_back(form, codes):
    to_form, from_form = FORMS[form]
    n_bits = codes.shape[1]
    made = to_form(codes)
    np.testing.assert_array_equal(from_form(made, n_bits), codes)
    known = {"n_bits": n_bits} if form in BY_BIT else {}
    again = to_form(pack_codes(codes), packed=True, **known)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(made))
    assert len(to_form(codes[:0])) == 0


def test_words_have_the_distances_of_codes(codes):
    words = interchange.to_uint64(codes)
    assert words.dtype == np.uint64 and words.shape == (30, -(-codes.shape[1] // 64))
    counts = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2, dtype=int)
    np.testing.assert_array_equal(counts, hamming_distances(codes))
    value = int("".join(map(str, codes[2])).ljust(64 * words.shape[1], "0"), 2)
    assert sum(int(word) << 64 * place for place, word in enumerate(words[2][::-1])) == value
    # Databases without unsigned integers give the same bits back with a sign.
    np.testing.assert_array_equal(
        interchange.from_uint64(words.view(np.int64), codes.shape[1]), codes
    )
    for listed in (words.tolist(), words.view(np.int64).tolist()):
        np.testing.assert_array_equal(interchange.from_uint64(listed, codes.shape[1]), codes)


def test_signed_bytes_are_the_two_conventions(codes):
    packed = pack_codes(codes)
    np.testing.assert_array_equal(interchange.to_signed(codes), packed.view(np.int8))
    offset = interchange.to_signed(codes, convention="offset")
    np.testing.assert_array_equal(offset, packed.astype(int) - 128)
    flipped = interchange.to_signed(codes).astype(np.uint8) ^ offset.astype(np.uint8)
    assert (flipped == 128).all()


def test_floats_have_the_distances_of_codes(codes):
    plain = hamming_distances(codes)
    values = interchange.to_floats(codes)
    np.testing.assert_array_equal(np.abs(values[:, None] - values).sum(axis=2), plain)
    signs = interchange.to_floats(codes, low=-1)
    np.testing.assert_array_equal((codes.shape[1] - signs @ signs.T) / 2, plain)


def test_lowest_first_is_the_order_of_faiss():
    values = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)
    index = faiss.IndexLSH(64, 64, False, False)
    np.testing.assert_array_equal(interchange.to_lowest_first(values >= 0), index.sa_encode(values))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: interchange.to_uint64([[0, 2]]), "packed=True"),
        (lambda: interchange.to_floats([[0.0, np.nan]]), "numbers 0 and 1"),
        (lambda: interchange.to_floats([[0, 1]], low=0.5), "low=0.5"),
        (lambda: interchange.from_floats([[0.0, np.nan]]), "numbers 0 and 1"),
        (lambda: interchange.from_floats([[0.0, -1.0]]), "values holds values"),
        (lambda: interchange.from_uint64([[1]], 60), "beyond the 60"),
        (lambda: interchange.from_uint64([[1, 1]], 60), "needs 1 words"),
        (lambda: interchange.from_uint64(np.ones((1, 1)), 64), "dtype float64"),
        (lambda: interchange.from_uint64([[1 << 63, 1]], 72), "beyond the 72"),
        (lambda: interchange.from_bit_string(["01", "0"]), "1 to 2 characters"),
        (lambda: interchange.from_bit_string(["0x"]), "'0x'"),
        (lambda: interchange.from_bytes([b"ab", b"a"]), "1 to 2 bytes"),
        (lambda: interchange.from_bytes([b"ab"], 24), "n_bits=24"),
        (lambda: interchange.from_signed([[200]]), "signed holds 200"),
        (lambda: interchange.from_signed([[1]], 4), "beyond the 4"),
        (lambda: interchange.to_signed([[1]], convention="mine"), "convention='mine'"),
        (lambda: interchange.from_lowest_first([[-1]]), "rows holds -1"),
        (lambda: interchange.to_bit_string([[1]], n_bits=2), "1 bits wide, but n_bits=2"),
        (lambda: interchange.to_bit_string([[1]], packed=True, n_bits=4), "beyond the 4"),
    ],
)
def test_bad_forms_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
