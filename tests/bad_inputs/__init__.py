"""What goes wrong with ordinary input, as a table: each case is tried on every public estimator.

A case is either right (codes as expected) or an error that names what is wrong; the estimator stays
as it was, and no warning of another library gets through. ``python -m benchmarks robustness``
prints the counts.
"""

from .containers import container_cases, row_cases
from .harness import EVERYTHING, SUBJECTS, Case, Subject, try_case
from .indexes import index_cases
from .labels import label_cases, task_cases
from .parameters import parameter_cases
from .samples import bad_sample_cases, odd_sample_cases

CASES = [
    *container_cases(),
    *row_cases(),
    *bad_sample_cases(),
    *odd_sample_cases(),
    *label_cases(),
    *task_cases(),
    *parameter_cases(),
    *index_cases(),
]

__all__ = ["CASES", "EVERYTHING", "SUBJECTS", "Case", "Subject", "try_case"]
