"""Every system of the sources, reproduced: ``python -m benchmarks reproduce --data folder``.

One file a system; ``python -m benchmarks reproduce.NAME --data folder`` runs one. Tables go to
``benchmarks/results``, pictures to ``docs/reproductions``; the page "Reproductions" shows both.
"""

from __future__ import annotations

import time
from importlib import import_module

# Cheap ones first.
NAMES = (
    "inner_products",
    "fly",
    "flynet",
    "families",
    "identity",
    "manifolds",
    "omniglot",
    "capsule",
    "deep",
    "autoencoders",
    "autoencoder_photographs",
    "deep_cifar10",
)


def run(data: str | None) -> None:
    """Run all; the minutes that each took come last."""
    minutes = {}
    for name in NAMES:
        start = time.perf_counter()
        import_module(f"{__name__}.{name}").run(data)
        minutes[name] = (time.perf_counter() - start) / 60
    for name, taken in minutes.items():
        print(f"reproduce.{name}: {taken:.1f} minutes")
