"""Files give back what was saved, to the bit, and say so when they cannot."""

import errno
import itertools
import json
import multiprocessing
import pickle
import signal
import time

import numpy as np
import pytest
import pythons
import torch
from estimators import CHOOSERS, HASHERS, LSH, autoencoders, name
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

import sktgsh
from sktgsh import load
from sktgsh.neighbors import HammingNeighbors, LSHNeighbors
from sktgsh.persistence import files, save
from sktgsh.persistence.reader import Reader
from sktgsh.persistence.upgrades import FORMAT
from sktgsh.persistence.writer import Writer

X, y = load_digits(return_X_y=True)
X, y = X[:200], y[:200]


class Backbone(torch.nn.Module):
    """An encoder of a user's."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(64, 20)

    def forward(self, samples):
        return self.layer(samples).relu()


SETTINGS = [
    sktgsh.TaskGeometricHasher(8, encoder="conv", random_state=0),
    sktgsh.TaskGeometricHasher(8, encoder="gaussian", structure_fraction=0.5, random_state=0),
]
# Codes are indexed, and a task column is cut off, elsewhere.
LEARN = [*HASHERS, *CHOOSERS, *autoencoders((8, 8)), *SETTINGS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "saved.safetensors"


@pytest.mark.parametrize("estimator", LEARN, ids=name)
@pytest.mark.filterwarnings("ignore:.*dead:UserWarning", "ignore:classes share:UserWarning")
def test_codes_are_the_same_after_loading(estimator, path):
    fitted = clone(estimator).fit(X, y)
    fitted.save(path)
    loaded = load(path)
    np.testing.assert_array_equal(fitted.transform(X), loaded.transform(X))
    assert loaded.get_params(deep=False).keys() == fitted.get_params(deep=False).keys()
    assert repr(loaded) == repr(fitted)
    np.testing.assert_array_equal(loaded.get_feature_names_out(), fitted.get_feature_names_out())


@pytest.mark.filterwarnings("ignore:.*dead:UserWarning")
def test_unfitted_and_with_a_state_of_its_own(path):
    estimator = sktgsh.SignedRandomProjectionHasher(random_state=np.random.RandomState(3))
    estimator.save(path)
    np.testing.assert_array_equal(estimator.fit_transform(X), load(path).fit_transform(X))


@pytest.mark.parametrize("algorithm", ["flat", "hnsw", "multihash"])
def test_indices(algorithm, path):
    codes = sktgsh.SignedRandomProjectionHasher(32, random_state=0).fit_transform(X)
    index = HammingNeighbors(algorithm=algorithm).fit(codes, task=y, ids=np.arange(200) + 7)
    index.save(path)
    loaded = load(path)
    for one, other in zip(index.kneighbors(codes), loaded.kneighbors(codes)):
        np.testing.assert_array_equal(one, other)
    assert loaded.tasks_ == index.tasks_
    loaded.add(codes[:3], ids=[1000, 1001, 1002], task=y[:3])


@pytest.mark.parametrize("hasher", [None, sktgsh.PStableHasher()])
def test_hash_tables(hasher, path):
    index = LSHNeighbors(hasher, n_bits=4, n_tables=2, random_state=0).fit(X)
    index.save(path)
    for one, other in zip(index.kneighbors(X[:20]), load(path).kneighbors(X[:20])):
        np.testing.assert_array_equal(one, other)


def test_tasks_and_classes_keep_their_kind(path):
    labels = np.array(["a", "b"])[y % 2]
    hasher = sktgsh.TaskGeometricHasher(n_bits=8, random_state=0)
    hasher.fit(X, labels, task=np.array(["left", "right"])[np.arange(200) % 2])
    hasher.save(path)
    loaded = load(path)
    assert list(loaded.modulations_) == ["left", "right"]
    np.testing.assert_array_equal(
        loaded.predict_class(X, task="right"), hasher.predict_class(X, task="right")
    )
    np.testing.assert_array_equal(loaded.predict_task(X), hasher.predict_task(X))


def test_a_module_of_the_users_gives_its_weights_and_is_asked_for(path):
    hasher = sktgsh.TaskGeometricHasher(n_bits=8, encoder=Backbone(), random_state=0).fit(X, y)
    hasher.save(path)
    with pytest.raises(ValueError, match=r"encoder was a .*Backbone.*give it again"):
        load(path)
    other = Backbone(seed=1)  # its weights do not matter
    loaded = load(path, encoder=other)
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))
    assert loaded.encoder is other
    assert all(parameter.requires_grad for parameter in other.parameters())
    with pytest.raises(ValueError, match="no parameter decoder"):
        load(path, encoder=other, decoder=1)


def test_only_what_is_the_packages(path):
    class Mine(sktgsh.PStableHasher):
        pass

    with pytest.raises(TypeError, match="Mine is not an estimator of sktgsh"):
        Mine().save(path)
    with pytest.raises(TypeError, match="not an estimator"):
        save({"a": 1}, path)
    assert not path.exists()


@pytest.fixture
def small(path):
    hasher = sktgsh.SparseProjectionHasher(n_bits=2, n_inputs=1, random_state=0)
    hasher.fit(X[:, :3])
    hasher.save(path)
    return path


def test_truncated_at_every_byte(small):
    whole = small.read_bytes()
    for size in range(len(whole)):
        small.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="damaged or incomplete"):
            load(small)


def test_damaged_at_every_byte(small):
    whole = small.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1
        small.write_bytes(changed)
        with pytest.raises(ValueError, match=r"damaged or incomplete|has not written it"):
            load(small)


def rewritten(path, **changes):
    """A file whose checksum is right and whose content is not what sktgsh wrote."""
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() | changes | {"sha256": files._BLANK}
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    save_file(arrays, path, metadata)
    files._put_checksum(path)


def test_of_a_newer_version(small):
    rewritten(small, format=str(FORMAT + 1), sktgsh="99.0")
    with pytest.raises(ValueError, match=r"written by sktgsh 99\.0.*update sktgsh"):
        load(small)


def test_of_another_kind(small):
    rewritten(small, kind="task")
    with pytest.raises(ValueError, match="holds a task, not a estimator"):
        load(small)


@pytest.mark.parametrize(
    "tree",
    [
        {"object": ["system", {}]},
        {"object": ["Popen", {"args": "true"}]},
        {"module": ["Module", {}]},
        {"module": ["Linear", {}]},
        {"array": "no such array"},
        {"call": ["os.system", "true"]},
        {"object": ["PStableHasher", 3]},
        {"object": ["Linear", {}]},
        {"array": "0", "tensor": "0"},
        {"object": [["PStableHasher"], {}]},
        5,
        None,
        [],
    ],
)
def test_made_up_trees_are_refused(small, tree):
    rewritten(small, tree=json.dumps(tree))
    with pytest.raises(ValueError, match=r"damaged|may hold|node of"):
        load(small)


def test_a_deep_tree_is_refused(small):
    rewritten(small, tree="[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match=r"damaged|may hold|node of"):
        load(small)


def test_a_file_of_somebody_else(path):
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ValueError, match="has not written it"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(path.with_name("nothing"))


@pytest.mark.parametrize(
    "write, said",
    [
        (lambda path: path.write_bytes(pickle.dumps([1, 2])), "a pickle, which joblib.load"),
        (lambda path: np.savez(path.open("wb"), a=np.zeros(3)), "a zip archive, as torch.save"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "an array, which numpy.load opens"),
        (lambda path: path.write_text("name,price\\n1,2\\n"), "damaged or incomplete from its"),
        (lambda path: path.write_bytes(b""), "damaged or incomplete from its beginning"),
    ],
    ids=["pickle", "npz", "npy", "text", "empty"],
)
def test_a_file_that_was_never_ours_is_told_from_a_damaged_one(path, write, said):
    write(path)
    with pytest.raises(ValueError, match=f"is not a file that sktgsh has written.*{said}") as error:
        load(path)
    assert "restore it from a copy" not in str(error.value)


def test_may_be_read_by_those_who_may_read_other_files(path):
    hasher = sktgsh.SignedRandomProjectionHasher(n_bits=2, random_state=0).fit(X)
    path.with_name("other").touch()
    hasher.save(path)
    assert path.stat().st_mode == path.with_name("other").stat().st_mode
    path.chmod(0o600)
    hasher.save(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("broken", ["save_file", "_put_checksum"])
def test_what_was_there_stays_where_writing_fails(small, broken, monkeypatch):
    before = small.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, broken, full)
    with pytest.raises(OSError, match="No space"):
        sktgsh.FlyHasher(n_bits=8).fit(X).save(small)
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


@pytest.fixture
def forked():
    """Calls a function in a process of its own, which dies with the test."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork on this system")
    processes = []

    def call(function, *args):
        process = multiprocessing.get_context("fork").Process(target=function, args=args)
        process.start()
        processes.append(process)
        return process

    yield call
    for process in processes:
        process.kill()
        process.join()


