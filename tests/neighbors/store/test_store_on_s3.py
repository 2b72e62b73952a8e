"""CodeStore on an object store: a local server that speaks S3, where one is installed."""

import pickle
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sktgsh.codes import hamming_distances
from sktgsh.neighbors import CodeStore

pytest.importorskip("lancedb")


def answers(url, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def options():
    """What LanceDB must know of the server; an empty bucket is there."""
    command = shutil.which("moto_server")
    if command is None:
        pytest.skip("needs a server that speaks S3: pip install 'moto[server]', in any environment")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = subprocess.Popen([command, "-H", "127.0.0.1", "-p", str(port)], **quiet)
    try:
        while not answers(url):
            if server.poll() is not None:
                pytest.skip(f"{command} does not start; reinstall 'moto[server]'")
            time.sleep(0.1)
        assert answers(f"{url}/bucket", "PUT")
        keys = dict(aws_access_key_id="any", aws_secret_access_key="any")
        yield dict(keys, endpoint=url, region="us-east-1", allow_http="true")
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 2, (60, 32))


def test_what_a_folder_does(options, codes):
    store = CodeStore("s3://bucket/one", n_bits=32, storage_options=options)
    other = pickle.loads(pickle.dumps(store))
    store.add(codes[:40], ids=np.arange(40), task=["a", "b"] * 20)
    other.upsert(codes[30:], ids=np.arange(30, 60), task="b")
    store.remove([3])
    with pytest.raises(ValueError, match="there already"):
        other.add(codes[:1], ids=[0])
    left = np.delete(np.arange(60), 3)
    assert len(other) == 59
    distances, ids = CodeStore("s3://bucket/one", storage_options=options).kneighbors(codes, 2)
    plain = np.sort(hamming_distances(codes, codes[left]), axis=1)[:, :2]
    np.testing.assert_array_equal(distances, plain)
    in_b = np.concatenate([np.arange(1, 30, 2), np.arange(30, 60)])
    assert set(other.kneighbors(codes[:1], len(in_b) - 1, task="b")[1][0]) == set(in_b) - {3}
    store.compact()
    np.testing.assert_array_equal(other.kneighbors(codes, 2)[0], plain)
    assert other.to_index().kneighbors(codes[left], 1)[0].max() == 0


def test_writers_at_the_same_moment(options, codes):
    CodeStore("s3://bucket/many", n_bits=32, storage_options=options)

    def write(number):
        store = CodeStore("s3://bucket/many", storage_options=options)
        own = np.arange(100 + 5 * number, 105 + 5 * number)
        store.add(codes[:5], ids=own)
        try:
            store.add(codes[5:6], ids=[7])
        except (ValueError, RuntimeError):
            return 0
        return 1

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(write, range(4)))
    store = CodeStore("s3://bucket/many", storage_options=options)
    ids = store.kneighbors(codes[:1], len(store))[1][0]
    assert added == 1
    assert sorted(ids) == [7, *range(100, 120)]
