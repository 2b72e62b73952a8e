"""The one place that touches matplotlib's figure machinery."""

from __future__ import annotations

from typing import Any

import numpy as np


def new_axes(ax: Any, n_axes: int = 1, width: float = 4.5, height: float = 4.0) -> tuple[Any, list]:
    """(figure, axes): those that were given, or new ones side by side.

    Raises
    ------
    ValueError
        If the number of axes given is not `n_axes`.
    """
    if ax is not None:
        axes = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(axes) != n_axes:
            raise ValueError(f"ax holds {len(axes)} axes; expected {n_axes}")
        return axes[0].figure, axes
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, n_axes, figsize=(width * n_axes, height), layout="constrained", squeeze=False
    )
    return figure, list(axes[0])


def task_arguments(task: Any) -> dict[str, Any]:
    """Arguments for `transform`: without `task` where there is none."""
    return {} if task is None else {"task": task}
