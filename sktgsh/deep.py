"""Hashers whose whole network is trained; deep supervised hashing."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from .base import HasherMixin, draft_of
from .codes import codes_to_hex, hamming_distances, modal_codes
from .encoding import dense_rows, iter_batches
from .metrics import mean_average_precision
from .networks import PairwiseLoss, convnet, mlp, resnet
from .networks.device import resolve_device
from .networks.random import generator
from .solvers.sgd import OPTIMIZERS, BalancedBatches, ShuffledBatches, train

MODULES = ("auto", "mlp", "convnet", "resnet")
# Rows that thresholds and the codes of classes are estimated from.
_DESCRIBED_ROWS = 10_000
_N_ROTATIONS = 2000


class CodeScoring(Callback):
    """Record the mean average precision of held-out rows after each epoch, as ``valid_map``."""

    def __init__(self, X: np.ndarray, y: np.ndarray):
        self.X, self.y = X, y

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Score the codes of the held-out rows."""
        outputs = _network_outputs(net.module_, self.X, torch.device(net.device))
        codes = outputs > split_thresholds(outputs)
        net.history.record("valid_map", mean_average_precision(codes, self.y))


def split_thresholds(outputs: np.ndarray, n_steps: int = 20) -> np.ndarray:
    """For each output, a threshold half-way between the means of what lies above and below it.

    The loss sees differences alone: a network without a last normalisation may end with outputs of
    one sign.

    References
    ----------
    T. W. Ridler and S. Calvard, "Picture thresholding using an iterative selection method", 1978.
    """
    thresholds = outputs.mean(axis=0)
    for _ in range(n_steps):
        above = outputs > thresholds
        n_above = above.sum(axis=0)
        high = (outputs * above).sum(axis=0) / np.maximum(n_above, 1)
        low = (outputs * ~above).sum(axis=0) / np.maximum(len(outputs) - n_above, 1)
        thresholds = (high + low) / 2
    return thresholds.astype(np.float32)


def _network_outputs(module: nn.Module, X: Any, device: torch.device) -> np.ndarray:
    """Outputs of a network in evaluation mode, (n_rows, n_outputs), streamed in full batches."""
    was_training = module.training
    module.eval()
    parts = []
    with torch.no_grad():
        for rows, samples in iter_batches(X):
            parts.append(module(samples.to(device))[: len(rows)].cpu().numpy())
    module.train(was_training)
    return np.concatenate(parts)


def separating_rotation(
    outputs: np.ndarray, y: np.ndarray, seed: int
) -> tuple[np.ndarray | None, np.ndarray]:
    """A rotation of the outputs under which classes' codes are at least 2 bits apart.

    The pairwise loss is nearly blind to rotations: classes that are far apart may still fall on the
    same side of all thresholds but one. Of many random rotations the one is taken with the largest
    least distance between codes of classes (more than 2 bits do not count), then with class means
    farthest from the thresholds, for the spread of their classes.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_bits)
    y : ndarray of shape (n_rows,)
    seed : int

    Returns
    -------
    rotation : ndarray of shape (n_bits, n_bits), dtype float32, or None
        None where the outputs do as they are, or nothing is better.
    thresholds : ndarray of shape (n_bits,), dtype float32
        Of the rotated outputs.
    """
    classes, index = np.unique(y, return_inverse=True)
    means = np.stack([outputs[index == position].mean(axis=0) for position in range(len(classes))])
    within = np.cov((outputs - means[index]).T).reshape((outputs.shape[1],) * 2)
    first, second = np.triu_indices(len(means), 1)

    def quality(rotation: np.ndarray, thresholds: np.ndarray) -> tuple[int, float]:
        offset = means @ rotation.T - thresholds
        bits = offset > 0
        least = int((bits[first] != bits[second]).sum(axis=1).min())
        spread = np.sqrt(np.einsum("bi,ij,bj->b", rotation, within, rotation)) + 1e-12
        return min(least, 2), float(np.tanh(np.abs(offset) / spread / 2).mean())

    thresholds = split_thresholds(outputs)
    best, found = quality(np.eye(outputs.shape[1]), thresholds), None
    if best[0] >= 2:
        return found, thresholds
    rng = generator(seed, "rotation")
    for _ in range(_N_ROTATIONS):
        rotation = np.linalg.qr(rng.standard_normal((outputs.shape[1],) * 2))[0].T
        between = split_thresholds(means @ rotation.T)
        score = quality(rotation, between)
        if score > best:
            best, found, thresholds = score, rotation.astype(np.float32), between
    return found, thresholds


