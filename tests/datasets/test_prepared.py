import numpy as np
import pytest
from scipy import sparse

from sktgsh import datasets

SPLIT = np.array(["train", "train", "train", "val", "test"])
LABELS = np.array([1, 0, -1, 1, 0])
RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(0.7, (5, 7)).astype(np.uint8)
HALF = RNG.random((5, 4)).astype(np.float16)
IMAGES = RNG.integers(0, 256, (5, 2, 2, 3)).astype(np.uint8)
NAMES = np.array(["a", "b"])
TWO_PARTS = np.array(["train", "train", "test", "test", "test"])

FILES = {
    "clinc150": dict(
        texts=np.array(list("vwxyz")),
        intent=LABELS,
        domain=LABELS,
        split=SPLIT,
        intent_names=NAMES,
        domain_names=NAMES,
        embedding=HALF,
    ),
    "cifar10_features": dict(
        x_train=HALF, y_train=np.arange(5), x_test=HALF[:2], y_test=np.arange(2)
    ),
    "cifar10_images": dict(
        x_train=IMAGES, y_train=np.arange(5), x_test=IMAGES[:2], y_test=np.arange(2)
    ),
    "omniglot": dict(
        images=IMAGES[..., 0],
        character=np.arange(5),
        alphabet=np.array([0, 0, 1, 1, 1]),
        split=np.array(["background"] * 2 + ["evaluation"] * 3),
        drawer=np.arange(1, 6),
        character_names=np.array(list("vwxyz")),
        alphabet_names=NAMES,
    ),
    "office_caltech_surf": dict(
        X=COUNTS, y=np.arange(5), task=np.arange(5) % 2, task_names=NAMES, class_names=NAMES
    ),
    "amazon_reviews": dict(
        X=COUNTS,
        y=np.array([0, 1, 1, 0, 1]),
        task=np.arange(5) % 2,
        split=TWO_PARTS,
        task_names=NAMES,
        class_names=NAMES,
    ),
    "multilabel_scene": dict(
        X=HALF.astype(np.float32),
        Y=np.eye(5, 3, dtype=np.uint8),
        split=TWO_PARTS,
        label_names=np.array(list("abc")),
        feature_names=np.array(list("vwxy")),
    ),
}


@pytest.fixture
def folder(tmp_path):
    for name, arrays in FILES.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
    return tmp_path


def test_clinc150_gives_embeddings_by_part_without_what_is_out_of_scope(folder):
    train = datasets.fetch_clinc150(folder)
    assert train.data.dtype == np.float32
    np.testing.assert_array_equal(train.data, HALF[:2])
    assert train.target.tolist() == train.task.tolist() == [1, 0]
    assert train.texts.tolist() == ["v", "w"]
    assert datasets.fetch_clinc150(folder, out_of_scope=True).target.tolist() == [1, 0, -1]
    assert datasets.fetch_clinc150(folder, subset="val").target.tolist() == [1]
    X, y = datasets.fetch_clinc150(folder, subset="all", return_X_y=True)
    assert X.shape == (4, 4) and y.tolist() == [1, 0, 1, 0]


def test_cifar10_gives_features_or_images_of_the_same_rows(folder):
    features = datasets.fetch_cifar10(folder)
    assert features.data.dtype == np.float32 and "image_shape" not in features
    images = datasets.fetch_cifar10(folder, kind="images", subset="test")
    assert images.data.shape == (2, 12) and images.image_shape == (2, 2, 3)
    np.testing.assert_array_equal(images.data.reshape(2, 2, 2, 3), IMAGES[:2])
    assert len(features.target_names) == 10
    with pytest.raises(ValueError, match="kind='pixels'; expected 'features' or 'images'"):
        datasets.fetch_cifar10(folder, kind="pixels")


def test_omniglot_gives_alphabets_as_tasks(folder):
    evaluation = datasets.fetch_omniglot(folder, subset="evaluation")
    assert evaluation.data.shape == (3, 4) and evaluation.image_shape == (2, 2)
    assert evaluation.target.tolist() == [2, 3, 4] and evaluation.task.tolist() == [1, 1, 1]
    assert evaluation.drawer.tolist() == [3, 4, 5]
    assert len(datasets.fetch_omniglot(folder, return_X_y=True)[1]) == 2


def test_office_caltech_gives_counts_of_all_domains(folder):
    found = datasets.fetch_office_caltech(folder)
    np.testing.assert_array_equal(found.data, COUNTS)
    assert found.task.tolist() == [0, 1, 0, 1, 0]


def test_amazon_reviews_are_sparse(folder):
    found = datasets.fetch_amazon_reviews(folder, subset="test")
    assert isinstance(found.data, sparse.csr_array) and found.data.dtype == np.float32
    np.testing.assert_array_equal(found.data.toarray(), COUNTS[2:])
    assert found.target.tolist() == [1, 0, 1] and found.task.tolist() == [0, 1, 0]


def test_multilabel_gives_an_indicator(folder):
    X, Y = datasets.fetch_multilabel("scene", folder, subset="test", return_X_y=True)
    np.testing.assert_array_equal(Y, np.eye(5, 3)[2:])
    np.testing.assert_array_equal(X, HALF[2:])
    with pytest.raises(ValueError, match="name='yeast'; expected 'scene' or 'delicious'"):
        datasets.fetch_multilabel("yeast", folder)


@pytest.mark.parametrize(
    "fetch, expected",
    [
        (datasets.fetch_clinc150, "'train', 'val', 'test' or 'all'"),
        (datasets.fetch_cifar10, "'train' or 'test'"),
        (datasets.fetch_omniglot, "'background', 'evaluation' or 'all'"),
        (datasets.fetch_amazon_reviews, "'train', 'test' or 'all'"),
    ],
)
def test_unknown_part(fetch, expected, folder, monkeypatch):
    monkeypatch.setenv("SKTGSH_DATA", str(folder))
    with pytest.raises(ValueError, match=f"subset='some'; expected {expected}"):
        fetch(subset="some")


@pytest.mark.parametrize(
    "fetch, source",
    [
        (datasets.fetch_clinc150, "all-MiniLM-L6-v2"),
        (datasets.fetch_cifar10, "EfficientNet"),
        (datasets.fetch_omniglot, "images_background"),
        (datasets.fetch_office_caltech, "SURF"),
        (datasets.fetch_amazon_reviews, "sentiment"),
        (datasets.fetch_multilabel, "Mulan"),
    ],
)
def test_says_what_to_do_where_there_is_no_file(fetch, source, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"data_home.*SKTGSH_DATA.*made of .*{source}"):
        fetch(data_home=tmp_path)
