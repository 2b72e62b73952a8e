"""Winner-take-all autoencoders: sparse features without labels."""

from .convolutional import ConvWinnerTakeAllAutoencoder
from .dense import WinnerTakeAllAutoencoder

__all__ = ["ConvWinnerTakeAllAutoencoder", "WinnerTakeAllAutoencoder"]
