"""Deep supervised hashing."""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from .._sklearn import Interval, StrOptions
from ..codes import codes_to_hex, hamming_distances, modal_codes
from ..networks import PairwiseLoss
from ..persistence import saved
from ..solver import GradientSolver
from .base import DeepHasherMixin
from .thresholds import project_rows, separating_rotation, split_thresholds


@saved("DeepSupervisedHasher")
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
    pair_balance : float, default=0.25
        A similar pair weighs (different pairs / similar pairs) ** `pair_balance` times as much as a
        different one. 0, the paper's, counts all pairs alike; 1 gives both kinds the same total
        weight, which draws classes together where there are several.
    class_weight : {"balanced"}, dict or None, default=None
        Rows are drawn into batches in proportion to the weight of their class, a positive number
        for each label. ``"balanced"`` draws about as many rows of each class, so that rare classes
        are learned as well as frequent ones. None takes each row once an epoch.
    early_stopping : bool, default=False
        Hold rows out, stop when their mean average precision no longer grows, and keep the best.
    validation_fraction : float, default=0.1
        Share of the rows that are held out for that; of each class, where every class has two rows
        and there is room for all of them.
    patience : int, default=5
        Epochs without growth before stopping.
    solver : GradientSolver, optional
        Settings of the gradient steps. What it leaves at None is 20 epochs, ``lr=0.01`` and
        ``batch_size=128``. Callbacks find ``train_loss`` in the history, and ``valid_map`` with
        `early_stopping`.
    packed : bool, default=False
        Give eight bits in a byte.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of initial weights and the order of rows.
    verbose : int, default=0
        1 shows a progress bar over the epochs, 2 skorch's table of them.

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

    See Also
    --------
    sktgsh.GradientSolver : Settings of the gradient steps.
    sktgsh.GeometricHasher : Trains a network so that distances become representations.
    sktgsh.TaskGeometricHasher : Learns codes, for one task or many.

    References
    ----------
    H. Liu, R. Wang, S. Shan and X. Chen, "Deep supervised hashing for fast image retrieval",
    CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sktgsh import DeepSupervisedHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DeepSupervisedHasher(n_bits=12, random_state=0).fit(X, y)
    >>> hasher.class_codes_.shape
    (10, 12)
    """

    _parameter_constraints: dict = {
        **DeepHasherMixin._parameter_constraints,
        "pairs": [StrOptions({"all", "random"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "pair_balance": [Interval(Real, 0, 1, closed="both")],
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
        pair_balance: float = 0.25,
        class_weight: str | dict | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        solver: GradientSolver | None = None,
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
        self.pair_balance = pair_balance
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.solver = solver
        self.packed = packed
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _n_outputs(self) -> int:
        return int(self.n_bits)

    def _make_loss(self) -> nn.Module:
        margin = 3.0 * self.n_bits if self.margin is None else self.margin
        return PairwiseLoss(margin, self.alpha, self.pairs == "all", self.pair_balance)

    def _decide(self, outputs: np.ndarray) -> np.ndarray:
        if self.rotation_ is not None:
            outputs = project_rows(outputs, self.rotation_)
        return outputs - self.thresholds_

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
                stacklevel=6,  # through sklearn's check of parameters, to whoever called fit
            )
