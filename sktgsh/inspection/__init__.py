"""Pictures of hashers, tasks and codes; needs matplotlib (``pip install sktgsh[plot]``)."""

from .codes import CodeMapDisplay, CodeTableDisplay
from .curves import RetrievalCurveDisplay
from .gains import TaskGainDisplay, TaskGains, task_gains
from .similarity import RepresentationSimilarityDisplay, TaskSimilarityDisplay

__all__ = [
    "CodeMapDisplay",
    "CodeTableDisplay",
    "RepresentationSimilarityDisplay",
    "RetrievalCurveDisplay",
    "TaskGainDisplay",
    "TaskGains",
    "TaskSimilarityDisplay",
    "task_gains",
]
