"""Is it a task? How much each task has learned beyond what the others know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._axes import new_axes


@dataclass(frozen=True)
class TaskGains:
    """Gain of each task over what the others have learned, as columns; printed as a table.

    Attributes
    ----------
    tasks : list
        Task labels.
    gain : ndarray of shape (n_tasks,)
        Share of what a task has learned that the other tasks did not know: near 0, the rows need
        not be a task of their own; near 1, the task has nothing in common with the others; nan for
        a task that was learned before there were others.
    prior_bits : ndarray of shape (n_tasks,)
        Share of the bits that use what the others know.
    improvement : ndarray of shape (n_tasks,)
        Share of the error of a task alone that the others have taken away.
    related : list of list
        The tasks that count most among what the task took from others, the first most.
    common : list
        Tasks that took the solution of the rows of all tasks, their own among them, as it is.

    See Also
    --------
    sktgsh.inspection.task_gains : Makes the table of a hasher.

    Examples
    --------
    >>> import numpy as np
    >>> from sktgsh.inspection import TaskGains
    >>> print(TaskGains(["Rome"], np.array([0.1]), np.ones(1), np.array([0.4]), [["Oslo"]]))
    task              gain  prior bits  less error  related tasks
    Rome              0.10        1.00        0.40  Oslo
    """

    tasks: list
    gain: np.ndarray
    prior_bits: np.ndarray
    improvement: np.ndarray
    related: list[list]
    common: list = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{'task':<16}{'gain':>6}{'prior bits':>12}{'less error':>12}  related tasks"]
        for place, task in enumerate(self.tasks):
            labels = ["all, as one task"] if task in self.common else self.related[place]
            related = ", ".join(str(label) for label in labels)
            lines.append(
                f"{task!s:<16}{self.gain[place]:>6.2f}{self.prior_bits[place]:>12.2f}"
                f"{self.improvement[place]:>12.2f}  {related}".rstrip()
            )
        return "\n".join(lines)


def task_gains(hasher: Any, n_related: int = 3) -> TaskGains:
    """Tell from the data whether the tasks of a hasher are tasks.

    Parameters
    ----------
    hasher : TaskGeometricHasher
        Fitted, with ``share_prior=True``.
    n_related : int, default=3
        Number of related tasks to name.

    Returns
    -------
    gains : TaskGains

    See Also
    --------
    sktgsh.inspection.TaskGainDisplay : The same as a picture.

    Examples
    --------
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.datasets import load_digits_tasks
    >>> from sktgsh.inspection import task_gains
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> hasher = TaskGeometricHasher(n_bits=16, n_hidden=64, random_state=0)
    >>> task_gains(hasher.fit(X, y, task=task)).tasks
    [0, 180]
    """
    modulations = hasher.modulations_
    found = [modulation.task_gain for modulation in modulations.values()]
    missing = (np.nan, np.nan, np.nan)
    columns = [
        missing
        if gain is None
        else (gain.share, gain.n_prior_bits / gain.n_bits, _less_error(gain.own_error, gain.error))
        for gain in found
    ]
    related = [
        [] if gain is None else sorted(gain.task_weights, key=gain.task_weights.get, reverse=True)
        for gain in found
    ]
    table = np.array(columns).reshape(len(found), 3)
    return TaskGains(
        list(modulations),
        table[:, 0],
        table[:, 1],
        table[:, 2],
        [labels[:n_related] for labels in related],
        [label for label, gain in zip(modulations, found) if gain is not None and gain.is_common],
    )


def _less_error(alone: float, with_others: float) -> float:
    return 1 - with_others / alone if np.isfinite(alone) and alone > 0 else np.nan


class TaskGainDisplay:
    """Gains of the tasks, as bars.

    Parameters
    ----------
    gains : TaskGains

    See Also
    --------
    sktgsh.inspection.task_gains : The numbers.

    Examples
    --------
    >>> from sktgsh import TaskGeometricHasher
    >>> from sktgsh.datasets import load_digits_tasks
    >>> from sktgsh.inspection import TaskGainDisplay
    >>> X, y, task = load_digits_tasks(n_tasks=2)
    >>> hasher = TaskGeometricHasher(n_bits=16, n_hidden=64, random_state=0)
    >>> display = TaskGainDisplay.from_estimator(hasher.fit(X, y, task=task))
    >>> tuple(map(float, display.ax_.get_xlim()))
    (0.0, 1.0)
    """

    def __init__(self, gains: TaskGains):
        self.gains = gains

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TaskGainDisplay:
        """Draw the tasks of a fitted :class:`~sktgsh.TaskGeometricHasher`.

        Parameters
        ----------
        estimator : TaskGeometricHasher
            Fitted.
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : TaskGainDisplay
            Drawn: with attributes ``figure_`` and ``ax_``.
        """
        return cls(task_gains(estimator)).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> TaskGainDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default a new figure.

        Returns
        -------
        display : TaskGainDisplay
            With attributes ``figure_`` and ``ax_``.
        """
        self.figure_, (ax,) = new_axes(ax)
        places = np.arange(len(self.gains.tasks))
        ax.barh(places, np.nan_to_num(self.gains.gain))
        ax.set_yticks(places, [str(task) for task in self.gains.tasks])
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        ax.set_xlabel("share of what was learned that other tasks did not know")
        ax.set_ylabel("task")
        self.ax_ = ax
        return self
