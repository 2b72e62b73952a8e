"""The settings by which tasks are learned."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

from ...solver import SolverSettings


@dataclass(frozen=True)
class LearningSettings:
    """The settings by which tasks are learned; a hasher makes them from its parameters.

    Attributes
    ----------
    closed_form : bool
        Solve the ridge problem.
    gradient : SolverSettings or None
        Gradient steps, after the closed form where there is one.
    alpha : float or sequence of float
        Ridge penalty, or penalties to choose from for each bit.
    codebook : {"learned", "hadamard", "random"}
        How new codewords are chosen.
    share_codebook : bool
        Whether a class has the same codeword in all tasks.
    max_open_tasks : int
        Number of tasks that keep their sufficient statistics.
    kept_open : collection of task labels
        Tasks that keep theirs in any case, because they are about to get more rows.
    share_prior : bool
        Whether tasks shrink towards what the others have learned.
    n_neighbors : int or None
        Number of neighbours that decide on the target of an unlabelled row.
    n_groups : int or None
        Number of groups of the unlabelled rows; None for one per 50 rows.
    verbose : int
        Verbosity of the gradient steps.
    fill : bool
        Whether bits that split few classes as others do may follow the structure of the data.
    """

    closed_form: bool
    gradient: SolverSettings | None
    alpha: float | Sequence[float]
    codebook: str
    share_codebook: bool
    max_open_tasks: int
    n_neighbors: int | None = None
    n_groups: int | None = None
    verbose: int = 0
    share_prior: bool = False
    fill: bool = False
    kept_open: Collection[Hashable] = ()

    @property
    def learns_unlabelled(self) -> bool:
        """Whether unlabelled rows can be learned from."""
        return self.closed_form and self.gradient is None
