"""Files of fitted estimators that are safe to keep and to hand over."""

from .files import SaveMixin, load, save

__all__ = ["SaveMixin", "load", "save"]
