"""The parameters of the hasher: defaults, constraints, and what they mean together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._sklearn import Interval, StrOptions, TorchModule
from .._torch import is_torch
from ..networks.device import resolve_device
from ..solver import GradientSolver
from .encoding.build import build_network
from .encoding.encoder import Encoder
from .encoding.kinds import ENCODERS, encoder_of
from .learning.codebook import CODEBOOKS
from .learning.rows import Rows
from .learning.settings import LearningSettings
from .model import TaskModel

if TYPE_CHECKING:
    import torch

# Penalties for generalised cross-validation: the least suit data without noise, the largest suit
# more units than rows.
ALPHAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)
# What a solver leaves open.
SOLVER_DEFAULTS = dict(loss="joint", start="ridge", max_epochs=10, lr=0.1, batch_size=256)
# Parameters of the frozen network, which no later task can change.
FROZEN = ("n_bits", "encoder", "n_hidden", "head", "passthrough", "structure_fraction")


class TaskParameters(BaseEstimator):
    """Constructor of :class:`~sktgsh.TaskGeometricHasher`, which documents the parameters."""

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions(set(ENCODERS)), Encoder, TorchModule()],
        "n_hidden": [None, Interval(Integral, 1, None, closed="left")],
        "head": [StrOptions({"shared", "block", "dense", "readout"})],
        "passthrough": ["boolean"],
        "codebook": [StrOptions(set(CODEBOOKS))],
        "share_codebook": ["boolean"],
        "share_prior": ["boolean"],
        "structure_fraction": [Interval(Real, 0, 1, closed="both")],
        "solver": [StrOptions({"ridge", "sgd", "ridge+sgd"}), GradientSolver],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "class_weight": [None, dict, StrOptions({"balanced"})],
        "warm_start": ["boolean"],
        "unknown_task": [StrOptions({"raise", "pool", "infer"})],
        "task_column": [None, Integral, str],
        "freeze_codes": ["boolean"],
        "max_open_tasks": [Interval(Integral, 0, None, closed="left")],
        "n_groups": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "n_neighbors": [None, Interval(Integral, 1, None, closed="left")],
        "missing_label": "no_validation",
        "packed": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    frozen_parameters_: dict[str, Any]

    def __init__(
        self,
        n_bits: int = 32,
        *,
        encoder: str | Encoder | torch.nn.Module = "differences",
        n_hidden: int | None = None,
        head: str = "shared",
        passthrough: bool = True,
        codebook: str = "learned",
        share_codebook: bool = True,
        share_prior: bool = True,
        structure_fraction: float = 0.0,
        solver: str | GradientSolver = "ridge",
        alpha: float | Sequence[float] = ALPHAS,
        class_weight: str | dict | None = None,
        warm_start: bool = False,
        task_column: int | str | None = None,
        unknown_task: str = "raise",
        freeze_codes: bool = False,
        max_open_tasks: int = 8,
        n_neighbors: int | None = None,
        n_groups: int | str = "auto",
        missing_label: Any = None,
        packed: bool = False,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_bits = n_bits
        self.encoder = encoder
        self.n_hidden = n_hidden
        self.head = head
        self.passthrough = passthrough
        self.codebook = codebook
        self.share_codebook = share_codebook
        self.share_prior = share_prior
        self.structure_fraction = structure_fraction
        self.solver = solver
        self.alpha = alpha
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.freeze_codes = freeze_codes
        self.max_open_tasks = max_open_tasks
        self.n_neighbors = n_neighbors
        self.n_groups = n_groups
        self.missing_label = missing_label
        self.packed = packed
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _settings(self) -> LearningSettings:
        """Settings from the parameters; raises ValueError for those that do not go together."""
        closed_form, gradient = True, None
        if self.solver != "ridge":
            solver = self.solver if isinstance(self.solver, GradientSolver) else GradientSolver()
            gradient = solver.resolved(**SOLVER_DEFAULTS)
            closed_form = self.solver != "sgd" and gradient.start == "ridge"
        if self.head in ("dense", "readout") and closed_form:
            raise ValueError(
                f"head={self.head!r} has no closed form; use solver='sgd', or head='shared' or "
                f"'block' (got solver={self.solver!r})"
            )
        return LearningSettings(
            closed_form=closed_form,
            gradient=gradient,
            alpha=self._checked_alpha(),
            codebook=self.codebook,
            share_codebook=self.share_codebook,
            max_open_tasks=self.max_open_tasks,
            share_prior=self.share_prior,
            n_neighbors=None if self.n_neighbors is None else int(self.n_neighbors),
            n_groups=None if isinstance(self.n_groups, str) else int(self.n_groups),
            verbose=max(0, int(self.verbose) - 1),
        )

    def _warn_of_unused(self, settings: LearningSettings) -> None:
        """Warn of parameters of the closed form where there is none."""
        if not settings.closed_form and self.alpha is not ALPHAS and self.alpha != ALPHAS:
            warnings.warn(
                f"alpha={self.alpha!r} is the penalty of the closed form, which "
                f"solver={self.solver!r} does not use; leave it out, or start from the closed form",
                UserWarning,
                stacklevel=4,
            )

    def _checked_alpha(self) -> float | Sequence[float]:
        try:
            alphas = np.asarray(self.alpha, dtype=np.float64)
        except (ValueError, TypeError):
            alphas = np.array([np.nan])
        if not alphas.size or not (alphas >= 0).all():
            raise ValueError(f"alpha={self.alpha!r}; expected numbers that are not negative")
        return self.alpha

    def _new_model(self, rows: Rows) -> TaskModel:
        """Draw the frozen network; its statistics come from the given rows of the first task."""
        if self.head != "shared" and self.n_hidden is not None and self.n_hidden < self.n_bits:
            raise ValueError(
                f"n_hidden={self.n_hidden} is less than n_bits={self.n_bits}; each bit needs at "
                "least one hidden unit"
            )
        encoder = encoder_of(self.encoder)
        encoder.check(rows.X.shape[1])
        network = build_network(
            encoder,
            rows.X,
            rows.positions,
            n_bits=int(self.n_bits),
            n_hidden=self.n_hidden,
            head=self.head,
            passthrough=self.passthrough,
            structure_share=self.structure_fraction,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            device=resolve_device(self.device),
        )
        return TaskModel(network)

    def _frozen_parameters(self) -> dict[str, Any]:
        """Current values of the parameters that the frozen network is made with."""
        values = {name: getattr(self, name) for name in FROZEN}
        if isinstance(self.encoder, str):
            return values
        # The values of a module cannot be compared, so its type stands for it.
        encoder = encoder_of(self.encoder)
        params = {
            name: type(value).__name__ if is_torch(value, "Module") else value
            for name, value in encoder.get_params(deep=False).items()
        }
        return values | {"encoder": repr(type(encoder)(**params))}

    def _check_frozen(self) -> None:
        """Raise ValueError if a parameter of the frozen network was changed since it was made."""
        for name, value in self._frozen_parameters().items():
            before = self.frozen_parameters_[name]
            if value != before:
                raise ValueError(
                    f"{name}={value!r}, but the network that all tasks share was made with "
                    f"{name}={before!r}; set it back, or fit afresh with warm_start=False"
                )
