"""Objects of classes that files do not hold: how they are told from each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._torch import is_torch
from .registry import name_of


def type_name(value: Any) -> str:
    """The module and name of a value's class, or of the value where it is a class."""
    return name_of(value if isinstance(value, type) else type(value))


def kind_of(value: Any) -> tuple[str, ...]:
    """The name of a class, and those of the weights of a module: containers have one class."""
    weights = value.state_dict() if is_torch(value, "Module") else ()
    return (type_name(value), *sorted(weights))


def flat(values: Iterable) -> Iterable:
    """The values, and those inside of lists and tuples."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


def is_in(value: Any, items: Iterable) -> bool:
    """Whether a value is one of the items, or inside of one."""
    return any(
        item is value or (isinstance(item, (list, tuple)) and is_in(value, item)) for item in items
    )
