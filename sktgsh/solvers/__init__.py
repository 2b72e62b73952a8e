"""How a modulation is learned: in closed form, or by gradient steps."""

from .ridge import RidgeStatistics
from .sgd import train

__all__ = ["RidgeStatistics", "train"]
