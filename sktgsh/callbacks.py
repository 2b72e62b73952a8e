"""The tasks of a fit, as a tree that scikit-learn's callbacks follow.

scikit-learn has callbacks since version 1.9. Before, estimators have no ``set_callbacks``, and the
tasks here report nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """A mixin without methods, for versions of scikit-learn that have no callbacks."""


# What a fit needs on whatever state the estimator has when it ends.
_FIT_STATE = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class FitTask:
    """One task of a fit: the whole fit, a part of it, an epoch.

    A context manager. Callbacks are told when it begins and, unless an error is raised, ends.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    context : CallbackContext or None
        The place of the task in the tree; None if there are no callbacks.
    data : dict
        X, y and metadata of the fit.
    fitted : callable, optional
        Gives the attributes of the estimator as if the fit ended with the task.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to leave out the tasks that would follow at this level.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        data: dict[str, Any],
        fitted: Callable[[], dict[str, Any]] | None = None,
    ):
        self.estimator, self.context, self.data, self.fitted = estimator, context, data, fitted
        self.stopped = False

    def __enter__(self) -> Self:
        if self.context is not None:
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is None and self.context is not None:
            self.stopped = self.context.call_on_fit_task_end(
                estimator=self.estimator, **self.data, reconstruction_attributes=self.fitted
            )

    def subtask(
        self,
        name: str,
        n_subtasks: int | None = 0,
        fitted: Callable[[], dict[str, Any]] | None = None,
        data: dict[str, Any] | None = None,
    ) -> FitTask:
        """A part of this task.

        Parameters
        ----------
        name : str
            Shown by progress bars.
        n_subtasks : int or None, default=0
            Number of parts that it has in turn; None if it is not known.
        fitted : callable, optional
            As for the class.
        data : dict, optional
            Its own X, y and metadata, if they are not those of this task. Functions are called when
            a callback needs what they give.
        """
        context = None
        if self.context is not None:
            context = self.context.subcontext(task_name=name, max_subtasks=n_subtasks)
        return FitTask(self.estimator, context, data or self.data, fitted)

    @contextmanager
    def subfit(self, name: str, part: Any) -> Iterator[Any]:
        """Fit another estimator as a part of this task; callbacks follow its fit, too.

        Parameters
        ----------
        name : str
            Shown by progress bars.
        part : estimator
            The estimator, which is to be fitted inside the ``with``.
        """
        task = self.subtask(name)
        if task.context is None or not hasattr(part, "set_callbacks"):
            with task:
                yield part
            return
        with task.context.propagate_callback_context(part), task:
            yield part


def whole_fit(
    estimator: Any,
    draft: Any,
    n_subtasks: int,
    X: Any,
    y: Any = None,
    metadata: dict[str, Any] | None = None,
) -> FitTask:
    """The task of a whole fit.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    draft : estimator
        The copy that learns, or the estimator itself.
    n_subtasks : int
        Number of parts of the fit.
    X, y : array-like
        The training data.
    metadata : dict, optional
        Arguments of the fit that a scorer needs as well.

    Returns
    -------
    task : FitTask
    """
    data = {"X": X, "y": y, "metadata": metadata}
    if not hasattr(estimator, "set_callbacks"):
        return FitTask(estimator, None, data)
    context = estimator._init_callback_context(max_subtasks=n_subtasks)
    vars(draft).update({name: vars(estimator)[name] for name in _FIT_STATE})
    return FitTask(estimator, context, data, lambda: learned_state(draft))


def learned_state(draft: Any) -> dict[str, Any]:
    """The fitted attributes of an estimator."""
    return {name: value for name, value in vars(draft).items() if name.endswith("_")}


def has_progress_bar(estimator: Any) -> bool:
    """Whether a callback of the estimator shows progress, so that no other bar is needed."""
    callbacks = getattr(estimator, "_skl_callbacks", ())
    return any(type(callback).__name__ == "ProgressBar" for callback in callbacks)


def bar_verbosity(estimator: Any) -> int:
    """The estimator's `verbose`, or 0 if it asks for a bar and a callback shows one already."""
    verbose = int(estimator.verbose)
    return 0 if verbose == 1 and has_progress_bar(estimator) else verbose
