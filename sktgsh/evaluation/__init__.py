"""Evaluation that cannot be won by encoding a classifier's answer.

After Sablayrolles et al., "How should we evaluate supervised hashing?", arXiv 1609.06753: beside
retrieval on the classes trained on, always retrieval, one-shot classification and transfer on
classes never seen.
"""

from ..folds import LabelledFolds
from .protocols import (
    cross_task_retrieval,
    identifier_recovery,
    one_shot_accuracy,
    transfer_accuracy,
)
from .report import RetrievalReport, retrieval_report
from .splits import ClassHoldOut
from .trivial import ClassifierHasher

__all__ = [
    "ClassHoldOut",
    "ClassifierHasher",
    "LabelledFolds",
    "RetrievalReport",
    "cross_task_retrieval",
    "identifier_recovery",
    "one_shot_accuracy",
    "retrieval_report",
    "transfer_accuracy",
]
