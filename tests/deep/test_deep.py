from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from skorch.dataset import Dataset

from sktgsh import DeepSupervisedHasher, GeometricHasher, GradientSolver, WinnerTakeAllAutoencoder
from sktgsh.codes import codes_to_hex, hamming_distances
from sktgsh.datasets import make_manifolds
from sktgsh.deep.base import CodeScoring
from sktgsh.evaluation import one_shot_accuracy
from sktgsh.metrics import geometric_sensitivity, mean_average_precision
from sktgsh.training import ShuffledBatches, WeightedBatches


@pytest.fixture(scope="module")
def digits(digit_tasks):
    (X, y, task), (Q, q, qtask) = digit_tasks
    return X[task == 0], y[task == 0], Q[qtask == 0], q[qtask == 0]


@pytest.mark.parametrize(
    "params",
    [
        dict(),
        dict(module="resnet", image_shape=(8, 8), solver=GradientSolver(max_epochs=8)),
        dict(module="convnet", image_shape=(8, 8), solver=GradientSolver(max_epochs=20)),
        dict(pairs="random", solver=GradientSolver(max_epochs=30)),
        dict(class_weight="balanced"),
    ],
    ids=str,
)
def test_retrieves_real_digits(digits, params):
    X, y, Q, q = digits
    hasher = DeepSupervisedHasher(16, random_state=0, **params).fit(X, y)
    found = mean_average_precision(hasher.transform(Q), q, hasher.transform(X), y)
    assert found > 0.9
    assert hasher.history_[-1]["train_loss"] < 0.6 * hasher.history_[0]["train_loss"]


def test_class_codes_are_modal_codes(digits):
    X, y, _, _ = digits
    hasher = DeepSupervisedHasher(12, random_state=0).fit(X, y)
    codes = hasher.transform(X)
    for label, code in zip(hasher.classes_, hasher.class_codes_):
        different, counts = np.unique(codes[y == label], axis=0, return_counts=True)
        assert code.tolist() == different[counts.argmax()].tolist()
    np.testing.assert_array_equal(hasher.class_hex_, codes_to_hex(hasher.class_codes_))
    np.testing.assert_array_equal(hasher.class_distances_, hamming_distances(hasher.class_codes_))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_short_codes_of_classes_are_two_bits_apart(digits, seed):
    X, y, Q, q = digits
    hasher = DeepSupervisedHasher(8, random_state=seed).fit(X, y)
    assert hasher.class_distances_[np.triu_indices(10, 1)].min() >= 2
    assert mean_average_precision(hasher.transform(Q), q, hasher.transform(X), y) > 0.8


def test_collision_of_classes_is_a_warning(digits):
    X, y, _, _ = digits
    with pytest.warns(UserWarning, match="classes share their most frequent code"):
        DeepSupervisedHasher(3, solver=GradientSolver(max_epochs=2), random_state=0).fit(
            X, y
        )  # 8 codes for 10 classes


def test_multilabel_rows_that_share_a_label_are_similar(digits):
    X, y, Q, q = digits
    labels, asked = (np.stack([v < 5, v % 2 == 0, v == 7], axis=1).astype(int) for v in (y, q))
    hasher = DeepSupervisedHasher(16, random_state=0).fit(X, labels)
    found = mean_average_precision(hasher.transform(Q), asked, hasher.transform(X), labels)
    untrained = DeepSupervisedHasher(
        16, solver=GradientSolver(max_epochs=1, lr=1e-9), random_state=0
    ).fit(X, labels)
    assert (
        found
        > mean_average_precision(untrained.transform(Q), asked, untrained.transform(X), labels)
        + 0.15
    )
    with pytest.raises(ValueError, match="class_weight='balanced' needs one label"):
        DeepSupervisedHasher(class_weight="balanced").fit(X, labels)


def test_targets_are_read_as_everywhere(digits):
    X, y, _, _ = digits
    hasher = DeepSupervisedHasher(8, solver=GradientSolver(max_epochs=1), random_state=0)
    codes = hasher.fit(X, y).transform(X)
    np.testing.assert_array_equal(hasher.fit(X, y[:, None]).transform(X), codes)
    with pytest.raises(ValueError, match=r"y has shape .* and the value 2.*indicator"):
        hasher.fit(X, np.stack([y, y], axis=1) % 3)


