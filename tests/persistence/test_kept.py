"""Files of older versions open for good, and say what they said."""

from pathlib import Path

import numpy as np
import pytest
import pythons
from sklearn.base import clone

import sktgsh
from sktgsh.persistence.upgrades import FORMAT, STEPS, Step, changed, renamed, upgrade

FOLDERS = sorted(path for path in (Path(__file__).parent / "kept").iterdir() if path.is_dir())
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.sktgsh"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
@pytest.mark.filterwarnings("error:.*was saved by sktgsh:UserWarning")
def test_a_kept_file_gives_the_answers_of_its_time(path, tmp_path):
    loaded = pythons.compare(path.parent, path.stem)
    assert clone(loaded).get_params().keys() == loaded.get_params().keys()
    repr(loaded)
    # Saved by the code of today, it says the same once more.
    loaded.save(tmp_path / path.name)
    (tmp_path / "answers.npz").write_bytes((path.parent / "answers.npz").read_bytes())
    pythons.compare(tmp_path, path.stem)


def test_every_format_before_has_a_folder_and_a_step():
    assert {f"format_{number}" for number in range(1, FORMAT)} <= {path.name for path in FOLDERS}
    assert sorted(STEPS) == list(range(1, FORMAT))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kept_tasks_pass_between_kept_hashers(folder):
    hasher = sktgsh.load(folder / "tasks.sktgsh")
    hasher.import_task(folder / "odd.task", task="again")
    samples = pythons.X[pythons.QUERIES]
    codes = hasher.transform(samples, task="again")
    np.testing.assert_array_equal(codes, hasher.transform(samples, task="odd"))
    hasher.import_task(folder / "odd_half.task", task="half")
    assert np.mean(hasher.transform(samples, task="half") == codes) > 0.95
    with pytest.raises(ValueError, match="the frozen network is"):
        sktgsh.load(folder / "tasks_gaussian.sktgsh").import_task(folder / "odd.task", task="again")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kept_hashers_and_indexes_go_on(folder):
    hasher = sktgsh.load(folder / "tasks.sktgsh")
    before = hasher.transform(pythons.X, task="odd")
    hasher.partial_fit(pythons.X, pythons.Y, task="new")
    np.testing.assert_array_equal(hasher.transform(pythons.X, task="odd"), before)
    index = sktgsh.load(folder / "codes_flat.sktgsh")
    index.add(pythons.X[:2] > 7, ids=["a", "b"], task=["odd", "odd"])
    assert "a" in index.kneighbors(pythons.X[:1] > 7, n_neighbors=3, task="odd")[1]


def test_steps_are_applied_from_the_format_of_the_file_on(monkeypatch):
    steps = {
        FORMAT: Step({"Old": "New"}, {"New": renamed(a="b")}),
        FORMAT + 1: Step(states={"New": changed(renamed(b="c"), lambda state: state | {"d": 2})}),
    }
    monkeypatch.setattr("sktgsh.persistence.upgrades.STEPS", STEPS | steps)
    monkeypatch.setattr("sktgsh.persistence.upgrades.FORMAT", FORMAT + 2)
    assert upgrade("Old", {"a": 1, "x": 0}, FORMAT) == ("New", {"c": 1, "x": 0, "d": 2})
    assert upgrade("New", {"b": 1}, FORMAT + 1) == ("New", {"c": 1, "d": 2})
    assert upgrade("New", {"b": 1}, FORMAT + 2) == ("New", {"b": 1})
