"""A hasher that was read from a file encodes rows in a process that never imports torch."""

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from learned_tasks import small
from scipy import sparse

from sktgsh import load
from sktgsh.task_geometric.encoding.short import MOST_ROWS

# Codes of the rows in a new process, one by one, a few and all together; whether torch is there.
ENCODE = """
import sys
import numpy as np
from sktgsh import load
folder, is_sparse = sys.argv[1], sys.argv[2] == "True"
given = np.load(folder + "/rows.npz")
X, task = given["X"], given["task"]
if is_sparse:
    from scipy import sparse
    X = sparse.csr_array(X)
hasher = load(folder + "/hasher.sktgsh")
assert "torch" not in sys.modules
alone = [hasher.transform(X[i : i + 1], task=task[i]) for i in range(5)]
found = {
    "alone": np.concatenate(alone),
    "few": hasher.transform(X[:9], task=task[:9]),
    "all": hasher.transform(X, task=task),
    "prefix": hasher.transform(X, task=task, n_bits=8),
}
np.savez(folder + "/codes.npz", torch="torch" in sys.modules, **found)
"""


def encoded(hasher, X, task, folder, is_sparse=False):
    """Codes of rows by a new process that reads the hasher from a file."""
    hasher.save(folder / "hasher.sktgsh")
    np.savez(folder / "rows.npz", X=X, task=task)
    command = [sys.executable, "-c", ENCODE, str(folder), str(is_sparse)]
    subprocess.run(command, check=True)
    return np.load(folder / "codes.npz")


def certain_rows(hasher, X, task):
    """Rows of which no bit is in doubt."""
    network, found = hasher.model_.network, np.zeros(len(X), bool)
    for label in hasher.tasks_:
        rows = np.flatnonzero(task == label)
        found[rows] = network.short_bits(X, rows, hasher.modulations_[label])[1]
    return found


SETTINGS = [
    dict(),
    dict(encoder="gaussian", passthrough=False, packed=True),
    dict(structure_fraction=0.5),
    dict(head="dense", solver="sgd"),
]


@pytest.mark.parametrize("params", SETTINGS, ids=str)
def test_rows_of_several_tasks_have_the_codes_of_before(few, params, tmp_path):
    X, y, task = few
    hasher = small(**params).fit(X, y, task=task)
    sure = certain_rows(hasher, X, task)
    assert sure.mean() > 0.9
    X, task = X[sure], task[sure]
    assert len(X) > 2 * MOST_ROWS
    codes = hasher.transform(X, task=task)
    found = encoded(hasher, X, task, tmp_path)
    assert not found["torch"]
    np.testing.assert_array_equal(found["alone"], codes[:5])
    np.testing.assert_array_equal(found["few"], codes[:9])
    np.testing.assert_array_equal(found["all"], codes)
    np.testing.assert_array_equal(found["prefix"], hasher.transform(X, task=task, n_bits=8))


@pytest.mark.parametrize("n_features", [64, 8192])
def test_sparse_rows_need_no_torch_either(n_features, tmp_path):
    X = sparse.random_array((120, n_features), density=0.2, rng=np.random.default_rng(0))
    X, y, task = X.toarray(), np.arange(120) % 4, np.zeros(120, int)
    hasher = small(n_hidden=256).fit(sparse.csr_array(X), y)
    sure = certain_rows(hasher, X, task)
    X, task = X[sure], task[sure]
    found = encoded(hasher, X, task, tmp_path, is_sparse=True)
    assert not found["torch"]
    np.testing.assert_array_equal(found["all"], hasher.transform(sparse.csr_array(X)))


def test_a_row_on_the_threshold_takes_torch_and_has_the_same_code(few, tmp_path):
    X, y, task = few
    X, y, task = X[task == 0], y[task == 0], task[task == 0]
    hasher = small().fit(X, y)
    model, modulation = hasher.model_, hasher.modulations_[0]
    (scores,) = model.network.map_scores(lambda _, read: read[40], X[:128], None, modulation)
    # The bias is moved so that the score of a bit lies within the rounding of 0.
    moved = replace(modulation, bias=modulation.bias - scores + np.float32(1e-7))
    hasher.model_ = replace(model, modulations={0: moved})
    assert not certain_rows(hasher, X, task)[40]
    found = encoded(hasher, X, task, tmp_path)
    assert found["torch"]
    np.testing.assert_array_equal(found["all"], hasher.transform(X))
    np.testing.assert_array_equal(found["all"], hasher.transform(np.repeat(X, 2, axis=0))[::2])


@pytest.mark.parametrize("encoder", ["differences", "fly", "conv"])
def test_the_network_of_a_file_is_made_as_it_was(few, encoder, tmp_path):
    X, y, task = few
    hasher = small(encoder=encoder).fit(X, y, task=task)
    hasher.save(tmp_path / "hasher.sktgsh")
    again = load(tmp_path / "hasher.sktgsh")
    assert pickle.dumps(again) == pickle.dumps(load(tmp_path / "hasher.sktgsh"))
    assert again.code_version_ == hasher.code_version_
    kept, made = (part.model_.network.encoder for part in (hasher, again))
    assert repr(kept) == repr(made)
    for (name, before), (other, after) in zip(kept.state_dict().items(), made.state_dict().items()):
        assert name == other and before.stride() == after.stride()
        np.testing.assert_array_equal(before, after)


def test_a_loaded_hasher_goes_on_learning_and_is_saved_again(few, tmp_path):
    X, y, task = few
    first = task == task[0]
    hasher = small().partial_fit(X[first], y[first], task=task[first])
    hasher.save(tmp_path / "hasher.sktgsh")
    again = load(tmp_path / "hasher.sktgsh")
    again.save(tmp_path / "again.sktgsh")
    for learner in (hasher, load(tmp_path / "again.sktgsh")):
        learner.partial_fit(X[~first], y[~first], task=task[~first])
        learner.codes = learner.transform(X, task=task)
    np.testing.assert_array_equal(learner.codes, hasher.codes)


def test_rows_are_encoded_while_another_thread_imports_torch(few, tmp_path):
    X, y, task = few
    hasher = small().fit(X, y, task=task)
    hasher.save(tmp_path / "hasher.sktgsh")
    sure = certain_rows(hasher, X, task)
    np.savez(tmp_path / "rows.npz", X=X[sure], codes=hasher.transform(X, task=task)[sure])
    code = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from sktgsh import load
from sktgsh.threads import one_thread
given, task = np.load({str(tmp_path / "rows.npz")!r}), {task[sure].tolist()}
X, codes, hasher = given["X"], given["codes"], load({str(tmp_path / "hasher.sktgsh")!r})
n_encoded = 0
with ThreadPoolExecutor(1) as pool:
    scores = pool.submit(hasher.decision_function, X, task=task)
    while not scores.done():
        first = 7 * n_encoded % (len(X) - 8)
        rows = slice(first, first + 8)
        with one_thread():
            assert (hasher.transform(X[rows], task=task[rows]) == codes[rows]).all()
        n_encoded += 1
assert n_encoded > 3 and ((scores.result() > 0) == codes).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
