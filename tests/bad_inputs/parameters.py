"""Parameters of wrong types and beyond their bounds, and integers of all types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval

from .harness import EVERYTHING, Case, Subject, Y, quietly


def _bad_values(interval: Interval) -> dict[str, Any]:
    """Values beside an interval."""
    bad: dict[str, Any] = {"text": "many", "NaN": np.nan, "a list of text": ["a"]}
    if interval.left is not None:
        bad["below"] = interval.left - (interval.closed in ("left", "both"))
    if interval.right is not None:
        bad["above"] = interval.right + 1
    if interval.type.__name__ == "Integral":
        bad["a fraction"] = 2.5
    return bad


def parameter_cases() -> Iterator[Case]:
    intervals: dict[str, Interval] = {}
    for subject in EVERYTHING:
        for name, constraints in _constraints(subject.estimator).items():
            for constraint in constraints:
                if isinstance(constraint, Interval):
                    intervals[name] = constraint
    for name, interval in sorted(intervals.items()):
        for kind, value in _bad_values(interval).items():
            yield Case(
                "parameters",
                f"{name}, {kind}",
                lambda m, s, name=name, value=value: m.set_params(**{name: value}).fit(
                    s.samples, Y
                ),
                _last(name),
                where=lambda s, name=name, interval=interval: _has_interval(s, name, interval),
            )
    for integer in (np.int64, np.int8, np.uint16):
        yield Case(
            "parameters",
            f"all integers as {integer.__name__}",
            lambda m, s, integer=integer: _with_integers(s, integer),
            expected=lambda s: s.codes,
            where=lambda s: True,
        )
    others = {"packed": "yes", "random_state": "a", "verbose": -1, "device": "gpu"}
    others |= {"solver": "best", "encoder": "eye", "image_shape": (3, 5)}
    others |= {"module": "big", "n_hidden": 0, "task_column": 1.5}
    others |= {"metric": "far", "algorithm": "fast", "index_params": 3, "mode": "text"}
    others |= {"candidates": "few", "vectors": "int4", "hasher": 3, "transformer": 3}
    others |= {"solver__callbacks": 3, "solver__optimizer": "best", "solver__lr_schedule": "steep"}
    others |= {"U": 0.0, "n_filters": 3, "cv": 1.5, "estimator": 3}
    for name, value in others.items():
        yield Case(
            "parameters",
            f"{name}={value!r}",
            lambda m, s, name=name, value=value: m.set_params(**{name: value}).fit(s.samples, Y),
            _last(name),
            where=lambda s, name=name: name in s.estimator.get_params(),
        )


def _constraints(estimator: Any) -> dict[str, list]:
    """What parameters must be, those of a solver among them."""
    nested = [("", estimator)]
    if isinstance(solver := getattr(estimator, "solver", None), BaseEstimator):
        nested.append(("solver__", solver))
    return {
        prefix + name: constraints
        for prefix, owner in nested
        for name, constraints in owner._parameter_constraints.items()
    }


def _last(name: str) -> str:
    """The name of a parameter in an error: without the path to its owner."""
    return name.rsplit("__", 1)[-1]


def _has_interval(subject: Subject, name: str, interval: Interval) -> bool:
    return any(
        isinstance(constraint, Interval) and str(constraint) == str(interval)
        for constraint in _constraints(subject.estimator).get(name, [])
    )


def _with_integers(subject: Subject, integer: type) -> np.ndarray:
    changed = {}
    for name, value in subject.estimator.get_params(deep=False).items():
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 128:
            changed[name] = integer(value)
        elif isinstance(value, (tuple, list)) and value and isinstance(value[0], int):
            changed[name] = np.array(value, integer)
    # Seeds may be of any integer type as well.
    model = clone(subject.estimator).set_params(**changed)
    return subject.ask(quietly(lambda: model.fit(subject.samples, Y)), subject.samples)
