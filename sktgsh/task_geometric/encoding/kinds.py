"""The names of the kinds of encoders."""

from __future__ import annotations

from torch import nn

from .encoder import Encoder
from .encoders import DifferenceEncoder, FlyEncoder, GaussianEncoder, ModuleEncoder
from .image_encoder import ConvEncoder

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
    return ModuleEncoder(encoder) if isinstance(encoder, nn.Module) else encoder
