"""What docstrings of public names lack: ``python -m tests.docstrings``, which `make lint` runs.

The form of all docstrings is checked by ``numpydoc lint``, by the rules in ``pyproject.toml``. This
is about what the public ones hold: parameters, what is returned, neighbours, an example.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from numpydoc.validate import validate
from torch import nn

REFERENCE = Path(__file__).parent.parent / "docs" / "api.rst"
RULES = {
    "GL08": "a docstring",
    "PR01": "all parameters",
    "PR02": "no parameter that is not there",
    "RT01": "what is returned",
    "YD01": "what is yielded",
}
# Methods are shown in the example of their class.
TOP_RULES = {
    "SA01": "neighbours",
    "SA04": "what neighbours are for",
    "EX01": "an example",
}


def public_names() -> Iterator[tuple[str, Any, bool]]:
    """Path and object of each name in the reference and its methods; whether it is no method."""
    seen = set()
    for name in re.findall(r"^   ([\w.]+)$", REFERENCE.read_text(), re.MULTILINE):
        *room, last = f"sktgsh.{name}".split(".")
        path, value = f"sktgsh.{name}", getattr(import_module(".".join(room)), last)
        yield path, value, True
        for key, method in inspect.getmembers(value, callable) if _has_methods(value) else []:
            function = getattr(method, "__func__", method)
            is_ours = (getattr(function, "__module__", None) or "").startswith("sktgsh")
            if not key.startswith("_") and is_ours and function not in seen:
                seen.add(function)
                yield f"{path}.{key}", method, False


def _has_methods(value: Any) -> bool:
    # The line of a torch module's method says the shapes that go in and come out.
    return inspect.isclass(value) and not issubclass(value, nn.Module)


def rules_for(path: str, value: Any, is_top: bool) -> set[str]:
    """The rules that a docstring must follow."""
    rules = set(RULES) | (set(TOP_RULES) if is_top else set())
    if is_dataclass(value):
        # What a function returns has attributes.
        rules -= {"PR01"}
    if hasattr(value, "__wrapped__"):
        # A context of its own kind, which yields nothing.
        rules -= {"YD01", "SA01"}
    return rules


def main() -> int:
    """Print what is missing; the number of findings, at most 1."""
    found = [
        f"{path}: {code} {message}"
        for path, value, is_top in public_names()
        for code, message in validate(path)["errors"]
        if code in rules_for(path, value, is_top)
    ]
    print("\n".join(found) or "docstrings of all public names are complete")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
