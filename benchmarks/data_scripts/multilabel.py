"""Make ``multilabel_scene.npz`` and ``multilabel_delicious.npz``.

Run ``python benchmarks/data_scripts/multilabel.py SOURCE FOLDER``. SOURCE is the folder
``data/multi-label`` of github.com/tsoumakas/mulan (it states no licence for the data), FOLDER the
one that benchmarks read.
"""

import sys
from pathlib import Path

import numpy as np
from files import check, save

# At commit 43f6389.
CHECKSUMS = {
    "scene/scene-train.arff": "b53ba93bdf412de922e3960389bcee24744fa3e872ce610511fc1d750888b64d",
    "scene/scene-test.arff": "ea38d20296b3ff7e220f477a3b802a9bcb2d768881fe6ee163efbc97ea527a42",
    "delicious/delicious-train.arff": (
        "030186cdb542ebdd32052fcdbb1ebe30115b3a22518c1b4b198c45eb827aebe1"
    ),
    "delicious/delicious-test.arff": (
        "2dfb01723a819914b0ca83361177ed413ce3f2169851d9f228d4692915d63944"
    ),
}
# The last columns of a file are its labels.
N_LABELS = {"scene": 6, "delicious": 983}
PARTS = ["train", "test"]


def row(line: str, n_columns: int) -> np.ndarray:
    """The values of one line, which gives all of them, or in braces those that are not 0.

    Parameters
    ----------
    line : str
        As ``0.5,0,1`` or as ``{0 0.5,2 1}``.
    n_columns : int
        How many values a row has.

    Returns
    -------
    row : ndarray of shape (n_columns,)
        As float64.
    """
    if not line.startswith("{"):
        return np.array(line.split(","), dtype=float)
    values = np.zeros(n_columns)
    for entry in line.strip("{} ").split(","):
        if entry:
            column, value = entry.split()
            values[int(column)] = float(value)
    return values


def table(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the columns, and the rows, of an ARFF file of numbers.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    names : list of str
        One for each column.
    rows : ndarray of shape (n_rows, n_columns)
        As float32.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    names = [line.split()[1] for line in lines if line.lower().startswith("@attribute")]
    start = [line.lower() for line in lines].index("@data") + 1
    rows = [row(line, len(names)) for line in lines[start:] if line and line[0] != "%"]
    return names, np.array(rows, dtype=np.float32)


def arrays(source: Path, name: str, n_labels: int) -> dict[str, np.ndarray]:
    """Training rows, then test rows, in the order of the files.

    Parameters
    ----------
    source : Path
        Folder with a folder for each data set.
    name : str
        Which data set.
    n_labels : int
        How many of the last columns are labels.

    Returns
    -------
    arrays : dict
        What the npz file holds.
    """
    tables = [table(source / name / f"{name}-{part}.arff") for part in PARTS]
    names = tables[0][0]
    # Columns lie together, as in our files: equal files have equal checksums.
    rows = np.asfortranarray(np.concatenate([rows for _, rows in tables]))
    return dict(
        X=rows[:, :-n_labels],
        Y=rows[:, -n_labels:].astype(np.uint8),
        split=np.repeat(PARTS, [len(rows) for _, rows in tables]),
        label_names=np.array(names[-n_labels:]),
        feature_names=np.array(names[:-n_labels]),
    )


if __name__ == "__main__":
    source = Path(sys.argv[1])
    check(source, CHECKSUMS)
    for name, n_labels in N_LABELS.items():
        made = arrays(source, name, n_labels)
        save(Path(sys.argv[2], f"multilabel_{name}.npz"), made)
