"""Files of fitted estimators that are safe to keep and to hand over, and pickles."""

from .files import SaveMixin, load, save
from .pickles import SteadyPickleMixin, VersionedMixin
from .registry import saved

__all__ = [
    "SaveMixin",
    "SteadyPickleMixin",
    "VersionedMixin",
    "load",
    "save",
    "saved",
]