def test_early_stopping_keeps_the_best(digits):
    X, y, _, _ = digits
    hasher = DeepSupervisedHasher(
        16,
        early_stopping=True,
        patience=2,
        solver=GradientSolver(max_epochs=60, lr_schedule=None),
        random_state=0,
    ).fit(X, y)
    scores = [epoch["valid_map"] for epoch in hasher.history_]
    assert len(scores) < 60 and scores[-1] < max(scores)


def test_module_of_the_users_is_copied(digits):
    X, y, _, _ = digits
    torch.manual_seed(0)
    module = torch.nn.Linear(64, 8)
    before = module.weight.detach().clone()
    hasher = DeepSupervisedHasher(
        8, module=module, solver=GradientSolver(max_epochs=3), random_state=0
    ).fit(X, y)
    assert torch.equal(module.weight, before)
    assert not torch.equal(hasher.module_.weight.cpu(), before)


def test_interrupted_or_bad_fit_changes_nothing(digits):
    X, y, _, _ = digits
    hasher = DeepSupervisedHasher(8, solver=GradientSolver(max_epochs=2), random_state=0).fit(X, y)
    codes = hasher.transform(X)

    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    hasher.set_params(solver__callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        hasher.fit(X[:500], y[:500])
    for params, message in [
        (dict(module="resnet"), "needs image_shape"),
        (dict(image_shape=(3, 3)), r"image_shape=\(3, 3\) has 9 values"),
    ]:
        with pytest.raises(ValueError, match=message):
            hasher.set_params(solver__callbacks=None, **params).fit(X, y)
        hasher.set_params(module="auto", image_shape=None)
    with pytest.raises(ValueError, match="one class only"):
        hasher.fit(X, np.zeros(len(X), int))
    np.testing.assert_array_equal(hasher.transform(X), codes)


def test_global_random_state_is_left_alone(digits):
    X, y, _, _ = digits
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    DeepSupervisedHasher(8, solver=GradientSolver(max_epochs=1), random_state=0).fit(
        X[:200], y[:200]
    )
    assert torch.equal(torch.rand(2), expected)


@pytest.fixture(scope="module")
def manifolds():
    """400 manifolds to train on, and 10 that are held out."""
    drawn = make_manifolds(410, 60, random_state=0)
    held_out = drawn.target >= 400
    hasher = GeometricHasher(128, solver=GradientSolver(max_epochs=8), random_state=0)
    hasher.fit(drawn.data[~held_out], drawn.target[~held_out])
    return drawn, held_out, hasher


def test_manifolds_never_seen_are_told_apart_from_one_example(manifolds):
    drawn, held_out, hasher = manifolds
    X, y = drawn.data[held_out], drawn.target[held_out]
    trained = one_shot_accuracy(hasher, X, y, random_state=0)
    raw = drawn.data[held_out]
    nearest = ((raw[:, None] - raw[::60][None]) ** 2).sum(axis=2).argmin(axis=1)
    plain = (nearest == (y - 400)).mean()
    assert trained > 0.9 > 0.7 > plain


def test_variance_within_manifolds_falls(manifolds):
    drawn, held_out, hasher = manifolds
    X, y = drawn.data[held_out], drawn.target[held_out]
    untrained = GeometricHasher(
        128, solver=GradientSolver(max_epochs=1, lr=1e-9), random_state=0
    ).fit(drawn.data[~held_out], drawn.target[~held_out])
    before = geometric_sensitivity(untrained.representation(X), y)
    after = geometric_sensitivity(hasher.representation(X), y)
    assert after.variance.mean() < before.variance.mean() / 5
    assert np.linalg.norm(hasher.representation(X), axis=1) == pytest.approx(1, abs=1e-5)


def test_gamma_is_recovered_on_manifolds_never_seen(manifolds):
    drawn, held_out, hasher = manifolds
    gamma = drawn.gamma[drawn.target]
    r = hasher.representation(drawn.data)
    model = Ridge(1e-3).fit(r[~held_out], gamma[~held_out])
    assert model.score(r[held_out], gamma[held_out]) > 0.7  # linear; the benchmark uses a kernel


def test_split_of_rows_is_reproducible(digits):
    X, y, _, _ = digits
    part, _ = train_test_split(X, train_size=300, random_state=0)
    one, other = (
        GeometricHasher(16, solver=GradientSolver(max_epochs=2), random_state=5).fit(X, y)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.transform(part), other.transform(part))


# -- ordinary input that went wrong ----------------------------------------------------------------


def small(n_bits=8, random_state=0, **params):
    settings = {"max_epochs": 2, "batch_size": 32} | params.pop("solver", {})
    solver = GradientSolver(**settings)
    return DeepSupervisedHasher(n_bits, solver=solver, random_state=random_state, **params)


@pytest.mark.parametrize("shuffle", [ShuffledBatches, WeightedBatches])
def test_no_batch_has_a_single_row(shuffle):
    for n_rows, sizes in [(64, [32, 32]), (65, [32, 33]), (66, [32, 32, 2]), (1, [1])]:
        X, y = torch.arange(n_rows)[:, None].float(), torch.arange(n_rows) % 2
        weight = {} if shuffle is ShuffledBatches else {"weight": torch.ones(n_rows)}
        batches = shuffle(Dataset(X, y), 32, seed=0, **weight)
        assert [len(samples) for samples, _ in batches] == sizes and len(batches) == len(sizes)


def test_rows_that_leave_one_over(digits):
    X, y, _, _ = digits
    hasher = small(solver=dict(max_epochs=8)).fit(X[:97], y[:97])
    assert hasher.score(X[:97], y[:97]) > 0.5


def test_fits_in_threads_are_equal(digits):
    X, y, _, _ = digits
    X, y = X[:64], y[:64] % 2
    models = [
        small(n_bits=16, solver=dict(max_epochs=1)),
        GeometricHasher(8, solver=GradientSolver(max_epochs=1), random_state=0),
        WinnerTakeAllAutoencoder(16, solver=GradientSolver(max_epochs=1), random_state=0),
    ]
    for model in models:
        expected = clone(model).fit(X, y).transform(X)
        state = torch.get_rng_state()
        with ThreadPoolExecutor(4) as pool:
            codes = list(pool.map(lambda _, m=model: clone(m).fit(X, y).transform(X), range(8)))
        assert all(np.array_equal(found, expected) for found in codes)
        assert torch.equal(torch.get_rng_state(), state)


def test_held_out_rows_are_stratified(digits):
    X, y, _, _ = digits
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:10]])
    hasher = small(early_stopping=True, validation_fraction=0.2)
    seen = []
    hasher.set_params(solver__callbacks=[Spy(lambda net: seen.append(net.callbacks_))])
    hasher.fit(X[rare], y[rare])
    scoring = next(c for _, c in seen[0] if isinstance(c, CodeScoring))
    assert (scoring.y == 1).sum() == 2


