"""The setting of a measurement: processor, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "skorch", "faiss-cpu")


def setting() -> dict[str, str]:
    """The machine, the versions and the commit, which a figure may depend on."""
    return {
        "processor": f"{_processor()}, {len(_cores())} cores, {torch.get_num_threads()} threads",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": _commit(),
    }


def text() -> str:
    """The setting as lines."""
    return "\n".join(f"{name:<10} {value}" for name, value in setting().items())


def _processor() -> str:
    """Its model, where the system says so; else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> range | set[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _commit() -> str:
    """Of the folder that this file is in; with a word where files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
        changed = subprocess.check_output([*git, "status", "--porcelain"], text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}, with changes" if changed else commit
