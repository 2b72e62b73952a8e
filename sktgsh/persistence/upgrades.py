"""Changes of classes and attributes since older versions wrote their files.

Where a class or one of its attributes is renamed, or its meaning changes, the next step below says
how a state of before becomes one of after. Steps are applied in order, from the format of the file
to that of today, to each object once its attributes are read (and so upgraded) themselves.

A constructor parameter that is new needs no step: it gets its default, which must therefore mean
what was done before. ``tests/persistence/kept`` holds files of each format that the tests open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import format_1

State = dict[str, Any]

# The format that is written. It is raised once for each release that changes what files hold.
FORMAT = 2


@dataclass(frozen=True)
class Step:
    """From one format to the next.

    Attributes
    ----------
    classes : mapping of str to str
        New names in files, by old ones.
    states : mapping of str to callable
        By class (its new name), a function from the old state to the new one. A state holds the
        attributes of an object by name; that of a module of torch holds "plain", "parameters",
        "buffers", "modules" and "training".
    """

    classes: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, Callable[[State], State]] = field(default_factory=dict)


def renamed(**names: str) -> Callable[[State], State]:
    """A change of a state that gives attributes new names: ``renamed(old="new")``."""

    def change(state: State) -> State:
        return {names.get(name, name): value for name, value in state.items()}

    return change


def changed(*changes: Callable[[State], State]) -> Callable[[State], State]:
    """Several changes of a state, one after the other."""

    def change(state: State) -> State:
        for one in changes:
            state = one(state)
        return state

    return change


# By the format that a step starts from.
STEPS: dict[int, Step] = {
    1: Step(format_1.CLASSES, format_1.STATES),
}


def name_today(name: str, written: int) -> str:
    """The name of a class today, by its name in a file of the format `written`."""
    for number in range(written, FORMAT):
        name = STEPS[number].classes.get(name, name)
    return name


def upgrade(name: str, state: State, written: int) -> tuple[str, State]:
    """The name and state of an object today.

    Parameters
    ----------
    name : str
        Its class in the file.
    state : dict
        Its attributes as they were written.
    written : int
        The format of the file.

    Returns
    -------
    name : str
    state : dict
    """
    for number in range(written, FORMAT):
        step = STEPS[number]
        name = step.classes.get(name, name)
        state = step.states.get(name, dict)(state)
    return name, state
