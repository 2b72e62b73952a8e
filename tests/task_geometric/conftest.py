import pytest


@pytest.fixture(scope="module")
def few(digit_tasks):
    X, y, task = digit_tasks[0]
    return X[::9], y[::9], task[::9]
