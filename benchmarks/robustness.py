"""Bad and odd input on every public estimator, and what extreme but sound input costs."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from xml.etree import ElementTree

import numpy as np
from scipy import sparse

from sktgsh import TaskGeometricHasher

# Tests import each other by their names alone.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
from tests.bad_inputs import CASES, EVERYTHING, try_case
from tests.situations import SITUATIONS

from ._common import report, seconds


def cases() -> None:
    """Numbers of cases that are tried, and that go wrong."""
    rows: dict[str, dict] = {}
    for case in CASES:
        row = rows.setdefault(
            case.group, {"group": case.group, "cases": 0, "tried": 0, "errors": 0, "failed": 0}
        )
        row["cases"] += 1
        for subject in EVERYTHING:
            if case.where(subject):
                row["tried"] += 1
                row["errors"] += case.error is not None
                if problem := try_case(case, subject):
                    row["failed"] += 1
                    print(f"{subject.name}, {case}: {problem}")
    total: dict[str, Any] = {"group": "all"}
    for column in ("cases", "tried", "errors", "failed"):
        total[column] = sum(row[column] for row in rows.values())
    report("robustness", [*rows.values(), total])


def situations() -> None:
    """How many situations from public trackers are tried, by their roots, and how many fail."""
    names = sorted({f"tests/{name}" for one in SITUATIONS for name in one.tests})
    with NamedTemporaryFile(suffix=".xml") as log:
        subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junitxml={log.name}", *names])
        ran = ElementTree.parse(log.name).getroot().iter("testcase")
    # By the name of the test without its parameters, and by the name of the file.
    tried, bad = Counter[str](), Counter[str]()
    for test in ran:
        path = test.get("classname", "").replace(".", "/") + ".py"
        failed = any(part.tag in ("failure", "error") for part in test)
        for name in (path, f"{path}::{test.get('name', '').partition('[')[0]}"):
            tried[name] += all(part.tag != "skipped" for part in test)
            bad[name] += failed
    rows: dict[str, dict] = {}
    for one in SITUATIONS:
        row = rows.setdefault(one.root, dict(root=one.root, situations=0, tests=0, failed=0))
        row["situations"] += 1
        row["tests"] += sum(tried[f"tests/{name}"] for name in one.tests)
        if any(bad[f"tests/{name}"] or not tried[f"tests/{name}"] for name in one.tests):
            row["failed"] += 1
            print(f"failed: {one.root}, {one.what}")
    total: dict[str, Any] = {"root": "all"}
    for column in ("situations", "tests", "failed"):
        total[column] = sum(row[column] for row in rows.values())
    report("robustness_situations", [*rows.values(), total])


def _wide_and_sparse() -> tuple[Any, np.ndarray, dict]:
    rng = np.random.default_rng(0)
    X = sparse.random_array((10_000, 20_000), density=0.0019, format="csr", rng=rng, dtype="f4")
    return X, rng.integers(0, 10, X.shape[0]), {}


def _long_codes() -> tuple[Any, np.ndarray, dict]:
    return np.random.default_rng(0).normal(size=(200, 64)), np.arange(200) % 10, {"n_bits": 1000}


def _many_classes() -> tuple[Any, np.ndarray, dict]:
    return np.random.default_rng(0).normal(size=(9000, 64)), np.arange(9000) % 3000, {}


def _few_rows() -> tuple[Any, np.ndarray, dict]:
    return np.random.default_rng(0).normal(size=(240, 64)), np.arange(240) % 10, {}


EXTREMES: dict[str, Callable] = {
    "sparse, 10,000 x 20,000": _wide_and_sparse,
    "1,000 bits of 200 rows": _long_codes,
    "3,000 classes of 3 rows": _many_classes,
    "240 rows, 64 features": _few_rows,
}


def _peak() -> float:
    """Megabytes that this process has ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _cost(name: str) -> dict[str, Any]:
    X, y, params = EXTREMES[name]()
    TaskGeometricHasher(n_hidden=32).fit(np.eye(40), np.arange(40) % 2)  # libraries are loaded
    before = _peak()
    hasher = TaskGeometricHasher(random_state=0, **params)
    taken = seconds(lambda: hasher.fit(X, y))[0]
    return dict(
        what=name,
        fit_seconds=taken,
        fit_megabytes=_peak() - before,
        transform_seconds=seconds(lambda: hasher.transform(X))[0],
    )


def costs() -> None:
    """Seconds, and memory beyond what was held before, each in a process of its own."""
    rows = []
    for name in EXTREMES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows.append(process.submit(_cost, name).result())
    report("robustness_costs", rows)


def run(data: str | None = None) -> None:
    cases()
    situations()
    costs()
