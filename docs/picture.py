"""The drawings of the README and of the pages: ``python docs/picture.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import TaskGeometricHasher

FOLDER = Path(__file__).parent / "images"
INK, MARK = "#1f3a5f", "#d1495b"


def draw_bits(ax, code, beside=None):
    """A code as a row of squares; those that differ from ``beside`` are framed."""
    for place, bit in enumerate(code):
        ax.add_patch(
            Rectangle((place, 0), 0.86, 0.86, fc=INK if bit else "white", ec="0.6", lw=0.6)
        )
        if beside is not None and bit != beside[place]:
            ax.add_patch(Rectangle((place - 0.07, -0.07), 1, 1, fill=False, ec=MARK, lw=2.2))
    ax.set(xlim=(-0.2, len(code) + 0.1), ylim=(-0.2, 1.1), aspect="equal")
    ax.set_axis_off()


def draw_codes():
    """Two codes of one class and one of another, of digits that nobody trained on."""
    X, y = load_digits(return_X_y=True)
    X, Q, y, q = train_test_split(X, y, test_size=0.25, random_state=0)
    codes = TaskGeometricHasher(n_bits=32, random_state=0).fit(X, y).transform(Q)
    threes = np.flatnonzero(q == 3)
    first = threes[0]
    # Most have the same code: take the first that has not.
    second = threes[(codes[threes] != codes[first]).any(axis=1)][0]
    other = np.flatnonzero(q == 8)[0]
    figure, axes = plt.subplots(
        3, 2, figsize=(9, 2.7), width_ratios=(1, 15), layout="constrained", facecolor="white"
    )
    texts = ["a 3", "another 3: {} bits differ", "an 8: {} bits differ"]
    for (image, bits), row, text in zip(axes, (first, second, other), texts):
        image.imshow(Q[row].reshape(8, 8), cmap="gray_r")
        image.set_axis_off()
        draw_bits(bits, codes[row], None if row == first else codes[first])
        bits.set_title(
            text.format((codes[row] != codes[first]).sum()), loc="left", fontsize=13, pad=1
        )
    figure.savefig(FOLDER / "codes.png", dpi=140)
    print([int((codes[row] != codes[first]).sum()) for row in (second, other)], "bits differ")


def draw_manifolds():
    """Gamma names the manifold, theta the place on it; the hash keeps gamma alone."""
    theta = np.linspace(-1, 1, 100)
    figure, (plane, codes) = plt.subplots(
        1, 2, figsize=(9, 3.2), width_ratios=(1.5, 1), layout="constrained", facecolor="white"
    )
    rng = np.random.default_rng(3)
    colours = (INK, MARK, "#3a7d44")
    for number, colour in enumerate(colours):
        x, height = 2.2 * theta + 0.3 * number, 0.5 * np.cos(2 * theta + number) + 1.5 * number
        plane.plot(x, height, color=colour, lw=1, alpha=0.5)
        places = rng.choice(100, 7, replace=False)
        plane.plot(x[places], height[places], "o", color=colour, ms=6)
        plane.text(x[-1] + 0.15, height[-1], rf"$\gamma_{number + 1}$", color=colour, fontsize=14)
        bits = rng.integers(0, 2, 8)
        for place, bit in enumerate(bits):
            square = Rectangle(
                (place, 1.5 * number), 0.86, 0.86, fc=colour if bit else "white", ec="0.6"
            )
            codes.add_patch(square)
    plane.annotate(
        r"$\theta$: the place on the manifold",
        (-1.9, -0.75),
        (1.3, -0.75),
        va="center",
        fontsize=11,
        arrowprops=dict(arrowstyle="<->", color="0.4"),
    )
    plane.set(xlim=(-2.6, 3.4), ylim=(-1.1, 4.2), title="samples of three classes")
    codes.set(xlim=(-0.5, 8.2), ylim=(-1.1, 4.2), title="one code for each manifold")
    for ax in (plane, codes):
        ax.set_axis_off()
    figure.savefig(FOLDER / "manifolds.png", dpi=140)


def draw_thumbnail():
    """The tile of an example that draws nothing."""
    figure, axes = plt.subplots(4, 1, figsize=(4, 2.8), layout="constrained", facecolor="white")
    for ax, code in zip(axes, np.random.default_rng(0).integers(0, 2, (4, 6))):
        draw_bits(ax, code)
    figure.savefig(FOLDER / "thumbnail.png", dpi=100)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    draw_thumbnail()
    draw_codes()
    draw_manifolds()