def test_a_file_that_may_not_grow_leaves_what_was_there(small, forked):
    """The operating system refuses to write on, as where a disk is full."""
    resource = pytest.importorskip("resource")
    before = small.read_bytes()
    index = HammingNeighbors().fit(np.eye(500, 64))

    def save_in_little_room(said):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        try:
            index.save(small)
        except OSError as error:
            said.send(str(error))

    said, here = multiprocessing.Pipe()
    forked(save_in_little_room, here).join()
    assert said.poll()
    assert "what was there is there" in said.recv()
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


def test_a_writer_that_is_killed_leaves_a_whole_file(path, forked):
    """At any moment: the file is that of before or of after."""
    codes = np.random.default_rng(1).integers(0, 2, (2000, 512))
    indices = [HammingNeighbors().fit(codes[:size]) for size in (1000, 2000)]

    def save_for_ever():
        for number in itertools.count():
            indices[number % 2].save(path)

    sizes = []
    for moment in range(10):
        path.unlink(missing_ok=True)
        writer = forked(save_for_ever)
        while not path.exists():
            time.sleep(0.001)
        time.sleep(0.002 * moment)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        sizes.append(load(path).n_samples_fit_)
    assert set(sizes) <= {1000, 2000}


def test_nothing_is_pickled_in_either_direction(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickle")

    fitted = pythons.fitted()
    pythons.write(tmp_path, fitted)  # once before: libraries import what they need
    assert pythons.read(tmp_path) == len(fitted)
    for module, names in (
        (pickle, "dump dumps load loads Pickler Unpickler"),
        (torch, "save load"),
    ):
        for function in names.split():
            monkeypatch.setattr(module, function, refuse)
    with pytest.raises(AssertionError, match="pickle"):
        torch.save(torch.zeros(1), tmp_path / "tensor")
    pythons.write(tmp_path, fitted)
    assert pythons.read(tmp_path) == len(fitted)
    for file in tmp_path.glob("*.sktgsh"):
        with safe_open(file, "numpy") as opened:
            json.loads(opened.metadata()["tree"])
            assert "O" not in {opened.get_tensor(name).dtype.kind for name in opened.keys()}


def test_values_come_back_as_they_were():
    values = [
        None,
        True,
        -3,
        0.1,
        float("inf"),
        "text",
        (1, [2, (3,)]),
        {1: "a", "b": {2}},
        range(1, 9, 2),
        np.float32(0.3),
        np.int64(7),
        torch.device("cpu"),
        np.array(["x", "yy"]),
        np.array([], np.uint8).reshape(0, 3),
    ]
    writer = Writer()
    tree = json.loads(json.dumps(writer.encode(values)))
    back = Reader(writer.arrays, {}).decode(tree)
    for value, other in zip(values, back):
        assert type(value) is type(other)
    assert back[:12] == values[:12]
    for value, other in zip(values[12:], back[12:]):
        np.testing.assert_array_equal(value, other)
        assert value.dtype == other.dtype


def test_layout_in_memory_is_kept():
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    images = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    matrix = sparse.csr_array(np.eye(3))
    writer = Writer()
    tree = writer.encode([columns, images, matrix])
    back = Reader(writer.arrays, {}).decode(tree)
    np.testing.assert_array_equal(back[0], columns)
    assert back[0].flags.f_contiguous
    assert back[1].equal(images)
    assert back[1].stride() == images.stride()
    assert (back[2] != matrix).nnz == 0


def test_equal_arrays_are_stored_once_and_are_not_one():
    writer = Writer()
    tree = writer.encode([np.zeros(3), np.zeros(3), np.zeros(3, np.float32)])
    assert len(writer.arrays) == 2
    first, second, _ = Reader(writer.arrays, {}).decode(tree)
    first[0] = 1
    assert second[0] == 0


@pytest.mark.parametrize("estimator", LSH, ids=name)
def test_skops_finds_the_packages_own_types_alone(estimator):
    """Of estimators without a network: skops has no form for tensors of torch."""
    skops = pytest.importorskip("skops.io")
    fitted = clone(estimator).fit(X)
    data = skops.dumps(fitted)
    untrusted = skops.get_untrusted_types(data=data)
    assert all(name.startswith(("sktgsh.", "scipy.sparse.")) for name in untrusted)
    loaded = skops.loads(data, trusted=untrusted)
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))
