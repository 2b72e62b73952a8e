"""The closed list of classes that files may hold: a class joins it where it is defined."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

_CLASSES: dict[str, type] = {}
_NAMES: dict[type, str] = {}
# Packages that define the classes. One that is not registered yet is looked for in one after the
# other: in the package itself, which imports no more than the class, then by what they import.
_HOMES = (
    "sktgsh sktgsh.lsh sktgsh.neighbors sktgsh.features_only sktgsh.task_geometric sktgsh.networks "
    "sktgsh.linear sktgsh.autoencoders sktgsh.deep sktgsh.evaluation"
).split()

# Classes of libraries: layers, and transformers whose state is made of numbers, names and arrays.
_LIBRARIES = {
    "torch.nn": (
        "AdaptiveAvgPool2d AvgPool2d BatchNorm1d BatchNorm2d Conv2d ConvTranspose2d Dropout "
        "Flatten GELU Identity LayerNorm LeakyReLU Linear MaxPool2d ModuleList ReLU Sequential "
        "Sigmoid Tanh Unflatten"
    ),
    "sklearn.utils": "Bunch",
    "sklearn.pipeline": "FeatureUnion Pipeline",
    "sklearn.frozen": "FrozenEstimator",
    "sklearn.compose": "ColumnTransformer",
    "sklearn.decomposition": "PCA TruncatedSVD",
    "sklearn.feature_extraction.text": "TfidfTransformer",
    "sklearn.feature_selection": "VarianceThreshold",
    "sklearn.impute": "SimpleImputer",
    "sklearn.linear_model": "LogisticRegression",
    "sklearn.multiclass": "OneVsRestClassifier",
    "sklearn.preprocessing": (
        "Binarizer FunctionTransformer LabelBinarizer MaxAbsScaler MinMaxScaler Normalizer "
        "OneHotEncoder OrdinalEncoder PowerTransformer QuantileTransformer RobustScaler "
        "StandardScaler"
    ),
}
_LIBRARY_OF = {name: module for module, names in _LIBRARIES.items() for name in names.split()}


def saved(name: str) -> Callable[[Class], Class]:
    """Let files hold objects of the decorated class.

    Files keep the attributes of an object. Where they are renamed or change their meaning, files
    of before need a step in ``sktgsh/persistence/upgrades.py``.

    Parameters
    ----------
    name : str
        The name in files, which never changes again; the class may be renamed and moved.

    Returns
    -------
    register : callable
        The decorator; it returns the class as it is.

    Raises
    ------
    ValueError
        If another class has the name.

    See Also
    --------
    sktgsh.persistence.save : Writes an estimator to a file.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> from sktgsh import load
    >>> from sktgsh.persistence import save, saved
    >>> @saved("mypackage.Threshold")
    ... class Threshold(BaseEstimator):
    ...     def __init__(self, value=0.5):
    ...         self.value = value
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "threshold.sktgsh"
    >>> save(Threshold(0.25), path)
    >>> load(path)
    Threshold(value=0.25)
    """

    def register(kind: Class) -> Class:
        other = _CLASSES.get(name)
        if name in _LIBRARY_OF or (other is not None and name_of(other) != name_of(kind)):
            raise ValueError(f"files hold another class of the name {name!r} already")
        _CLASSES[name], _NAMES[kind] = kind, name
        return kind

    return register


def class_of(name: str) -> Any:
    """The class of a name in files; ValueError for a name that is not on the list."""
    if name in _LIBRARY_OF:
        return getattr(import_module(_LIBRARY_OF[name]), name)
    for home in _HOMES:
        if name in _CLASSES:
            break
        # A package that imports its public classes when they are asked for is asked.
        getattr(import_module(home), name, None)
    if name not in _CLASSES:
        raise ValueError(f"the class {name!r} is not one that files of sktgsh may hold")
    return _CLASSES[name]


def saved_name(kind: type) -> str | None:
    """The name of a class in files, or None where files may not hold its objects."""
    if kind in _NAMES:
        return _NAMES[kind]
    name = kind.__qualname__
    return name if name in _LIBRARY_OF and class_of(name) is kind else None


def name_of(kind: type) -> str:
    """The module and name of a class, as error messages give it."""
    return f"{kind.__module__}.{kind.__qualname__}"
