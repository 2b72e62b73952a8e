import numpy as np
import pytest

from sktgsh.datasets import fetch_mnist, fetch_movielens, folder, public


def test_reads_from_the_folder_that_is_named(tmp_path, monkeypatch):
    arrays = {
        f"{a}_{b}": np.full(n, 7, np.uint8) for b, n in (("train", 6), ("test", 3)) for a in "xy"
    }
    np.savez(tmp_path / "mnist.npz", **arrays)
    X, y = fetch_mnist(tmp_path, subset="test", return_X_y=True)
    assert len(X) == len(y) == 3
    monkeypatch.setenv(folder.DATA_VARIABLE, str(tmp_path))
    assert len(fetch_mnist().data) == 6
    with pytest.raises(ValueError, match="subset='all'"):
        fetch_mnist(subset="all")


@pytest.mark.parametrize("fetch", [fetch_mnist, fetch_movielens])
def test_says_what_to_do_where_there_is_no_file_and_no_network(fetch, tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"data_home or the environment variable SKTGSH_DATA. Or allow"
    ):
        fetch(tmp_path, download=False)

    def no_network(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(public, "fetch_openml", no_network)
    monkeypatch.setattr(public, "urlopen", no_network)
    with pytest.raises(OSError, match=r"download failed .no route.*SKTGSH_DATA"):
        fetch(tmp_path)


def test_download_is_kept(tmp_path, monkeypatch):
    calls = []

    def openml(*args, **kwargs):
        calls.append(args)
        return np.zeros((60_005, 1)), np.array(["3"] * 60_005)

    monkeypatch.setattr(public, "fetch_openml", openml)
    assert fetch_mnist(tmp_path, subset="test").target.tolist() == [3] * 5
    assert len(fetch_mnist(tmp_path).data) == 60_000 and len(calls) == 1


def test_movielens_is_a_sparse_matrix(tmp_path):
    np.savez(tmp_path / "movielens_1m.npz", user=[5, 5, 9], item=[2, 4, 4], rating=[1, 2, 3])
    ratings = fetch_movielens(tmp_path)
    np.testing.assert_array_equal(ratings.toarray(), [[1, 2], [0, 3]])
