"""Bars are shown where they are asked for, and nowhere else."""

import numpy as np
import pytest

from sktgsh import (
    DeepSupervisedHasher,
    GradientSolver,
    TaskGeometricHasher,
    WinnerTakeAllAutoencoder,
)
from sktgsh.neighbors import LSHNeighbors

X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "estimator, shown",
    [
        (DeepSupervisedHasher(4, solver=GradientSolver(max_epochs=3)), "epochs: 100%"),
        (WinnerTakeAllAutoencoder(4, solver=GradientSolver(max_epochs=3)), "epochs: 100%"),
        (TaskGeometricHasher(4, n_hidden=8), "tasks: 100%"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_verbose_shows_one_bar(estimator, shown, capsys):
    estimator.set_params(verbose=0).fit(X, y)
    assert capsys.readouterr() == ("", "")
    estimator.set_params(verbose=1).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert shown in err
    if "epochs" in shown:
        estimator.set_params(verbose=2).fit(X, y)
        out, err = capsys.readouterr()
        assert "train_loss" in out
        assert err == ""


def test_chunks_are_counted_and_tasks_learned_from_their_sums(capsys):
    chunks = [(X[:30], y[:30], "a"), (X[30:], y[30:], "a")]
    hasher = TaskGeometricHasher(4, n_hidden=8).fit_batches(chunks)
    assert capsys.readouterr() == ("", "")
    hasher.set_params(verbose=1).fit_batches(chunks)
    err = capsys.readouterr().err
    assert "chunks: 100%" in err and "2/2" in err
    assert "tasks: 100%" in err and "1/1" in err


def test_reading_shows_rows_and_tuning_shows_trials(capsys):
    hasher = TaskGeometricHasher(4, n_hidden=8).fit(X, y)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 8))
    jobs = {
        "transform: 100%": lambda: hasher.transform(X),
        "predict_task: 100%": lambda: hasher.predict_task(X),
        "tune": lambda: LSHNeighbors.tune(
            rows, target_recall=0.5, n_samples=50, random_state=0, verbose=hasher.verbose
        ),
    }
    for shown, job in jobs.items():
        hasher.set_params(verbose=0)
        job()
        assert capsys.readouterr() == ("", "")
        hasher.set_params(verbose=1)
        job()
        assert shown in capsys.readouterr().err
