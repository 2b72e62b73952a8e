"""A file larger than what the operating system lets the process allocate."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

N_ROWS, N_FEATURES = 38_000, 768  # 111 MiB
SCRIPT = textwrap.dedent(
    """
    import resource
    import sys
    from pathlib import Path

    import numpy as np
    from sktgsh import TaskGeometricHasher

    hasher = TaskGeometricHasher(8, n_hidden=32, packed=True, random_state=0)
    few = np.random.default_rng(1).standard_normal((100, 768), dtype=np.float32)
    hasher.fit(few, few[:, 0] > 0).transform(few)  # threads and libraries take their share before

    status = dict(line.split(":") for line in Path("/proc/self/status").open())
    limit = int(status["VmData"].split()[0]) * 1024 + 100 * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    X = np.load(sys.argv[1], mmap_mode="r")
    y = X[:, 0] > 0
    try:
        np.array(X)
    except MemoryError:
        print("no copy")
    chunks = ((X[i : i + 5000], y[i : i + 5000]) for i in range(0, len(X), 5000))
    for learn in (lambda: hasher.fit(X, y), lambda: hasher.fit_batches(chunks)):
        learn()
        print(hasher.transform(X).shape, (hasher.predict_class(X[:1000]) == y[:1000]).mean() > 0.8)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of data are Linux's")
def test_rows_beyond_the_limit_are_learned_and_encoded(tmp_path):
    path = tmp_path / "rows.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (N_ROWS, N_FEATURES))
    rng = np.random.default_rng(0)
    for start in range(0, N_ROWS, 5000):
        rng.standard_normal(out=rows[start : start + 5000], dtype=np.float32)
    ran = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True)
    path.unlink()
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["no copy", *2 * [f"({N_ROWS}, 1) True"]]
