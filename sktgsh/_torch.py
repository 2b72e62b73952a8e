"""What is of torch, asked without importing it: it takes seconds and memory."""

from __future__ import annotations

import sys
from typing import Any


def has_torch() -> bool:
    """Whether torch is imported; where it is not, there is nothing of it to be set."""
    return "torch" in sys.modules


def is_torch(value: Any, name: str) -> bool:
    """Whether a value is of a class of torch; where torch is not imported, none is."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return isinstance(value, torch.nn.Module if name == "Module" else getattr(torch, name))
