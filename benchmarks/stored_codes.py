"""Codes that are stored while learning goes on: what a stream of chunks does to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

from ._common import report
from .domains import Part
from .tenants import embedded, seeds


def chunks(train: Part, n_chunks: int, new_classes: bool, seed: int) -> list[Part]:
    """Chunks of equal size; with new classes, these begin one after another."""
    rng = np.random.default_rng(seed)
    begin = np.zeros(len(train.y))
    if new_classes:
        classes = rng.permutation(np.unique(train.y))
        starts = np.floor(np.arange(len(classes)) / len(classes) * n_chunks * 0.8) / n_chunks
        begin = starts[np.argsort(classes)][np.searchsorted(np.unique(train.y), train.y)]
    order = np.argsort(begin + (1 - begin) * rng.random(len(begin)))
    return [train.of(rows) for rows in np.array_split(order, n_chunks)]


def stream(name: str, data: str | None, n_chunks: int, new_classes: bool, seed: int) -> dict:
    """Store the codes of each chunk as it comes; ask at the end."""
    train, test = embedded(name, data, seed)
    n_bits = 64 if name == "clinc150" else 32
    hasher = TaskGeometricHasher(n_bits, random_state=seed)
    stored, seen, changed, before = [], [], [], np.empty((0, n_bits))
    for chunk in chunks(train, n_chunks, new_classes, seed):
        hasher.partial_fit(chunk.X, chunk.y)
        if seen:
            again = hasher.transform(np.concatenate([part.X for part in seen]))
            changed.append(float((again != before).mean()))
        seen.append(chunk)
        stored.append(hasher.transform(chunk.X))
        before = hasher.transform(np.concatenate([part.X for part in seen]))
    labels = np.concatenate([part.y for part in seen])
    queries = hasher.transform(test.X)
    whole = TaskGeometricHasher(n_bits, random_state=seed).fit(train.X, train.y)
    everything = whole.transform(train.X)
    return {
        "as stored": mean_average_precision(queries, test.y, np.concatenate(stored), labels),
        "encoded again": mean_average_precision(queries, test.y, before, labels),
        "all rows at once": mean_average_precision(
            whole.transform(test.X), test.y, everything, train.y
        ),
        "bits changed a step": float(np.mean(changed)),
        "most in a step": float(np.max(changed)),
    }


def run(data: str | None) -> None:
    rows = []
    for name in ["digits"] if data is None else ["digits", "clinc150"]:
        for n_chunks, new in ((2, False), (20, False), (20, True)):
            tries = [stream(name, data, n_chunks, new, seed) for seed in seeds()]
            row: dict[str, Any] = {"data": name, "chunks": n_chunks, "new classes": new}
            for key in tries[0]:
                values = [found[key] for found in tries]
                row[key] = float(np.mean(values))
                if key == "as stored":
                    row["+-"] = float(np.std(values))
            rows.append(row)
            report("stored_codes", rows)
