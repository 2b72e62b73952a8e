"""Estimators that are tried, and what it means that a case went well."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import estimators
import numpy as np
import pandas as pd
from sklearn.base import clone

N_ROWS, N_FEATURES, N_CLASSES = 30, 16, 3
# What the estimators themselves say; anything else is a leak.
OWN_WARNINGS = "classes share their most frequent code|units are dead"


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers that every type holds, in three classes that are easy to tell apart."""
    rng = np.random.Generator(np.random.PCG64(0))
    y = np.arange(N_ROWS) % N_CLASSES
    centres = rng.integers(0, 60, (N_CLASSES, N_FEATURES))
    return (centres[y] + rng.integers(0, 12, (N_ROWS, N_FEATURES))).astype(np.float64), y


X, Y = make_data()
NAMES = [f"column {i}" for i in range(N_FEATURES)]

SUPERVISED = {type(estimator) for estimator in [*estimators.SUPERVISED, *estimators.CHOOSERS]}


class Subject:
    """An estimator that is tried: fitted once, and copied where a case might change it."""

    tolerance = 0.0
    # What else an error may say, where it is the estimator's own and names the argument.
    says = ""

    def __init__(self, estimator: Any):
        self.estimator, self.name = estimator, type(estimator).__name__
        self.is_supervised = type(estimator) in SUPERVISED
        self.has_tasks = self.name.startswith("TaskGeometric")
        # Other rows may ask for another length of codes.
        self.chooses = self.name == "TaskGeometricHasherCV"
        self.is_hasher = hasattr(estimator, "score")
        self.is_sparse = estimator.__sklearn_tags__().input_tags.sparse
        self.is_index = hasattr(estimator, "kneighbors")
        self.learns = not self.is_index and hasattr(estimator, "random_state")

    @property
    def samples(self) -> np.ndarray:
        """What the estimator is fitted on."""
        return X

    def ask(self, model: Any, samples: Any) -> Any:
        """What a fitted estimator makes of samples, one row each."""
        return model.transform(samples)

    @cached_property
    def pickled(self) -> bytes:
        """The fitted estimator."""
        return pickle.dumps(quietly(lambda: clone(self.estimator).fit(self.samples, Y)))

    def fitted(self) -> Any:
        """A copy to be tried."""
        return pickle.loads(self.pickled)

    @cached_property
    def codes(self) -> np.ndarray:
        """What the fitted estimator makes of the samples."""
        return self.ask(self.fitted(), self.samples)


class Index(Subject):
    """An index of neighbours: the answer is the distances of the nearest."""

    tolerance = 1e-5
    says = r"|\bX\b"

    @property
    def samples(self) -> np.ndarray:
        """Codes, where the index takes nothing else."""
        return (X > 40).astype(np.uint8) if self.name == "HammingNeighbors" else X

    def ask(self, model: Any, samples: Any) -> np.ndarray:
        """Distances of the three nearest rows."""
        if self.name == "HammingNeighbors" and samples is not None:
            # Queries in floating point are scores: codes of any type are those of added rows.
            added = copy.copy(model).add(samples).shards_.codes()[model.n_samples_fit_ :]
            columns = getattr(samples, "columns", None)
            samples = np.unpackbits(added, axis=1, count=N_FEATURES)
            if columns is not None and isinstance(columns[0], str):
                samples = pd.DataFrame(samples, columns=list(columns))
        return model.kneighbors(samples, 3)[0]


class Columns(Subject):
    """A transformer beside which the task column passes; values keep the type of the samples."""

    says = r"|\bX\b|dtype|convert|Expected 2D"

    def ask(self, model: Any, samples: Any) -> np.ndarray:
        """As an array of floats."""
        found = model.transform(samples)
        found = found.toarray() if hasattr(found, "tocsr") else found
        return np.asarray(found).astype(float)


HASHERS = [*estimators.HASHERS, *estimators.CHOOSERS, *estimators.autoencoders((4, 4))]
SUBJECTS = [Subject(estimator) for estimator in HASHERS]
INDEXES = [Index(estimator) for estimator in estimators.INDEXES]
COLUMNS = [Columns(estimator) for estimator in estimators.TRANSFORMERS]
EVERYTHING = [*SUBJECTS, *INDEXES, *COLUMNS]


def quietly(function: Callable[[], Any]) -> Any:
    """Call without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function()


@dataclass
class Case:
    """One row of the table.

    Parameters
    ----------
    group, name : str
    run : callable
        Of (fitted estimator, subject); gives codes, which are compared with `expected`.
    error : str, optional
        What the message must match, where an error is right.
    expected : callable, optional
        Of a subject; the right codes. By default any sound codes of the right width.
    where : callable, optional
        Of a subject; whether the case can be tried on it. By default on what learns or draws.
    """

    group: str
    name: str
    run: Callable[[Any, Subject], Any]
    error: str | None = None
    expected: Callable[[Subject], np.ndarray] | None = None
    where: Callable[[Subject], bool] = field(default=lambda subject: subject.learns)

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"


def try_case(case: Case, subject: Subject) -> str | None:
    """What went wrong, or None."""
    model = subject.fitted()
    parameters = model.get_params(deep=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result, raised = case.run(model, subject), None
        except Exception as error:
            result, raised = None, error
    problem = _judge(case, subject, result, raised)
    leaks = [str(w.message) for w in caught if not re.search(OWN_WARNINGS, str(w.message))]
    if problem is None and leaks:
        problem = f"a warning gets through: {leaks[0]}"
    if problem is None and raised is not None:
        problem = _compare_state(model, subject, parameters)
    return problem


def _judge(case: Case, subject: Subject, result: Any, raised: Exception | None) -> str | None:
    if case.error is not None:
        if raised is None:
            return "no error"
        if not isinstance(raised, (ValueError, TypeError)):
            return f"{type(raised).__name__}: {raised}"
        if not re.search(case.error + subject.says, str(raised)):
            return f"the error does not say {case.error!r}: {raised}"
        return None
    if raised is not None:
        return f"{type(raised).__name__}: {raised}"
    codes = np.asarray(result)
    expected = subject.codes if case.expected is None else case.expected(subject)
    same_width = subject.chooses or codes.shape[1:] == subject.codes.shape[1:]
    if codes.dtype != subject.codes.dtype or not same_width:
        return f"codes have type {codes.dtype} and shape {codes.shape}"
    if not np.isfinite(codes).all():
        return "codes are not finite"
    if case.expected is None:
        return None
    if len(codes) != len(expected) or not np.allclose(codes, expected, 0, subject.tolerance):
        return f"not the right values, {codes.tolist()[:2]} in place of {expected.tolist()[:2]}"
    return None


def _compare_state(model: Any, subject: Subject, parameters: dict[str, Any]) -> str | None:
    """What an error changed, beside the parameters that a case has set."""
    model.set_params(**parameters)
    if model.n_features_in_ != N_FEATURES or hasattr(model, "feature_names_in_"):
        return "the error changed what is known of the features"
    if not np.array_equal(subject.ask(model, subject.samples), subject.codes):
        return "the error changed the codes"
    return None


def refit(subject: Subject, samples: Any, labels: Any = Y) -> np.ndarray:
    model = quietly(lambda: clone(subject.estimator).fit(samples, labels))
    return subject.ask(model, subject.samples)


def read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


def with_value(value: Any, dtype: Any = np.float64, samples: np.ndarray = X) -> np.ndarray:
    values = samples.astype(dtype)
    values[3, 5] = value
    return values
