"""The scripts of benchmarks/data_scripts read small files in the form of their public sources."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "data_scripts"


@pytest.fixture
def script(monkeypatch):
    """Import a script by its name, as one that stands alone."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    names = {path.stem for path in SCRIPTS.glob("*.py")}
    yield importlib.import_module
    for name in names & sys.modules.keys():
        del sys.modules[name]


def test_a_source_that_changed_is_refused(script, tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    checksum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    check = script("files").check
    check(tmp_path, {"file": checksum})
    (tmp_path / "file").write_bytes(b"abd")
    with pytest.raises(SystemExit, match=f"has the checksum .*, expected {checksum}"):
        check(tmp_path, {"file": checksum})


def test_office_caltech_puts_the_domains_below_one_another(script, tmp_path):
    for first, domain in enumerate(["amazon", "caltech10", "dslr", "webcam"]):
        counts = np.full((first + 1, 3), 10 * first, dtype=np.uint8)
        labels = np.arange(1, first + 2, dtype=np.uint8)[:, None]
        savemat(tmp_path / f"{domain}.mat", {"fts": counts, "labels": labels})
    made = script("office_caltech_surf").arrays(tmp_path)
    assert made["X"].dtype == np.uint8
    assert made["X"][:, 0].tolist() == [0, 10, 10, 20, 20, 20, 30, 30, 30, 30]
    assert made["y"].tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3]
    assert made["task"].tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert made["task_names"].tolist() == ["amazon", "caltech10", "dslr", "webcam"]
    assert made["class_names"][[0, 9]].tolist() == ["back_pack", "projector"]


def test_amazon_reviews_puts_training_rows_first_within_a_product(script, tmp_path):
    for number, product in enumerate(["books", "dvd", "electronics", "kitchen"], start=1):
        (tmp_path / f"{product}_train.svmlight").write_text(f"1 0:{number} 4999:2\n-1 3:{number}\n")
        (tmp_path / f"{product}_test.svmlight").write_text("-1 1:200\n")
    made = script("amazon_reviews").arrays(tmp_path)
    assert made["X"].shape == (12, 5000) and made["X"].dtype == np.uint8
    assert made["X"].flags.f_contiguous
    assert made["X"][:4, [0, 1, 3, 4999]].tolist() == [
        [1, 0, 0, 2],
        [0, 0, 1, 0],
        [0, 200, 0, 0],
        [2, 0, 0, 2],
    ]
    assert made["y"].tolist() == [1, 0, 0] * 4 and made["y"].dtype == np.int64
    assert made["task"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert made["split"].tolist() == ["train", "train", "test"] * 4
    assert made["class_names"].tolist() == ["negative", "positive"]


HEADER = """@relation few

@attribute a numeric
@ATTRIBUTE b {0,1}
@attribute TAG_m\\'usica {0,1}
@attribute c {0,1}

"""


def test_multilabel_reads_whole_rows_and_sparse_ones(script, tmp_path):
    (tmp_path / "few").mkdir()
    whole = HEADER + "@data\n0.646467,1,0,1\n% a comment\n\n0.25,0,1,0\n"
    sparse = HEADER + "@DATA\n{0 0.646467,3 1}\n{}\n{1 1,2 1}\n"
    (tmp_path / "few" / "few-train.arff").write_text(whole)
    (tmp_path / "few" / "few-test.arff").write_text(sparse)
    made = script("multilabel").arrays(tmp_path, "few", 2)
    first = np.float32(0.646467)
    np.testing.assert_array_equal(made["X"], [[first, 1], [0.25, 0], [first, 0], [0, 0], [0, 1]])
    assert made["X"].dtype == np.float32 and made["Y"].dtype == np.uint8
    assert made["X"].flags.f_contiguous and made["Y"].flags.f_contiguous
    assert made["Y"].tolist() == [[0, 1], [1, 0], [0, 1], [0, 0], [1, 0]]
    assert made["split"].tolist() == ["train"] * 2 + ["test"] * 3
    assert made["label_names"].tolist() == ["TAG_m\\'usica", "c"]
    assert made["feature_names"].tolist() == ["a", "b"]


@pytest.fixture
def cifar10(script):
    return script("cifar10")


def test_cifar10_draws_the_rows_of_our_file(cifar10):
    drawn = cifar10.drawn()
    assert len(set(drawn["train"])) == 20_000 and len(set(drawn["test"])) == 4_000
    # Dog 461, car 892; car 49, dog 410.
    assert drawn["train"][:2].tolist() == [25461, 5892]
    assert drawn["test"][:2].tolist() == [1049, 5410]


def test_cifar10_reads_an_image_by_its_number(cifar10, tmp_path):
    for part, label, position, grey in [("train", "dog", 461, 50), ("test", "truck", 999, 200)]:
        folder = tmp_path / part / label
        folder.mkdir(parents=True)
        cifar10.Image.new("RGB", (32, 32), (grey,) * 3).save(folder / f"{position:04d}.jpg")
    numbers = {"train": np.array([25461, 25461]), "test": np.array([9999])}
    made = cifar10.arrays(tmp_path, numbers)
    assert made["x_train"].shape == (2, 32, 32, 3) and made["x_train"].dtype == np.uint8
    assert np.all(made["x_train"] == 50) and np.all(made["x_test"] == 200)
    assert made["y_train"].tolist() == [5, 5] and made["y_test"].tolist() == [9]
    assert made["y_train"].dtype == np.uint8


def test_cifar10_features_are_means_over_places_of_the_enlarged_image(cifar10):
    shapes = []

    def extract(batch):
        shapes.append(tuple(batch.shape))
        return batch.clamp(-0.9)

    grey = np.repeat([0, 127, 255], 32 * 32 * 3).reshape(3, 32, 32, 3).astype(np.uint8)
    steps = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    steps[:, :, 16:] = 255
    found = cifar10.pooled(np.concatenate([grey, steps]), extract, batch=3)
    assert shapes == [(3, 3, 128, 128), (1, 3, 128, 128)]
    assert found.shape == (4, 3) and found.dtype == np.float16
    np.testing.assert_array_equal(found[:3], np.float16([[-0.9] * 3, [0] * 3, [1] * 3]))
    # Bicubic weights overshoot at the edge: values beyond black and white are cut off.
    np.testing.assert_allclose(found[3], 0.05, atol=0.002)


def test_clinc150_numbers_intents_and_domains_by_name(script):
    known = dict(train=[["a", "pay"]], val=[["b", "fly"]], test=[["c", "pay"]])
    unknown = dict(oos_train=[["d", "oos"]], oos_val=[], oos_test=[["e", "oos"]])
    domains = dict(travel=["fly"], banking=["pay"])
    made = script("clinc150").arrays(known | unknown, domains)
    assert made["texts"].tolist() == list("abcde")
    assert made["intent"].tolist() == [1, 0, 1, -1, -1]
    assert made["domain"].tolist() == [0, 1, 0, -1, -1]
    assert made["split"].tolist() == ["train", "val", "test", "train", "test"]
    assert made["intent_names"].tolist() == ["fly", "pay"]
