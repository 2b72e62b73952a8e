"""Run benchmarks: ``python -m benchmarks [NAME ...] [--data FOLDER]``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

NAMES = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--data", help="folder with mnist.npz and movielens_1m.npz")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        import_module(f"benchmarks.{name}").run(arguments.data)


if __name__ == "__main__":
    main()
