"""One home for each thing that several rooms need."""

import re
from pathlib import Path

import pytest

import sktgsh

PACKAGE = Path(sktgsh.__file__).parent
PRIVATE = (
    r"from sklearn[\w.]*\._",
    r"from sklearn[\w.]* import [^\n(]*\b_[a-z]",
    r"from sklearn[\w.]* import \([^)]*\s_[a-z]",
)
HOMES = {
    "private names of scikit-learn": ("|".join(PRIVATE), "_sklearn.py"),
    "packing of bits": (r"np\.(un)?packbits\(", "bits.py"),
    "files of arrays": (r"\bsave_file\(|\bsafe_open\(", "persistence/files.py"),
}


@pytest.mark.parametrize("thing", HOMES)
def test_it_has_one_home(thing):
    pattern, home = HOMES[thing]
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(pattern, path.read_text())
    }
    assert found == {home}
