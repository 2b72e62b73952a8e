import numpy as np
import pandas as pd
import pytest
import torch
from learned_tasks import held_out_map, small, steps
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sktgsh import ModuleEncoder, SignedRandomProjectionHasher, TaskGeometricHasher
from sktgsh.metrics import make_retrieval_scorer, mean_average_precision

# -- quality on real digits ----------------------------------------------------------------------


def test_defaults_beat_random_projections(digit_tasks):
    train, test = digit_tasks
    hasher = TaskGeometricHasher(random_state=0).fit(train[0], train[1], task=train[2])
    assert held_out_map(hasher, train, test) > 0.95
    plain = SignedRandomProjectionHasher(32, random_state=0).fit(train[0])
    assert plain.score(test[0], test[1], task=test[2]) < 0.6
    assert (hasher.predict_class(test[0], task=test[2]) == test[1]).mean() > 0.95


@pytest.mark.parametrize(
    "params, least",
    [
        (dict(solver=steps("sgd", max_epochs=20)), 0.9),
        (dict(solver=steps("ridge+sgd", max_epochs=5)), 0.9),
        (dict(solver=steps("sgd", max_epochs=20), head="dense", n_hidden=2048), 0.9),
        (dict(encoder="gaussian"), 0.9),
        (dict(encoder="fly"), 0.9),
        (dict(passthrough=False), 0.9),
        (dict(head="block", encoder="fly", n_hidden=2048), 0.9),
        (dict(head="block", solver=steps("ridge+sgd", max_epochs=5), n_hidden=2048), 0.9),
        (dict(encoder="conv"), 0.9),
        (dict(codebook="hadamard"), 0.85),
        (dict(codebook="random"), 0.85),
        (dict(share_codebook=False), 0.85),
        (dict(structure_fraction=0.25), 0.8),
        (dict(structure_fraction=0.5, solver="sgd"), 0.7),
        (dict(solver=steps("sgd", loss="hinge")), 0.8),
        (dict(solver=steps("sgd", loss="cross_entropy")), 0.8),
    ],
    ids=str,
)
def test_every_setting_learns(digit_tasks, params, least):
    train, test = digit_tasks
    hasher = small(**{"n_hidden": 1024, **params}).fit(train[0], train[1], task=train[2])
    assert held_out_map(hasher, train, test) > least


def test_published_recipe_classifies(digit_tasks):
    train, test = digit_tasks
    hasher = TaskGeometricHasher.flynet(n_hidden=2048, random_state=0)
    hasher.set_params(solver__max_epochs=20)
    hasher.fit(train[0], train[1], task=train[2])
    assert (hasher.predict_class(test[0], task=test[2]) == test[1]).mean() > 0.93
    assert held_out_map(hasher, train, test) > 0.7


@pytest.mark.parametrize(
    "params, lengths",
    [
        # Where bits share their units, 8 bits say nearly all that there is to say of ten digits.
        ({}, (1, 2, 4, 8)),
        (dict(encoder="fly", head="block"), (8, 16, 32, 64)),
    ],
    ids=["shared", "block"],
)
def test_longer_codes_are_better(digit_tasks, params, lengths):
    train, test = digit_tasks
    keep = train[2] == 0
    hasher = TaskGeometricHasher(64, random_state=0, **params)
    hasher.fit(train[0][keep], train[1][keep], task=0)
    keep = test[2] == 0
    values = [
        mean_average_precision(hasher.transform(test[0][keep], n_bits=n), test[1][keep])
        for n in lengths
    ]
    assert values == sorted(values)


def test_one_hidden_unit_is_ridge_regression_onto_the_codewords():
    X, y = load_digits(return_X_y=True)
    hasher = TaskGeometricHasher(16, n_hidden=1, alpha=0.01, random_state=0).fit(X, y)
    ridge = Ridge(alpha=0.01 * len(X)).fit(
        StandardScaler().fit_transform(X), hasher.codebook_[y].astype(float)
    )
    plain = ridge.predict(StandardScaler().fit_transform(X)) > 0
    assert (hasher.transform(X) == plain).mean() > 0.99


def test_unseen_classes_are_found_better_with_structure_bits(digit_tasks):
    (X, y, task), _ = digit_tasks
    X, y = X[task == 0], y[task == 0]
    values = []
    # A first chunk leaves the bits that five classes do not fill to classes that may come.
    for share, learn in ((0.0, "partial_fit"), (0.5, "partial_fit"), (0.0, "fit")):
        hasher = TaskGeometricHasher(structure_fraction=share, random_state=0)
        getattr(hasher, learn)(X[y < 5], y[y < 5])
        values.append(hasher.score(X[y >= 5], y[y >= 5]))
    assert min(values[1:]) > values[0] + 0.05


def test_mnist(mnist):
    X, y, Q, q = mnist
    hasher = TaskGeometricHasher(random_state=0).fit(X, y)
    found = mean_average_precision(hasher.transform(Q[:1000]), q[:1000], hasher.transform(X), y)
    assert found > 0.94


