"""Chapter on the life of a task: close it, forget it, rename it, name its groups."""

from __future__ import annotations

import os
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from ...base import working_copy
from ...persistence import SaveMixin
from ...tasks import check_same_kind, check_task
from ..checks import check_classes
from .fitted import FittedTasks


class KeepingMixin(FittedTasks):
    """Chapter on the life of a task after it was learned."""

    def save(self, path: str | os.PathLike, *, sums: bool = False) -> None:
        """Write to a file, which :func:`sktgsh.load` reads; see :func:`sktgsh.persistence.save`.

        Parameters
        ----------
        path : str or path-like
            The file. What was there is replaced when all is written, and stays until then.
        sums : bool, default=False
            Also write the sums of the open tasks, so that `partial_fit`, `merge` and `forget_task`
            go on after loading as they would have before. They take up to ``8 * n_hidden_ ** 2``
            bytes for each open task, and as many for all tasks together. They hold no row, but for
            tasks that have rows without a label: the features of up to 16,384 of these.
        """
        if not sums or not self.__sklearn_is_fitted__():
            super().save(path)
            return
        whole = working_copy(self, fresh=False)
        whole.model_ = self.model_.with_sums_alone()
        whole._saves_sums = True
        SaveMixin.save(whole, path)

    def close_task(self, task: int | str) -> Self:
        """Drop the sums of a task that will get no more rows; its codes stay.

        Parameters
        ----------
        task : int or str
            Label of the task.

        Returns
        -------
        self : TaskGeometricHasher
        """
        check_is_fitted(self)
        label = self._check_labels(task, 1)[0].item()
        self.model_ = self.model_.close(label)
        return self

    def forget_task(self, task: int | str) -> Self:
        """Delete everything that was learned from the rows of a task.

        Its modulation goes, and so does its part of the sums from which later tasks take their
        prior. If the task is closed, its part cannot be told from the others', and the sums of all
        closed tasks go. The codes of other tasks stay bit-identical: what they took from the task
        while they were learned stays with them. So do the codewords of its classes, and the
        network, whose directions are drawn from rows of the first call. With
        ``encoder="gaussian"`` the network holds only means and deviations of these rows.

        Parameters
        ----------
        task : int or str
            Label of the task.

        Returns
        -------
        self : TaskGeometricHasher

        See Also
        --------
        sktgsh.neighbors.HammingNeighbors.remove : Deletes codes from an index.
        """
        check_is_fitted(self)
        model = self.model_.without([self._check_labels(task, 1)[0].item()])
        self.model_ = model.with_general() if model.general is not None else model
        return self

    def rename_task(self, task: int | str, new: int | str) -> Self:
        """Give a task another label; nothing else changes.

        Parameters
        ----------
        task : int or str
            Label of the task.
        new : int or str
            Label that it gets; no other task may have it.

        Returns
        -------
        self : TaskGeometricHasher
        """
        check_is_fitted(self)
        label, renamed = self._check_labels(task, 1)[0].item(), check_task(new, 1)[0].item()
        others = [known for known in self.model_.tasks if known != label]
        check_same_kind([renamed], others)
        if renamed in others:
            raise ValueError(f"new={new!r} is the label of another task; give one that is free")
        self.model_ = self.model_.renamed(label, renamed)
        return self

    def name_group(self, group: int, label: Any, *, task: Any = None) -> Self:
        """Make a group of unlabelled rows a class, without any change of a code.

        Parameters
        ----------
        group : int
            Number of the group, as in `groups_`.
        label : int or str
            Label of the new class.
        task : int or str, optional
            Label of the task; may be left out where a single task was fitted.

        Returns
        -------
        self : TaskGeometricHasher

        Raises
        ------
        ValueError
            If the task or the group is unknown, or the label is taken.
        """
        check_is_fitted(self)
        own = self._check_labels(task, 1)[0].item()
        name = check_classes([label])[0]
        check_same_kind([name], self.classes_.tolist(), "label", "classes")
        if name in self.modulations_[own].classes:
            raise ValueError(f"label={label!r} is a class of task {own!r} already")
        self.model_ = self.model_.name_group(own, group, name, self.share_codebook)
        return self
