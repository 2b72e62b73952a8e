"""A report of a fault names everything that the package is made with."""

import re
import tomllib
from pathlib import Path

import numpy as np

import sktgsh

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def test_versions_of_all_libraries(capsys):
    sktgsh.show_versions()
    printed = capsys.readouterr().out
    assert printed.startswith(f"sktgsh {sktgsh.__version__}\nPython 3.")
    assert f"numpy {np.__version__}\n" in printed
    needed = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    for name in (re.match(r"[\w-]+", line)[0] for line in needed):
        assert re.search(rf"^{name} \d", printed, re.MULTILINE), name