# -- tasks do not touch each other ---------------------------------------------------------------


def test_grid_search_over_code_length_with_routing(digit_tasks):
    (X, y, task), _ = digit_tasks
    rows = np.random.RandomState(0).permutation(len(y))[:1000]
    X, y, task = X[rows], y[rows], task[rows]
    with config_context(enable_metadata_routing=True):
        hasher = (
            small(n_hidden=256)
            .set_fit_request(task=True)
            .set_transform_request(task=True)
            .set_score_request(task=True)
        )
        search = GridSearchCV(
            make_pipeline(StandardScaler(), hasher),
            {"taskgeometrichasher__n_bits": [4, 16]},
            cv=3,
            error_score="raise",
        ).fit(X, y, task=task)
        assert search.best_params_ == {"taskgeometrichasher__n_bits": 16}
        assert search.best_estimator_.transform(X, task=task).shape == (len(X), 16)
        scorer = make_retrieval_scorer("precision_at_k", k=5).set_score_request(task=True)
        scores = cross_val_score(
            make_pipeline(StandardScaler(), hasher),
            X,
            y,
            scoring=scorer,
            cv=3,
            params={"task": task},
        )
        assert scores.min() > 0.7
        classifier = make_pipeline(hasher, KNeighborsClassifier(metric="hamming"))
        assert classifier.fit(X, y, task=task).score(X, y, task=task) > 0.95


@pytest.mark.parametrize("as_frame", [True, False])
def test_grid_search_over_code_length_with_a_task_column(digit_tasks, as_frame):
    (X, y, task), _ = digit_tasks
    rows = np.random.RandomState(0).permutation(len(y))[:1000]
    X, y, task = X[rows], y[rows], task[rows]
    if as_frame:
        X = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
        X.insert(3, "camera", [f"camera{t}" for t in task])
        column = "camera"
    else:
        X, column = np.column_stack([X, task]), -1
    hasher = small(n_hidden=256, task_column=column)
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), hasher),
        {"taskgeometrichasher__n_bits": [4, 16]},
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"taskgeometrichasher__n_bits": 16}
    classifier = make_pipeline(clone(hasher), KNeighborsClassifier(metric="hamming"))
    assert classifier.fit(X, y).score(X, y) > 0.9
    with pytest.raises(ValueError, match="task was given beside task_column"):
        hasher.fit(X, y, task=task)


def test_string_tasks_and_string_classes(digit_tasks):
    (X, y, task), _ = digit_tasks
    names, words = np.array([f"camera {t}" for t in task]), np.array([f"digit {c}" for c in y])
    hasher = small().fit(X, words, task=names)
    plain = small().fit(X, y, task=task)
    assert (hasher.transform(X, task=names) == plain.transform(X, task=task)).mean() > 0.99
    assert hasher.predict_class(X[:3], task=names[:3]).tolist() == words[:3].tolist()
    assert hasher.predict_task(X[:3], unknown="none").dtype.kind == "U"


def test_a_network_of_the_users_is_frozen(digit_tasks):
    (X, y, task), _ = digit_tasks
    torch.manual_seed(0)
    backbone = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.Dropout()
    )
    before = [p.detach().clone() for p in backbone.parameters()]
    hasher = small(
        encoder=ModuleEncoder(backbone, (1, 8, 8)), solver=steps("ridge+sgd", max_epochs=2)
    )
    hasher.fit(X[task == 0], y[task == 0])
    assert hasher.score(X[task == 0], y[task == 0]) > 0.8
    np.testing.assert_array_equal(hasher.transform(X[:5]), hasher.transform(X[:5]))
    assert all(torch.equal(p, q) for p, q in zip(backbone.parameters(), before))
    assert all(p.requires_grad for p in backbone.parameters())  # the user's own stays as it was


class Watched(torch.nn.Module):
    """Keeps the smallest and largest value that it saw."""

    def __init__(self):
        super().__init__()
        self.register_buffer("span", torch.tensor([torch.inf, -torch.inf]))

    def forward(self, samples):
        full = samples[samples.abs().sum(dim=1) > 0]  # the last batch is filled with zeros
        self.span[0] = min(self.span[0], full.min())
        self.span[1] = max(self.span[1], full.max())
        return (samples > 1000).float()


def test_a_users_module_gets_samples_as_they_come(digit_tasks):
    (X, y, task), _ = digit_tasks
    samples = (1000 + X[task == 0] - X.max() / 2).astype(np.float32)
    hasher = small(encoder=Watched()).fit(samples, y[task == 0])
    seen = hasher.model_.network.encoder.extractor[-1].span
    assert seen.tolist() == [samples.min(), samples.max()]
    assert hasher.score(samples, y[task == 0]) > 0.9


# -- bad input -----------------------------------------------------------------------------------
