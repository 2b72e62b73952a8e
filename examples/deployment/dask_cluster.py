"""
Learning on a cluster
=====================

Sums of partitions travel, rows do not. Give the address of a scheduler (``python
examples/deployment/dask_cluster.py tcp://scheduler:8786``); without one, two processes of this
machine do the work. **Use this when** the rows lie on several machines already.
"""

import sys

import dask.array as da
from dask.distributed import Client, LocalCluster

from sktgsh import TaskGeometricHasher, distributed
from sktgsh.datasets import load_digits_tasks
from sktgsh.metrics import mean_average_precision


def main(address: str | None) -> None:
    X, y, task = load_digits_tasks(n_tasks=4)
    # In practice: da.from_zarr, dd.read_parquet, ... whose partitions workers read themselves.
    rows, tasks = da.from_array(X, chunks=(1000, -1)), da.from_array(task, chunks=1000)
    with Client(address or LocalCluster(n_workers=2, threads_per_worker=1)) as client:
        print(client)
        hasher = distributed.fit(TaskGeometricHasher(random_state=0), rows, y, task=tasks)
        codes = distributed.transform(hasher, rows, task=tasks).persist()
        index = distributed.ShardedNeighbors(10).fit(codes)
        distances, found = index.kneighbors(codes[:5].compute())
        print("classes of the first rows, and of their neighbours:")
        for label, neighbours in zip(y, y[found]):
            print(label, neighbours)
        own = (task == 0).nonzero()[0]
        of_one = codes.compute()[own]
        print(f"mAP of the first task: {mean_average_precision(of_one, y[own]):.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
