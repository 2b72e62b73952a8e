"""Codes that are stored while learning goes on: what a stream of chunks does to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktgsh import TaskGeometricHasher
from sktgsh.metrics import mean_average_precision

from ._common import report
from .domains import Part
from .tenants import dealt, joined, seeds

# Chunks, whether classes begin one after another, and tenants that rows are dealt to at random.
STREAMS = ((2, False, 1), (20, False, 1), (20, True, 1), (5, False, 10))


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


def within_tasks(queries: np.ndarray, asked: Part, codes: np.ndarray, stored: Part) -> float:
    """mAP of queries among the codes of their own task, averaged over the tasks."""
    found = []
    for task in np.unique(stored.task):
        of_query, of_code = asked.task == task, stored.task == task
        database = codes[of_code], stored.y[of_code]
        found.append(mean_average_precision(queries[of_query], asked.y[of_query], *database))
    return float(np.mean(found))


def stream(
    name: str, data: str | None, n_chunks: int, new_classes: bool, n_tenants: int, seed: int
) -> dict:
    """Store the codes of each chunk as it comes; ask at the end."""
    train, test = dealt(name, data, n_tenants, False, seed)
    n_bits = 64 if name == "clinc150" else 32
    hasher = TaskGeometricHasher(n_bits, max_open_tasks=n_tenants, random_state=seed)
    stored, seen, changed = [], train.of(np.arange(0)), []
    before = np.empty((0, n_bits))
    for chunk in chunks(train, n_chunks, new_classes, seed):
        hasher.partial_fit(chunk.X, chunk.y, task=chunk.task)
        if len(seen.y):
            changed.append(float((hasher.transform(seen.X, task=seen.task) != before).mean()))
        seen = joined([seen, chunk])
        stored.append(hasher.transform(chunk.X, task=chunk.task))
        before = hasher.transform(seen.X, task=seen.task)
    queries = hasher.transform(test.X, task=test.task)
    whole = TaskGeometricHasher(n_bits, random_state=seed).fit(train.X, train.y, task=train.task)
    at_once = [whole.transform(part.X, task=part.task) for part in (test, train)]
    return {
        "as stored": within_tasks(queries, test, np.concatenate(stored), seen),
        "encoded again": within_tasks(queries, test, before, seen),
        "all rows at once": within_tasks(at_once[0], test, at_once[1], train),
        "bits changed a step": float(np.mean(changed)),
        "most in a step": float(np.max(changed)),
    }


def run(data: str | None) -> None:
    rows = []
    for name in ["digits"] if data is None else ["digits", "clinc150"]:
        for n_chunks, new, n_tenants in STREAMS:
            tries = [stream(name, data, n_chunks, new, n_tenants, seed) for seed in seeds()]
            row: dict[str, Any] = {"data": name, "chunks": n_chunks, "new classes": new}
            row["tenants"] = n_tenants
            for key in tries[0]:
                values = [found[key] for found in tries]
                row[key] = float(np.mean(values))
                if key == "as stored":
                    row["+-"] = float(np.std(values))
            rows.append(row)
            report("stored_codes", rows)
