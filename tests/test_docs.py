"""Every block of Python in the README and on the pages runs alone, and prints what is said."""

import contextlib
import csv
import io
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import sktgsh

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def blocks():
    """(page and line, code, what it prints or None) of each block of Python."""
    for page in PAGES:
        text = page.read_text()
        found = list((FENCE if page.suffix == ".md" else DIRECTIVE).finditer(text))
        for block, after in zip(found, [*found[1:], None]):
            if block[1] != "python":
                continue
            # A block of text right after a block of Python is what that prints.
            follows = after and after[1] == "text" and not text[block.end() : after.start()].strip()
            line = text[: block.start()].count("\n") + 1
            yield pytest.param(
                _dedented(block[2]),
                _dedented(after[2]) if follows else None,
                id=f"{page.name}:{line}",
            )


def _dedented(code):
    return re.sub(r"^   ", "", code, flags=re.MULTILINE) if code.startswith("   ") else code


@pytest.mark.parametrize("code, expected", blocks())
def test_blocks_run_alone_and_print(code, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "block", "exec"), {"__name__": "block"})
    assert printed.getvalue().strip()
    if expected is not None:
        for line, words in zip(_lines(printed.getvalue()), _lines(expected), strict=True):
            if words[0] == "ITQ":  # the last digit of its shares depends on the processor
                shares = [[float(word) for word in part[3:]] for part in (line, words)]
                assert line[:3] == words[:3] and shares[0] == pytest.approx(shares[1], abs=0.015)
            else:
                assert line == words


def _lines(text):
    return [line.split() for line in text.splitlines() if line.strip()]


def test_the_readme_opens_with_the_table_of_the_landing_page():
    with open(ROOT / "docs" / "tables" / "overview.csv", newline="") as file:
        head, *rows = csv.reader(file)
    lines = [line for line in (ROOT / "README.md").read_text().split("\n") if line.startswith("|")]
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert shown[0] == head and shown[2 : 2 + len(rows)] == rows


def rooms():
    """The package, and its modules that say what is public."""
    found = [module.name for module in iter_modules(sktgsh.__path__) if module.name[0] != "_"]
    names = ["sktgsh", *(f"sktgsh.{name}" for name in found)]
    return [name for name in names if hasattr(import_module(name), "__all__")]


@pytest.mark.parametrize("room", rooms())
def test_every_public_name_is_in_the_reference(room):
    listed = (ROOT / "docs" / "api.rst").read_text()
    public = set(import_module(room).__all__) - {"__version__"}
    for name in (name for name in public if not name.endswith("Mixin")):  # parts of estimators
        assert re.search(rf"^   (\w+\.)?{name}$", listed, re.MULTILINE), name
