"""Base of the hashers that train a whole network."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from .._sklearn import Interval, StrOptions, fit_context
from ..base import HasherMixin, check_samples, replaced, working_copy
from ..batches import ScaledRows, dense_rows
from ..bits import pack_bits
from ..callbacks import (
    CallbackSupportMixin,
    FitTask,
    bar_verbosity,
    learned_state,
    whole_fit,
)
from ..metrics import mean_average_precision
from ..networks import convnet, mlp, resnet
from ..networks.device import resolve_device
from ..networks.random import OwnDraws
from ..networks.user_modules import check_module, prepare_for_training, seeded_draws
from ..random import generator
from ..solver import GradientSolver, SolverSettings, network_settings
from ..targets import check_targets
from ..threads import map_batches, threads_for
from ..training import EpochTasks, ShuffledBatches, WeightedBatches, train
from .thresholds import split_thresholds

MODULES = ("auto", "mlp", "convnet", "resnet")
# Rows that thresholds and the codes of classes are estimated from.
_DESCRIBED_ROWS = 10_000


class CodeScoring(Callback):
    """Record the mean average precision of held-out rows after each epoch, as ``valid_map``."""

    def __init__(self, X: np.ndarray, y: np.ndarray):
        self.X, self.y = X, y

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Score the codes of the held-out rows."""
        outputs = _network_outputs(net.module_, self.X, torch.device(net.device))
        codes = outputs > split_thresholds(outputs)
        net.history.record("valid_map", mean_average_precision(codes, self.y))


def _network_outputs(module: nn.Module, X: Any, device: torch.device) -> np.ndarray:
    """Outputs of a network in evaluation mode, (n_rows, n_outputs), streamed in full batches."""
    was_training = module.training
    module.eval()

    def read(rows: np.ndarray, samples: Tensor) -> np.ndarray:
        return module(samples)[: len(rows)].cpu().numpy()

    parts = map_batches(read, X, device=device)
    module.train(was_training)
    return np.concatenate(parts)


