"""Public names that are imported when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str], modules: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and the ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        Name of the package; it has ``__all__``.
    homes : mapping of str
        Names, with spaces between them, by the module that defines them.
    modules : collection of str, default=()
        Modules that are names of the package themselves.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}
    found = vars(sys.modules[package])

    def get(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found[name] = getattr(import_module(f"{package}.{home_of[name]}"), name)
        return found[name]

    def names() -> list[str]:
        return sorted({*found, *found["__all__"], *modules})

    return get, names
