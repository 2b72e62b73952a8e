"""Make ``omniglot.npz``: ``python benchmarks/data_scripts/omniglot.py SOURCE FOLDER``.

SOURCE is a folder with ``images_background.zip`` and ``images_evaluation.zip`` of
github.com/brendenlake/omniglot (folder ``python``; licence: MIT), FOLDER the one that benchmarks
read.
"""

import io
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from files import save
from PIL import Image

SIDE = 28


def image(data: bytes) -> np.ndarray:
    """Ink on 0; pixels are means over the pixels that they replace, and the darkest is 255."""
    ink = ~np.array(Image.open(io.BytesIO(data)))
    small = Image.fromarray(ink.astype(np.uint8) * 255).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.rint(np.array(small) * (255 / np.max(small))).astype(np.uint8)


def drawings(archive: Path) -> list[tuple[str, str, int, np.ndarray]]:
    """Alphabet, character, drawer and image, in the order of their names."""
    with ZipFile(archive) as files:
        names = [name for name in sorted(files.namelist()) if name.endswith(".png")]
        found = []
        for name in names:
            alphabet, character, file = name.split("/")[-3:]
            if not name.startswith("__"):
                drawer = int(file.removesuffix(".png").split("_")[1])
                found.append((alphabet, f"{alphabet}/{character}", drawer, image(files.read(name))))
    return found


def arrays(parts: dict[str, Path]) -> dict[str, np.ndarray]:
    """All drawings, with numbers of alphabets and characters in the order in which they come."""
    rows = [(*row, split) for split, archive in parts.items() for row in drawings(archive)]
    alphabets, characters, drawers, images, splits = zip(*rows)
    made = dict(images=np.array(images), drawer=np.array(drawers), split=np.array(splits))
    for kind, names in (("alphabet", alphabets), ("character", characters)):
        order = list(dict.fromkeys(names))
        number = {name: position for position, name in enumerate(order)}
        made[kind] = np.array([number[name] for name in names])
        made[f"{kind}_names"] = np.array(order)
    return made


if __name__ == "__main__":
    source = Path(sys.argv[1])
    made = arrays({part: source / f"images_{part}.zip" for part in ("background", "evaluation")})
    save(Path(sys.argv[2], "omniglot.npz"), made)