class DeepHasherMixin(CallbackSupportMixin, HasherMixin):
    """Scale the samples, train a network with skorch, read its outputs.

    A subclass says how many outputs there are, with which loss they are trained, and how they
    become bits.
    """

    # The parameter that says how many outputs the network has.
    _outputs_parameter = "n_bits"
    # Settings that `solver` leaves at None.
    _solver_defaults: dict[str, Any] = {"max_epochs": 20, "lr": 1e-2, "batch_size": 128}
    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "module": [StrOptions(set(MODULES)), nn.Module],
        "image_shape": [None, "array-like"],
        "margin": [None, Interval(Real, 0, None, closed="neither")],
        "class_weight": [None, StrOptions({"balanced"}), dict],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "solver": [None, GradientSolver],
        "packed": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, *, task: Any = None) -> DeepHasherMixin:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or label indicators: rows that share one are similar.
        task : ignored
            For the common interface.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X or y are malformed or there is one class only; if `early_stopping` holds out no two
            rows of one class, a callback waits for what is not recorded, or training diverges. The
            estimator then stays as it was.
        """
        settings = network_settings(self.solver, type(self).__name__, **self._solver_defaults)
        with (
            replaced(self) as draft,
            whole_fit(self, draft, settings.max_epochs, X=X, y=y) as task,
        ):
            draft._fit(X, y, settings, task)
        return self

    def _fit(self, X: Any, y: Any, settings: SolverSettings, task: FitTask) -> None:
        X, y = check_samples(self, X, y, multi_output=True)
        y = check_targets(y, len(X))
        check_classification_targets(y)
        y, targets = self._encode(y)
        self._check_shape(X.shape[1])
        device = resolve_device(self.device)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._scale(X)
        self.n_bits_ = int(self.n_bits)
        self.seed_ = seed
        rows, callbacks = np.arange(len(X)), list[Any]()
        if self.early_stopping:
            rows, callbacks = self._hold_out(X, y, seed)
        epochs = EpochTasks(task, lambda: self._state_in_training(X, y))
        settings = replace(settings, callbacks=[*callbacks, *settings.callbacks, epochs])
        samples = torch.from_numpy(dense_rows(self._scaled(X), rows))
        is_users = isinstance(self.module, nn.Module)
        with seeded_draws(seed, device) if is_users else nullcontext():
            self.module_ = self._make_module(samples, seed)
            self.history_ = train(
                self.module_.to(device),
                self._make_loss(),
                samples,
                targets[torch.from_numpy(rows)],
                settings,
                self._batches(y[rows], seed),
                bar_verbosity(self),
            )
        self._describe_rows(X, y)

    def _describe_rows(self, X: np.ndarray, y: np.ndarray) -> None:
        """Set the attributes that describe the codes of the training rows."""
        self.module_.eval()
        few = np.arange(len(X))
        if len(few) > _DESCRIBED_ROWS:
            few = generator(self.seed_, "sample").choice(len(few), _DESCRIBED_ROWS, replace=False)
        outputs = self._outputs(X[few])
        with threads_for(2.0 * outputs.size * outputs.shape[1]):
            self._describe(outputs, y[few])

    def _state_in_training(self, X: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        """The fitted attributes as if training ended with the current epoch."""
        now = working_copy(self, fresh=False)
        now.module_, now.history_ = deepcopy(self.module_), []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the final codes they are shown
            now._describe_rows(X, y)
        return learned_state(now)

    def _encode(self, y: np.ndarray) -> tuple[np.ndarray, Tensor]:
        if y.ndim == 2:
            if self.class_weight is not None:
                raise ValueError(
                    f"class_weight={self.class_weight!r} needs one label for each row; y is an "
                    "indicator of labels, for which only class_weight=None is possible"
                )
            self.classes_ = np.arange(y.shape[1])
            return y, torch.from_numpy(y.astype(np.float32))
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_[0]!r} (n_samples={len(y)}); at least 2 are "
                "needed to learn what tells them apart"
            )
        return y, torch.from_numpy(index)

    def _batches(self, y: np.ndarray, seed: int) -> partial:
        """The maker of the batches of training rows."""
        if self.class_weight is None:
            return partial(ShuffledBatches, seed=seed)
        labels, index, counts = np.unique(y, return_inverse=True, return_counts=True)
        if self.class_weight == "balanced":
            weights = 1.0 / torch.from_numpy(counts)
        else:
            weights = torch.tensor(self._class_weights(labels), dtype=torch.float32)
        return partial(WeightedBatches, seed=seed, weight=weights[torch.from_numpy(index)])

    def _class_weights(self, labels: np.ndarray) -> list[float]:
        """Weights of classes; those that `class_weight` does not name have weight 1."""
        given = dict(self.class_weight)
        if unknown := [label for label in given if label not in self.classes_]:
            raise ValueError(
                f"class_weight names {unknown[0]!r}, which is no class of y; the classes are "
                f"{self.classes_.tolist()}"
            )
        for label, weight in given.items():
            if not isinstance(weight, Real) or not 0 < float(weight) < np.inf:
                raise ValueError(
                    f"class_weight gives {label!r} the weight {weight!r}; expected a positive "
                    "number"
                )
        return [float(given.get(label, 1.0)) for label in labels.tolist()]

    def _check_shape(self, n_features: int) -> None:
        needed = self.module in ("convnet", "resnet")
        if self.image_shape is None and needed:
            raise ValueError(
                f"module={self.module!r} needs image_shape=(height, width[, channels])"
            )
        if self.image_shape is not None and int(np.prod(self.image_shape)) != n_features:
            raise ValueError(
                f"image_shape={self.image_shape} has {int(np.prod(self.image_shape))} values, but "
                f"X has {n_features} features"
            )

    def _scale(self, X: np.ndarray) -> None:
        """One offset and scale for all pixels; one for each column of a table."""
        axis = 0 if self.image_shape is None else None
        self.mean_ = X.mean(axis=axis, dtype=np.float64)
        deviation = np.asarray(X.std(axis=axis, dtype=np.float64))
        # Rounding leaves a constant column a tiny deviation, which must not be scaled up.
        alive = deviation > 16 * np.finfo(float).eps * np.abs(self.mean_)
        self.scale_ = 1 / np.where(alive, deviation, 1.0)

    def _scaled(self, X: np.ndarray) -> ScaledRows:
        return ScaledRows(X, self.mean_, self.scale_)

    def _make_module(self, samples: Tensor, seed: int) -> nn.Module:
        if isinstance(self.module, nn.Module):
            module = deepcopy(self.module)
            prepare_for_training(module, "module")
            self._check_outputs(check_module(module, samples, "module"))
            return module
        shape = None if self.image_shape is None else tuple(self.image_shape)
        kind = self.module
        if kind == "auto":
            kind = "mlp" if shape is None else "resnet"
        with OwnDraws(seed):
            if shape is None or kind == "mlp":
                return mlp(samples.shape[1], self._n_outputs())
            return {"convnet": convnet, "resnet": resnet}[kind](shape, self._n_outputs())

    def _check_outputs(self, outputs: Tensor) -> None:
        """Raise ValueError if a module of the user's does not give what is trained here."""
        width = self._n_outputs()
        if outputs.shape[1:] != (width,):
            raise ValueError(
                f"module gives {tuple(outputs.shape[1:])} values for a sample; expected "
                f"({width},), because {self._outputs_parameter}={width}"
            )
        if outputs.dtype != torch.float32:
            raise ValueError(
                f"module gives values of type {outputs.dtype}; expected torch.float32, as its "
                "inputs are"
            )

    def _hold_out(self, X: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, list]:
        rows, held_out = train_test_split(
            np.arange(len(X)),
            test_size=self.validation_fraction,
            random_state=seed % 2**32,
            stratify=self._strata(y),
        )
        if np.isnan(mean_average_precision(np.zeros((len(held_out), 1), np.uint8), y[held_out])):
            raise ValueError(
                f"early_stopping has nothing to score: no two of the {len(held_out)} rows that "
                f"validation_fraction={self.validation_fraction} holds out share a class; raise "
                "it, or give more rows"
            )
        scoring = CodeScoring(dense_rows(self._scaled(X), held_out), y[held_out])
        stopping = EarlyStopping(
            "valid_map", patience=int(self.patience), lower_is_better=False, load_best=True
        )
        return np.sort(rows), [scoring, stopping]

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """Classes to hold out alike, where each has two rows and both parts have room for all."""
        if y.ndim > 1:
            return None
        counts = np.unique(y, return_counts=True)[1]
        part = len(y) * min(self.validation_fraction, 1 - self.validation_fraction)
        return y if counts.min() > 1 and part >= len(counts) else None

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = check_samples(self, X, reset=False)
        device = resolve_device(self.device)
        network = self.module_.to(device).eval()
        return _network_outputs(network, self._scaled(X), device)

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Codes of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        task : ignored
            Codes are the same in all tasks.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_bits), dtype uint8
            Values 0 and 1; of shape (n_samples, ceil(n_bits / 8)) if `packed` is set.
        """
        bits = self._to_bits(self._outputs(X))
        return pack_bits(bits) if self.packed else bits.astype(np.uint8)

    def decision_function(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Scores of the bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        task : ignored
            Values are the same in all tasks.

        Returns
        -------
        values : ndarray of shape (n_samples, n_bits), dtype float32
            A bit is 1 where its value is positive.
        """
        return self._decide(self._outputs(X))

    @abstractmethod
    def _n_outputs(self) -> int: ...

    @abstractmethod
    def _make_loss(self) -> nn.Module: ...

    @abstractmethod
    def _decide(self, outputs: np.ndarray) -> np.ndarray: ...

    def _to_bits(self, outputs: np.ndarray) -> np.ndarray:
        return self._decide(outputs) > 0

    def _describe(self, outputs: np.ndarray, y: np.ndarray) -> None:
        """Set attributes that describe the codes of training rows."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "history_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.transformer_tags.preserves_dtype = []
        return tags
