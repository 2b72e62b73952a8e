"""Versions and machine, for the report of a fault."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from ._version import __version__

# Distributions, those that are needed first.
_NEEDED = "numpy scipy scikit-learn torch skorch faiss-cpu threadpoolctl tqdm safetensors".split()
_OPTIONAL = (
    "matplotlib pandas polars lancedb pyarrow dask distributed onnx onnxruntime skops"
).split()


def show_versions() -> None:
    """Print the versions of Python, of the libraries, and their threads.

    See Also
    --------
    sklearn.show_versions : The same for scikit-learn.

    Examples
    --------
    >>> import sktgsh
    >>> sktgsh.show_versions()
    sktgsh ...
    """
    print(f"sktgsh {__version__}")
    print(f"Python {sys.version.split()[0]} on {platform.platform()}")
    for name in [*_NEEDED, *_OPTIONAL]:
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            print(f"{name} is not installed")
    for library in threadpool_info():
        found = library.get("version") or "of an unknown version"
        print(f"{library['internal_api']} {found}: {library['num_threads']} threads")
