"""Partitions on several workers give what one process gives, also where a worker dies."""

import os
import signal
import time

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.neighbors import HammingNeighbors

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")

import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402
import pandas as pd  # noqa: E402
from dask.distributed import Client, LocalCluster  # noqa: E402

from sktgsh import distributed  # noqa: E402

X, y = load_digits(return_X_y=True)
X, y = X[:800], y[:800]
task = np.arange(800) % 2


def hasher():
    return TaskGeometricHasher(n_bits=16, n_hidden=100, random_state=0)


@pytest.fixture(autouse=True)
def one_process():
    with dask.config.set(scheduler="synchronous"):
        yield


def test_arrays_are_batches():
    rows = da.from_array(X, chunks=(300, 40))
    fitted = distributed.fit(hasher(), rows, y, task=da.from_array(task, chunks=200))
    cuts = [slice(0, 300), slice(300, 600), slice(600, 800)]
    expected = hasher().fit_batches([(X[rows], y[rows], task[rows]) for rows in cuts])
    agree = fitted.transform(X, task=task) == expected.transform(X, task=task)
    assert agree.mean() > 0.9999
    codes = distributed.transform(fitted, rows, task=task)
    assert codes.shape == (800, 16)
    np.testing.assert_array_equal(codes.compute(), fitted.transform(X, task=task))
    one = distributed.transform(fitted, rows, task=1)
    np.testing.assert_array_equal(one.compute(), fitted.transform(X, task=1))


def test_more_rows_and_new_tasks():
    first = da.from_array(X[:400], chunks=(200, -1))
    fitted = distributed.partial_fit(hasher(), first, y[:400], task=0)
    codes = fitted.transform(X, task=0)
    more = da.from_array(X[400:], chunks=(200, -1))
    distributed.partial_fit(fitted, more, y[400:], task=1)
    np.testing.assert_array_equal(fitted.transform(X, task=0), codes)
    distributed.partial_fit(fitted, more, y[400:], task=0)
    parts = [slice(start, start + 200) for start in range(0, 800, 200)]
    expected = hasher().fit_batches([(X[rows], y[rows], [0] * 200) for rows in parts])
    totals = [h.model_.statistics[0].total for h in (fitted, expected)]
    assert totals == [800, 800]
    assert fitted.score(X, y, task=0) > 0.95


def test_rows_without_a_label_in_partitions():
    partial = np.where(np.arange(800) % 3 == 0, y, np.nan)
    rows = da.from_array(X, chunks=(300, -1))
    cuts = [slice(0, 300), slice(300, 600), slice(600, 800)]
    expected = hasher().fit_batches([(X[cut], partial[cut]) for cut in cuts])
    fitted = distributed.fit(hasher(), rows, partial)
    assert (fitted.transform(X) == expected.transform(X)).mean() > 0.9999
    blind = distributed.fit(hasher(), rows)
    without = hasher().fit_batches([(X[cut], None) for cut in cuts])
    assert (blind.transform(X) == without.transform(X)).mean() > 0.9999


def test_rows_without_a_label_go_on_in_other_processes():
    partial = np.where(np.arange(800) % 3 == 0, y, np.nan)
    known = hasher().partial_fit(X[:300], partial[:300], classes=range(10), task="known")
    rows, own, labels = X[300:], partial[300:], np.where(np.arange(500) % 2, "known", "new")
    with dask.config.set(scheduler="processes", num_workers=2):
        parts = da.from_array(rows, chunks=(250, -1))
        fitted = distributed.partial_fit(known, parts, own, task=labels)
    assert fitted.tasks_.tolist() == ["known", "new"]
    n_missing = np.isnan(np.r_[partial[:300], own[labels == "known"]]).sum()
    assert fitted.unlabelled_rows_["known"].total == n_missing
    together = hasher().partial_fit(X[:300], partial[:300], classes=range(10), task="known")
    together.partial_fit(rows[labels == "known"], own[labels == "known"], task="known")
    same = fitted.transform(X, task="known") == together.transform(X, task="known")
    assert same.mean() > 0.999


def test_dataframes():
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)]).assign(y=y, task=task)
    frame = dd.from_pandas(frame, npartitions=3)
    pixels = frame[[f"pixel{i}" for i in range(64)]]
    fitted = distributed.fit(hasher(), pixels, frame["y"], task=frame["task"])
    assert list(fitted.feature_names_in_[:2]) == ["pixel0", "pixel1"]
    assert fitted.score(pixels.compute(), y, task=task) > 0.9
    codes = distributed.transform(fitted, pixels, task=frame["task"]).compute()
    np.testing.assert_array_equal(codes, fitted.transform(pixels.compute(), task=task))
    with pytest.raises(ValueError, match="give a column of it"):
        distributed.fit(hasher(), pixels, y)


def lengths_unknown(rows):
    """The same array, of which dask does not know how long its chunks are."""
    rows = rows.copy()
    rows._chunks = ((np.nan,) * rows.numblocks[0], *rows.chunks[1:])
    return rows


