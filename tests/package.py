"""What the files to be published hold: ``make package`` builds them and runs this."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What is for the forge and for those who work on the repository alone.
NOT_PUBLISHED = (".ci/", ".github/", ".gitignore", ".pre-commit-config.yaml")


def tracked() -> set[str]:
    """Files of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True)
    return set(listed.stdout.decode().split())


def differences(kind: str, found: set[str], expected: set[str]) -> list[str]:
    """One line for each file that is missing, or too many."""
    return [f"{kind} lacks {name}" for name in sorted(expected - found)] + [
        f"{kind} has {name}" for name in sorted(found - expected)
    ]


def main() -> int:
    """Print what is wrong with the only wheel and the only archive in ``dist``; at most 1."""
    (wheel,) = ROOT.glob("dist/*.whl")
    (archive,) = ROOT.glob("dist/*.tar.gz")
    files = tracked()
    code = {name for name in files if name.startswith("sktgsh/")}
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    with tarfile.open(archive) as opened:
        members = [member.name.split("/", 1)[-1] for member in opened if member.isfile()]
    made = {name for name in members if ".egg-info/" in name or name == "PKG-INFO"}
    published = {name for name in files if not name.startswith(NOT_PUBLISHED)}
    wrong = differences("the wheel", in_wheel, code)
    wrong += differences("the archive", set(members) - made, published)
    print("\n".join(wrong) or f"{wheel.name} and {archive.name} hold what they should")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
