"""Heavy libraries are imported by those who need them, and nothing is lost by it."""

import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from pkgutil import iter_modules

import pytest

import sktgsh

KEPT = Path(__file__).parent / "persistence" / "kept" / "format_1"
HEAVY = "torch skorch faiss matplotlib dask distributed lancedb onnx onnxruntime".split()
# What a public module may import of these; the others may import none of them.
MAY = {
    "autoencoders": {"torch", "skorch"},
    "deep": {"torch", "skorch"},
    "evaluation": {"torch"},
    "export": {"torch", "skorch", "onnx"},
    "linear": {"torch"},
    "neighbors": {"faiss"},
    "distributed": set(HEAVY),
    "databases": {"faiss", "lancedb"},
}
# All but those that need a library of an extra.
NAMES = (
    "autoencoders codes datasets deep evaluation export features_only inspection interchange "
    "linear lsh metrics neighbors networks persistence task_geometric threads"
).split()


@pytest.fixture(scope="module")
def new_processes():
    """New processes, which begin with the libraries that every module may import."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["numpy", "scipy.sparse", "sklearn.model_selection"])
    return context


@pytest.fixture
def imported(new_processes):
    """Heavy libraries that a new process has imported after some code."""

    def run(code):
        with ProcessPoolExecutor(1, new_processes) as pool:
            return pool.submit(heavy_after, code).result()

    return run


def heavy_after(code):
    assert not set(HEAVY) & set(sys.modules)
    exec(code, {})
    return set(HEAVY) & set(sys.modules)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_imports_what_it_may(imported, name):
    assert imported(f"import sktgsh.{name}") <= MAY.get(name, set())


def test_the_package_imports_nothing_until_it_is_asked(imported):
    code = "import sys; before = set(sys.modules); import sktgsh; dir(sktgsh)"
    code += "\nassert not {'numpy', 'scipy', 'sklearn'} & (set(sys.modules) - before)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "torch" in imported("import sktgsh; sktgsh.PCAHasher")


FILES = "signs sparse fly tables codes_flat rescored tasks tasks_conv chosen_length".split()


@pytest.mark.parametrize("name", FILES)
def test_files_without_a_trained_network_open_without_torch(imported, name):
    found = imported(f"from sktgsh import load; load({str(KEPT / (name + '.sktgsh'))!r})")
    assert "torch" not in found


def test_sparse_families_and_search_run_without_torch(imported):
    code = """
import numpy as np
from scipy import sparse
from sktgsh import FlyHasher, SparseProjectionHasher
from sktgsh.metrics import mean_average_precision
from sktgsh.neighbors import HammingNeighbors
X = sparse.random_array((200, 40), density=0.3, format="csr", random_state=0)
for hasher in (SparseProjectionHasher(16, n_inputs=4), FlyHasher(40)):
    codes = hasher.fit(X).transform(X)
    HammingNeighbors().fit(codes).kneighbors(codes)
mean_average_precision(codes, np.arange(200) % 3)
"""
    assert "torch" not in imported(code)


def test_every_name_is_there_and_listed():
    for name in sktgsh.__all__:
        assert name in dir(sktgsh)
        value = getattr(sktgsh, name)
        assert name.startswith("_") or getattr(sktgsh, value.__module__.split(".")[1])
    namespace = {}
    exec("from sktgsh import *", namespace)
    assert set(sktgsh.__all__) <= namespace.keys()
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sktgsh.nothing


def test_every_public_module_is_an_attribute(imported):
    found = [module.name for module in iter_modules(sktgsh.__path__) if module.name[0] != "_"]
    public = [name for name in found if hasattr(import_module(f"sktgsh.{name}"), "__all__")]
    assert sorted(public) == sorted(sktgsh._MODULES)
    code = "import sktgsh; sktgsh.neighbors.HammingNeighbors; sktgsh.evaluation; sktgsh.datasets"
    assert imported(code) == {"faiss", "torch"}


def test_pickles_name_the_place_where_a_class_is_defined():
    loaded = pickle.loads(pickle.dumps(sktgsh.FlyHasher(8)))
    assert type(loaded) is sktgsh.lsh.FlyHasher
