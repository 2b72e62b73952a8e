"""The cost of an import, against ``import sklearn.base, scipy.linalg``: time and memory.

Each is a process of its own, on Linux; five rounds by turns, medians. A loaded hasher has 64 bits
and two tasks of digits. Held-out rows are then counted that would have it import torch: of digits,
and of Gaussian classes in few and in many columns.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.datasets import load_digits, make_blobs
from sklearn.model_selection import train_test_split

from sktgsh import TaskGeometricHasher
from sktgsh.datasets import load_digits_tasks

from ._common import report
from .latency import certain_share

IMPORTS = {
    "sklearn.base, scipy.linalg": "import sklearn.base, scipy.linalg",
    "sktgsh": "import sktgsh",
    "sktgsh.codes, sktgsh.metrics": "import sktgsh.codes, sktgsh.metrics",
    "SignedRandomProjectionHasher": "from sktgsh import SignedRandomProjectionHasher",
    "sktgsh.neighbors (faiss)": "import sktgsh.neighbors",
    "TaskGeometricHasher": "from sktgsh import TaskGeometricHasher",
}
_LOAD = """
import sys
import numpy as np
from sktgsh import load
hasher, row = load(sys.argv[1]), np.zeros((1, 64))
"""
LOADED = {
    "a loaded hasher, one row encoded": f"""{_LOAD}
hasher.transform(row, task=0)
assert "torch" not in sys.modules
""",
    "a loaded hasher, one row's scores (torch)": f"{_LOAD}hasher.decision_function(row, task=0)",
}
_COST = """
import time
from pathlib import Path
status = dict(line.split(":") for line in Path("/proc/self/status").open())
print(time.process_time(), int(status["VmHWM"].split()[0]) / 1024)
"""


def cost(code: str, path: Path) -> list[float]:
    """Seconds of the processor, and the most memory in MB, of a process that runs the code."""
    command = [sys.executable, "-c", code + _COST, str(path)]
    ran = subprocess.run(command, capture_output=True, check=True)
    return [float(value) for value in ran.stdout.split()]


def run(data: str | None) -> None:
    X, y, task = load_digits_tasks(n_tasks=2)
    codes = IMPORTS | LOADED
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hasher.safetensors"
        TaskGeometricHasher(n_bits=64, random_state=0).fit(X, y, task=task).save(path)
        costs = np.array([[cost(code, path) for code in codes.values()] for _ in range(5)])
    seconds, memory = np.median(costs, axis=0).T
    rows = [
        dict(imported=name, seconds=seconds[i], ratio=seconds[i] / seconds[0], mb=memory[i])
        for i, name in enumerate(codes)
    ]
    report("imports", rows)
    report("imports_doubtful", doubtful_rows())


def doubtful_rows() -> list[dict]:
    """Share of held-out rows of which a bit needs a full batch."""
    blobs = dict(n_samples=4000, random_state=0)
    data = {
        "digits": load_digits(return_X_y=True),
        "10 classes, 32 columns": make_blobs(n_features=32, centers=10, cluster_std=9, **blobs),
        "50 classes, 384 columns": make_blobs(n_features=384, centers=50, cluster_std=30, **blobs),
    }
    rows = []
    for name, (X, y) in data.items():
        X, Q, y, _ = train_test_split(X, y, test_size=0.5, random_state=0)
        for n_bits in (32, 64, 128):
            hasher = TaskGeometricHasher(n_bits=n_bits, random_state=0).fit(X, y)
            rows.append(dict(data=name, n_bits=n_bits, doubtful=1 - certain_share(hasher, Q)))
    return rows
