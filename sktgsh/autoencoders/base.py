"""Base of the autoencoders: scaling, training of a stack of layers, encoding in full batches."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._sklearn import Interval, fit_context
from ..base import VersionedMixin, check_samples, replaced
from ..batches import BATCH_ROWS, STATISTICS_ROWS, dense_rows
from ..callbacks import CallbackSupportMixin, FitTask, bar_verbosity, whole_fit
from ..networks.device import resolve_device
from ..networks.random import OwnDraws
from ..persistence import SaveMixin
from ..solver import GradientSolver, SolverSettings, network_settings
from ..threads import map_batches
from ..training import EpochTasks, ShuffledBatches, train


class ReconstructionLoss(nn.Module):
    """Squared error, summed over the values of a sample, averaged over the batch."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch."""
        return (output - target).square().flatten(1).sum(dim=1).mean()


class AutoencoderMixin(
    CallbackSupportMixin,
    VersionedMixin,
    SaveMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
):
    """Scale, train a stack of layers one after another, encode in full batches.

    A subclass makes the layers, says how samples enter the first one and how features leave the
    last.
    """

    # Settings that `solver` leaves at None.
    _solver_defaults: dict[str, Any] = {}
    _parameter_constraints: dict = {
        "sparsity": [Interval(Real, 0, 1, closed="right")],
        "solver": [None, GradientSolver],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> AutoencoderMixin:
        """Train the layers, each on the features of the one before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y, task : ignored
            For the common interface.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is malformed, training diverges, or a callback waits for what is not recorded. The
            estimator then stays as it was.
        """
        return self._train(X, fresh=True)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> AutoencoderMixin:
        """Go on training with more rows; the scale stays that of the first.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y, task : ignored
            For the common interface.

        Returns
        -------
        self : object
        """
        return self._train(X, fresh=not hasattr(self, "layers_"))

    def _train(self, X: Any, fresh: bool) -> AutoencoderMixin:
        with replaced(self, fresh=fresh) as draft:
            X = check_samples(draft, X, reset=fresh)
            draft._check_shape(X.shape[1])
            settings = draft._settings()
            device = resolve_device(self.device)
            if fresh:
                draft.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
                draft._scale(X[:STATISTICS_ROWS])
                with OwnDraws(draft.seed_):
                    draft.layers_ = draft._make_layers(X.shape[1])
                draft.history_ = [[] for _ in draft.layers_]
            else:
                draft.layers_ = deepcopy(self.layers_).train()
                draft.history_ = [list(epochs) for epochs in self.history_]
            with whole_fit(self, draft, len(draft.layers_), X=X) as task:
                draft._train_layers(draft._enter(X), fresh, settings, device, task)
                draft.n_features_out_ = draft._count_features()
                draft._describe(X)
        return self

    def _train_layers(
        self,
        values: Tensor,
        fresh: bool,
        settings: SolverSettings,
        device: torch.device,
        task: FitTask,
    ) -> None:
        """Train one layer after another; a callback may end the epochs of a layer early."""
        for epochs, layer in zip(self.history_, self.layers_):
            if fresh:
                layer.start_at(values[:STATISTICS_ROWS])
            with task.subtask("layer", settings.max_epochs) as part:
                callbacks = [*settings.callbacks, EpochTasks(part)]
                epochs += train(
                    layer.to(device),
                    ReconstructionLoss(),
                    values,
                    values,
                    replace(settings, callbacks=callbacks),
                    partial(ShuffledBatches, seed=self.seed_),
                    bar_verbosity(self),
                )
            layer.eval()
            if layer is not self.layers_[-1]:
                values = self._next_values(layer, values)

    def _settings(self) -> SolverSettings:
        """The settings of the gradient steps."""
        return network_settings(self.solver, type(self).__name__, **self._solver_defaults)

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_

    def transform(self, X: ArrayLike, *, task: Any = None) -> np.ndarray:
        """Features without the sparsity constraint.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        task : ignored
            For the common interface.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype float32
        """
        check_is_fitted(self)
        return self._encoded(check_samples(self, X, reset=False))

    def _encoded(self, X: np.ndarray) -> np.ndarray:
        """Features of checked samples."""
        features = np.empty((len(X), self.n_features_out_), np.float32)
        device = resolve_device(self.device)
        module = self.as_module().to(device)

        def encode(rows: np.ndarray, samples: Tensor) -> None:
            features[rows] = module(samples)[: len(rows)].cpu().numpy()

        map_batches(encode, X, device=device)
        return features

    def fit_transform(self, X: ArrayLike, y: Any = None, *, task: Any = None) -> np.ndarray:
        """Fit, then transform the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : ignored
            For the common interface.
        task : ignored
            For the common interface.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), dtype float32
            As `transform` gives them.
        """
        return self.fit(X, y).transform(X)

    def as_module(self) -> nn.Module:
        """The encoder as a torch module, (batch, n_features) to (batch, n_features_out).

        For ``TaskGeometricHasher(encoder=...)``, which freezes a copy of it.

        Returns
        -------
        module : torch.nn.Module
        """
        check_is_fitted(self)
        return _Encoder(self).eval()

    def _scale(self, sample: np.ndarray) -> None:
        mean, deviation = (float(np.abs(f(sample, dtype=np.float64))) for f in (np.mean, np.std))
        # Half of the 24 bits of float32 must be left for the differences between samples.
        if 0 < deviation < 2**-12 * mean and not np.can_cast(sample.dtype, np.float32):
            raise ValueError(
                f"X lies so far from 0 (mean {mean:.3g}, standard deviation {deviation:.3g}) that "
                "float32 would blur its samples; subtract the mean from X first"
            )
        if 0 < deviation < np.finfo(np.float32).tiny:
            raise ValueError(
                f"X varies by {deviation:.3g}, which is less than float32 holds; scale X up"
            )
        self.scale_ = 1 / (deviation or 1.0)

    def _enter(self, X: np.ndarray) -> Tensor:
        """The values that the first layer is trained on."""
        return torch.from_numpy(dense_rows(X, slice(None)) * np.float32(self.scale_))

    def _next_values(self, layer: Any, values: Tensor) -> Tensor:
        """The values that the next layer is trained on."""
        between, device = self._joints()[1], next(layer.parameters()).device
        with torch.no_grad():
            parts = [
                between(layer.encode(part.to(device))).cpu() for part in values.split(BATCH_ROWS)
            ]
        return torch.cat(parts)

    def _check_shape(self, n_features: int) -> None:
        """Raise ValueError if samples cannot enter the first layer."""

    def _report_dead(self, activity: np.ndarray) -> None:
        """Count units that no sample makes active, and say so."""
        self.n_dead_units_ = int((activity == 0).sum())
        if self.n_dead_units_:
            warnings.warn(
                f"{self.n_dead_units_} of {len(activity)} units are dead: no sample makes them "
                "active. Lower lr, raise sparsity or batch_size, or train longer",
                UserWarning,
                stacklevel=6,  # through sklearn's check of parameters, to whoever called fit
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Encoder(nn.Module):
    """The encoder of a fitted autoencoder."""

    def __init__(self, autoencoder: AutoencoderMixin):
        super().__init__()
        self.layers = autoencoder.layers_
        self.scale = autoencoder.scale_
        self.enter, self.between, self.leave = autoencoder._joints()

    def forward(self, samples: Tensor) -> Tensor:
        first, *others = self.layers
        values = first.encode(self.enter(samples * self.scale))
        for layer in others:
            values = layer.encode(self.between(values))
        return self.leave(values)