@pytest.mark.parametrize("columns", ["dask", "other chunks", "numpy", "unknown beside known"])
def test_arrays_that_do_not_know_the_lengths_of_their_chunks(columns):
    rows = da.from_array(X, chunks=((300, 300, 200), -1))
    expected = distributed.fit(hasher(), rows, y, task=task).transform(X, task=task)
    labels, tasks = (da.from_array(v, chunks=((300, 300, 200),)) for v in (y, task))
    if columns == "unknown beside known":
        fitted = distributed.fit(hasher(), rows, lengths_unknown(labels), task=tasks)
    else:
        given = {
            "dask": (lengths_unknown(labels), tasks),
            "other chunks": (lengths_unknown(labels.rechunk(500)), tasks),
            "numpy": (y, task),
        }[columns]
        unknown = lengths_unknown(rows)
        fitted = distributed.fit(hasher(), unknown, given[0], task=given[1])
        codes = distributed.transform(fitted, unknown, task=given[1])
        np.testing.assert_array_equal(codes.compute(), expected)
        assert np.isnan(unknown.chunks[0]).all()
    np.testing.assert_array_equal(fitted.transform(X, task=task), expected)


def test_chunks_of_unknown_lengths_must_match():
    rows = lengths_unknown(da.from_array(X, chunks=(400, -1)))
    with pytest.raises(ValueError, match="y has 799 rows for 800 rows of X"):
        distributed.fit(hasher(), rows, y[1:])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        distributed.fit(hasher(), rows, da.from_array(y, chunks=((300, 500),)))


@pytest.mark.parametrize("first", [True, False])
def test_partitions_without_rows_are_skipped(first):
    rows = da.from_array(X, chunks=((0, 300, 0, 500) if first else (300, 0, 500, 0), -1))
    fitted = distributed.fit(hasher(), rows, y, task=task)
    expected = hasher().fit_batches(
        [(X[:300], y[:300], task[:300]), (X[300:], y[300:], task[300:])]
    )
    agree = fitted.transform(X, task=task) == expected.transform(X, task=task)
    assert agree.mean() > 0.9999
    codes = distributed.transform(fitted, rows, task=task)
    np.testing.assert_array_equal(codes.compute(), fitted.transform(X, task=task))
    distributed.partial_fit(fitted, rows, y, task=2)
    assert fitted.tasks_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="X has no rows in any partition"):
        distributed.fit(hasher(), rows[:0], y[:0])


def test_a_filter_that_leaves_a_partition_empty():
    frame = pd.DataFrame(X).rename(columns=str).assign(y=y, task=task)
    kept = dd.from_pandas(frame, npartitions=4)
    # The first partition has no row.
    kept = kept.map_partitions(lambda part: part.loc[part.index >= 200])
    pixels = kept[[str(i) for i in range(64)]]
    fitted = distributed.fit(hasher(), pixels, kept["y"], task=kept["task"])
    codes = distributed.transform(fitted, pixels, task=kept["task"]).compute()
    samples = frame.iloc[200:, :64]
    np.testing.assert_array_equal(codes, fitted.transform(samples, task=task[200:]))
    arrays = distributed.fit(hasher(), pixels.to_dask_array(), kept["y"].to_dask_array(), task=0)
    assert arrays.score(X[200:], y[200:], task=0) > 0.9


def test_transform_of_any_hasher():
    fitted = SignedRandomProjectionHasher(n_bits=20, packed=True, random_state=0).fit(X)
    codes = distributed.transform(fitted, da.from_array(X, chunks=(300, -1)))
    assert codes.shape == (800, 3)
    np.testing.assert_array_equal(codes.compute(), fitted.transform(X))


def test_lengths_must_match():
    with pytest.raises(ValueError, match="y has 799 rows for 800 rows of X"):
        distributed.fit(hasher(), da.from_array(X, chunks=(300, -1)), y[1:])


def test_shards_find_what_one_index_finds():
    codes = SignedRandomProjectionHasher(n_bits=32, random_state=0).fit_transform(X)
    sharded = distributed.ShardedNeighbors(7).fit(da.from_array(codes, chunks=(301, -1)))
    distances, ids = sharded.kneighbors(codes[:50])
    expected, _ = HammingNeighbors().fit(codes).kneighbors(codes[:50], 7)
    np.testing.assert_array_equal(distances, expected)
    found = (codes[ids] != codes[:50, None]).sum(axis=2)
    np.testing.assert_array_equal(found, distances)
    with pytest.raises(ValueError, match="n_samples_fit = 800"):
        sharded.kneighbors(codes[:2], 801)


def _slow(block, folder):
    """A partition that takes its time; the first that is told to kills its worker."""
    time.sleep(0.1)
    try:
        (folder / "kill").unlink()
    except FileNotFoundError:
        return block
    (folder / "killed").touch()
    return os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_made_up_for(tmp_path):
    rows = da.from_array(X, chunks=(100, -1)).map_blocks(_slow, tmp_path, dtype=X.dtype)
    expected = distributed.fit(hasher(), rows, y, task=task)
    (tmp_path / "kill").touch()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        dask.config.set(scheduler=client),
    ):
        fitted = distributed.fit(hasher(), rows, y, task=task)
    assert (tmp_path / "killed").exists()
    for label in (0, 1):
        np.testing.assert_array_equal(
            fitted.modulations_[label].context, expected.modulations_[label].context
        )
    np.testing.assert_array_equal(fitted.predict_task(X), expected.predict_task(X))


def test_a_grid_search_on_a_cluster():
    """By joblib's dask backend, in processes of their own."""
    search = GridSearchCV(hasher(), {"n_bits": [4, 16]}, cv=2)
    expected = clone(search).fit(X, y)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config("dask"),
    ):
        search.fit(X, y)
    assert search.best_params_ == expected.best_params_ == {"n_bits": 16}
    np.testing.assert_allclose(
        search.cv_results_["split1_test_score"], expected.cv_results_["split1_test_score"]
    )
    np.testing.assert_array_equal(search.transform(X), expected.transform(X))
