"""How tasks are learned one after another: on a draft, which replaces what was known."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight
from tqdm.auto import tqdm

from ..base import check_samples, draft_of
from ..codes import check_codes, unpack_codes
from ..networks.device import resolve_device
from ..targets import check_targets
from ..tasks import INFER, check_same_kind, check_task, iter_tasks, name_some
from .encoder import build_encoder
from .learner import Codebook, TaskLearner
from .modulation import Modulation
from .ridge import CentredProblem, RidgeStatistics
from .rows import BitLayout, Rows, in_order

# Units that all bits share, and units of each bit of another head.
N_UNITS, UNITS_PER_BIT = 2048, 256


def check_class_number(label: Any, classes: Collection, n_samples: int) -> None:
    """Raise ValueError for a task of a single class."""
    if len(classes) < 2:
        raise ValueError(
            f"task {label!r} has one class only, {name_some(list(classes))} "
            f"(n_samples={n_samples}); at least 2 are needed to learn what tells them apart"
        )


class LearningMixin:
    """Sets `modulations_` and `learner_`, which :class:`LearnedTasksMixin` reads."""

    def _learn(
        self,
        X: Any,
        y: Any,
        task: Any,
        sample_weight: Any,
        *,
        fresh: bool,
        renew: bool,
        given: bool = False,
    ) -> Any:
        """Learn each task in the data; `given`: y holds codes in place of classes."""
        # The draft replaces this estimator's state task by task: Ctrl-C keeps those finished.
        draft = draft_of(self, fresh=fresh)
        rows, labels = draft._check_training_rows(X, y, task, sample_weight, fresh, given)
        draft._check_tasks(rows, labels, {} if fresh else draft.modulations_, renew)
        if fresh:
            draft._build(rows, np.flatnonzero(labels == labels[0]))
        todo = list(iter_tasks(labels))
        for label, positions in tqdm(todo, desc="tasks", unit="task", disable=not self.verbose):
            draft._learn_task(label, rows.take(positions), renew)
            self.__dict__ = dict(draft.__dict__)
        return self

    # -- checks ----------------------------------------------------------------------------------

    def _check_training_rows(
        self, X: Any, y: Any, task: Any, sample_weight: Any, fresh: bool, given: bool
    ) -> tuple[Rows, np.ndarray]:
        self._check_combination()
        X, task = self._split_task(X, task)
        X, y = check_samples(self, X, y, accept_sparse="csr", reset=fresh, multi_output=True)
        labels = check_task(task, X.shape[0])
        if not fresh:
            check_same_kind(labels.tolist(), list(self.modulations_))
            self._check_frozen()
        if INFER in labels.tolist():
            raise ValueError(f"task has the label {INFER!r}, which is reserved; rename that task")
        codes = self._check_given(y) if given else None
        y = np.zeros(X.shape[0], dtype=int) if given else check_targets(y, X.shape[0])
        if y.ndim == 1:
            check_classification_targets(y)
        keep = np.ones(X.shape[0], dtype=bool)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            keep = weight > 0
        if y.ndim == 2:
            # A row without a label says nothing of any label's code.
            keep &= y.any(axis=1)
        kept = np.flatnonzero(keep)
        if not len(kept):
            raise ValueError("y has no label in any row; at least 2 labels are needed")
        rows = Rows(X, np.arange(X.shape[0]), y, weight, codes)
        return rows.take(kept), labels[kept]

    def _check_given(self, codes: np.ndarray) -> np.ndarray:
        n_bits = int(self.n_bits)
        width = -(-n_bits // 8) if self.packed else n_bits
        if codes.ndim != 2 or codes.shape[1] != width:
            raise ValueError(
                f"codes has shape {codes.shape}; expected (n_samples, {width}) for n_bits={n_bits}"
                + (" in packed bytes" if self.packed else "")
            )
        return unpack_codes(codes, n_bits) if self.packed else check_codes(codes)

    def _check_tasks(self, rows: Rows, labels: np.ndarray, known: dict, renew: bool) -> None:
        """Raise ValueError for a task that cannot be learned from its rows."""
        for label, positions in iter_tasks(labels):
            previous = None if renew else known.get(label)
            part = rows.take(positions)
            if previous is not None and bool(previous.classes) == (part.codes is not None):
                raise ValueError(
                    f"task {label!r} was learned from "
                    f"{'classes' if previous.classes else 'codes'}; go on with the same, or fit it "
                    "again from all its rows"
                )
            others = [m.classes for task, m in known.items() if task != label or previous]
            check_same_kind(
                part.classes, [c for classes in others for c in classes], "y", "classes"
            )
            classes = set(part.classes) | set(previous.classes if previous else ())
            if part.codes is None:
                check_class_number(label, classes, len(positions))
            if previous and "ridge" in self.solver and label not in self.statistics_:
                raise ValueError(
                    f"task {label!r} is closed: the sums that solver={self.solver!r} needs to take "
                    f"more rows were dropped. Fit it again from all its rows, keep more tasks open "
                    f"(open_tasks={self.open_tasks}), or use solver='sgd'"
                )

    def _check_combination(self) -> None:
        """Raise ValueError for parameters that do not go together."""
        if self.head in ("dense", "readout") and self.solver != "sgd":
            raise ValueError(
                f"head={self.head!r} has no closed form; use solver='sgd', or head='shared' or "
                f"'block' (got solver={self.solver!r})"
            )
        if self.head != "shared" and self.n_hidden is not None and self.n_hidden < self.n_bits:
            raise ValueError(
                f"n_hidden={self.n_hidden} is less than n_bits={self.n_bits}; each bit needs at "
                "least one hidden unit"
            )
        if self.encoder == "conv" and self.image_shape is None:
            raise ValueError("encoder='conv' needs image_shape=(height, width[, channels])")
        try:
            alphas = np.asarray(self.alpha, dtype=float)
        except (ValueError, TypeError):
            alphas = np.array([np.nan])
        if not alphas.size or not (alphas >= 0).all():
            raise ValueError(f"alpha={self.alpha!r}; expected numbers that are not negative")

    def _frozen_parameters(self) -> dict[str, Any]:
        """The parameters that the frozen network was made with, and that no task can change."""
        names = ("n_bits", "encoder", "n_hidden", "n_inputs", "image_shape", "head", "skip")
        values = {name: getattr(self, name) for name in (*names, "structure_bits")}
        if not isinstance(self.encoder, str):
            values["encoder"] = type(self.encoder).__name__
        if self.image_shape is not None:
            values["image_shape"] = [int(size) for size in self.image_shape]
        return values

    def _check_frozen(self) -> None:
        """Raise ValueError for a parameter that came too late to count."""
        for name, value in self._frozen_parameters().items():
            before = self.frozen_parameters_[name]
            if value != before:
                raise ValueError(
                    f"{name}={value!r}, but the network that all tasks share was made with "
                    f"{name}={before!r}; set it back, or fit afresh with warm_start=False"
                )

    # -- learning --------------------------------------------------------------------------------

    def _build(self, rows: Rows, first: np.ndarray) -> None:
        """Draw the frozen network; its statistics come from the first task's rows."""
        shape = None if self.image_shape is None else tuple(self.image_shape)
        if shape is not None and int(np.prod(shape)) != rows.X.shape[1]:
            raise ValueError(
                f"image_shape={shape} has {int(np.prod(shape))} values, but X has "
                f"{rows.X.shape[1]} features"
            )
        self.frozen_parameters_ = self._frozen_parameters()
        self.n_bits_ = int(self.n_bits)
        n_blocks = 1 if self.head == "shared" else self.n_bits_
        units = self._units_per_block(rows.X.shape[1], n_blocks)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        device = resolve_device(self.device)
        inputs, encoder = build_encoder(
            self.encoder,
            rows.X,
            rows.positions[first],
            n_blocks=n_blocks,
            units_per_block=units,
            n_inputs=self.n_inputs,
            image_shape=shape,
            skip=self.skip and self.head == "shared",
            published=self.head == "readout",
            seed=seed,
            device=device,
        )
        self.n_hidden_ = encoder.n_hidden
        layout = BitLayout(
            self.n_bits_, n_blocks, encoder.n_hidden // n_blocks, self.structure_bits
        )
        self.learner_ = TaskLearner(inputs, encoder, layout, self.head, seed, device)
        self.modulations_: dict[Any, Modulation] = {}
        self.history_: dict[Any, list] = {}
        self.statistics_: dict[Any, Any] = {}
        self.shared_codebook_ = Codebook({})

    def _units_per_block(self, n_columns: int, n_blocks: int) -> int:
        """Rectified units of a block."""
        if self.n_hidden is not None:
            return int(self.n_hidden) // n_blocks
        if self.head != "shared":
            return UNITS_PER_BIT
        # Many columns stand beside the units and say most by themselves; time grows with the
        # square of both together.
        raw = isinstance(self.encoder, str) and self.encoder != "conv"
        return N_UNITS // 2 if raw and n_columns > N_UNITS else N_UNITS

    def _learn_task(self, label: Any, rows: Rows, renew: bool) -> None:
        learner = self.learner_
        rows = learner.extract(rows)
        previous = None if renew else self.modulations_.get(label)
        before = previous.classes if previous else ()
        classes = in_order([*before, *rows.classes])
        statistics = problem = None
        if "ridge" in self.solver:
            known = self.statistics_.get(label) if previous else None
            statistics = learner.add_statistics(rows, known)
            start, problem = self._solve(label, statistics, classes, previous)
        else:
            codewords = self._choose_codewords(label, classes, None, previous)
            start = learner.start(previous, classes, codewords, label)
        history: list[dict] = []
        if "sgd" in self.solver:
            start, history = learner.polish(rows, start, self.loss, self._training())
            problem = None  # it is no longer what the modulation solves
        self.modulations_[label] = learner.with_density(
            rows, start, previous, self._rivals(label), problem
        )
        earlier = self.history_.get(label, []) if previous else []
        self.history_[label] = earlier + history
        self._keep_open(label, statistics)

    def _solve(
        self,
        label: Any,
        statistics: RidgeStatistics,
        classes: list,
        previous: Modulation | None,
    ) -> tuple[Modulation, CentredProblem]:
        """The closed form from sums alone; without classes, of given codes."""
        problem = statistics.centred()
        codewords = self._choose_codewords(label, classes, problem, previous)
        bits = self.learner_.layout.target_bits(given=not classes)
        return self.learner_.solve(problem, classes, codewords, self.alpha, bits), problem

    def _keep_open(self, label: Any, statistics: Any) -> None:
        """Keep the sums of a task as the last ones, and drop the oldest."""
        self.statistics_.pop(label, None)
        if statistics is not None:
            self.statistics_[label] = statistics
        for old in list(self.statistics_)[: max(0, len(self.statistics_) - self.open_tasks)]:
            del self.statistics_[old]

    def _choose_codewords(
        self, label: Any, classes: list, problem: Any, previous: Modulation | None
    ) -> np.ndarray:
        """Codewords of the task's classes, (n_classes, n_codebook_bits)."""
        shared = self.codebook == "shared"
        # A codebook that other tasks' codes depend on is only ever extended.
        settled = shared and any(
            modulation.classes for other, modulation in self.modulations_.items() if other != label
        )
        known = self.shared_codebook_ if settled else Codebook({})
        if not settled and previous is not None and problem is None:
            known = Codebook(dict(zip(previous.classes, previous.codewords)))
        new = [c for c in classes if c not in known.words]
        book = self.learner_.choose_codewords(
            problem, known, new, self.codewords, None if shared else label
        )
        if shared and classes:
            self.shared_codebook_ = book
        n_bits = len(self.learner_.layout.codebook_bits)
        return np.array([book.words[c] for c in classes], np.int8).reshape(-1, n_bits)

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
