"""The cost of an import, against ``import sklearn.base, scipy.linalg``: time and memory.

Each is a process of its own, on Linux; five rounds by turns, medians.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from ._common import report

IMPORTS = {
    "sklearn.base, scipy.linalg": "import sklearn.base, scipy.linalg",
    "sktgsh": "import sktgsh",
    "sktgsh.codes, sktgsh.metrics": "import sktgsh.codes, sktgsh.metrics",
    "SignedRandomProjectionHasher": "from sktgsh import SignedRandomProjectionHasher",
    "sktgsh.neighbors (faiss)": "import sktgsh.neighbors",
    "TaskGeometricHasher (torch)": "from sktgsh import TaskGeometricHasher",
}
_COST = """
import time
from pathlib import Path
status = dict(line.split(":") for line in Path("/proc/self/status").open())
print(time.process_time(), int(status["VmHWM"].split()[0]) / 1024)
"""


def cost(code: str) -> list[float]:
    """Seconds of the processor, and the most memory in MB, of a process that runs the code."""
    ran = subprocess.run([sys.executable, "-c", code + _COST], capture_output=True, check=True)
    return [float(value) for value in ran.stdout.split()]


def run(data: str | None) -> None:
    costs = np.array([[cost(code) for code in IMPORTS.values()] for _ in range(5)])
    seconds, memory = np.median(costs, axis=0).T
    rows = [
        dict(imported=name, seconds=seconds[i], ratio=seconds[i] / seconds[0], mb=memory[i])
        for i, name in enumerate(IMPORTS)
    ]
    report("imports", rows)
