"""Bars are shown where they are asked for, and nowhere else."""

import numpy as np
import pytest

from sktgsh import DeepSupervisedHasher, TaskGeometricHasher, WinnerTakeAllAutoencoder

X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "estimator, shown",
    [
        (DeepSupervisedHasher(4, max_epochs=3), "epochs: 100%"),
        (WinnerTakeAllAutoencoder(4, max_epochs=3), "epochs: 100%"),
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
    if hasattr(estimator, "max_epochs") and "epochs" in shown:
        estimator.set_params(verbose=2).fit(X, y)
        out, err = capsys.readouterr()
        assert "train_loss" in out
        assert err == ""
