"""The flagship: one frozen random network, and a small learned modulation for each task."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ..base import working_copy
from ..persistence import saved
from ..solver import GradientSolver
from .api.comparing import ComparingMixin
from .api.keeping import KeepingMixin
from .api.streaming import StreamingMixin
from .api.transforming import TransformingMixin


@saved("TaskGeometricHasher")
# The constructor is that of TaskParameters.
class TaskGeometricHasher(  # numpydoc ignore=PR02
    TransformingMixin, ComparingMixin, KeepingMixin, StreamingMixin
):
    """Task-specific geometric sensitive hashing.

    Samples pass a frozen random network: an `encoder` expands them to many rectified hidden units,
    and a fixed `head` reads bits from these. Each task learns only a modulation between the two: a
    context (one value a hidden unit, for each bit) and a strength. A new task therefore costs
    seconds and little memory, and changes no code of an older task.

    Parameters
    ----------
    n_bits : int, default=32
        Length of a code.
    encoder : str, encoder or torch.nn.Module, default="differences"
        How samples reach the hidden units.

        - ``"differences"``: each unit projects onto the difference of two random samples of the
          first task; see :class:`~sktgsh.DifferenceEncoder`.
        - ``"gaussian"``: each unit is a Gaussian random projection; see
          :class:`~sktgsh.GaussianEncoder`.
        - ``"fly"``: each unit sums a few random features under lateral inhibition; see
          :class:`~sktgsh.FlyEncoder`.
        - ``"conv"``: random convolutions of square images; see :class:`~sktgsh.ConvEncoder` for
          other shapes.
        - one of these classes, or :class:`~sktgsh.SparseEncoder` or
          :class:`~sktgsh.ModuleEncoder`, with parameters of its own.
        - a module that maps samples as they come, (batch, n_features), to features: a pretrained
          backbone, say. It is frozen; its features are standardised, then units as for
          ``"differences"``. The `memory` of a Pipeline does not recognise a module, because torch
          writes the addresses of tensors into what joblib hashes. Cache the features of the
          backbone in a step before.

        Columns are standardised first, by the first task's statistics: embeddings, tables and
        counts may come as they are.
    random_state : int, RandomState instance or None, default=None
        Seed of all draws.
    packed : bool, default=False
        Give eight bits in a byte, in the order of :func:`numpy.packbits`.
    missing_label : object, optional
        Label that means "not labelled", such as -1, beside None, nan, pandas.NA and NaT.
    class_weight : dict or {"balanced"}, optional
        Weight of each class's rows, 1 for classes that a dict leaves out. ``"balanced"`` gives the
        classes of a task equal weight in sum: rare classes are then not lost. It needs all rows of
        a task at once, so `partial_fit` and `fit_batches` take a dict. A `sample_weight` is
        multiplied.
    structure_fraction : float, default=0.0
        Fraction of the bits that follow the directions of largest variance of the frozen features
        rather than a codeword. They find classes that no task was trained on.
    n_neighbors : int, optional
        Number of neighbours, among at most 16,384 rows of the task, that decide on the target of a
        row without a label: by default 20 if the task has labels, 8 if it has none. The row belongs
        to a class if as many of them are labelled as for nearly all (90 %) labelled rows, and half
        of their votes are for that class. Rows among several classes are left out. Every other row
        gets a code from the mean of its neighbours, unless all classes seem to be labelled. More
        neighbours find classes better, fewer find the nearest rows better. Of more than 16,384
        unlabelled rows a part is learned from.
    n_groups : "auto" or int, default="auto"
        Number of groups that rows of no class are shown in; 0 for none, ``"auto"`` for one per 50
        rows. Codes do not depend on them.
    task_column : int or str, optional
        The column of X that holds the task, where it is not given as `task`.
    unknown_task : {"raise", "pool", "infer"}, default="raise"
        What becomes of rows whose task was not learned. ``"raise"``: an error names the tasks.
        ``"pool"``: they are encoded by what all tasks have learned together. ``"infer"``: by the
        task that :meth:`predict_task` finds for them.
    share_prior : bool, default=True
        Whether tasks help one another. Each task then shrinks towards what the others have learned,
        for each bit that generalised cross-validation finds better so: a mixture of the solution of
        all their rows together and of the solutions of related tasks. A task of one row or of one
        class takes over what the others know. Tasks that are learned in one call help one another,
        whatever their order; a task that comes later is helped by those before, and changes none of
        their codes. The network and the codebook are then made from the rows of all tasks in the
        first call. It needs a closed form.
    share_codebook : bool, default=True
        Whether a class has the same target code in all tasks, so that codes can be compared across
        tasks, or one of its own in each task.
    freeze_codes : bool, default=False
        Refuse whatever would change codes of a learned task: more rows for it, a merge, or another
        `fit`. New tasks are still learned. Without it, more rows change few codes, because classes
        keep their codewords; `code_version_` says whether any may have changed.
    warm_start : bool, default=False
        Let `fit` keep the network and the tasks learned before. Tasks in the new data are learned
        again.
    max_open_tasks : int, default=8
        Number of tasks, the last ones learned, that keep the sums which `partial_fit` needs to add
        rows in closed form. The sums take about ``8 * n_hidden_ ** 2`` bytes a task if bits share
        the units (1 / `n_bits` of that with ``head="block"``), and are never part of a pickle.
    n_hidden : int, optional
        Number of rectified hidden units. The default is 2,048 that all bits share (1,024 beside
        more columns than that), or 256 for each bit of another `head` (a multiple of `n_bits`,
        rounded down).
    head : {"shared", "block", "dense", "readout"}, default="shared"
        The frozen readout. ``"shared"``: all bits see all units, each through a context of its
        own. ``"block"``: each bit has hidden units of its own, and a task costs kilobytes.
        ``"dense"``: all bits see all units through one context. ``"readout"``: random class
        scores, spelled out as codewords (the published FlyNet). The last two need
        ``solver="sgd"``.
    passthrough : bool, default=True
        Let the features stand beside the rectified units where bits share them. The closed form
        then contains ridge regression on the features. With ``n_hidden=1`` it is little else: the
        plain linear hasher onto codewords.
    solver : {"ridge", "sgd", "ridge+sgd"} or GradientSolver, default="ridge"
        Closed form, gradient steps, or gradient steps that start from the closed form. A
        :class:`~sktgsh.GradientSolver` sets the gradient steps. Its defaults here are
        ``loss="joint"``, ``start="ridge"``, ``max_epochs=10``, ``lr=0.1``, ``batch_size=256``.
    alpha : float or sequence of float, default=(1e-4, 3e-4, ..., 3, 10)
        Ridge penalty, in units of the mean variance of the hidden units. From a sequence, each bit
        of each task takes the best by generalised cross-validation.
    codebook : {"learned", "hadamard", "random"}, default="learned"
        How target codes are chosen. ``"learned"``: by those random projections of the first task's
        class means whose sides are easily told apart and keep all classes apart. Near classes get
        near codewords, and a later class gets its own from its mean. ``"hadamard"``: with largest
        distances. ``"random"``: at random, by class label.

        C classes can be split in 2 ** (C - 1) - 1 ways. Of bits beyond as many, `fit` gives every
        second copy to the structure of the data: the side of a direction that tells samples of a
        class apart. The other copies add a part of such a direction to the score of the class.
        Start with `partial_fit` where further classes will come, which need these bits.
    device : str, default="auto"
        A torch device; ``"auto"`` takes a GPU where there is one.
    verbose : int, default=0
        1 shows a progress bar over tasks and rows, 2 also one over the epochs of each task, 3
        skorch's table of epochs instead.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Labels of the tasks, in the order in which they were learned.
    classes_ : ndarray of shape (n_classes,)
        Class labels of all tasks, sorted.
    contexts_ : ndarray of shape (n_tasks, n_bits, n_hidden) or (n_tasks, n_hidden)
        Context of each task, of root mean square 1, float32; one for each bit if bits share the
        units.
    strengths_ : ndarray of shape (n_tasks,), dtype float32
        Strength of each task.
    biases_ : ndarray of shape (n_tasks, n_bits), dtype float32
        Added to each bit's score.
    codebook_ : ndarray of shape (n_classes, n_bits) or (n_tasks, n_classes, n_bits), dtype int8
        Target codes, -1 and +1; 0 in structure bits, and for classes that a task lacks.
    code_version_ : dict of str
        For each task, a digest of everything that decides its codes. Codes of equal versions can be
        compared; new tasks change no version of the others.
    task_gain_ : ndarray of shape (n_tasks,)
        For each task, the share of what it has learned that the other tasks did not know: 0 where
        it need not be a task, 1 where tasks have nothing in common; nan for a task that had no
        others to learn from. See :func:`sktgsh.inspection.task_gains`.
    model_ : TaskModel
        Everything that was learned.
    modulations_ : dict of Modulation
        Learned part of each task, by label.
    groups_ : dict of Groups
        Groups of the rows that belong to no class, by task: codeword, share of the rows, a few rows
        of each, and the nearest class.
    unlabelled_rows_ : dict of UnlabelledRows
        How many rows without a label got a class from their neighbours, got a code of no class, and
        were left out, by task.
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
    Jinyung Hong and Theodore P. Pavlic, "Randomly weighted neuromodulation in neural networks
    facilitates learning of manifolds common across tasks", UniReps 2023, arXiv 2401.02437.

    Examples
    --------
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.datasets import load_digits_tasks
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> hasher = TaskGeometricHasher(n_bits=16, random_state=0).fit(X, y, task=task)
    >>> hasher.transform(X[:3], task=task[:3]).shape
    (3, 16)
    """

    @classmethod
    def flynet(cls, **params: Any) -> TaskGeometricHasher:
        """The recipe as published: random class readout, cross-entropy, RMSprop, one epoch a task.

        Parameters
        ----------
        **params
            Override a setting, or add others: the paper takes ``n_hidden`` of 10 times the
            features.

        Returns
        -------
        hasher : TaskGeometricHasher
            Unfitted.
        """
        solver = GradientSolver(
            loss="cross_entropy",
            start="random",
            optimizer="rmsprop",
            lr=1e-2,
            lr_schedule=None,
            batch_size=128,
            max_epochs=1,
        )
        recipe: dict[str, Any] = dict(
            encoder="fly", head="readout", codebook="hadamard", solver=solver
        )
        return cls(**(recipe | params))

    # -- scikit-learn ----------------------------------------------------------------------------

    def __getstate__(self) -> dict:
        # Sums are much larger than what is learned from them, so they are not exported.
        state = dict(super().__getstate__())
        if not state.pop("_saves_sums", False) and "model_" in state:
            state["model_"] = state["model_"].close()
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if hasattr(self, "model_"):
            self.model_.network.to(self.device)

    # Copies keep the sums, so that they can go on learning.

    def __copy__(self) -> TaskGeometricHasher:
        return working_copy(self, fresh=False)

    def __deepcopy__(self, memo: dict) -> TaskGeometricHasher:
        copied = memo[id(self)] = object.__new__(type(self))
        copied.__dict__ = deepcopy(self.__dict__, memo)
        if hasattr(self, "model_"):
            copied.model_.network.to(self.model_.network.device)
        return copied

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
