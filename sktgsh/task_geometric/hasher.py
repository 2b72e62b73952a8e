"""The flagship: one frozen random network, and a small learned modulation for each task."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from tqdm.auto import tqdm

from ..base import draft_of
from ..batches import SAMPLE_DTYPES
from ..networks.device import resolve_device
from ..networks.losses import LOSSES
from ..tasks import INFER, check_known, check_same_kind, check_task, iter_tasks
from ..training import OPTIMIZERS
from .codebook import CODEWORDS
from .encoder import build_encoder
from .learner import BitLayout, Rows, TaskLearner
from .modulation import Modulation
from .reading import LearnedTasksMixin

UNITS_PER_BIT = 256


class TaskGeometricHasher(LearnedTasksMixin, BaseEstimator):
    """Task-specific geometric sensitive hashing.

    Samples pass a frozen random network: an `encoder` expands them to many rectified hidden units,
    and a fixed `head` reads bits from these. For each task, only a modulation is learned between
    the two: a context (one value a hidden unit) and a strength. A new task therefore costs
    kilobytes and seconds, and no code of an older task ever changes.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code.
    encoder : {"fly", "gaussian", "conv"} or torch.nn.Module, default="fly"
        How samples reach the hidden units.

        - ``"fly"``: each unit sums `n_inputs` random features; lateral inhibition.
        - ``"gaussian"``: each unit is a dense Gaussian projection.
        - ``"conv"``: convolutions with random patches of the first task's images, pooled and
          standardised, then a sparse signed expansion. For images; needs `image_shape`.
        - a module that maps samples as they come, (batch, n_features), or
          (batch, \\*image_shape) where that is given, to features: a pretrained backbone, say. It
          is frozen; its features are standardised and expanded as those of ``"conv"``.
    n_hidden : int, optional
        Number of hidden units, rounded down to a multiple of `n_bits`. By default 256 a bit: then
        longer codes are better codes, and a short code is the prefix of a long one.
    n_inputs : int, optional
        Features that a sparse hidden unit sums. By default 7 of the samples' own values, 3 of the
        features that an extractor makes.
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels) of an image that is a row of X.
    head : {"block", "dense", "readout"}, default="block"
        The frozen readout. ``"block"``: each bit has hidden units of its own. ``"dense"``: each bit
        sees all of them. ``"readout"``: random class scores, spelled out as codewords (the
        published FlyNet). The last two need ``solver="sgd"``.
    codebook : {"shared", "per_task"}, default="shared"
        Whether a class has the same target code in all tasks, so that codes can be compared across
        tasks, or one of its own in each task.
    codewords : {"learned", "hadamard", "random"}, default="learned"
        How target codes are chosen: from the data of the first task (which classes are easily told
        apart, and which must be kept apart), with largest distances, or at random by class label.
    structure_bits : float, default=0.0
        Share of the bits that follow the directions of largest variance of the frozen features in
        place of a codeword. They find classes that no task was trained on.
    solver : {"ridge", "sgd", "ridge+sgd"}, default="ridge"
        Closed form, gradient steps, or gradient steps that start from the closed form.
    alpha : float or sequence of float, default=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
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
        rows in `partial_fit`. They are about ``8 * n_hidden ** 2 / n_bits`` bytes a task, and are
        never part of a pickle.
    packed : bool, default=False
        Give eight bits in a byte, in the order of :func:`numpy.packbits`.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    random_state : int, RandomState instance or None, default=None
        Of everything that is drawn.
    verbose : int, default=0
        1 shows a progress bar over the tasks, 2 also skorch's table of epochs.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Labels of the tasks, in the order in which they were learned.
    classes_ : ndarray of shape (n_classes,)
        Class labels of all tasks, sorted.
    contexts_ : ndarray of shape (n_tasks, n_hidden), dtype float32
        Context of each task, of root mean square 1.
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
        Length of a code and number of hidden units.
    n_features_in_ : int
        Number of features; a `task_column` does not count.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names.

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
        "encoder": [StrOptions({"fly", "gaussian", "conv"}), torch.nn.Module],
        "n_hidden": [None, Interval(Integral, 1, None, closed="left")],
        "n_inputs": [None, Interval(Integral, 1, None, closed="left")],
        "image_shape": [None, "array-like"],
        "head": [StrOptions({"block", "dense", "readout"})],
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
        encoder: str | torch.nn.Module = "fly",
        n_hidden: int | None = None,
        n_inputs: int | None = None,
        image_shape: tuple[int, ...] | None = None,
        head: str = "block",
        codebook: str = "shared",
        codewords: str = "learned",
        structure_bits: float = 0.0,
        solver: str = "ridge",
        alpha: float | Sequence[float] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
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

    # -- learning --------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> TaskGeometricHasher:
        """Learn a modulation for each task in the data, one task after another.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels.
        task : int, str or array-like of shape (n_samples,), optional
            One task label for all rows, or one per row.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, not negative.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If X, y or task are malformed, or a task has a single class. The estimator then stays
            as it was. After Ctrl-C it keeps the tasks that were finished.
        """
        fresh = not (self.warm_start and hasattr(self, "modulations_"))
        return self._learn(X, y, task, sample_weight, fresh=fresh, renew=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        task: Any = None,
        sample_weight: ArrayLike | None = None,
    ) -> TaskGeometricHasher:
        """Learn new tasks, or go on with known ones: more rows, new classes.

        With ``solver="ridge"`` a task is then as if all its rows had come at once. The codes of
        tasks that are not in the data stay as they are, to the bit.

        Parameters
        ----------
        X, y, task, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            As in :meth:`fit`, and if a task was closed that the closed form has to go on with.
        """
        fresh = not hasattr(self, "modulations_")
        return self._learn(X, y, task, sample_weight, fresh=fresh, renew=False)

    def close_task(self, task: int | str) -> TaskGeometricHasher:
        """Free the sums of a task that will not get more rows; its codes stay.

        Parameters
        ----------
        task : int or str
            Label of the task.

        Returns
        -------
        self : TaskGeometricHasher
        """
        check_is_fitted(self)
        check_known(np.array([task]), list(self.modulations_))
        self.statistics_.pop(task, None)
        return self

    def _learn(
        self, X: Any, y: Any, task: Any, sample_weight: Any, *, fresh: bool, renew: bool
    ) -> TaskGeometricHasher:
        # The draft replaces this estimator's state task by task: Ctrl-C keeps those finished.
        draft = draft_of(self, fresh=fresh)
        rows, labels = draft._check_training_rows(X, y, task, sample_weight, fresh, renew)
        if fresh:
            draft._build(rows, np.flatnonzero(labels == labels[0]))
        todo = list(iter_tasks(labels))
        for label, positions in tqdm(todo, desc="tasks", unit="task", disable=not self.verbose):
            draft._learn_task(label, rows.take(positions), renew)
            self.__dict__ = dict(draft.__dict__)
        return self

    def _check_training_rows(
        self, X: Any, y: Any, task: Any, sample_weight: Any, fresh: bool, renew: bool
    ) -> tuple[Rows, np.ndarray]:
        self._check_combination()
        X, task = self._split_task(X, task)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=SAMPLE_DTYPES, reset=fresh)
        check_classification_targets(y)
        labels = check_task(task, X.shape[0])
        known = {} if fresh else self.modulations_
        check_same_kind(labels.tolist(), list(known))
        if INFER in labels.tolist():
            raise ValueError(f"task has the label {INFER!r}, which is reserved; rename that task")
        kept = np.arange(X.shape[0])
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            kept = np.flatnonzero(weight > 0)
            weight = weight[kept]
        labels = labels[kept]
        for label, rows in iter_tasks(labels):
            previous = None if renew else known.get(label)
            classes = set(y[kept[rows]].tolist()) | set(previous.classes if previous else ())
            if len(classes) < 2:
                raise ValueError(
                    f"task {label!r} has one class only, {classes.pop()!r} "
                    f"(n_samples={len(rows)}); at least 2 are needed to learn what tells them apart"
                )
            if previous and "ridge" in self.solver and label not in self.statistics_:
                raise ValueError(
                    f"task {label!r} is closed: the sums that solver={self.solver!r} needs to take "
                    f"more rows were dropped. Fit it again from all its rows, keep more tasks open "
                    f"(open_tasks={self.open_tasks}), or use solver='sgd'"
                )
        return Rows(X, kept, y[kept], weight), labels

    def _check_combination(self) -> None:
        """Raise ValueError for parameters that do not go together."""
        if self.head != "block" and self.solver != "sgd":
            raise ValueError(
                f"head={self.head!r} has no closed form; use solver='sgd' or head='block' "
                f"(got solver={self.solver!r})"
            )
        if self.n_hidden is not None and self.n_hidden < self.n_bits:
            raise ValueError(
                f"n_hidden={self.n_hidden} is less than n_bits={self.n_bits}; each bit needs at "
                "least one hidden unit"
            )
        if self.encoder == "conv" and self.image_shape is None:
            raise ValueError("encoder='conv' needs image_shape=(height, width[, channels])")
        if np.size(self.alpha) == 0 or np.min(np.asarray(self.alpha, dtype=float)) < 0:
            raise ValueError(f"alpha={self.alpha!r}; expected numbers that are not negative")

    def _build(self, rows: Rows, first: np.ndarray) -> None:
        """Draw the frozen network; its statistics come from the first task's rows."""
        shape = None if self.image_shape is None else tuple(self.image_shape)
        if shape is not None and int(np.prod(shape)) != rows.X.shape[1]:
            raise ValueError(
                f"image_shape={shape} has {int(np.prod(shape))} values, but X has "
                f"{rows.X.shape[1]} features"
            )
        self.n_bits_ = int(self.n_bits)
        units = UNITS_PER_BIT if self.n_hidden is None else self.n_hidden // self.n_bits
        self.n_hidden_ = self.n_bits_ * units
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        device = resolve_device(self.device)
        encoder = build_encoder(
            self.encoder,
            rows.X,
            rows.positions[first],
            n_bits=self.n_bits_,
            units_per_bit=units,
            n_inputs=self.n_inputs,
            image_shape=shape,
            nested=self.head != "readout",
            seed=seed,
            device=device,
        )
        self.learner_ = TaskLearner(
            encoder, BitLayout(self.n_bits_, units, self.structure_bits), self.head, seed, device
        )
        self.modulations_: dict[Any, Modulation] = {}
        self.history_: dict[Any, list] = {}
        self.statistics_: dict[Any, Any] = {}
        self.shared_codewords_: dict[Any, np.ndarray] = {}

    def _learn_task(self, label: Any, rows: Rows, renew: bool) -> None:
        learner = self.learner_
        rows = learner.extract(rows)
        previous = None if renew else self.modulations_.get(label)
        shared = self.codebook == "shared"
        # A codebook that other tasks' codes depend on is only ever extended.
        settled = shared and any(other != label for other in self.modulations_)
        before = previous.classes if previous else ()
        classes = sorted(set(before) | set(rows.y.tolist()), key=lambda c: (str(type(c)), c))
        known = dict(self.shared_codewords_) if settled else {}
        if not settled and previous is not None and "ridge" not in self.solver:
            known = dict(zip(previous.classes, previous.codewords))
        statistics = None
        if "ridge" in self.solver or (self.codewords == "learned" and not known):
            statistics = learner.add_statistics(
                rows, self.statistics_.get(label) if previous is not None else None
            )
        problem = None if statistics is None else statistics.centred()
        new = [c for c in classes if c not in known]
        codewords = learner.choose_codewords(
            problem, known, new, self.codewords, self._alpha_max(), None if shared else label
        )
        if shared:
            self.shared_codewords_ = known | {c: codewords[c] for c in new}
        start = learner.start(
            problem if "ridge" in self.solver else None,
            classes,
            np.stack([codewords[c] for c in classes]),
            self.alpha,
            previous,
            label,
        )
        history: list[dict] = []
        if "sgd" in self.solver:
            start, history = learner.polish(rows, start, self.loss, self._training())
        learned = learner.with_density(rows, start, previous, self._rivals(label))
        self.modulations_[label] = learned
        earlier = self.history_.get(label, []) if previous else []
        self.history_[label] = earlier + history
        self.statistics_.pop(label, None)
        if "ridge" in self.solver:
            self.statistics_[label] = statistics
        for old in list(self.statistics_)[: max(0, len(self.statistics_) - self.open_tasks)]:
            del self.statistics_[old]

    def _alpha_max(self) -> float:
        return float(np.max(self.alpha))

    def _rivals(self, label: Any) -> list[Modulation]:
        """The tasks that inference is calibrated against: the last few, whatever their number."""
        others = [task for task in self.modulations_ if task != label]
        return [self.modulations_[task] for task in others[-8:]]

    def _training(self) -> dict[str, Any]:
        return dict(
            max_epochs=self.max_epochs,
            lr=self.lr,
            lr_schedule=self.lr_schedule,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            callbacks=self.callbacks,
            verbose=max(0, int(self.verbose) - 1),
        )

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
            self.learner_.to(resolve_device(self.device))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
