"""Rows without a label: a class near them, or the code of their neighbourhood."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learned_tasks import small
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sktgsh import SignedRandomProjectionHasher, TaskGeometricHasher, load
from sktgsh.metrics import mean_average_precision
from sktgsh.metrics.retrieval import average_precisions
from sktgsh.targets import split_missing
from sktgsh.task_geometric.learning import unlabelled
from sktgsh.task_geometric.learning.neighbourhoods import Neighbourhoods
from sktgsh.task_geometric.learning.rows import Rows
from sktgsh.task_geometric.learning.unlabelled import thin_unlabelled


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X.astype(np.float32), y, test_size=0.25, random_state=0)


@pytest.fixture(scope="module")
def half(digits):
    """Labels of about half of the rows of the digits 0 to 4; -1 elsewhere."""
    y = digits[2]
    return np.where((y < 5) & (np.random.default_rng(0).random(len(y)) < 0.5), y, -1)


def precision(hasher, digits):
    X, Q, y, q = digits
    return average_precisions(hasher.transform(Q), q, hasher.transform(X), y)


def test_codes_without_a_label_find_classes_better_than_projections(digits):
    X, Q, y, q = digits
    learned = precision(TaskGeometricHasher(32, random_state=0).fit(X), digits).mean()
    projected = precision(SignedRandomProjectionHasher(32, random_state=0).fit(X), digits).mean()
    assert learned > projected + 0.1


def test_unlabelled_rows_help_labelled_classes_and_the_others(digits, half):
    X, Q, y, q = digits
    labelled = half >= 0
    alone = TaskGeometricHasher(32, random_state=0).fit(X[labelled], y[labelled])
    both = TaskGeometricHasher(32, missing_label=-1, random_state=0).fit(X, half)
    before, after = precision(alone, digits), precision(both, digits)
    assert after[q >= 5].mean() > before[q >= 5].mean() + 0.1
    assert after.mean() > before.mean() + 0.1
    assert both.classes_.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "missing",
    [
        lambda y: np.where(y < 0, np.nan, y),
        lambda y: [None if label < 0 else int(label) for label in y],
        lambda y: pd.Series(y, dtype="Int64").mask(y < 0),
        lambda y: np.where(y < 0, np.nan, y)[:, None],
    ],
    ids=["nan", "None", "NA", "column"],
)
def test_missing_labels_of_every_kind_are_the_same(digits, half, missing):
    X = digits[0][:400]
    expected = small(missing_label=-1).fit(X, half[:400])
    hasher = small().fit(X, missing(half[:400]))
    assert hasher.classes_.dtype.kind == "i"
    assert np.array_equal(hasher.transform(X), expected.transform(X))


def test_without_missing_label_minus_one_is_a_class(digits, half):
    assert small().fit(digits[0], half).classes_.tolist() == [-1, 0, 1, 2, 3, 4]


def test_names_and_missing_names(digits, half):
    names = np.array(["zero", "one", "two", "three", "four"], object)
    y = [None if label < 0 else names[label] for label in half]
    hasher = small().fit(digits[0], y)
    assert hasher.classes_.tolist() == sorted(names)
    assert np.mean(hasher.predict_class(digits[0])[half >= 0] == names[half[half >= 0]]) > 0.9


def test_complete_labels_give_the_codes_of_always(digits):
    X, _, y, _ = digits
    expected = small().fit(X, y).transform(X)
    assert np.array_equal(small(missing_label=-1, n_neighbors=3).fit(X, y).transform(X), expected)


def test_indicator_rows_with_nan_are_unlabelled(digits):
    X, Q, y, q = digits
    indicator = np.eye(10)[y]
    indicator[y >= 5] = np.nan
    hasher = small().fit(X, indicator)
    found = mean_average_precision(hasher.transform(Q), q, hasher.transform(X), y)
    dropped = small().fit(X[y < 5], np.eye(10)[y[y < 5]])
    assert found > mean_average_precision(dropped.transform(Q), q, dropped.transform(X), y)


def test_tasks_with_and_without_labels_side_by_side(digits):
    X, _, y, _ = digits
    task = np.arange(len(X)) % 2
    partial = np.where(task == 0, y, -1)
    # Tasks that share a prior share the rows that the network is made of, too.
    hasher = small(missing_label=-1, share_prior=False).fit(X, partial, task=task)
    assert len(hasher.modulations_[0].classes) == 10
    assert hasher.modulations_[1].classes == ()
    alone = small(share_prior=False).fit(X[task == 0], y[task == 0], task=0)
    assert np.array_equal(hasher.transform(X, task=0), alone.transform(X, task=0))
    assert np.mean(hasher.predict_task(X)[:50] == task[:50]) > 0.3


def test_chunks_and_partial_fit_agree(digits, half):
    X = digits[0]
    chunks = [(X[:700], half[:700]), (X[700:], half[700:])]
    streamed = small(missing_label=-1).fit_batches(chunks)
    learned = small(missing_label=-1).partial_fit(*chunks[0], classes=range(5))
    learned.partial_fit(*chunks[1])
    assert np.array_equal(streamed.transform(X), learned.transform(X))


def test_one_chunk_is_the_same_as_fit(digits):
    X = digits[0]
    assert np.array_equal(
        small().fit_batches([(X, None)]).transform(X), small().fit(X).transform(X)
    )


def test_parties_that_started_alike_merge_and_others_are_refused(digits):
    X = digits[0]
    start = small().partial_fit(X[:300])
    first, second = copy.deepcopy(start), copy.deepcopy(start)
    first.partial_fit(X[300:800])
    # Sums of both parties hold the rows of the common start.
    second.partial_fit(X[800:])
    merged = first.merge(second)
    assert merged.model_.statistics[0].code_weight == len(X) + 300
    # Two parties that share the network, but met their first rows of the task apart.
    network = small().partial_fit(X[:300], task="common")
    apart = [copy.deepcopy(network) for _ in range(2)]
    apart[0].partial_fit(X[300:800], task="own")
    apart[1].partial_fit(X[800:], task="own")
    with pytest.raises(ValueError, match="did not start alike"):
        apart[0].merge(apart[1])


def test_labels_may_come_later(digits):
    X, Q, y, q = digits
    hasher = small().partial_fit(X)
    before = precision(hasher, digits).mean()
    hasher.partial_fit(X[:600], y[:600])
    assert hasher.classes_.tolist() == list(range(10))
    assert precision(hasher, digits).mean() > before


def test_one_label_a_class_and_a_single_labelled_class(digits):
    X, _, y, _ = digits
    once = np.full(len(y), -1)
    for label in range(10):
        once[np.flatnonzero(y == label)[0]] = label
    hasher = small(missing_label=-1).fit(X, once)
    assert np.mean(hasher.predict_class(X) == y) > 0.4
    single = small(missing_label=-1).fit(X, np.where(y == 3, 3, -1))
    assert single.classes_.tolist() == [3]


def test_saved_and_closed_tasks_keep_their_codes(digits, half, tmp_path):
    X = digits[0]
    hasher = small(missing_label=-1).fit(X, half)
    hasher.save(tmp_path / "hasher.safetensors")
    loaded = load(tmp_path / "hasher.safetensors")
    assert np.array_equal(loaded.transform(X), hasher.transform(X))
    assert not loaded.model_.neighbourhoods


def test_split_missing_leaves_complete_labels_alone():
    y = [1, 2, 3]
    assert split_missing(y) == (y, None)
    filled, missing = split_missing([1.0, np.nan, 3.0])
    assert filled.dtype == np.int64 and filled[[0, 2]].tolist() == [1, 3]
    assert missing.tolist() == [False, True, False]
    assert split_missing([0.5, np.nan])[0].dtype == np.float64


def test_neighbourhoods_take_rows_among_labelled_ones_and_leave_the_others():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 16)) * 5
    cluster = np.arange(400) % 4
    features = (centres[cluster] + rng.normal(size=(400, 16))).astype(np.float32)
    labels = np.where((cluster < 2) & (rng.random(400) < 0.5), cluster, -1)
    found, near = Neighbourhoods.learn(features, labels, ("a", "b"), 8, 10, 0)
    completion = found.complete(features)
    for part, expected in zip(found.complete(features, near), completion):
        np.testing.assert_array_equal(part, expected)
    known = cluster < 2
    assert (completion.labels[known] == cluster[known]).mean() > 0.8
    assert (completion.labels[~known] == -1).all()
    codes = completion.codes[~known]
    same = (codes[0] == codes[cluster[~known] == cluster[~known][0]]).mean()
    other = (codes[0] == codes[cluster[~known] != cluster[~known][0]]).mean()
    assert same > 0.95 > 0.8 > other


def test_groups_hold_rows_of_one_class_and_naming_them_changes_no_code(digits):
    X, Q, y, q = digits
    hasher = small().fit(X)
    groups = hasher.groups_[0]
    assert groups.shares.sum() == pytest.approx(1)
    agree = [np.mean(y[rows[rows >= 0]] == y[rows[0]]) for rows in groups.examples]
    assert np.mean(agree) > 0.7
    codes, named = hasher.transform(Q), {}
    for number in groups.numbers:
        label = int(y[groups.examples[number][0]])
        if label not in named.values():
            named[number] = label
            hasher.name_group(number, label)
    assert np.array_equal(hasher.transform(Q), codes)
    assert hasher.classes_.tolist() == sorted(named.values())
    assert len(hasher.groups_[0]) == len(groups) - len(named)
    assert np.mean(hasher.predict_class(Q) == q) > 0.5
    with pytest.raises(ValueError, match="has a name already"):
        hasher.name_group(next(iter(named)), 99)
    # Named classes keep their codewords when labelled rows follow.
    word = hasher.codebook_[0]
    hasher.partial_fit(X[:300], y[:300])
    assert np.array_equal(hasher.codebook_[0], word)


def test_unknown_is_the_answer_where_a_group_is_nearer(digits, half):
    X, Q, y, q = digits
    hasher = small(missing_label=-1).fit(X, half)
    found = hasher.predict_class(Q, unknown=-1)
    assert np.mean(found[q >= 5] == -1) > 0.8
    assert np.mean(found[q < 5] == q[q < 5]) > 0.7
    assert -1 not in hasher.predict_class(Q)


def test_a_task_without_classes_says_how_to_get_some(digits):
    hasher = small(n_groups=0).fit(digits[0][:200])
    assert not hasher.groups_
    with pytest.raises(ValueError, match="groups of rows without labels get a class by name_group"):
        hasher.predict_class(digits[1])


def test_score_leaves_rows_without_a_label_out(digits):
    X, _, y, _ = digits
    hasher = small(missing_label=-1).fit(X, y)
    partial = np.where(np.arange(len(y)) % 3 == 0, y, -1)
    weight = np.arange(len(y)) + 1.0
    labelled = partial >= 0
    for given in (None, weight):
        kept = None if given is None else given[labelled]
        expected = hasher.score(X[labelled], y[labelled], sample_weight=kept)
        assert hasher.score(X, partial, sample_weight=given) == expected
    assert hasher.score(X, np.where(labelled, y, np.nan)) == hasher.score(X[labelled], y[labelled])
    assert np.isnan(hasher.score(X, np.full(len(y), np.nan)))


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_unlabelled_rows_of_labelled_classes_do_no_harm(digits, share):
    X, Q, y, q = digits
    partial = np.where(np.random.default_rng(1).random(len(y)) < share, y, -1)
    labelled = partial >= 0
    alone = TaskGeometricHasher(32, random_state=0).fit(X[labelled], y[labelled])
    both = TaskGeometricHasher(32, missing_label=-1, random_state=0).fit(X, partial)
    fate = both.unlabelled_rows_[0]
    assert fate.total == (~labelled).sum() and fate.n_grouped == 0 < fate.n_known
    assert not both.groups_ and not both.model_.statistics[0].neighbourhoods.has_others
    assert precision(both, digits).mean() > precision(alone, digits).mean() - 0.005


def test_rows_among_two_classes_are_left_out():
    rng = np.random.default_rng(0)
    side = np.arange(400) % 2
    features = (rng.normal(size=(400, 8)) + 3 * side[:, None]).astype(np.float32)
    labels = np.where(rng.random(400) < 0.7, side, -1)
    found, _ = Neighbourhoods.learn(features, labels, ("a", "b", "c"), 8, 10, 0)
    assert not found.has_others
    clear = found.complete(features)
    assert not clear.left_out.any() and (clear.labels == side).mean() > 0.95
    # Three labels in equal parts, whatever the place of a row: no class has half of the votes.
    mixed = replace(found, labels=np.arange(400) % 3)
    assert mixed.complete(features).left_out.mean() > 0.5


def test_some_of_many_unlabelled_rows_stand_for_all(monkeypatch, digits):
    X, _, y, _ = digits
    partial = np.where((y < 5) & (np.arange(len(y)) % 2 == 0), y, -1)
    rows = Rows(X, np.arange(len(X)), partial, unlabelled=partial < 0)
    n_unlabelled = int(rows.lacks_label.sum())
    assert thin_unlabelled(rows, 0, seed=0) is rows
    monkeypatch.setattr(unlabelled, "_ALL_UNLABELLED", 256)
    drawn = thin_unlabelled(rows, 0, seed=0)
    assert drawn.lacks_label.sum() == round(256 * (1 + np.log(n_unlabelled / 256)))
    assert drawn.counts.sum() == pytest.approx(len(X))
    assert (drawn.counts[~drawn.lacks_label] == 1).all()
    assert (~drawn.lacks_label).sum() == (~rows.lacks_label).sum()
    # As many rows come from two chunks as from one.
    parts = [rows.take(np.arange(700)), rows.take(np.arange(700, len(X)))]
    seen = int(parts[0].lacks_label.sum())
    kept = [thin_unlabelled(part, n, 0) for part, n in zip(parts, (0, seen))]
    n_kept = sum(part.lacks_label.sum() for part in kept)
    assert abs(n_kept - drawn.lacks_label.sum()) <= 1
    # Rows that are drawn from them stand for equally many.
    few = drawn.sample(200, seed=0)
    assert few.stands_for is None
    assert few.lacks_label.mean() == pytest.approx(rows.lacks_label.mean(), abs=0.1)


def test_a_stream_counts_the_unlabelled_rows_that_came(monkeypatch, digits):
    X = digits[0]
    all_rows = precision(small(n_bits=32).fit(X), digits).mean()
    monkeypatch.setattr(unlabelled, "_ALL_UNLABELLED", 256)
    streamed = small(n_bits=32).fit_batches([(X[:500], None), (X[500:], None)])
    learned = small(n_bits=32).partial_fit(X[:500]).partial_fit(X[500:])
    for hasher in (streamed, learned):
        sums = hasher.model_.statistics[0]
        assert hasher.unlabelled_rows_[0].total == len(X)
        assert sums.code_weight == pytest.approx(len(X), rel=1e-6)
        assert precision(hasher, digits).mean() > all_rows - 0.05


def test_tasks_with_some_labels_learn_from_others(digits):
    X, Q, y, q = digits
    task = np.arange(len(y)) % 8
    partial = np.where((task < 4) | ((y < 5) & (np.arange(len(y)) % 3 > 0)), y, -1)
    values = []
    for share_prior in (False, True):
        hasher = TaskGeometricHasher(32, missing_label=-1, share_prior=share_prior, random_state=0)
        hasher.fit(X, partial, task=task)
        values.append(
            [
                average_precisions(
                    hasher.transform(Q, task=label),
                    q,
                    hasher.transform(X[task == label], task=label),
                    y[task == label],
                ).mean()
                for label in range(4, 8)
            ]
        )
    assert np.mean(values[1]) > np.mean(values[0]) + 0.02


@pytest.fixture(scope="module")
def two_parts(digits):
    """Two tasks whose classes are all labelled in part."""
    X, _, y, _ = digits
    partial = np.where(np.random.default_rng(2).random(len(y)) < 0.5, y, -1)
    return X, partial, np.arange(len(y)) % 2


def test_tasks_with_labels_in_part_share_a_pool_that_knows_no_row(two_parts, tmp_path):
    X, y, task = two_parts
    first, second = task == 0, task == 1
    together = small(missing_label=-1).fit(X, y, task=task)
    one = small(missing_label=-1).partial_fit(X[first], y[first], task=0)
    codes = one.transform(X, task=0)
    other = copy.deepcopy(one).partial_fit(X[second], y[second], task=1)
    streamed = small(missing_label=-1).fit_batches([(X[first], y[first], "a")])
    streamed.partial_fit(X[second], y[second], task="b")
    merged = copy.deepcopy(one).merge(other)
    assert np.array_equal(merged.transform(X, task=0), codes)
    for hasher in (together, other, streamed, merged):
        assert len(hasher.unlabelled_rows_) == 2
        pool = hasher.model_.pools["classes"]
        assert pool.neighbourhoods is None and pool.unlabelled.total == 0
        kept, gone = hasher.tasks_[1], hasher.tasks_[0]
        hasher.forget_task(gone)
        sums = hasher.model_.statistics[kept]
        assert hasher.model_.pools["classes"].total == pytest.approx(sums.total)


def test_a_chunk_that_is_left_out_changes_no_code(digits):
    X, _, y, _ = digits
    partial = np.where(np.random.default_rng(2).random(len(y)) < 0.5, y, -1)
    hasher = small(missing_label=-1).partial_fit(X, partial)
    decided = hasher.model_.statistics[0].neighbourhoods
    left = X[decided.complete(hasher.model_.network.inputs(X, slice(None))).left_out]
    assert len(left)
    codes, before = hasher.transform(X), hasher.unlabelled_rows_[0]
    hasher.partial_fit(left[:1]).partial_fit(left)
    assert np.array_equal(hasher.transform(X), codes)
    assert hasher.unlabelled_rows_[0].n_left_out == before.n_left_out + 1 + len(left)
    chunks = [(X, partial), (left, None), (X[:50], partial[:50])]
    streamed = small(missing_label=-1).fit_batches(chunks)
    assert (
        streamed.unlabelled_rows_[0].total
        == (partial < 0).sum() + len(left) + (partial[:50] < 0).sum()
    )


def test_priors_of_tasks_with_unlabelled_rows_do_not_depend_on_order(digits):
    X, _, y, _ = digits
    task = np.arange(len(y)) % 3
    partial = np.where((task < 2) | ((y < 5) & (np.arange(len(y)) % 2 == 0)), y, -1)
    # The same task comes last, or first.
    late = small(missing_label=-1).fit(X, partial, task=task)
    order = np.argsort(task != 2, kind="stable")
    early = small(missing_label=-1).fit(X[order], partial[order], task=task[order])
    assert early.tasks_[0] == 2 == late.tasks_[-1]
    for hasher in (early, late):
        prior = hasher.model_.priors[2]
        assert set(prior.task_weights) <= {0, 1}
        assert prior.pool_weight + sum(prior.task_weights.values()) > 0.5


def test_a_refit_is_no_prior_of_its_own(two_parts):
    X, y, _ = two_parts
    hasher = small(missing_label=-1, warm_start=True).fit(X, y)
    codes = hasher.transform(X)
    assert np.array_equal(hasher.fit(X, y).transform(X), codes)


def test_groups_name_rows_of_the_samples_and_chunks_of_images_add_up(monkeypatch, digits):
    X = digits[0]
    monkeypatch.setattr(unlabelled, "_ALL_UNLABELLED", 128)
    partial = np.where(np.arange(len(X)) % 2 == 0, digits[2], -1)
    partial[digits[2] > 4] = -1
    hasher = small(missing_label=-1, encoder="conv").fit(X, partial)
    shown = hasher.groups_[0].examples
    assert (partial[shown[shown >= 0]] == -1).all()
    chunks = [(X[:700], digits[2][:700]), (X[700:], digits[2][700:])]
    streamed = small(encoder="conv").fit_batches(chunks)
    assert (streamed.predict_class(X) == digits[2]).mean() > 0.9


def test_a_sample_of_rows_that_stand_for_others_is_even():
    counts = np.r_[np.ones(1000), np.full(800, 12.5)]
    y = np.r_[np.zeros(1000, int), np.ones(800, int)]
    rows = Rows(np.zeros((1800, 1)), np.arange(1800), y, stands_for=counts)
    drawn = rows.sample(2000, seed=0)
    assert drawn.stands_for is None
    assert drawn.y.mean() == pytest.approx(10_000 / 11_000, abs=0.03)


def tenants_precision(hasher, digits, labels, n_tenants):
    """mAP within tenants that rows are dealt to at random."""
    X, Q, _, q = digits
    rng = np.random.default_rng(5)
    task, asked = rng.integers(n_tenants, size=len(X)), rng.integers(n_tenants, size=len(Q))
    codes = hasher.fit(X, labels, task=task).transform(Q, task=asked)
    found = [average_precisions(codes[asked == t], q[asked == t]) for t in range(n_tenants)]
    return np.nanmean(np.concatenate(found))


@pytest.mark.parametrize("n_classes, share, gain", [(0, 0, 0.005), (5, 0.5, 0.03), (10, 0.5, 0.02)])
def test_tenants_with_few_labels_help_one_another(digits, n_classes, share, gain):
    y = digits[2]
    kept = (y < n_classes) & (np.random.default_rng(3).random(len(y)) < share)
    labels = np.where(kept, y, -1)
    alone, together = (
        tenants_precision(
            TaskGeometricHasher(32, missing_label=-1, share_prior=share_prior, random_state=0),
            digits,
            labels,
            10,
        )
        for share_prior in (False, True)
    )
    assert together > alone + gain


def test_pools_hold_the_rows_of_their_kind_and_forgetting_takes_them_out(digits):
    X, _, y, _ = digits
    task = np.arange(len(y)) % 6
    # Two tasks with all labels, two with some classes, two without a label.
    labels = np.where((task < 2) | ((task < 4) & (y < 5) & (np.arange(len(y)) % 4 < 3)), y, -1)
    hasher = small(missing_label=-1).fit(X, labels, task=task)
    model = hasher.model_
    assert set(model.pools) == {"classes", "partial", "unlabelled"}
    for kind, own in (("classes", (0, 1)), ("partial", (2, 3)), ("unlabelled", (4, 5))):
        assert [model.kind_of(label) for label in own] == [kind, kind]
        total = sum(model.statistics[label].total for label in own)
        assert model.pools[kind].total == pytest.approx(total)
    codes = hasher.transform(X, task=5)
    # The first labels of a task make it one of another kind, with codes of the old one.
    hasher.partial_fit(X[task == 4], y[task == 4], task=4)
    assert hasher.model_.kind_of(4) == "partial"
    assert hasher.model_.pools["unlabelled"].total == pytest.approx(model.statistics[5].total)
    assert hasher.model_.pools["partial"].total == model.pools["partial"].total
    assert np.array_equal(hasher.transform(X, task=5), codes)
    hasher.forget_task(5).forget_task(2).forget_task(3)
    assert set(hasher.model_.pools) == {"classes"}


def test_tenants_without_labels_share_projections_in_streams_and_relearn(digits):
    X, task = digits[0], np.arange(len(digits[0])) % 2
    chunks = [(X[part], None, task[part]) for part in (slice(0, 600), slice(600, None))]
    hasher = small().fit_batches(chunks)
    assert hasher.model_.pools["unlabelled"].total == pytest.approx(len(X))
    # A task that had all labels, and the only ones, is learned again with some.
    labels = np.where(task == 0, digits[2], -1)
    hasher = small(missing_label=-1, warm_start=True).fit(X, labels, task=task)
    assert set(hasher.model_.pools) == {"classes", "unlabelled"}
    some = np.where((digits[2] < 5) & (np.arange(len(X)) % 3 > 0), digits[2], -1)
    hasher.fit(X[task == 0], some[task == 0], task=0)
    assert set(hasher.model_.pools) == {"partial", "unlabelled"}


def test_a_task_of_another_meaning_keeps_projections_of_its_own(digits):
    X = digits[0]
    turned = np.rot90(X.reshape(-1, 8, 8), axes=(1, 2)).reshape(len(X), -1)
    rows, task = np.concatenate([X, turned]), np.repeat(["as it is", "turned"], len(X))
    dealt = np.where(np.arange(len(X)) % 2, "odd", "even")
    for table, label, shared in ((rows, task, [True, False]), (X, dealt, [True, True])):
        model = small().fit(table, task=label).model_
        found = [sums.neighbourhoods.shares_codes for sums in model.statistics.values()]
        assert sorted(found) == sorted(shared)
        assert model.codebook.unnamed is not None and model.codebook.projections is None


def test_labels_that_come_after_tasks_without_any_choose_codewords_of_their_own(digits):
    X, Q, y, q = digits
    first = np.arange(len(y)) % 2 == 0
    hasher = small().partial_fit(X[first], task="unlabelled")
    book = hasher.partial_fit(X[~first], y[~first], task="labelled").model_.codebook
    assert not np.array_equal(book.projections.directions, book.unnamed.directions)
    assert average_precisions(hasher.transform(Q, task="labelled"), q).mean() > 0.9


def test_a_missing_label_leaves_a_task_the_help_of_the_others(digits):
    X, Q, y, q = digits
    task = np.arange(len(y)) % 4
    kept = (task > 0) | (np.cumsum(task == 0) <= 40)
    labels = np.where(np.arange(len(y)) == np.flatnonzero(task == 0)[0], -1, y)
    hasher = TaskGeometricHasher(32, missing_label=-1, random_state=0)
    hasher.fit(X[kept], labels[kept], task=task[kept])
    assert hasher.model_.modulations[0].task_gain is not None
    assert average_precisions(hasher.transform(Q, task=0), q).mean() > 0.9


def test_given_codes_ask_no_task_without_labels(digits):
    X, task = digits[0], np.arange(len(digits[0])) % 2
    hasher = small(warm_start=True).fit(X[:600], task=task[:600])
    codes = np.random.default_rng(0).integers(0, 2, (300, 16)).astype(bool)
    hasher.fit_codes(X[600:900], codes, task=np.full(300, 9))
    gain = hasher.model_.modulations[9].task_gain
    assert gain is None or not gain.task_weights


def test_sums_of_all_tasks_are_right_after_refits_and_changes_of_mind(digits):
    X, _, y, _ = digits
    task = np.arange(len(y)) % 2
    hasher = small(warm_start=True, max_open_tasks=1).fit(X, y, task=task)
    hasher.fit(X[task == 0], y[task == 0], task=0)
    assert hasher.model_.pools["classes"].total == pytest.approx(len(y))
    hasher = small(share_prior=False).fit(X[:600], y[:600], task=task[:600])
    hasher.set_params(share_prior=True)
    for own in (0, 1):
        later = (task == own) & (np.arange(len(y)) >= 600)
        hasher.partial_fit(X[later], y[later], task=own)
    assert hasher.model_.pools["classes"].total == pytest.approx(len(y))
    assert not hasher.set_params(share_prior=False).partial_fit(X[:9], y[:9], task=0).model_.pools


def test_a_row_without_a_label_is_a_task_and_unknown_tasks_may_find_no_class(digits):
    X, task = digits[0], np.minimum(np.arange(len(digits[0])), 1)
    hasher = small(unknown_task="pool").fit(X, task=task)
    assert hasher.transform(X[:3], task=0).shape == (3, 16)
    with pytest.raises(ValueError, match="unknown_task='pool' needs"):
        hasher.transform(X[:3], task=7)
