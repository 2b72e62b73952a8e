"""Capsule: where was this picture taken? SIFT descriptors vote through hash tables.

US patent 10,996,060: about 1,000 training views with a position each, up to 512 descriptors a view,
K = 22 hashes by sparse additions and subtractions, L = 24 tables, buckets above a cap ignored; the
view with the most votes gives the position. The world is a set of photographs; a position is where
in which photograph a view was cut out. Needs ``pip install sktgsh[camera]``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from scipy import ndimage
from sklearn.datasets import load_sample_image

from sktgsh import SparseProjectionHasher
from sktgsh.neighbors import LSHNeighbors

from .._common import report
from ._pictures import new_figure, save_picture

SIDE, STEP, N_DESCRIPTORS = 160, 40, 512
N_BITS, N_TABLES, CAP = 22, 24, 100
N_QUERIES, N_FEW, LEAST_DESCRIPTORS = 100, 20, 20
SHOWN = ("motorcycle", "coffee", "china")
Votes = Callable[[np.ndarray], np.ndarray]


@dataclass
class World:
    """Photographs, and the training views cut from them.

    Attributes
    ----------
    photographs : dict of ndarray of shape (height, width), dtype uint8
    places : list of (photograph, row, column)
        Of each view's centre.
    keys : ndarray of shape (n_keys, 128), dtype float32
        Descriptors of all views, less their mean.
    view_of_key : ndarray of shape (n_keys,)
    mean : ndarray of shape (128,)
    """

    photographs: dict[str, np.ndarray]
    places: list[tuple[str, int, int]]
    keys: np.ndarray
    view_of_key: np.ndarray
    mean: np.ndarray

    def errors(self, place: tuple[str, int, int]) -> np.ndarray:
        """Distance of every view from a place, in pixels; infinite in other photographs."""
        name, row, column = place
        return np.array(
            [np.hypot(r - row, c - column) if n == name else np.inf for n, r, c in self.places]
        )


def run(data: str | None) -> None:
    try:
        import cv2
        import skimage.data
    except ImportError:
        print("capsule: skipped; pip install sktgsh[camera] for OpenCV and scikit-image")
        return
    sift = cv2.SIFT_create(nfeatures=N_DESCRIPTORS, contrastThreshold=0.02)

    def describe(view: np.ndarray) -> np.ndarray:
        found = sift.detectAndCompute(view, None)[1]
        return np.zeros((0, 128), np.float32) if found is None else found[:N_DESCRIPTORS]

    world = build_world(photographs(skimage.data), describe)
    queries = draw_queries(world, describe)
    print(
        f"capsule: {len(world.places)} views of {len(world.photographs)} photographs, "
        f"{len(world.keys)} descriptors; {len(queries)} queries of "
        f"{np.mean([len(d) for _, _, d in queries]):.0f} descriptors each",
        flush=True,
    )
    compare(world, queries)
    sweep(world, queries[: 2 * N_FEW])


def photographs(packaged: Any) -> dict[str, np.ndarray]:
    """Photographs that scikit-learn and scikit-image install, in shades of grey."""
    pictures = {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    for name in (
        "astronaut",
        "coffee",
        "chelsea",
        "rocket",
        "hubble_deep_field",
        "immunohistochemistry",
    ):
        pictures[name] = getattr(packaged, name)()
    pictures["motorcycle"] = packaged.stereo_motorcycle()[0]
    return {
        name: picture[..., :3].mean(axis=2).astype(np.uint8) for name, picture in pictures.items()
    }


def build_world(pictures: dict[str, np.ndarray], describe: Votes) -> World:
    """Views on a grid; a view without descriptors cannot be found, and is left out."""
    places, keys = [], []
    for name, picture in pictures.items():
        for row in range(0, picture.shape[0] - SIDE + 1, STEP):
            for column in range(0, picture.shape[1] - SIDE + 1, STEP):
                found = describe(picture[row : row + SIDE, column : column + SIDE])
                if len(found):
                    places.append((name, row + SIDE // 2, column + SIDE // 2))
                    keys.append(found)
    view_of_key = np.repeat(np.arange(len(keys)), [len(part) for part in keys])
    all_keys = np.concatenate(keys)
    mean = all_keys.mean(axis=0)
    return World(pictures, places, all_keys - mean, view_of_key, mean)


def draw_queries(world: World, describe: Votes) -> list[tuple[tuple, np.ndarray, np.ndarray]]:
    """(place, view, descriptors): turned, scaled, darker and noisy views at random places.

    Views of sky and background with fewer than 20 descriptors are counted, and drawn again.
    """
    rng, queries, skipped = np.random.RandomState(0), [], 0
    names = list(world.photographs)
    while len(queries) < N_QUERIES:
        name = names[rng.randint(len(names))]
        picture = world.photographs[name].astype(np.float32)
        row, column = (rng.randint(SIDE // 2, size - SIDE // 2) for size in picture.shape)
        angle, scale = np.deg2rad(rng.uniform(-15, 15)), rng.uniform(0.9, 1.1)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
        offset = np.array([row, column]) - matrix @ [SIDE / 2, SIDE / 2]
        view = ndimage.affine_transform(
            picture, matrix, offset, (SIDE, SIDE), order=1, mode="reflect"
        )
        view = 0.7 * view + 5 * rng.standard_normal(view.shape)
        view = np.clip(view, 0, 255).astype(np.uint8)
        found = describe(view)
        if len(found) < LEAST_DESCRIPTORS:
            skipped += 1
            continue
        queries.append(((name, row, column), view, found - world.mean))
    print(f"capsule: {skipped} queries had fewer than {LEAST_DESCRIPTORS} descriptors", flush=True)
    return queries


# -- voting ------------------------------------------------------------------------------------


def hash_tables(world: World, n_tables: int = N_TABLES, cap: int | None = CAP) -> LSHNeighbors:
    return LSHNeighbors(
        SparseProjectionHasher(n_inputs=16),
        n_bits=N_BITS,
        n_tables=n_tables,
        max_bucket_size=cap,
        random_state=0,
    ).fit(world.keys)


def table_votes(world: World, index: LSHNeighbors, radius: float) -> Votes:
    """Each descriptor votes for the views of its candidates within a cosine distance."""

    def votes(descriptors: np.ndarray) -> np.ndarray:
        found = index.radius_neighbors(descriptors, radius=radius, return_distance=False)
        views = world.view_of_key[np.concatenate(found)]
        return np.bincount(views, minlength=len(world.places))

    return votes


def brute_votes(world: World) -> Votes:
    """Each descriptor votes for the views of its 4 nearest of all, by Euclidean distance."""
    exact = faiss.IndexFlatL2(128)
    exact.add(np.ascontiguousarray(world.keys, np.float32))

    def votes(descriptors: np.ndarray) -> np.ndarray:
        _, rows = exact.search(np.ascontiguousarray(descriptors, np.float32), 4)
        return np.bincount(world.view_of_key[rows.ravel()], minlength=len(world.places))

    return votes


def locate(world: World, queries: list, votes: Votes, n_averaged: int = 1) -> dict:
    """Errors of the positions found, and time a query.

    The position is that of the view with the most votes; or the mean of several such views of its
    photograph, weighted by their votes.
    """
    start = time.perf_counter()
    errors = []
    for place, _, descriptors in queries:
        counts = votes(descriptors)
        best = np.argsort(-counts, kind="stable")[:n_averaged]
        name = world.places[best[0]][0]
        best = [view for view in best if world.places[view][0] == name]
        centres = np.array([world.places[view][1:] for view in best])
        found = np.average(centres, axis=0, weights=counts[best] + 1e-9)
        errors.append(np.hypot(*(found - place[1:])) if name == place[0] else np.inf)
    spent = time.perf_counter() - start
    return _figures(np.array(errors)) | dict(
        queries=len(queries), ms_per_query=1000 * spent / len(queries)
    )


def _figures(errors: np.ndarray) -> dict:
    return dict(
        median_error=float(np.median(errors)),
        error_90_percent=float(np.quantile(errors, 0.9, method="lower")),
        right_photograph=float(np.isfinite(errors).mean()),
        within_a_step=float((errors <= STEP).mean()),
    )


def compare(world: World, queries: list) -> None:
    index = hash_tables(world)
    best = np.array([world.errors(place).min() for place, *_ in queries])
    rows = [dict(method="best possible: the nearest view", **_figures(best))]
    everyone, near = table_votes(world, index, np.inf), table_votes(world, index, 0.2)
    brute, few = brute_votes(world), queries[:N_FEW]
    for name, votes, used, n_averaged in (
        ("K = 22, L = 24, cap 100: all candidates vote", everyone, queries, 1),
        ("the same, candidates within 0.2", near, queries, 1),
        ("the same, mean of the 4 best views", near, queries, 4),
        ("candidates within 0.2, fewer queries", near, few, 1),
        ("brute force, 4 nearest descriptors", brute, few, 1),
    ):
        rows.append(dict(method=name, **locate(world, used, votes, n_averaged)))
    report("reproduce_capsule", rows)
    draw(world, queries, near)


def sweep(world: World, queries: list) -> None:
    """Against the number of tables, and against the cap on buckets."""
    rows = []
    for n_tables in (1, 2, 4, 8, 16, 24):
        index = hash_tables(world, n_tables)
        found = locate(world, queries, table_votes(world, index, np.inf))
        rows.append(dict(tables=n_tables, cap=CAP, **found))
    for cap in (3, 10, 30, 1000, None):
        index = hash_tables(world, cap=cap)
        found = locate(world, queries, table_votes(world, index, np.inf))
        rows.append(dict(tables=N_TABLES, cap=cap or "none", **found))
    report("reproduce_capsule_sweep", rows)


def draw(world: World, queries: list, votes: Votes) -> None:
    """The first query of some photographs, the votes of the views, and what was found."""
    chosen: dict[str, tuple] = {}
    for query in queries:
        chosen.setdefault(query[0][0], query)
    figure, axes = new_figure(2, len(SHOWN), 3.4, 2.4)
    for column, (place, view, descriptors) in enumerate(chosen[name] for name in SHOWN):
        name, row, col = place
        counts = votes(descriptors)
        centres = np.array([(r, c) for n, r, c in world.places if n == name])
        weight = np.array([v for v, (n, _, _) in zip(counts, world.places) if n == name])
        found = world.places[int(counts.argmax())]
        axes[0, column].imshow(view // 16, cmap="gray")
        axes[0, column].set(title=f"query ({name})", xticks=[], yticks=[])
        ax = axes[1, column]
        # A pale photograph of few shades: what is drawn over it counts.
        pale = 160 + world.photographs[name][::2, ::2] // 32 * 12
        height, width = world.photographs[name].shape
        ax.imshow(pale, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
        size = 150 * (weight / weight.max()) ** 2
        ax.scatter(*centres.T[::-1], s=size, c="C0", lw=0, label="votes of a view")
        ax.scatter(col, row, marker="x", s=90, c="red", lw=2.5, label="true position")
        if found[0] == name:
            ax.scatter(found[2], found[1], marker="+", s=130, c="black", lw=2, label="found")
        ax.set(xticks=[], yticks=[])
    axes[1, 0].legend(fontsize="x-small", loc="upper left")
    save_picture(figure, "capsule")
