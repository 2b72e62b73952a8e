"""Make ``office_caltech_surf.npz``.

Run ``python benchmarks/data_scripts/office_caltech_surf.py SOURCE FOLDER``. SOURCE is the folder
``features/surf`` of github.com/LeoGautheron/OfficeCaltechDomainAdaptation (the repository states no
licence), FOLDER the one that benchmarks read.
"""

import sys
from pathlib import Path

import numpy as np
from files import check, save
from scipy.io import loadmat

# At commit 0bcf683.
CHECKSUMS = {
    "amazon.mat": "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f",
    "caltech10.mat": "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5",
    "dslr.mat": "44d673c68e1d07b837893aa74dba3b986e4a6cc3fd66f0dd357683bdef059216",
    "webcam.mat": "a6a9c78b4b7181dfbb58bcfd351d4ebd737f171c31247b8884948aa156d3f700",
}
DOMAINS = [name.removesuffix(".mat") for name in CHECKSUMS]
# The files number the objects from 1, in the order of the names of the Office data's folders.
OBJECTS = (
    "back_pack bike calculator headphones keyboard laptop_computer monitor mouse mug projector"
).split()


def arrays(source: Path) -> dict[str, np.ndarray]:
    """The images of all domains, in the order in which the files hold them.

    Parameters
    ----------
    source : Path
        Folder with one file for each domain: ``fts``, counts of visual words, and ``labels``.

    Returns
    -------
    arrays : dict
        What the npz file holds.
    """
    domains = [loadmat(source / f"{domain}.mat") for domain in DOMAINS]
    numbers = [domain["labels"].ravel() for domain in domains]
    return dict(
        X=np.concatenate([domain["fts"] for domain in domains]).astype(np.uint8),
        y=np.concatenate(numbers).astype(np.int64) - 1,
        task=np.repeat(np.arange(len(DOMAINS)), [len(several) for several in numbers]),
        task_names=np.array(DOMAINS),
        class_names=np.array(OBJECTS),
    )


if __name__ == "__main__":
    source = Path(sys.argv[1])
    check(source, CHECKSUMS)
    made = arrays(source)
    save(Path(sys.argv[2], "office_caltech_surf.npz"), made)
