import copy
import pickle

import numpy as np
import polars as pl
import pytest
from learned_tasks import SOLVERS, small, steps
from sklearn.base import clone
from skorch.callbacks import Callback

from sktgsh import ConvEncoder


def bad_calls(X, y, task):
    nan = X.copy()
    nan[3, 3] = np.nan
    return {
        "wrong length": (lambda h: h.fit(X, y, task=task[:-2]), "task has .* labels for .* rows"),
        "mixed types": (lambda h: h.fit(X, y, task=["a", 1] * (len(X) // 2)), "int and str"),
        "other type": (lambda h: h.partial_fit(X, y, task="a"), "of type str, but the tasks"),
        "one class": (lambda h: h.fit(X, np.zeros(len(X), int), task=task), "one class only"),
        "reserved": (lambda h: clone(h).fit(X, y, task="infer"), "reserved"),
        "nan": (lambda h: h.fit(nan, y, task=task), "NaN"),
        "infinite": (lambda h: h.fit(np.where(np.isnan(nan), np.inf, X), y, task=task), "infinity"),
        "no rows": (lambda h: h.partial_fit(X[:0], y[:0], task=7), "0 sample"),
        "no labels for gradients": (
            lambda h: h.set_params(solver="sgd").fit(X, None, task=task),
            "gradient steps need one for each row",
        ),
        "objects": (
            lambda h: h.fit(np.full(X.shape, "a", object), y, task=task),
            "could not convert",
        ),
        "a column of tasks left in": (
            lambda h: h.fit(np.column_stack([X.astype(object), np.full(len(X), "Rome")]), y),
            "name a column of tasks by task_column",
        ),
        "a column of tasks left in later": (
            lambda h: h.transform(np.column_stack([X[:, 1:].astype(object), ["Rome"] * len(X)])),
            "name a column of tasks by task_column",
        ),
        "width": (lambda h: h.partial_fit(X[:, 1:], y, task=task), "63 features"),
        "weights": (
            lambda h: h.fit(X, y, task=task, sample_weight=-np.ones(len(X))),
            "[Nn]egative",
        ),
        "zero weights": (
            lambda h: h.fit(X, y, task=task, sample_weight=np.zeros(len(X))),
            "non-zero",
        ),
        "unknown task": (
            lambda h: h.transform(X, task=99),
            "unknown label 99.*learned so far are 0, 30, 60",
        ),
        "no task": (lambda h: h.transform(X), "3 tasks were learned: 0, 30, 60"),
        "few units": (
            lambda h: h.set_params(head="block", n_hidden=4).fit(X, y),
            "n_hidden=4 is less than n_bits=16",
        ),
        "dense ridge": (
            lambda h: h.set_params(head="dense").fit(X, y),
            "head='dense' has no closed form",
        ),
        "no shape": (
            lambda h: h.set_params(encoder="conv").fit(X[:, :60], y),
            "60 features.*image_shape",
        ),
        "bad shape": (
            lambda h: h.set_params(encoder=ConvEncoder((8, 9))).fit(X, y),
            r"image_shape=\(8, 9\)",
        ),
        "alpha": (lambda h: h.set_params(alpha=[]).fit(X, y), "alpha="),
    }


@pytest.mark.parametrize("name", list(bad_calls(np.zeros((4, 64)), [0], [0])))
def test_bad_input_is_named_and_changes_nothing(digit_tasks, name):
    (X, y, task), _ = digit_tasks
    X, y, task = X[::8], y[::8], task[::8]
    X, y, task = X[: len(X) // 2 * 2], y[: len(y) // 2 * 2], task[: len(y) // 2 * 2]
    hasher = small().fit(X, y, task=task)
    codes = hasher.transform(X, task=task)
    call, message = bad_calls(X, y, task)[name]
    with pytest.raises((ValueError, TypeError), match=message):
        call(hasher)
    np.testing.assert_array_equal(hasher.transform(X, task=task), codes)
    assert hasher.tasks_.tolist() == [0, 30, 60]


def test_interrupted_fit_keeps_the_tasks_that_were_finished(digit_tasks):
    (X, y, task), _ = digit_tasks

    class Interrupt(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Interrupt.epochs += 1
            if Interrupt.epochs == 3:  # in the second task
                raise KeyboardInterrupt

    hasher = small(solver=steps("sgd", max_epochs=2, callbacks=[Interrupt()]))
    with pytest.raises(KeyboardInterrupt):
        hasher.fit(X, y, task=task)
    assert hasher.tasks_.tolist() == [0]
    expected = small(solver=steps("sgd", max_epochs=2)).fit(X[task == 0], y[task == 0], task=0)
    np.testing.assert_array_equal(hasher.transform(X), expected.transform(X))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [0.0, (0.0, 1e-3)])
def test_degenerate_data_gives_sound_codes(solver, alpha):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(12, 5))
    X[:, 2] = 1.0  # constant
    y = (X[:, 0] > X[:, 1]).astype(int)
    X, y = np.repeat(X, 3, axis=0), np.repeat(y, 3)  # fewer different rows than units a bit
    hasher = small(solver=steps(solver, max_epochs=2), alpha=alpha).fit(X, y)
    for value in (hasher.contexts_, hasher.strengths_, hasher.biases_):
        assert np.isfinite(value).all()
    if "ridge" in solver:
        assert hasher.score(X, y) > 0.9


def test_history_and_callbacks(digit_tasks):
    (X, y, task), _ = digit_tasks
    hasher = small(solver=steps("sgd", max_epochs=3)).fit(X, y, task=task)
    losses = [epoch["train_loss"] for epoch in hasher.history_[30]]
    assert len(losses) == 3 and losses[-1] < losses[0]
    assert small().fit(X, y, task=task).history_ == {0: [], 30: [], 60: []}


# -- what comes too late, copies, and labels of two types ------------------------------------------


@pytest.mark.parametrize(
    "late",
    [dict(n_bits=8), dict(head="block"), dict(structure_fraction=0.5), dict(encoder="fly")],
    ids=str,
)
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_parameters_of_the_frozen_network_come_too_late(few, late, call):
    X, y, task = few
    hasher = small(warm_start=True).fit(X, y, task=task)
    codes = hasher.transform(X, task=task)
    before = {name: getattr(hasher, name) for name in late}
    hasher.set_params(**late)
    (name, value) = next(iter(late.items()))
    with pytest.raises(ValueError, match=f"{name}={value!r}, but the network .*{before[name]!r}"):
        getattr(hasher, call)(X, y, task=task)
    np.testing.assert_array_equal(hasher.set_params(**before).transform(X, task=task), codes)
    if call == "fit":
        assert hasher.set_params(warm_start=False, **late).fit(X, y, task=task).tasks_.size == 3
    else:
        hasher.set_params(alpha=1e-3, max_open_tasks=2).partial_fit(X, y, task=task)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_go_on_learning(few, copied):
    X, y, task = few
    hasher = small().fit(X[::2], y[::2], task=task[::2])
    codes = hasher.transform(X, task=task)
    other = copied(hasher).partial_fit(X[1::2], y[1::2], task=task[1::2])
    expected = clone(hasher).fit(X[::2], y[::2], task=task[::2])
    expected.partial_fit(X[1::2], y[1::2], task=task[1::2])
    np.testing.assert_array_equal(other.transform(X, task=task), expected.transform(X, task=task))
    np.testing.assert_array_equal(hasher.transform(X, task=task), codes)


@pytest.mark.parametrize("frames", ["pandas", "polars"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_prefix_has_as_many_names_as_columns(few, frames, packed):
    X, y, task = few
    hasher = small(packed=packed).fit(X, y, task=task)
    codes = hasher.transform(X, task=task, n_bits=9)
    frame = hasher.set_output(transform=frames).transform(X, task=task, n_bits=9)
    width = 2 if packed else 9
    assert list(frame.columns) == [f"taskgeometrichasher{i}" for i in range(width)]
    np.testing.assert_array_equal(frame.to_numpy(), codes)
    assert hasher.transform(X, task=task).shape == (len(X), 2 if packed else 16)


def test_classes_of_two_types_are_refused(few):
    X, y, task = few
    hasher = small().fit(X, y, task=0)
    with pytest.raises(ValueError, match="y has labels of type str, but the classes learned"):
        hasher.partial_fit(X, y.astype(str), task=1)
    assert hasher.tasks_.tolist() == [0]
    assert hasher.fit(X, y.astype(str), task=0).predict_class(X[:1]).dtype.kind == "U"


def test_a_polars_frame_with_a_task_column(few):
    X, y, task = few
    columns = {f"pixel{i}": X[:, i] for i in range(64)} | {"camera": [f"c{t}" for t in task]}
    frame = pl.DataFrame(columns)
    hasher = small(task_column="camera").fit(frame, y)
    plain = small().fit(X, y, task=columns["camera"])
    codes = plain.transform(X, task=columns["camera"])
    np.testing.assert_array_equal(hasher.transform(frame), codes)
    assert hasher.score(frame, y) == plain.score(X, y, task=columns["camera"])
    assert hasher.set_output(transform="polars").transform(frame).shape == codes.shape


def test_a_device_that_is_not_here_opens_on_the_cpu(few):
    X, y, task = few
    hasher = small().fit(X, y, task=task)
    elsewhere = copy.copy(hasher).set_params(device="cuda:77")
    opened = pickle.loads(pickle.dumps(elsewhere))
    np.testing.assert_array_equal(opened.transform(X, task=task), hasher.transform(X, task=task))
    with pytest.raises(ValueError, match="device='cuda:77', but this machine has"):
        opened.fit(X, y, task=task)
