"""Run benchmarks: ``python -m benchmarks [NAME ...] [--data FOLDER] [--quick]``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from ._common import OPTIONS, RESULTS
from ._setting import text

# A name with a dot is a part of the one before the dot.
NAMES = sorted(
    module.name.removeprefix("benchmarks.")
    for module in walk_packages([str(Path(__file__).parent)], "benchmarks.")
    if not module.name.split(".")[-1].startswith("_")
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--data", help="folder with mnist.npz, movielens_1m.npz, ...")
    parser.add_argument("--quick", action="store_true", help="one seed, where there are several")
    arguments = parser.parse_args()
    OPTIONS.quick = arguments.quick
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    print(text())
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "setting.txt").write_text(text() + "\n")
    for name in arguments.names or [name for name in NAMES if "." not in name]:
        import_module(f"benchmarks.{name}").run(arguments.data)


if __name__ == "__main__":
    main()
