"""One dask worker against two, on encoding and on statistics."""

from __future__ import annotations

import numpy as np

from sktgsh import TaskGeometricHasher

from .._common import Images, load_images, report, seconds

N_PARTITIONS, N_ROUNDS = 16, 5


def add_up(hasher: TaskGeometricHasher, parts: list[tuple]) -> None:
    """Compute the sums of all partitions, under new names: what has a name is not done again."""
    import dask
    from dask.distributed import wait

    from sktgsh import distributed

    draft = dask.delayed(hasher)
    wait(dask.persist(*[dask.delayed(distributed._sums_of)(draft, *part) for part in parts]))


def measure(images: Images, n_workers: int) -> dict[str, float]:
    """Seconds that workers of one thread each take; what they import is imported before."""
    import dask.array as da
    from dask.distributed import Client, LocalCluster, wait

    from sktgsh import distributed

    size = len(images.X) // N_PARTITIONS
    cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster):
        # Rows lie on the workers, as they do where they are too many for one machine.
        X = da.from_array(images.X.astype(np.float32), chunks=(size, -1)).persist()
        wait(X)
        hasher = TaskGeometricHasher(random_state=0)
        draft = hasher._started(images.X[:1000], images.y[:1000])
        parts = distributed._partitions(X, images.y, None)
        add_up(draft, parts[: 2 * n_workers])
        return dict(
            sums=seconds(lambda: add_up(draft, parts))[0],
            fit=seconds(lambda: distributed.fit(hasher, X, images.y))[0],
            transform=seconds(lambda: distributed.transform(hasher, X).compute())[0],
        )


def run(data: str | None) -> None:
    images = load_images(data)
    # One and two by turns: a machine's speed drifts by more than is measured here.
    rounds = [[measure(images, n_workers) for n_workers in (1, 2)] for _ in range(N_ROUNDS)]
    rows = []
    for what in rounds[0][0]:
        one, two = np.array([[taken[what] for taken in pair] for pair in rounds]).T
        rows.append(
            dict(
                what=what,
                one_worker_seconds=np.median(one),
                two_workers_seconds=np.median(two),
                ratio=np.median(one / two),
                least=(one / two).min(),
                most=(one / two).max(),
            )
        )
    report(f"scale_workers_{images.name}", rows)
