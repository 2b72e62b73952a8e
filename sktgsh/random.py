"""Random draws that are the same on every machine, and nested in the number of bits.

Each bit draws from a generator of its own, seeded by (seed, what is drawn, bit). The first 16 bits
of a network of 64 bits are therefore the network of 16 bits, as long as a bit owns as many units.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

# Up to these sizes, sets are drawn for many rows at once; their draws decide the units and the
# projections of many hashers, and must not change.
_SMALL_SET, _SMALL_POPULATION = 320, 2**18
# Entries of the table of first draws, which stays in the cache.
_TABLE_ENTRIES = 2**21


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A PCG64 generator that depends on its arguments alone."""
    sequence = np.random.SeedSequence([seed, crc32(purpose.encode()), index])
    return np.random.Generator(np.random.PCG64(sequence))


def sample_without_replacement(
    n_population: int, n_samples: int, n_rows: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw a set of `n_samples` different integers below `n_population` for each row.

    Small sets are drawn for many rows at once, large ones by NumPy one row after the other: each
    way is faster than the other on its side.
    """
    # Sizes of few bits, as NumPy's int8 is, would overflow in products.
    n_population, n_samples, n_rows = int(n_population), int(n_samples), int(n_rows)
    if n_samples <= _SMALL_SET and n_population <= _SMALL_POPULATION:
        return _drawn_by_floyd(n_population, n_samples, n_rows, rng)
    chosen = np.empty((n_rows, n_samples), dtype=np.int64)
    for row in chosen:
        row[:] = rng.choice(n_population, n_samples, replace=False, shuffle=False)
    return chosen


def _drawn_by_floyd(
    n_population: int, n_samples: int, n_rows: int, rng: np.random.Generator
) -> np.ndarray:
    """Floyd's algorithm for all rows: step t draws up to a top, which a repeated draw becomes.

    The tops count up to ``n_population - 1``. A draw is repeated if an earlier step drew the same,
    or if it is the top of an earlier step whose own draw was repeated.
    """
    least = n_population - n_samples
    tops = np.arange(least, n_population)
    draws = rng.integers(0, np.broadcast_to(tops[:, None] + 1, (n_samples, n_rows)))
    chosen = np.ascontiguousarray(draws.T)
    n_together = max(1, min(n_rows, _TABLE_ENTRIES // n_population))
    first = np.empty(n_together * n_population, np.int16)  # step that drew an integer first
    steps = np.tile(np.arange(n_samples, dtype=np.int16), n_together)
    offsets = np.repeat(np.arange(n_together) * n_population, n_samples)
    for start in range(0, n_rows, n_together):
        drawn = chosen[start : start + n_together].reshape(-1)
        step = steps[: len(drawn)]
        place = drawn + offsets[: len(drawn)]
        first[place[::-1]] = step[::-1]
        repeated = first[place] != step
        _follow_tops(repeated, drawn, step, least)
        drawn[repeated] = least + step[repeated].astype(np.int64)
    return chosen


def _follow_tops(repeated: np.ndarray, drawn: np.ndarray, step: np.ndarray, least: int) -> None:
    """Mark draws of the top of an earlier step whose own draw was repeated, in place."""
    late = np.flatnonzero((drawn >= least) & ~repeated)
    source = late - step[late] + drawn[late] - least
    late, source = late[source < late], source[source < late]
    while (hit := repeated[source]).any():
        repeated[late[hit]] = True
        late, source = late[~hit], source[~hit]


def random_signs(label: object, n_bits: int, seed: int) -> np.ndarray:
    """A codeword of -1 and +1 that depends on the class label and the seed alone.

    Machines that exchange nothing give a class the same codeword.
    """
    rng = generator(seed, "codeword", crc32(repr(label).encode()))
    return rng.choice(np.array([-1, 1], np.int8), size=n_bits)
