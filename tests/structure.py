"""Rooms, arrows, floors and circles of the package: ``python -m tests.structure``.

A room is a module or a package directly inside of another. An arrow leads from a room to one whose
module it imports when it is itself imported; imports inside of functions, and those for type
checkers alone, are none. A floor is a room's distance from those that import nothing. An arrow is
upward if it leads from a module to a package that contains it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "sktgsh"


@dataclass
class Graph:
    """Imports between the modules of a package.

    Parameters
    ----------
    root : Path
        The folder of the package.
    """

    root: Path

    @cached_property
    def modules(self) -> dict[str, ast.Module]:
        """Syntax trees by dotted name."""
        return {
            ".".join(
                (self.root.name, *path.relative_to(self.root).with_suffix("").parts)
            ).removesuffix(".__init__"): ast.parse(path.read_text())
            for path in sorted(self.root.rglob("*.py"))
        }

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Modules of the package that each module imports."""
        return {name: self._imported(name) - {name} for name in self.modules}

    def _imported(self, name: str) -> set[str]:
        found = set()
        for node in _at_import(self.modules[name]):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            else:
                base = self._base(name, node)
                # `from . import scan` imports a module, `from .scan import Scan` a name of one.
                names = {f"{base}.{alias.name}" for alias in node.names}
                found |= {part for part in names if part in self.modules} or {base}
        return found & self.modules.keys()

    def _base(self, name: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        is_package = (self.root.parent / Path(*name.split(".")) / "__init__.py").exists()
        parts = name.split(".") + ([""] if is_package else [])
        return ".".join([*parts[: -node.level], *([node.module] if node.module else [])])

    @cached_property
    def upward(self) -> list[tuple[str, str]]:
        """Arrows from a module to a package that contains it."""
        return sorted(
            (name, target)
            for name, targets in self.imports.items()
            for target in targets
            if name.startswith(f"{target}.")
        )

    def rooms(self, package: str) -> dict[str, set[str]]:
        """Rooms directly inside of a package, with the rooms that each imports."""
        inside = f"{package}."

        def room(module: str) -> str | None:
            return module.removeprefix(inside).split(".")[0] if module.startswith(inside) else None

        found: dict[str, set[str]] = {}
        for name, targets in self.imports.items():
            own = room(name)
            if own is not None:
                others = {room(target) for target in targets} - {own, None}
                found[own] = found.get(own, set()) | others
        return found

    @cached_property
    def packages(self) -> list[str]:
        """The package and those inside of it that hold more than one module."""
        names = {name.rpartition(".")[0] for name in self.modules} - {""}
        return sorted(names)


def _at_import(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _at_import(node)


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Sets of nodes that reach each other."""
    reached = {node: _reachable(node, arrows) for node in arrows}
    found: list[set[str]] = []
    for node in arrows:
        circle = {other for other in reached[node] if node in reached.get(other, ())}
        if circle and circle not in found:
            found.append(circle)
    return found


def _reachable(start: str, arrows: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(arrows[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += arrows.get(node, ())
    return found


def n_floors(arrows: dict[str, set[str]]) -> int:
    """Length of the longest way; 0 where there is a circle."""
    if circles(arrows):
        return 0
    floor: dict[str, int] = {}

    def of(node: str) -> int:
        if node not in floor:
            floor[node] = 1 + max((of(other) for other in arrows.get(node, ())), default=0)
        return floor[node]

    return max(map(of, arrows), default=0)


def sizes(root: Path) -> dict[str, tuple[int, str]]:
    """Lines of the longest file, class and function, and what they are called."""
    found = {"file": (0, ""), "class": (0, ""), "function": (0, "")}
    for path in root.rglob("*.py"):
        text, place = path.read_text(), path.relative_to(root).as_posix()
        found["file"] = max(found["file"], (text.count("\n"), place))
        for node in ast.walk(ast.parse(text)):
            kind = {"ClassDef": "class", "FunctionDef": "function"}.get(type(node).__name__)
            if kind is not None:
                found[kind] = max(found[kind], (_n_lines(node), f"{place}:{node.name}"))
    return found


def _n_lines(node: ast.ClassDef | ast.FunctionDef) -> int:
    """Lines of a class or a function without the docstrings in it."""
    lines = node.end_lineno - node.lineno + 1
    for part in ast.walk(node):
        if isinstance(part, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(part):
            lines -= part.body[0].end_lineno - part.body[0].lineno + 1
    return lines


def main() -> None:
    """Print a line for each package, and what is largest."""
    graph = Graph(PACKAGE)
    print(f"{'package':<36}{'rooms':>7}{'floors':>8}{'arrows':>8}{'circles':>9}")
    for package in graph.packages:
        rooms = graph.rooms(package)
        n_arrows = sum(map(len, rooms.values()))
        counts = f"{len(rooms):>7}{n_floors(rooms):>8}{n_arrows:>8}{len(circles(rooms)):>9}"
        print(f"{package:<36}{counts}")
    print(f"circles of modules: {len(circles(graph.imports))}")
    print(f"upward arrows: {len(graph.upward)}", *graph.upward)
    for kind, (lines, place) in sizes(PACKAGE).items():
        print(f"longest {kind}: {lines} lines, {place}")


if __name__ == "__main__":
    main()
