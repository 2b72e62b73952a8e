"""What is of torch, asked without importing it: it takes seconds and memory."""

from __future__ import annotations

import sys
from typing import Any


def has_torch() -> bool:
    """Whether torch is imported; where it is not, there is nothing of it to be set."""
    return _imported() is not None


def is_torch(value: Any, name: str) -> bool:
    """Whether a value is of a class of torch; where torch is not imported, none is."""
    torch = _imported()
    if torch is None:
        return False
    return isinstance(value, torch.nn.Module if name == "Module" else getattr(torch, name))


def _imported() -> Any:
    """The module torch; None before it is imported, and while another thread imports it."""
    torch = sys.modules.get("torch")
    return None if getattr(getattr(torch, "__spec__", None), "_initializing", False) else torch
