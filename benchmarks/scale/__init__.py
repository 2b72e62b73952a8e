"""Beyond one machine: ``python -m benchmarks scale``, or one part, as ``scale.threads``."""

from __future__ import annotations

from importlib import import_module

NAMES = ("threads", "files", "onnx", "workers", "memory", "soak")


def run(data: str | None) -> None:
    """Run all parts."""
    for name in NAMES:
        import_module(f"{__name__}.{name}").run(data)