def project_rows(outputs: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Each row along each direction, (n_rows, n_directions).

    By direction, so that a row's sums do not depend on how many rows there are.
    """
    return np.stack([(outputs * direction).sum(axis=1) for direction in directions], axis=1)


class DeepHasherMixin(HasherMixin):
    """Scale the samples, train a network with skorch, read its outputs.

    A subclass says how many outputs there are, with which loss they are trained, and how they
    become bits.
    """

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "module": [StrOptions(set(MODULES)), nn.Module],
        "image_shape": [None, "array-like"],
        "margin": [None, Interval(Real, 0, None, closed="neither")],
        "balanced_batches": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [None, StrOptions({"one_cycle"})],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "callbacks": [None, list],
        "packed": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
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
            If X or y are malformed or there is one class only. The estimator then stays as it was.
        """
        draft = draft_of(self)
        draft._fit(X, y)
        self.__dict__ = draft.__dict__
        return self

    def _fit(self, X: Any, y: Any) -> None:
        X, y = validate_data(
            self, X, y, multi_output=True, dtype=[np.float32, np.float64, np.uint8]
        )
        check_classification_targets(y)
        y, targets = self._encode(y)
        self._check_shape(X.shape[1])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._scale(X)
        self.n_bits_ = int(self.n_bits)
        self.seed_ = seed
        self.module_ = self._make_module(X.shape[1], seed)
        rows, callbacks = np.arange(len(X)), []
        if self.early_stopping:
            rows, callbacks = self._hold_out(X, y, seed)
        samples = torch.from_numpy(self._scaled(dense_rows(X, rows)))
        history = train(
            self.module_,
            self._make_loss(),
            samples,
            targets[torch.from_numpy(rows)],
            max_epochs=self.max_epochs,
            lr=self.lr,
            lr_schedule=self.lr_schedule,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            callbacks=[*callbacks, *(self.callbacks or [])],
            device=str(resolve_device(self.device)),
            seed=seed,
            verbose=int(self.verbose),
            iterator=BalancedBatches if self.balanced_batches else ShuffledBatches,
        )
        self.module_.eval()
        self.history_ = history
        few = np.arange(len(X))
        if len(few) > _DESCRIBED_ROWS:
            few = generator(seed, "sample").choice(len(few), _DESCRIBED_ROWS, replace=False)
        self._describe(self._outputs(X[few]), y[few])

    def _encode(self, y: np.ndarray) -> tuple[np.ndarray, Tensor]:
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.ravel()
        if y.ndim == 2:
            if self.balanced_batches:
                raise ValueError("balanced_batches needs one label for each row; y is an indicator")
            self.classes_ = np.arange(y.shape[1])
            return y, torch.from_numpy(y.astype(np.float32))
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only, {self.classes_[0]!r} (n_samples={len(y)}); at least 2 are "
                "needed to learn what tells them apart"
            )
        return y, torch.from_numpy(index)

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
        self.mean_ = np.float32(X.mean(axis=axis, dtype=np.float64))
        deviation = np.asarray(X.std(axis=axis, dtype=np.float64))
        self.scale_ = np.float32(1 / np.where(deviation > 1e-12, deviation, 1.0))

    def _scaled(self, samples: np.ndarray) -> np.ndarray:
        return (samples - self.mean_) * self.scale_

    def _make_module(self, n_features: int, seed: int) -> nn.Module:
        if isinstance(self.module, nn.Module):
            return deepcopy(self.module)
        shape = None if self.image_shape is None else tuple(self.image_shape)
        kind = self.module
        if kind == "auto":
            kind = "mlp" if shape is None else "resnet"
        # Initial weights come from torch's generator; its state outside is left as it was.
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if kind == "mlp":
                return mlp(n_features, self._n_outputs())
            return {"convnet": convnet, "resnet": resnet}[kind](shape, self._n_outputs())

    def _hold_out(self, X: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, list]:
        rows, held_out = train_test_split(
            np.arange(len(X)), test_size=self.validation_fraction, random_state=seed % 2**32
        )
        scoring = CodeScoring(self._scaled(dense_rows(X, held_out)), y[held_out])
        stopping = EarlyStopping(
            "valid_map", patience=self.patience, lower_is_better=False, load_best=True
        )
        return np.sort(rows), [scoring, stopping]

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float32, np.float64, np.uint8], reset=False)
        device = resolve_device(self.device)
        return _network_outputs(_Scaled(self).to(device), X, device)

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
        return np.packbits(bits, axis=1) if self.packed else bits.astype(np.uint8)

    @abstractmethod
    def _n_outputs(self) -> int: ...

    @abstractmethod
    def _make_loss(self) -> nn.Module: ...

    @abstractmethod
    def _to_bits(self, outputs: np.ndarray) -> np.ndarray: ...

    def _describe(self, outputs: np.ndarray, y: np.ndarray) -> None:
        """Set what is known of the codes once the network is trained."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "history_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Scaled(nn.Module):
    """The trained network behind the scaling of its samples."""

    def __init__(self, hasher: DeepHasherMixin):
        super().__init__()
        self.network = hasher.module_
        self.register_buffer("mean", torch.from_numpy(np.asarray(hasher.mean_)))
        self.register_buffer("scale", torch.from_numpy(np.asarray(hasher.scale_)))

    def forward(self, samples: Tensor) -> Tensor:
        return self.network((samples - self.mean) * self.scale)


class DeepSupervisedHasher(DeepHasherMixin, BaseEstimator):
    """Deep supervised hashing: a network trained so that similar rows have near outputs.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code, and number of outputs.
    module : {"auto", "mlp", "convnet", "resnet"} or torch.nn.Module, default="auto"
        The network. ``"mlp"`` for tables, ``"convnet"`` (the paper's) and ``"resnet"`` for images;
        ``"auto"`` is ``"resnet"`` where `image_shape` is given, else ``"mlp"``. A module of your
        own maps (batch, n_features) to (batch, n_bits); it is copied.
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels) of an image that is a row of X.
    pairs : {"all", "random"}, default="all"
        Train on all pairs of a batch, or on one random partner for each row.
    margin : float, optional
        Squared distance that different rows must reach; by default ``3 * n_bits``. The paper's
        ``2 * n_bits`` leaves classes 1 bit apart in codes of 8 bits.
    alpha : float, default=0.01
        Weight of the quantisation term.
    balanced_pairs : bool, default=True
        Give similar and different pairs the same total weight.
    balanced_batches : bool, default=False
        Draw batches that hold about as many rows of each class.
    early_stopping : bool, default=False
        Hold rows out, stop when their mean average precision no longer grows, and keep the best.
    validation_fraction : float, default=0.1
        Share of the rows that are held out for that.
    patience : int, default=5
        Epochs without growth before stopping.
    max_epochs : int, default=20
        Epochs.
    lr : float, default=0.003
        Step size; the largest of the schedule.
    lr_schedule : {"one_cycle"} or None, default="one_cycle"
        Schedule of the step size.
    batch_size : int, default=128
        Rows of a gradient step.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or class, default="adam"
        Optimizer.
    callbacks : list of skorch callbacks, optional
        Called during training.
    packed : bool, default=False
        Give eight bits in a byte.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of initial weights and the order of rows.
    verbose : int, default=0
        1 shows skorch's table of epochs.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network.
    thresholds_ : ndarray of shape (n_bits,), dtype float32
        A bit is 1 where its output is above.
    rotation_ : ndarray of shape (n_bits, n_bits), or None
        Applied to the outputs before, where classes would be less than 2 bits apart without it.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    class_codes_ : ndarray of shape (n_classes, n_bits), dtype uint8
        The most frequent code of each class's training rows; not set for label indicators.
    class_hex_ : ndarray of shape (n_classes,)
        These codes in hexadecimal.
    class_distances_ : ndarray of shape (n_classes, n_classes)
        Hamming distances between them. A warning says where two classes share a code.
    history_ : list of dict
        Epochs, as skorch recorded them.

    References
    ----------
    H. Liu, R. Wang, S. Shan and X. Chen, "Deep supervised hashing for fast image retrieval",
    CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import DeepSupervisedHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DeepSupervisedHasher(n_bits=12, max_epochs=10, random_state=0).fit(X, y)
    >>> hasher.class_codes_.shape
    (10, 12)
    """

    _parameter_constraints: dict = {
        **DeepHasherMixin._parameter_constraints,
        "pairs": [StrOptions({"all", "random"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "balanced_pairs": ["boolean"],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        module: str | nn.Module = "auto",
        image_shape: tuple[int, ...] | None = None,
        pairs: str = "all",
        margin: float | None = None,
        alpha: float = 0.01,
        balanced_pairs: bool = True,
        balanced_batches: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        max_epochs: int = 20,
        lr: float = 3e-3,
        lr_schedule: str | None = "one_cycle",
        batch_size: int = 128,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        callbacks: list | None = None,
        packed: bool = False,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_bits = n_bits
        self.module = module
        self.image_shape = image_shape
        self.pairs = pairs
        self.margin = margin
        self.alpha = alpha
        self.balanced_pairs = balanced_pairs
        self.balanced_batches = balanced_batches
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.packed = packed
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _n_outputs(self) -> int:
        return int(self.n_bits)

    def _make_loss(self) -> nn.Module:
        margin = 3.0 * self.n_bits if self.margin is None else self.margin
        return PairwiseLoss(margin, self.alpha, self.pairs == "all", self.balanced_pairs)

    def _to_bits(self, outputs: np.ndarray) -> np.ndarray:
        if self.rotation_ is not None:
            outputs = project_rows(outputs, self.rotation_)
        return outputs > self.thresholds_

    def _describe(self, outputs: np.ndarray, y: np.ndarray) -> None:
        if y.ndim > 1:
            self.rotation_, self.thresholds_ = None, split_thresholds(outputs)
            return
        self.rotation_, self.thresholds_ = separating_rotation(outputs, y, self.seed_)
        classes, modal = modal_codes(self._to_bits(outputs), y)
        self.class_codes_, self.class_hex_ = modal, codes_to_hex(modal)
        self.class_distances_ = hamming_distances(modal)
        first, second = np.nonzero(np.triu(self.class_distances_ == 0, 1))
        if len(first):
            pairs = ", ".join(f"{classes[a]} and {classes[b]}" for a, b in zip(first, second))
            warnings.warn(
                f"classes share their most frequent code: {pairs}. Use more bits or more epochs",
                UserWarning,
                stacklevel=2,
            )
