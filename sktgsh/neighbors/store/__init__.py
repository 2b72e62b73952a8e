"""Codes kept on disk or on an object store, by LanceDB."""

from .store import CodeStore

__all__ = ["CodeStore"]
