"""What passes between copies of one frozen network: the modulations of single tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..persistence.files import read, write
from ..tasks import check_same_kind
from .codewords import Codebook
from .learner import TaskLearner
from .modulation import Modulation


class ExchangeMixin:
    """Export and import of tasks, for an estimator with `modulations_` and `learner_`."""

    codebook: str
    learner_: TaskLearner
    modulations_: dict[Hashable, Modulation]
    shared_codebook_: Codebook
    history_: dict[Hashable, list[dict]]
    _check_labels: Callable[[Any, int], np.ndarray]

    def fingerprint(self) -> str:
        """A digest of the frozen network: the same in all copies of it, and in no other.

        Returns
        -------
        digest : str
            64 hexadecimal digits.
        """
        check_is_fitted(self)
        return self.learner_.fingerprint()

    def export_task(self, task: int | str, path: str | os.PathLike, *, half: bool = False) -> None:
        """Write what was learned for one task to a file: a fraction of the whole hasher.

        Parameters
        ----------
        task : int or str
            Label of the task.
        path : str or path-like
            The file; see :func:`sktgsh.persistence.save`.
        half : bool, default=False
            Store the context in 16 bits a value in place of 32. Some bits of the codes change: see
            ``docs/scale.rst`` for how many.

        Raises
        ------
        ValueError
            If the task is unknown.
        """
        label = self._check_labels(task, 1)[0].item()
        modulation = self.modulations_[label]
        if half:
            modulation = replace(modulation, context=modulation.context.astype(np.float16))
        content = {"task": label, "network": self.fingerprint(), "modulation": modulation}
        write(content, "task", path)

    def import_task(self, path: str | os.PathLike, *, task: int | str | None = None) -> Any:
        """Take over a task that ``export_task`` wrote from another copy of the frozen network.

        Its codes are then those of the other copy, to the bit (unless they were halved).

        Parameters
        ----------
        path : str or path-like
            The file.
        task : int or str, optional
            Label that the task gets here; by default the one that it had.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If the file is damaged, or comes from another network; if the task is known here, or
            gives a class of the shared codebook another codeword. The estimator then stays as it
            was.
        """
        check_is_fitted(self)
        content = read(path, "task")
        self.check_same_network(content["network"], f"that of {os.fspath(path)}")
        modulation = content["modulation"]
        modulation = replace(modulation, context=modulation.context.astype(np.float32))
        self.adopt_task(content["task"] if task is None else task, modulation)
        return self

    def check_same_network(self, fingerprint: str, whose: str) -> None:
        """Raise ValueError unless a fingerprint is that of this frozen network.

        Parameters
        ----------
        fingerprint : str
            What :meth:`fingerprint` gave on the other side.
        whose : str
            What an error calls the other side.
        """
        own = self.fingerprint()
        if fingerprint not in (own, self.learner_.former_fingerprint):
            raise ValueError(
                f"the frozen network is {own[:12]}..., but {whose} is {fingerprint[:12]}...; tasks "
                "pass between copies of one network only: save a fitted hasher, and load it in "
                "all places before further tasks are learned"
            )

    def adopt_task(self, label: Hashable, modulation: Modulation) -> None:
        """Add a task that a copy of this network has learned.

        Parameters
        ----------
        label : int or str
            Label that the task gets here.
        modulation : Modulation
            An entry of the other copy's `modulations_`.

        Raises
        ------
        ValueError
            If the task is known here, or gives a class of the shared codebook another codeword.
        """
        check_same_kind([label], list(self.modulations_))
        if label in self.modulations_:
            raise ValueError(f"task {label!r} is known here already; give it another label")
        book = self.shared_codebook_
        words = dict(zip(modulation.classes, modulation.codewords))
        if self.codebook == "shared":
            other = [
                c
                for c, word in words.items()
                if c in book.words and not np.array_equal(book.words[c], word)
            ]
            if other:
                raise ValueError(
                    f"class {other[0]!r} of task {label!r} has another codeword here: both sides "
                    "have learned the class on their own. Learn it before copies part, or use "
                    "codebook='per_task'"
                )
            self.shared_codebook_ = Codebook(book.words | words, book.projections)
        self.modulations_[label] = modulation
        self.history_[label] = []
