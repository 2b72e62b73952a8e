"""The names of the kinds of encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encoder import Encoder
from .encoders import DifferenceEncoder, FlyEncoder, GaussianEncoder, ModuleEncoder
from .image_encoder import ConvEncoder

if TYPE_CHECKING:
    from torch import nn

ENCODERS: dict[str, type[Encoder]] = {
    "differences": DifferenceEncoder,
    "gaussian": GaussianEncoder,
    "fly": FlyEncoder,
    "conv": ConvEncoder,
}


def encoder_of(encoder: str | Encoder | nn.Module) -> Encoder:
    """The encoder that a name or a torch module stands for."""
    if isinstance(encoder, str):
        return ENCODERS[encoder]()
    return encoder if isinstance(encoder, Encoder) else ModuleEncoder(encoder)
