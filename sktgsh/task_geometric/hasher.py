"""The flagship: one frozen random network, and a small learned modulation for each task."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from ..base import draft_of
from ..networks.device import device_or_cpu
from ..networks.losses import LOSSES
from ..solver import OPTIMIZERS
from .codebook import CODEWORDS
from .exchange import ExchangeMixin
from .explaining import ExplainedTasksMixin
from .learning import LearningMixin
from .sums import SumsMixin

# By generalised cross-validation: from data with hardly any noise to more units than rows.
ALPHAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)


class TaskGeometricHasher(
    LearningMixin, SumsMixin, ExchangeMixin, ExplainedTasksMixin, BaseEstimator
):
    """Task-specific geometric sensitive hashing.

    Samples pass a frozen random network: an `encoder` expands them to many rectified hidden units,
    and a fixed `head` reads bits from these. For each task, only a modulation is learned between
    the two: a context (one value a hidden unit, for each bit) and a strength. A new task therefore
    costs seconds and little memory, and no code of an older task ever changes.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code.
    encoder : {"samples", "gaussian", "fly", "conv"} or torch.nn.Module, default="samples"
        How samples reach the hidden units.

        - ``"samples"``: each unit is a projection along the difference of two random samples of
          the first task.
        - ``"gaussian"``: each unit is a Gaussian random projection.
        - ``"fly"``: each unit sums `n_inputs` random features; lateral inhibition.
        - ``"conv"``: for images; needs `image_shape`. Grey ones: convolutions with random patches
          of the first task's images, pooled and standardised, then a sparse signed expansion.
          Those of several channels: whitened patches, then units as for ``"samples"``.
        - a module that maps samples as they come, (batch, n_features), or
          (batch, \\*image_shape) where that is given, to features: a pretrained backbone, say. It
          is frozen; its features are standardised, then units as for ``"samples"``. A Pipeline's
          `memory` does not know a module again: torch writes the addresses of tensors into what
          joblib hashes. Give the features of the backbone, cached by a step before.

        Columns are standardised first, by the first task's statistics: embeddings, tables and
        counts may come as they are.
    n_hidden : int, optional
        Number of rectified hidden units: by default 2,048 that all bits share (1,024 beside more
        columns than that), or 256 for each bit of another `head` (then a multiple of `n_bits`,
        rounded down).
    n_inputs : int, optional
        Features that a hidden unit sums. By default 7 of the samples' own values for ``"fly"``, 3
        of the features of grey images, all of them elsewhere.
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels) of an image that is a row of X.
    head : {"shared", "block", "dense", "readout"}, default="shared"
        The frozen readout. ``"shared"``: all bits see all units, each through a context of its
        own. ``"block"``: each bit has hidden units of its own, and a task costs kilobytes.
        ``"dense"``: all bits see all units through one context. ``"readout"``: random class
        scores, spelled out as codewords (the published FlyNet). The last two need
        ``solver="sgd"``.
    skip : bool, default=True
        Let the features stand beside the rectified units where bits share them: the closed form
        then contains ridge regression on the features. With ``n_hidden=1`` it is little else: the
        plain linear hasher onto codewords.
    codebook : {"shared", "per_task"}, default="shared"
        Whether a class has the same target code in all tasks, so that codes can be compared across
        tasks, or one of its own in each task.
    codewords : {"learned", "hadamard", "random"}, default="learned"
        How target codes are chosen. ``"learned"``: of random projections of the first task's
        class means, those whose sides are easily told apart and keep all classes apart; near
        classes get near codewords, and a later class gets its own from its mean. ``"hadamard"``:
        with largest distances. ``"random"``: at random, by class label.
    structure_bits : float, default=0.0
        Share of the bits that follow the directions of largest variance of the frozen features in
        place of a codeword. They find classes that no task was trained on.
    solver : {"ridge", "sgd", "ridge+sgd"}, default="ridge"
        Closed form, gradient steps, or gradient steps that start from the closed form.
    alpha : float or sequence of float, default=(1e-4, 3e-4, ..., 3, 10)
        Ridge penalty, in units of the mean variance of the hidden units. From a sequence, the best
        by generalised cross-validation is taken, for each bit of each task.
    loss : {"joint", "hinge", "squared_hinge", "cross_entropy"}, default="joint"
        What gradient steps minimise; see :class:`sktgsh.networks.CodewordLoss`.
    max_epochs : int, default=10
        Epochs of gradient steps.
    lr : float, default=0.1
        Step size; the largest of the schedule.
    lr_schedule : {"one_cycle"} or None, default="one_cycle"
        Schedule of the step size.
    batch_size : int, default=256
        Rows of a gradient step.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or class, default="adam"
        Optimizer of the gradient steps.
    callbacks : list of skorch callbacks, optional
        Called during gradient steps.
    warm_start : bool, default=False
        Let `fit` keep the network and the tasks learned before; tasks in the new data are learned
        afresh.
    task_column : int or str, optional
        The column of X that holds the task, where it is not given as `task`.
    open_tasks : int, default=8
        How many tasks, the last ones learned, keep the sums that the closed form needs to take more
        rows in `partial_fit`. They are about ``8 * n_hidden_ ** 2`` bytes a task where bits share
        the units (a share of 1 / `n_bits` of that for ``head="block"``), and never part of a
        pickle.
    packed : bool, default=False
        Give eight bits in a byte, in the order of :func:`numpy.packbits`.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of everything that is drawn.
    verbose : int, default=0
        1 shows a progress bar over the tasks that are learned and over rows that are read, 2 also
        one over the epochs of each task, 3 skorch's table of epochs in place of it.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Labels of the tasks, in the order in which they were learned.
    classes_ : ndarray of shape (n_classes,)
        Class labels of all tasks, sorted.
    contexts_ : ndarray of shape (n_tasks, n_bits, n_hidden) or (n_tasks, n_hidden)
        Context of each task, of root mean square 1, float32. One for each bit where bits share the
        units.
    strengths_ : ndarray of shape (n_tasks,), dtype float32
        Strength of each task.
    biases_ : ndarray of shape (n_tasks, n_bits), dtype float32
        Added to each bit's value before the threshold.
    codebook_ : ndarray of shape (n_classes, n_bits) or (n_tasks, n_classes, n_bits), dtype int8
        Target codes, -1 and +1; 0 in structure bits, and where a task lacks a class.
    modulations_ : dict of Modulation
        What was learned, by task.
    history_ : dict of list
        Epochs of the gradient steps of each task, as skorch recorded them.
    n_bits_, n_hidden_ : int
        Length of a code, and number of hidden units with the features beside them.
    n_features_in_ : int
        Number of features; a `task_column` does not count.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names.

    See Also
    --------
    sktgsh.TaskGeometricHasherCV : Chooses the code length.
    sktgsh.DeepSupervisedHasher : Trains a whole network on labels.
    sktgsh.SignedRandomProjectionHasher : Signs of random projections.
    sktgsh.neighbors.HammingNeighbors : Search by Hamming distance, in memory.

    References
    ----------
    S. Hong and T. P. Pavlic, "Randomly weighted neuromodulation in neural networks facilitates
    learning of manifolds common across tasks", UniReps 2023, arXiv 2401.02437.

    Examples
    --------
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.datasets import load_digits_tasks
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> hasher = TaskGeometricHasher(n_bits=16, random_state=0).fit(X, y, task=task)
    >>> hasher.transform(X[:3], task=task[:3]).shape
    (3, 16)
    """

    _parameter_constraints: dict = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions({"samples", "gaussian", "fly", "conv"}), torch.nn.Module],
        "n_hidden": [None, Interval(Integral, 1, None, closed="left")],
        "n_inputs": [None, Interval(Integral, 1, None, closed="left")],
        "image_shape": [None, "array-like"],
        "head": [StrOptions({"shared", "block", "dense", "readout"})],
        "skip": ["boolean"],
        "codebook": [StrOptions({"shared", "per_task"})],
        "codewords": [StrOptions(set(CODEWORDS))],
        "structure_bits": [Interval(Real, 0, 1, closed="both")],
        "solver": [StrOptions({"ridge", "sgd", "ridge+sgd"})],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "loss": [StrOptions(set(LOSSES))],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [None, StrOptions({"one_cycle"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "callbacks": [None, list],
        "warm_start": ["boolean"],
        "task_column": [None, Integral, str],
        "open_tasks": [Interval(Integral, 0, None, closed="left")],
        "packed": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_bits: int = 32,
        *,
        encoder: str | torch.nn.Module = "samples",
        n_hidden: int | None = None,
        n_inputs: int | None = None,
        image_shape: tuple[int, ...] | None = None,
        head: str = "shared",
        skip: bool = True,
        codebook: str = "shared",
        codewords: str = "learned",
        structure_bits: float = 0.0,
        solver: str = "ridge",
        alpha: float | Sequence[float] = ALPHAS,
        loss: str = "joint",
        max_epochs: int = 10,
        lr: float = 0.1,
        lr_schedule: str | None = "one_cycle",
        batch_size: int = 256,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        callbacks: list | None = None,
        warm_start: bool = False,
        task_column: int | str | None = None,
        open_tasks: int = 8,
        packed: bool = False,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_bits = n_bits
        self.encoder = encoder
        self.n_hidden = n_hidden
        self.n_inputs = n_inputs
        self.image_shape = image_shape
        self.head = head
        self.skip = skip
        self.codebook = codebook
        self.codewords = codewords
        self.structure_bits = structure_bits
        self.solver = solver
        self.alpha = alpha
        self.loss = loss
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.task_column = task_column
        self.open_tasks = open_tasks
        self.packed = packed
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def flynet(cls, **params: Any) -> TaskGeometricHasher:
        """The recipe as published: random class readout, cross-entropy, RMSprop, one epoch a task.

        Parameters
        ----------
        **params
            Override a setting, or add ``n_hidden`` (the paper takes 10 times the features),
            ``random_state`` and so on.

        Returns
        -------
        hasher : TaskGeometricHasher
            Unfitted.
        """
        recipe: dict[str, Any] = dict(
            encoder="fly",
            head="readout",
            codewords="hadamard",
            solver="sgd",
            loss="cross_entropy",
            optimizer="rmsprop",
            lr=1e-2,
            lr_schedule=None,
            batch_size=128,
            max_epochs=1,
        )
        return cls(**(recipe | params))

    # -- scikit-learn ----------------------------------------------------------------------------

    def __getstate__(self) -> dict:
        # Sums are much larger than what was learned from them: they are not exported.
        state = dict(super().__getstate__())
        if "statistics_" in state:
            state["statistics_"] = {}
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if hasattr(self, "learner_"):
            self.learner_.to(device_or_cpu(self.device))

    # Copies go on learning where the original is: they keep the sums.

    def __copy__(self) -> TaskGeometricHasher:
        return draft_of(self, fresh=False)

    def __deepcopy__(self, memo: dict) -> TaskGeometricHasher:
        copied = memo[id(self)] = object.__new__(type(self))
        copied.__dict__ = deepcopy(self.__dict__, memo)
        if hasattr(self, "learner_"):
            copied.learner_.to(self.learner_.device)
        return copied

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
