"""Pictures of the page "Reproductions": small, on an opaque white ground."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)

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
    """Write ``docs/reproductions/NAME.png``, with as few colours as its size asks for."""
    drawn = BytesIO()
    figure.savefig(drawn, dpi=90)
    plt.close(figure)
    image = Image.open(drawn).convert("RGB")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.png"
    for n_colors in (256, 64, 32, 16):
        image.quantize(n_colors, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)
        if path.stat().st_size < LARGEST_BYTES:
            break
    print(f"picture: {path} ({path.stat().st_size / 1000:.0f} kB)")


def show_image(ax: Any, image: Any, title: str | None = None) -> None:
    """A picture without ticks, ink on white."""
    ax.imshow(image, cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    if title:
        ax.set_title(title, fontsize="small")
