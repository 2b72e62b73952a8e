"""Old names that still work for a while, and say so; CONTRIBUTING has the policy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable)


def renamed_argument(
    old: str, new: str, *, since: str, until: str
) -> Callable[[Function], Function]:
    """Accept a keyword argument under its old name, with a FutureWarning.

    It decorates functions, methods and constructors; the signature has the new name alone, and so
    have ``get_params`` and ``clone``.

    Parameters
    ----------
    old, new : str
        Names of the argument.
    since, until : str
        The version that renamed it, and the one that no longer takes the old name.

    Returns
    -------
    decorate : callable

    Examples
    --------
    >>> from sktgsh._deprecation import renamed_argument
    >>> @renamed_argument("size", "n_bits", since="0.2", until="0.4")
    ... def length(*, n_bits):
    ...     return n_bits
    >>> length(n_bits=8)
    8
    """

    def decorate(function: Function) -> Function:
        @wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            if old in named:
                if new in named:
                    raise TypeError(
                        f"{function.__qualname__} got {new!r} and {old!r}, which is its old name"
                    )
                warnings.warn(
                    f"{old!r} of {function.__qualname__} is called {new!r} since {since}; the old "
                    f"name goes in {until}",
                    FutureWarning,
                    stacklevel=2,
                )
                named[new] = named.pop(old)
            return function(*given, **named)

        return call  # type: ignore[return-value]  # it takes what the function takes, and more

    return decorate


def renamed_attribute(old: str, new: str, *, since: str, until: str) -> property:
    """A property that gives an attribute under its old name, with a FutureWarning.

    Parameters
    ----------
    old, new : str
        Names of the attribute.
    since, until : str
        The version that renamed it, and the one that no longer has the old name.

    Returns
    -------
    attribute : property

    Examples
    --------
    >>> from sktgsh._deprecation import renamed_attribute
    >>> class Index:
    ...     ids_ = (1, 2)
    ...     rows_ = renamed_attribute("rows_", "ids_", since="0.2", until="0.4")
    """

    def give(self: Any) -> Any:
        warnings.warn(
            f"{old!r} of {type(self).__name__} is called {new!r} since {since}; the old name goes "
            f"in {until}",
            FutureWarning,
            stacklevel=2,
        )
        return getattr(self, new)

    return property(give)
