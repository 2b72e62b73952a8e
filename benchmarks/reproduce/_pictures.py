"""Pictures of the page "Reproductions": small, on an opaque white ground."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).parents[2] / "docs" / "reproductions"
LARGEST_BYTES = 60_000


def new_figure(rows: int = 1, columns: int = 1, width: float = 4.2, height: float = 3.4) -> Any:
    """A figure, and its axes as an array of shape (rows, columns)."""
    return plt.subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        layout="constrained",
        squeeze=False,
        facecolor="white",
    )


def save_picture(figure: Any, name: str) -> None:
    """Write ``docs/reproductions/NAME.png``, as fine as its size allows.

    Names of pictures that either MNIST or digits give end in these: the page shows the first, git
    ignores the others.
    """
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.png"
    for dpi, n_colors in ((90, 256), (90, 64), (75, 64), (60, 64), (50, 48)):
        drawn = BytesIO()
        figure.savefig(drawn, dpi=dpi)
        # Maximum coverage keeps rare colours: a marker on a photograph.
        image = Image.open(drawn).convert("RGB")
        image = image.quantize(n_colors, method=Image.Quantize.MAXCOVERAGE, dither=0)
        image.save(path, optimize=True)
        if path.stat().st_size < LARGEST_BYTES:
            break
    plt.close(figure)
    print(f"picture: {path} ({path.stat().st_size / 1000:.0f} kB)", flush=True)


def show_image(ax: Any, image: Any, title: str | None = None) -> None:
    """A picture without ticks, ink on white."""
    ax.imshow(image, cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    if title:
        ax.set_title(title, fontsize="small")


def mosaic(images: list[list[Any]], gap: int = 2) -> np.ndarray:
    """Rows of images of one size as a single image, each stretched to 0 to 1; None is blank."""
    shape = next(image.shape for row in images for image in row if image is not None)
    canvas = np.zeros(
        (len(images) * (shape[0] + gap) - gap, len(images[0]) * (shape[1] + gap) - gap)
    )
    for i, row in enumerate(images):
        for j, image in enumerate(row):
            if image is not None:
                top, left = i * (shape[0] + gap), j * (shape[1] + gap)
                span = float(np.ptp(image)) or 1.0
                canvas[top : top + shape[0], left : left + shape[1]] = (image - image.min()) / span
    return canvas
