"""Pictures of hashers, tasks and codes; needs matplotlib (``pip install sktgsh[plot]``)."""

from .codes import CodeMapDisplay, CodeTableDisplay
from .curves import RetrievalCurveDisplay
from .similarity import RepresentationSimilarityDisplay, TaskSimilarityDisplay

__all__ = [
    "CodeMapDisplay",
    "CodeTableDisplay",
    "RepresentationSimilarityDisplay",
    "RetrievalCurveDisplay",
    "TaskSimilarityDisplay",
]
