"""Private names of scikit-learn, which no other room imports: a new version may need a change here.

They are what its own estimators are made of, and there is no public form of them: validation of
parameters, containers of output, rows of any container, weights.
"""

from typing import Any

import numpy as np
from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container as wrap_data_with_container
from sklearn.utils.validation import _check_feature_names, _check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

from ._torch import is_torch

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "TorchModule",
    "check_feature_names",
    "check_sample_weight",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "wrap_data_with_container",
]


class TorchModule(HasMethods):
    """The constraint of a parameter that is a module of torch, which need not be imported."""

    def __init__(self) -> None:
        super().__init__(["forward", "state_dict"])

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is such a module."""
        return is_torch(val, "Module")

    def __str__(self) -> str:
        return "an instance of 'torch.nn.modules.module.Module'"


def check_feature_names(estimator: Any, X: Any, *, reset: bool) -> None:
    """scikit-learn's check, which an array beside an estimator without names passes at once."""
    if reset or type(X) is not np.ndarray or hasattr(estimator, "feature_names_in_"):
        _check_feature_names(estimator, X, reset=reset)


def check_sample_weight(sample_weight: Any, X: Any, **params: Any) -> np.ndarray:
    """scikit-learn's check; its version 1.8 takes weights that are all zero."""
    weight = _check_sample_weight(sample_weight, X, **params)
    if len(weight) and not weight.any():
        raise ValueError("sample_weight is 0 in every row; at least one must be non-zero")
    return weight
