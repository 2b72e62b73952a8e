"""Exchange of single tasks between copies of one frozen network."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...persistence.files import read, write
from .fitted import FittedTasks


class ExchangeMixin(FittedTasks):
    """Chapter on exchange: fingerprint of the network, export and import of tasks."""

    def fingerprint(self) -> str:
        """Digest of the frozen network, equal in all copies of it and in no other.

        Returns
        -------
        digest : str
            64 hexadecimal digits.
        """
        check_is_fitted(self)
        return self.model_.network.fingerprint()

    def export_task(self, task: int | str, path: str | os.PathLike, *, half: bool = False) -> None:
        """Write the learned part of one task to a file, a fraction of the whole hasher.

        Parameters
        ----------
        task : int or str
            Label of the task.
        path : str or path-like
            The file; see :func:`sktgsh.persistence.save`.
        half : bool, default=False
            Store each value of the context in 16 bits rather than 32. Some bits of the codes
            change; ``docs/scale.rst`` says how many.

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
        """Add a task that ``export_task`` wrote from another copy of the frozen network.

        Its codes are bit-identical to those of the other copy, unless the context was halved.

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
        label = content["task"] if task is None else task
        self.model_ = self.model_.adopt(label, modulation, self.share_codebook)
        return self

    def check_same_network(self, fingerprint: str, whose: str) -> None:
        """Raise ValueError unless a fingerprint is that of this frozen network.

        Parameters
        ----------
        fingerprint : str
            Result of :meth:`fingerprint` on the other side.
        whose : str
            Name of the other side in an error.
        """
        own = self.fingerprint()
        if fingerprint not in (own, self.model_.network.former_fingerprint):
            raise ValueError(
                f"the frozen network is {own[:12]}..., but {whose} is {fingerprint[:12]}...; tasks "
                "pass between copies of one network only: save a fitted hasher, and load it in "
                "all places before further tasks are learned"
            )
