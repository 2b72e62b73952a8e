"""One home for each thing that several rooms need."""

import re
from pathlib import Path

import pytest
from structure import Graph, circles, n_floors

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


def test_there_is_no_circle_and_no_upward_arrow():
    graph = Graph(PACKAGE)
    assert not circles(graph.imports)
    assert not graph.upward
    assert {package: circles(graph.rooms(package)) for package in graph.packages} == {
        package: [] for package in graph.packages
    }


def test_circles_and_upward_arrows_are_found(tmp_path):
    files = {
        "__init__.py": "from .one import a",
        "one.py": "from typing import TYPE_CHECKING\nfrom .wing import b\n"
        "if TYPE_CHECKING:\n    from . import three",
        "three.py": "def f():\n    from .one import a",
        "wing/__init__.py": "from .two import b",
        "wing/two.py": "from ..one import a\nimport house\nfrom . import other",
        "wing/other.py": "x = 1",
    }
    root = tmp_path / "house"
    (root / "wing").mkdir(parents=True)
    for name, text in files.items():
        (root / name).write_text(text + "\n")
    graph = Graph(root)
    assert graph.imports["house.wing.two"] == {"house.one", "house", "house.wing.other"}
    assert graph.imports["house.three"] == set()
    assert graph.upward == [("house.wing.two", "house")]
    assert circles(graph.rooms("house")) == [{"one", "wing"}]
    assert n_floors(graph.rooms("house.wing")) == 2
    assert {"house", "house.one", "house.wing", "house.wing.two"} in circles(graph.imports)
