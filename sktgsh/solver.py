"""Settings of the gradient steps, as one object that all estimators with gradient steps take."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from ._sklearn import Interval, StrOptions
from .persistence import saved

if TYPE_CHECKING:
    import torch

# Losses of a hasher by codewords; see :class:`sktgsh.networks.CodewordLoss`.
LOSSES = ("joint", "hinge", "squared_hinge", "cross_entropy")
# Names in ``torch.optim``.
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}


@saved("GradientSolver")
class GradientSolver(BaseEstimator):
    """Settings of the gradient steps of an estimator.

    The estimators that train by gradients take one as their parameter `solver`. skorch runs the
    steps. A parameter that is None takes the default of the estimator, which its docstring names.

    Parameters
    ----------
    loss : {"joint", "hinge", "squared_hinge", "cross_entropy"}, optional
        Loss of :class:`TaskGeometricHasher`; see :class:`sktgsh.networks.CodewordLoss`. Deep
        hashers and autoencoders have a loss of their own and accept None only.
    start : {"ridge", "random"}, optional
        Where the steps of :class:`TaskGeometricHasher` start: at the closed form, or at small
        random contexts. Deep hashers and autoencoders start at random and refuse ``"ridge"``.
    max_epochs : int, optional
        Number of passes over the training rows.
    lr : float, optional
        Step size; the largest one if there is a schedule.
    lr_schedule : {"one_cycle"} or None, default="one_cycle"
        Schedule of the step size. None keeps it constant.
    batch_size : int, optional
        Rows of a gradient step.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or class, default="adam"
        Optimizer, or a class derived from ``torch.optim.Optimizer``.
    callbacks : list of skorch callbacks, optional
        Called during training. They find ``train_loss`` in the history; ``valid_loss`` is not
        recorded, because skorch holds no rows out.

    See Also
    --------
    sktgsh.DeepSupervisedHasher : Trains a whole network by these steps.
    sktgsh.TaskGeometricHasher : Trains the modulation of a task by them, if asked to.
    sktgsh.WinnerTakeAllAutoencoder : Trains each of its layers by them.

    Examples
    --------
    The parameters can be searched, once the estimator has a solver:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sktgsh import DeepSupervisedHasher, GradientSolver
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DeepSupervisedHasher(8, solver=GradientSolver(max_epochs=2), random_state=0)
    >>> search = GridSearchCV(hasher, {"solver__lr": [1e-6, 1e-2]}, cv=2).fit(X[:200], y[:200])
    >>> search.best_params_
    {'solver__lr': 0.01}
    """

    _parameter_constraints: dict = {
        "loss": [None, StrOptions(set(LOSSES))],
        "start": [None, StrOptions({"ridge", "random"})],
        "max_epochs": [None, Interval(Integral, 1, None, closed="left")],
        "lr": [None, Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [None, StrOptions({"one_cycle"})],
        "batch_size": [None, Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "callbacks": [None, list],
    }

    def __init__(
        self,
        *,
        loss: str | None = None,
        start: str | None = None,
        max_epochs: int | None = None,
        lr: float | None = None,
        lr_schedule: str | None = "one_cycle",
        batch_size: int | None = None,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        callbacks: list | None = None,
    ):
        self.loss = loss
        self.start = start
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.callbacks = callbacks

    def resolved(self, **defaults: Any) -> SolverSettings:
        """The settings, with an estimator's defaults where a parameter is None.

        Parameters
        ----------
        **defaults
            Default values of the estimator, by parameter.

        Returns
        -------
        settings : SolverSettings

        Raises
        ------
        ValueError
            If a parameter has a wrong type or value.
        """
        self._validate_params()
        given = {name: value for name, value in vars(self).items() if value is not None}
        values = {"lr_schedule": None, "callbacks": [], **defaults, **given}
        if isinstance(values["optimizer"], str):
            from torch import optim

            values["optimizer"] = getattr(optim, OPTIMIZERS[values["optimizer"]])
        for name in ("max_epochs", "batch_size"):
            values[name] = int(values[name])  # torch takes no integer of NumPy
        return SolverSettings(**values)


@dataclass(frozen=True)
class SolverSettings:
    """The parameters of a :class:`GradientSolver` with a value for each.

    Attributes
    ----------
    loss, start : str
    max_epochs, batch_size : int
    lr : float
    lr_schedule : str or None
    optimizer : type
    callbacks : list
    """

    loss: str
    start: str
    max_epochs: int
    lr: float
    lr_schedule: str | None
    batch_size: int
    optimizer: type[torch.optim.Optimizer]
    callbacks: list


def network_settings(solver: GradientSolver | None, owner: str, **defaults: Any) -> SolverSettings:
    """Settings for a network that is trained as a whole.

    Parameters
    ----------
    solver : GradientSolver or None
        As the estimator's user gave it; None stands for ``GradientSolver()``.
    owner : str
        Class name of the estimator, for messages.
    **defaults
        Default values of the estimator, by parameter.

    Returns
    -------
    settings : SolverSettings

    Raises
    ------
    ValueError
        If a parameter has a wrong value, or belongs to estimators of another kind.
    """
    solver = GradientSolver() if solver is None else solver
    settings = solver.resolved(loss="own", start="random", **defaults)
    if settings.loss != "own":
        raise ValueError(
            f"solver has loss={settings.loss!r}, but {owner} has a loss of its own; leave loss=None"
        )
    if settings.start != "random":
        raise ValueError(
            f"solver has start={settings.start!r}, but {owner} trains its whole network and has no "
            "closed form to start from; use start='random' or None"
        )
    if settings.batch_size < 2:
        raise ValueError(
            f"solver has batch_size={settings.batch_size}, but {owner} compares the rows of a "
            "batch; use at least 2"
        )
    return settings
