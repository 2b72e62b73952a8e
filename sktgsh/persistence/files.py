"""Saving: arrays as safetensors, the rest as JSON, and nothing that runs when it is loaded.

A file is a safetensors file. Its metadata hold a checksum over all of its bytes, the version of the
format, and a tree in JSON that says which object of which class holds which values and arrays.
Only classes of the list below are ever made, without calling them: their attributes are set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .._version import __version__
from .reader import Reader
from .registry import name_of, saved_name
from .upgrades import FORMAT
from .writer import Writer

_BLANK = "0" * 64
_CHUNK = 2**20
# How files of other kinds begin.
_STRANGERS = {
    b"\x80": "a pickle, which joblib.load or pickle.load opens",
    b"PK": "a zip archive, as torch.save, numpy.savez and skops write them",
    b"\x93NUMPY": "an array, which numpy.load opens",
    b"\x89HDF": "an HDF5 file",
}


class SaveMixin:
    """A method that writes the estimator to a file; :func:`~sktgsh.load` reads it."""

    def save(self, path: str | os.PathLike) -> None:
        """Write to a file, which :func:`sktgsh.load` reads; see :func:`sktgsh.persistence.save`.

        Parameters
        ----------
        path : str or path-like
            The file. What was there is replaced when all is written, and stays until then.
        """
        save(self, path)


def save(estimator: Any, path: str | os.PathLike) -> None:
    """Write an estimator or an index of the package to a file.

    The file is written under another name beside `path`, and renamed when it is complete and on
    disk: a process that dies, or a full disk, leaves what was there. Objects of other classes are
    not stored: of an encoder or module of yours, the weights are, and ``load`` asks for the
    object; of callbacks or an optimizer class, nothing is.

    Pipelines and common transformers of scikit-learn are stored too (scalers, encoders of columns,
    ``PCA``, ``TruncatedSVD``, ``SimpleImputer``, ``ColumnTransformer``, ``FrozenEstimator``).

    Parameters
    ----------
    estimator : estimator
        Of a class of the package, or a pipeline or transformer around one; fitted or not.
    path : str or path-like
        The file; of a symbolic link, its target.

    Raises
    ------
    TypeError
        If the estimator is of another class, or holds an object of one that ``load`` could not be
        given again.
    OSError
        If the disk is full, or the folder may not be written to. What was there stays.

    See Also
    --------
    sktgsh.load : Reads the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sktgsh import SignedRandomProjectionHasher, load
    >>> hasher = SignedRandomProjectionHasher(n_bits=8, random_state=0).fit([[1.0, 2.0]])
    >>> path = Path(tempfile.mkdtemp()) / "hasher.safetensors"
    >>> hasher.save(path)
    >>> load(path).transform([[3.0, 4.0]]) == hasher.transform([[3.0, 4.0]])
    array([[ True,  True,  True,  True,  True,  True,  True,  True]])
    """
    if saved_name(type(estimator)) is None or not hasattr(estimator, "get_params"):
        raise TypeError(
            f"{name_of(type(estimator))} is not an estimator of sktgsh, or one of scikit-learn "
            "that files hold; only those are saved"
        )
    write(estimator, "estimator", path, root=estimator)


def load(path: str | os.PathLike, **given: Any) -> Any:
    """Read an estimator or an index that :func:`~sktgsh.persistence.save` has written.

    Nothing in the file is executed, and only classes of the package (and plain layers of torch)
    are made. An array that is not what its owner expects may still make a later call fail.

    Parameters
    ----------
    path : str or path-like
        The file.
    **given
        Constructor parameters that could not be stored, by their names in ``get_params``, as in
        ``encoder=module`` or ``hasher__encoder=module``. A module is copied, and the copy takes the
        weights of the file.

    Returns
    -------
    estimator : estimator
        Its codes are those of the saved one, to the bit.

    Raises
    ------
    ValueError
        If the file is damaged, incomplete, not one of the package's, or of a newer version; or if
        it needs a parameter that was not given, or holds one that was.

    See Also
    --------
    sktgsh.persistence.save : Writes the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sktgsh import SignedRandomProjectionHasher, load
    >>> hasher = SignedRandomProjectionHasher(n_bits=8, random_state=0).fit([[1.0, 2.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hasher.save(Path(folder) / "hasher.safetensors")
    ...     again = load(Path(folder) / "hasher.safetensors")
    >>> bool((again.transform([[3.0, 4.0]]) == hasher.transform([[3.0, 4.0]])).all())
    True
    """
    estimator, used = _read(path, "estimator", given)
    if saved_name(type(estimator)) is None or not hasattr(estimator, "get_params"):
        raise ValueError(_damaged(Path(path), "it holds no estimator"))
    name, parameters = type(estimator).__name__, estimator.get_params()
    for key in given:
        if key not in parameters:
            raise ValueError(f"{name} has no parameter {key}")
        if key not in used:
            raise ValueError(
                f"{os.fspath(path)} holds the parameter {key}={parameters[key]!r} of {name} "
                "itself; leave it out here, and change it by set_params"
            )
    return estimator


def write(value: Any, kind: str, path: str | os.PathLike, root: Any = None) -> None:
    """Write any value that a tree can hold beside `path`, then rename.

    Parameters
    ----------
    value : object
    kind : str
        Kind of file, which :func:`read` asks for.
    path : str or path-like
        The file; of a symbolic link, its target.
    root : estimator, optional
        Its constructor parameters may be of foreign classes.
    """
    path, writer = Path(os.path.realpath(path)), Writer(root)
    tree = json.dumps(writer.encode(value, type(value).__name__))
    metadata = {
        "sktgsh": __version__,
        "format": str(FORMAT),
        "kind": kind,
        "sha256": _BLANK,
        "tree": tree,
    }
    beside = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        beside.touch()
        # Safetensors lets the owner alone read; others may if they might before, or if the
        # process's mask says so.
        mode = (path if path.exists() else beside).stat().st_mode
        save_file(writer.arrays, beside, metadata)
        _put_checksum(beside)
        beside.chmod(mode)
        os.replace(beside, path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written ({error}); what was there is there") from error
    finally:
        beside.unlink(missing_ok=True)


def _put_checksum(path: Path) -> None:
    with open(path, "r+b") as file:
        place = _checksum_place(file)
        file.seek(0)
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        file.seek(place)
        file.write(digest.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())


def _checksum_place(file: Any) -> int:
    """Position of the checksum in a file: after its name, in the header."""
    file.seek(0)
    size = int.from_bytes(file.read(8), "little")
    name = b'"sha256":"'
    place = file.read(min(size, 2**30)).find(name)
    if place < 0:
        raise ValueError("no checksum")
    return 8 + place + len(name)


def _is_whole(path: Path) -> bool:
    """Whether the checksum fits: of all bytes, with zeros in its own place."""
    with open(path, "rb") as file:
        try:
            place = _checksum_place(file)
        except ValueError:
            return False
        file.seek(0)
        digest = hashlib.sha256(file.read(place))
        stored = file.read(len(_BLANK))
        digest.update(_BLANK.encode())
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest().encode() == stored


def read(path: str | os.PathLike, kind: str) -> Any:
    """Return the value of a file, once its checksum, kind and version are found to be right."""
    return _read(path, kind, {})[0]


def _read(path: str | os.PathLike, kind: str, given: Mapping[str, Any]) -> tuple[Any, set[str]]:
    """The value, and which of the given parameters it needed."""
    path = Path(path)
    whole = _is_whole(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()} if whole else {}
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise ValueError(_damaged(path, error) if whole else _unreadable(path, error)) from error
    if "sktgsh" not in metadata:
        raise ValueError(f"{path} is a safetensors file, but sktgsh has not written it")
    if not whole:
        raise ValueError(_damaged(path, "its checksum does not fit"))
    if int(metadata["format"]) > FORMAT:
        raise ValueError(
            f"{path} was written by sktgsh {metadata['sktgsh']} in format {metadata['format']}, "
            f"which is newer than this version reads ({FORMAT}); update sktgsh"
        )
    if metadata["kind"] != kind:
        raise ValueError(f"{path} holds a {metadata['kind']}, not a {kind}")
    reader = Reader(arrays, given, int(metadata["format"]))
    try:
        return reader.decode(json.loads(metadata["tree"])), reader.used
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(_damaged(path, f"{type(error).__name__}: {error}")) from error


def _damaged(path: Path, reason: Any) -> str:
    return f"{path} is damaged or incomplete ({reason}); restore it from a copy, or save it again"


def _unreadable(path: Path, error: Any) -> str:
    """Of a file that cannot be opened: whether its beginning is that of one of ours."""
    with open(path, "rb") as file:
        head = file.read(4096)
    if b'"sktgsh"' in head or b'"sha256"' in head:
        return _damaged(path, error)
    for beginning, kind in _STRANGERS.items():
        if head.startswith(beginning):
            return f"{path} is not a file that sktgsh has written, but {kind}"
    return (
        f"{path} is not a file that sktgsh has written, or it is damaged or incomplete from its "
        f"beginning on ({error}); load opens files of an estimator's method save"
    )