@pytest.mark.parametrize("labels", [np.arange(40) // 2, np.eye(40, dtype=int)[np.arange(40) // 2]])
def test_nothing_to_score_is_an_error(digits, labels):
    with pytest.raises(ValueError, match=r"no two of the 4 rows that validation_fraction=0.1"):
        small(early_stopping=True).fit(digits[0][:40], labels)


class Spy(Callback):
    def __init__(self, see):
        self.see = see

    def on_train_begin(self, net, **kwargs):
        self.see(net)


def test_callbacks_that_wait_for_what_is_not_recorded(digits):
    X, y, _, _ = digits
    for callback in (EarlyStopping(), Checkpoint(f_params=None, f_optimizer=None)):
        hasher = small(solver=dict(callbacks=[callback]))
        with pytest.raises(ValueError, match=r"callbacks has .*monitor='valid_loss.*'train_loss'"):
            hasher.fit(X[:64], y[:64])
        assert not hasattr(hasher, "module_")
    small(solver=dict(callbacks=[EarlyStopping("train_loss")])).fit(X[:64], y[:64])
    small(solver=dict(callbacks=[EarlyStopping("valid_map")]), early_stopping=True).fit(X, y)


def test_divergence_is_an_error(digits):
    with pytest.raises(ValueError, match=r"training diverged.*lr=1e"):
        small(solver=dict(lr=1e30, optimizer="sgd", lr_schedule=None)).fit(
            *(v[:64] for v in digits[:2])
        )


@pytest.mark.parametrize(
    "device, message",
    [("gpu", "no device of torch"), ("cpu:3", "this machine has 1"), ("hip", "this machine has 0")],
)
def test_unknown_devices_are_named(digits, device, message):
    with pytest.raises(ValueError, match=f"device='{device}'.*{message}"):
        small(device=device).fit(digits[0][:64], digits[1][:64])


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_an_offset_that_float32_cannot_hold(digits, dtype):
    X, y, _, _ = digits
    X, y = X[:200], y[:200]
    hasher = GeometricHasher(32, solver=GradientSolver(max_epochs=5), random_state=0)
    codes = hasher.fit(X, y).transform(X)
    assert hasher.score(X, y) > 0.5 and len(np.unique(codes, axis=0)) > 100
    np.testing.assert_array_equal(hasher.transform(X.astype(np.float32)), codes)
    moved = (X.astype(np.float64) + 1.7e9).astype(dtype)
    assert (clone(hasher).fit(moved, y).transform(moved) == codes).mean() > 0.99


@pytest.mark.parametrize("kind", [DeepSupervisedHasher, GeometricHasher])
def test_values_before_the_threshold(digits, kind):
    X, y, Q, _ = digits
    hasher = kind(8, solver=GradientSolver(max_epochs=2), random_state=0).fit(X, y)
    values = hasher.decision_function(Q)
    assert values.dtype == np.float32 and values.shape == (len(Q), 8)
    np.testing.assert_array_equal(values > 0, hasher.transform(Q))
    if kind is DeepSupervisedHasher:  # as an eye would do it
        rotation = np.eye(8) if hasher.rotation_ is None else hasher.rotation_
        expected = hasher._outputs(Q) @ rotation.T - hasher.thresholds_
        np.testing.assert_allclose(values, expected, atol=1e-4)


# -- classes of unequal size ----------------------------------------------------------------------


def unbalanced(X, y, rare=(1, 2, 3, 4, 5), n_rows=8):
    """Rows of class 0, and a few of others."""
    return np.concatenate(
        [np.flatnonzero(y == 0)[:100], *(np.flatnonzero(y == c)[:n_rows] for c in rare)]
    )


def class_precision(hasher, X, y, classes):
    """Mean average precision of each class's rows as queries, averaged over the classes."""
    codes = hasher.transform(X)
    return np.mean([mean_average_precision(codes[y == c], y[y == c], codes, y) for c in classes])


def test_balanced_weights_help_rare_classes(digits):
    X, y, Q, q = digits
    rows, asked = unbalanced(X, y), q < 6
    found = {}
    for weight in (None, "balanced"):
        scores = [
            class_precision(
                DeepSupervisedHasher(16, class_weight=weight, random_state=seed).fit(
                    X[rows], y[rows]
                ),
                Q[asked],
                q[asked],
                range(6),
            )
            for seed in range(3)
        ]
        found[weight] = np.mean(scores)
    assert found["balanced"] > found[None] + 0.02


def test_a_weight_is_a_share_of_the_draws(digits):
    X, y, _, _ = digits
    seen = []

    class Count(Callback):
        def on_batch_begin(self, net, batch, training, **kwargs):
            seen.append(batch[1].numpy())

    weight = {0: 5.0, 1: 2.5}
    hasher = small(class_weight=weight, solver=dict(max_epochs=5, callbacks=[Count()]))
    hasher.fit(X, y)
    share = np.bincount(np.concatenate(seen), minlength=10) / (5 * len(X))
    expected = np.bincount(y) * [weight.get(c, 1.0) for c in range(10)]
    np.testing.assert_allclose(share, expected / expected.sum(), atol=0.02)


def test_balanced_is_the_inverse_of_counts(digits):
    X, y, _, _ = digits
    inverse = {c: 1 / count for c, count in enumerate(np.bincount(y))}
    one = small(class_weight="balanced").fit(X, y)
    other = small(class_weight=inverse).fit(X, y)
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


@pytest.mark.parametrize(
    "weight, message",
    [
        ({11: 2.0}, r"class_weight names 11, which is no class of y"),
        ({1: 0.0}, r"class_weight gives 1 the weight 0.0; expected a positive number"),
        ({1: "much"}, r"class_weight gives 1 the weight 'much'"),
        ({1: np.nan}, r"class_weight gives 1 the weight nan"),
        ("even", "'class_weight' parameter of DeepSupervisedHasher"),
    ],
)
def test_bad_class_weights_are_named(digits, weight, message):
    with pytest.raises(ValueError, match=message):
        small(class_weight=weight).fit(digits[0], digits[1])
