import matplotlib
import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from sktgsh.datasets import fetch_mnist, load_digits_tasks

matplotlib.use("Agg")
# On some virtual processors, oneDNN of torch 2.13 damages memory while convolutions are trained.
torch.backends.mkldnn.enabled = False


@pytest.fixture(scope="session")
def digit_tasks():
    """Three rotations of the real digits: X, y, task for training, and the same for test."""
    X, y, task = load_digits_tasks(n_tasks=3, step=30)
    rows = np.arange(len(y) // 3)
    train, test = train_test_split(rows, test_size=0.25, random_state=0)
    train, test = (
        np.concatenate([part + k * len(rows) for k in range(3)]) for part in (train, test)
    )
    return (X[train], y[train], task[train]), (X[test], y[test], task[test])


@pytest.fixture(scope="session")
def mnist():
    try:
        return (
            *fetch_mnist(return_X_y=True, download=False),
            *fetch_mnist(subset="test", return_X_y=True, download=False),
        )
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
