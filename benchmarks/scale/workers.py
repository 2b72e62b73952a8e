"""One dask worker against two, on encoding and on statistics."""

from __future__ import annotations

import numpy as np

from sktgsh import TaskGeometricHasher

from .._common import load_images, report, seconds


def add_up(hasher: TaskGeometricHasher, parts: list[tuple]) -> None:
    """Compute the sums of all partitions, under new names: what has a name is not done again."""
    import dask
    from dask.distributed import wait

    from sktgsh import distributed

    draft = dask.delayed(hasher)
    wait(dask.persist(*[dask.delayed(distributed._sums_of)(draft, *part) for part in parts]))


def run(data: str | None) -> None:
    import dask.array as da
    from dask.distributed import Client, LocalCluster, wait

    from sktgsh import distributed

    images, rows = load_images(data), []
    rows_of_all = da.from_array(images.X.astype(np.float32), chunks=(len(images.X) // 16, -1))
    for n_workers in (1, 2):
        cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster):
            # Rows lie on the workers, as they do where they are too many for one machine.
            X = rows_of_all.persist()
            wait(X)
            hasher = TaskGeometricHasher(random_state=0)
            draft = hasher._started(images.X[:1000], images.y[:1000])
            parts = distributed._partitions(X, images.y, None)
            sums = seconds(lambda d=draft, p=parts: add_up(d, p), repeat=3)[0]
            fit = seconds(lambda h=hasher: distributed.fit(h, X, images.y), repeat=3)[0]
            encode = seconds(lambda h=hasher: distributed.transform(h, X).compute(), repeat=3)[0]
        rows.append(
            dict(workers=n_workers, sums_seconds=sums, fit_seconds=fit, transform_seconds=encode)
        )
        for what in ("sums", "fit", "transform"):
            rows[-1][f"{what}_ratio"] = rows[0][f"{what}_seconds"] / rows[-1][f"{what}_seconds"]
    report(f"scale_workers_{images.name}", rows)
