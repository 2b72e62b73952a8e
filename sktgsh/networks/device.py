"""Devices of torch to compute on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def resolve_device(device: str) -> torch.device:
    """``"auto"`` is a GPU where there is one, the CPU elsewhere.

    Raises
    ------
    ValueError
        If torch knows no such device, or this machine has none.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is no device of torch; expected 'auto', 'cpu', 'cuda', 'cuda:1' or "
            "the like"
        ) from error
    available = _count(resolved.type)
    if available <= (resolved.index or 0):
        raise ValueError(
            f"device={device!r}, but this machine has {available} of that kind; use 'auto' or 'cpu'"
        )
    return resolved


def device_or_cpu(device: str) -> torch.device:
    """The device; or the CPU, where what was made on another machine asks for what is not here."""
    import torch

    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")


def _count(kind: str) -> int:
    """Number of devices of a kind."""
    import torch

    if kind in ("cpu", "meta"):
        return 1
    try:
        return torch.get_device_module(kind).device_count()
    except (RuntimeError, AttributeError):
        return 0
