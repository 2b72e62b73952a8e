"""Quality of codes: retrieval, geometry, and scorers for model selection."""

from .geometry import GeometricSensitivity, geometric_sensitivity
from .quality import CodeReport, code_report
from .retrieval import (
    mean_average_precision,
    ndcg_at_k,
    precision_at_k,
    precision_within_radius,
    recall_at_k,
    retrieval_curve,
)
from .scorers import RetrievalScorer, make_retrieval_scorer

__all__ = [
    "CodeReport",
    "GeometricSensitivity",
    "code_report",
    "RetrievalScorer",
    "geometric_sensitivity",
    "make_retrieval_scorer",
    "mean_average_precision",
    "ndcg_at_k",
    "precision_at_k",
    "precision_within_radius",
    "recall_at_k",
    "retrieval_curve",
]
