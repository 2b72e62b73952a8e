"""A hasher as one module, and in ONNX, gives the codes of the original."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher, TaskGeometricHasherCV
from sktgsh.export import as_module, to_onnx

X, y = load_digits(return_X_y=True)
task = np.arange(len(y)) % 2

VARIANTS = {
    "default": {},
    "block": {"head": "block"},
    "conv": {"encoder": "conv"},
    "fly": {"encoder": "fly"},
    "module": {"encoder": torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.Tanh())},
}


@pytest.fixture(scope="module", params=VARIANTS)
def fitted(request):
    hasher = TaskGeometricHasher(n_bits=16, n_hidden=160, random_state=0)
    hasher.set_params(**VARIANTS[request.param])
    return hasher.fit(X[:600], y[:600], task=task[:600])


def rows():
    drawn = np.random.default_rng(0).uniform(0, 16, (300, 64))
    return np.concatenate([X[600:900], drawn]).astype(np.float32)


def expected(hasher):
    return np.stack([hasher.transform(rows(), task=label) for label in (0, 1)], axis=1)


def test_module(fitted):
    codes = as_module(fitted)(torch.from_numpy(rows())).numpy()
    assert codes.dtype == np.uint8
    assert (codes == expected(fitted)).mean() > 0.9999
    one = as_module(fitted, task=1)(torch.from_numpy(rows())).numpy()
    np.testing.assert_array_equal(one[:, 0], codes[:, 1])
    with pytest.raises(ValueError, match="unknown label 7"):
        as_module(fitted, task=7)


def test_torch_export(fitted):
    example = (torch.from_numpy(rows()),)
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(as_module(fitted), example, dynamic_shapes=shapes)
    for n_rows in (3, 200):
        few = torch.from_numpy(rows()[:n_rows])
        agree = program.module()(few).numpy() == expected(fitted)[:n_rows]
        assert agree.mean() > 0.999


def test_onnx(fitted, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    to_onnx(fitted, tmp_path / "codes.onnx", task=[0, 1])
    session = runtime.InferenceSession(tmp_path / "codes.onnx")
    for n_rows in (1, 600):
        (codes,) = session.run(["codes"], {"samples": rows()[:n_rows]})
        assert codes.dtype == np.uint8
        assert (codes == expected(fitted)[:n_rows]).mean() > 0.999


@pytest.mark.parametrize("make", [as_module, lambda hasher: to_onnx(hasher, "never.onnx")])
def test_what_cannot_be_exported_is_told_what_can(make):
    pytest.importorskip("onnxscript")
    hasher = TaskGeometricHasher(n_bits=8, n_hidden=32, random_state=0)
    piped = make_pipeline(StandardScaler(), hasher).fit(X[:100], y[:100])
    with pytest.raises(TypeError, match=r"is a Pipeline; .*pipeline\[-1\].*pipeline\[:-1\]"):
        make(piped)
    with pytest.raises(TypeError, match="is a SignedRandomProjectionHasher; expected a TaskG"):
        make(SignedRandomProjectionHasher(8, random_state=0).fit(X))
    with pytest.raises(TypeError, match="is a str; expected a TaskGeometricHasher"):
        make("hasher")
    with pytest.raises(NotFittedError):
        make(TaskGeometricHasher())


def test_the_hasher_that_a_search_has_chosen():
    hasher = TaskGeometricHasher(n_hidden=32)
    search = TaskGeometricHasherCV([4, 8], estimator=hasher, cv=2, random_state=0)
    search.fit(X[:200], y[:200])
    codes = as_module(search)(torch.from_numpy(X[:50]).float()).numpy()
    assert (codes[:, 0] == search.transform(X[:50])).mean() > 0.99
