"""Asymmetric hashing for inner products, and the collision probabilities of all families.

Shrivastava and Li, NIPS 2014 and UAI 2015: curves of precision and recall on MovieLens for
T = 1, 5, 10 and K = 64 to 512 hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sktgsh import (
    L2ALSH,
    DenseFlyHasher,
    FlyHasher,
    PStableHasher,
    SignALSH,
    SignedRandomProjectionHasher,
    SimpleLSH,
    SparseProjectionHasher,
)

from .._common import report
from ..movielens import SEEDS, factors, hits, largest, matches, ranked
from ._pictures import new_figure, save_picture

FAMILIES = ("Sign-ALSH", "Simple-LSH", "L2-ALSH", "signed projections", "p-stable")
LENGTHS, TOPS = (64, 128, 256, 512), (1, 5, 10)
N_HASHES, N_FEATURES = 8192, 64
Pair = tuple[np.ndarray, np.ndarray]


def run(data: str | None) -> None:
    collisions()
    if data is None:
        print("movielens: skipped; give --data with a folder that holds movielens_1m.npz")
        return
    curves(data)


# -- MovieLens ---------------------------------------------------------------------------------


def curves(data: str) -> None:
    """Mean precision and recall over users and draws after 1, 2, ... items, by family, K and T."""
    users, items = factors(data)
    products = users @ items.T
    figure, axes = new_figure(len(TOPS), len(LENGTHS), 3.0, 2.6)
    rows = []
    for family in FAMILIES:
        for column, n_bits in enumerate(LENGTHS):
            draws = [ranked(matches(family, users, items, n_bits, seed)) for seed in SEEDS]
            for row, top in enumerate(TOPS):
                gold = largest(products, top)
                by_draw = np.array([precision_recall(order, gold) for order in draws])
                precision, recall = by_draw.mean(axis=0)
                axes[row, column].plot(recall, precision, label=family, lw=1.3)
                areas = [np.trapezoid(*curve) for curve in by_draw]  # of precision along recall
                area, deviation = np.mean(areas), np.std(areas)
                rows.append(dict(family=family, K=n_bits, T=top, area=area, deviation=deviation))
    report("reproduce_movielens", _by_length(rows))
    for row, top in enumerate(TOPS):
        for column, n_bits in enumerate(LENGTHS):
            axes[row, column].set(title=f"T = {top}, K = {n_bits}", xlim=(0, 1), ylim=(0, None))
        axes[row, 0].set_ylabel("precision")
    for ax in axes[-1]:
        ax.set_xlabel("recall")
    axes[0, 0].legend(fontsize="x-small")
    save_picture(figure, "movielens")


def precision_recall(items: np.ndarray, gold: np.ndarray) -> Pair:
    """Mean precision and recall over the users, after each number of items."""
    found = hits(items, gold).mean(axis=0).cumsum()
    return found / np.arange(1, len(found) + 1), found / gold.shape[1]


def _by_length(rows: list[dict]) -> list[dict]:
    """One row a family and T: areas under the curve by K, and deviations from draw to draw."""
    return [
        dict(
            family=family,
            T=top,
            **{
                f"{what} K={row['K']}": row[what]
                for row in rows
                for what in ("area", "deviation")
                if row["family"] == family and row["T"] == top
            },
        )
        for top in TOPS
        for family in FAMILIES
    ]


# -- collision probabilities -------------------------------------------------------------------


def collisions() -> None:
    """Share of equal hashes of pairs at known angle, distance or inner product, beside theory."""
    rng = np.random.RandomState(0)
    figure, axes = new_figure(2, 4, 3.0, 2.6)
    rows = []
    for ax, (name, axis, points) in zip(axes.ravel(), _families(rng)):
        values, measured, theory = np.array(list(points), dtype=float).T
        ax.plot(values, theory, c="C0", label="theory")
        ax.plot(values, measured, "o", c="C1", ms=4, label="measured")
        ax.set(title=name, xlabel=axis, ylim=(0, 1.03))
        # Only a twentieth of the fly's units win.
        n_counted = N_HASHES // 20 if name.startswith("FlyHash") else N_HASHES
        chance = np.sqrt(theory * (1 - theory) / n_counted)
        rows.append(
            dict(
                family=name,
                largest_difference=float(np.abs(measured - theory).max()),
                three_standard_errors=float(3 * chance.max()),
            )
        )
    axes[0, 0].legend(fontsize="small")
    report("reproduce_collisions", rows)
    save_picture(figure, "collisions")


def _families(rng: np.random.RandomState) -> Iterator[tuple[str, str, Iterator]]:
    """(name, label of the axis, (value, measured, theory) of several pairs) of each family."""
    bits = dict(n_bits=N_HASHES, random_state=0)
    angles = np.linspace(0.1, np.pi - 0.1, 12)
    for name, hasher in (
        ("signed projections", SignedRandomProjectionHasher(**bits)),
        ("sparse projections", SparseProjectionHasher(n_inputs=16, **bits)),
        ("DenseFly", DenseFlyHasher(n_inputs=16, **bits)),
        ("FlyHash, winners", FlyHasher(n_inputs=16, **bits)),
    ):
        winners = isinstance(hasher, FlyHasher)
        measured = _measure(hasher, angles, lambda angle: _at_angle(angle, rng), _share(winners))
        yield name, "angle", measured
    hasher = PStableHasher(**bits)
    distances = np.linspace(0.2, 8, 12)
    yield (
        "p-stable, r = 2.5",
        "distance",
        _measure(hasher, distances, lambda u: _at_distance(u, rng), _share_of_values),
    )
    inner = np.linspace(-0.85, 0.85, 12)
    for name, hasher in (
        ("Sign-ALSH", SignALSH(max_norm=1.0, **bits)),
        ("Simple-LSH", SimpleLSH(max_norm=1.0, **bits)),
        ("L2-ALSH", L2ALSH(max_norm=1.0, **bits)),
    ):
        yield (
            f"{name}, norm 0.9",
            "inner product",
            _measure(hasher, inner, lambda p: _at_inner_product(p, rng), _share_of_keys, norm=0.9),
        )


def _measure(
    hasher: Any,
    values: np.ndarray,
    draw: Callable[[float], Pair],
    share: Callable[[Any, np.ndarray, np.ndarray], float],
    **arguments: float,
) -> Iterator[tuple[float, float, float]]:
    theory = hasher.collision_probability(values, **arguments)
    for value, expected in zip(values, theory):
        first, second = draw(value)
        hasher.fit(first[None])
        yield value, share(hasher, first[None], second[None]), float(expected)


def _share(winners: bool) -> Callable[[Any, np.ndarray, np.ndarray], float]:
    def share(hasher: Any, first: np.ndarray, second: np.ndarray) -> float:
        one, two = hasher.transform(first), hasher.transform(second)
        return float((one & two).sum() / one.sum() if winners else (one == two).mean())

    return share


def _share_of_values(hasher: Any, first: np.ndarray, second: np.ndarray) -> float:
    return float((hasher.hash_values(first) == hasher.hash_values(second)).mean())


def _share_of_keys(hasher: Any, query: np.ndarray, key: np.ndarray) -> float:
    if isinstance(hasher, L2ALSH):
        return float((hasher.hash_query_values(query) == hasher.hash_values(key)).mean())
    return float((hasher.transform_queries(query) == hasher.transform(key)).mean())


def _orthogonal(rng: np.random.RandomState) -> Pair:
    """Two orthogonal directions of norm 1 and mean 0: the fly's inhibition leaves their angle."""
    one, two = rng.standard_normal((2, N_FEATURES))
    one -= one.mean()
    one /= np.linalg.norm(one)
    two -= two.mean()
    two -= (two @ one) * one
    return one, two / np.linalg.norm(two)


def _at_angle(angle: float, rng: np.random.RandomState) -> Pair:
    one, two = _orthogonal(rng)
    return one, np.cos(angle) * one + np.sin(angle) * two


def _at_distance(distance: float, rng: np.random.RandomState) -> Pair:
    one, two = _orthogonal(rng)
    return one, one + distance * two


def _at_inner_product(product: float, rng: np.random.RandomState) -> Pair:
    one, two = _orthogonal(rng)
    return one, product * one + np.sqrt(0.9**2 - product**2) * two
