"""Threads: run small jobs on one thread, large ones on all, and restore the caller's settings.

A parallel region waits for its slowest thread. Where it is short, or where another process holds a
core, that wait is most of the time: small products are therefore computed on the calling thread,
and many of them at once where there are many.

Three settings are involved. OpenMP's number of threads belongs to the calling thread, and so does
MKL's inside torch. OpenBLAS, which NumPy and SciPy use, has one number for the process, and
threadpoolctl lets one thread at a time change it. ``torch.set_num_threads`` changes what later
threads start with: it is not used.

A process that was forked has lost the threads of its parent's OpenMP, and waits for them without
end. On one thread there is nothing to wait for: the one that a forked process starts with computes
alone, as workers of torch's DataLoader do. Threads that it starts itself are free.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from ._torch import has_torch
from .batches import BATCH_ROWS, dense_rows, iter_batches

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["one_thread"]

Item = TypeVar("Item")
Result = TypeVar("Result")

# Least number of floating-point operations between two synchronisations of threads. Below it, two
# threads are at most 1.5 times as fast as one on an idle machine, and up to 100 times as slow
# beside a busy process.
LARGE = 1e9
# Least seconds of processor time that an item must take to be computed on another thread. Shorter
# items spend most of their time in the interpreter, which runs one thread at a time: two threads
# are then up to a third slower than one.
LEAST_SECONDS = 0.005
# Batches that a thread takes at once, since passing one to a thread costs about ten microseconds.
_BATCHES_AT_ONCE = 8


def _libraries() -> ThreadpoolController:
    """The libraries with threads; those imported since the last call are found, too."""
    return _libraries_of(len(sys.modules))


@lru_cache(maxsize=1)
def _libraries_of(n_modules: int) -> ThreadpoolController:
    return ThreadpoolController()


def _take_torch_threads() -> None:
    """A new thread takes torch's number of threads at its first call, which must come first."""
    if has_torch():
        sys.modules["torch"].get_num_threads()


def _number_of_threads() -> int:
    """Threads that the caller may use."""
    if has_torch():
        return sys.modules["torch"].get_num_threads()
    return max((found["num_threads"] for found in _libraries().info()), default=1)


def _mkl_setter() -> Callable[[int], int]:
    return _mkl_setter_of_torch() if has_torch() else lambda n_threads: 0


@cache
def _mkl_setter_of_torch() -> Callable[[int], int]:
    """MKL's own setter for the calling thread, where torch has MKL; it returns what was set."""
    import torch

    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        return library.MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):
        return lambda n_threads: 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on the calling thread alone; other threads are free to do the same.

    Examples
    --------
    >>> import torch
    >>> from sktgsh.threads import one_thread
    >>> before = torch.get_num_threads()
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    _take_torch_threads()
    mkl_before = _mkl_setter()(1)
    try:
        with _libraries().limit(limits=1):
            yield
    finally:
        _mkl_setter()(mkl_before)


@contextmanager
def one_mkl_thread() -> Iterator[None]:
    """Let MKL compute on the calling thread alone, for products of microseconds.

    :func:`one_thread` limits the other libraries, too, and takes longer than such a product.
    """
    before = _mkl_setter()(1)
    try:
        yield
    finally:
        _mkl_setter()(before)


def _stay_on_one_thread() -> None:
    """Limit what belongs to the calling thread, for as long as it lives."""
    _take_torch_threads()
    _libraries().limit(limits=1, user_api="openmp")
    _mkl_setter()(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stay_on_one_thread)


def threads_for(operations: float) -> AbstractContextManager:
    """One thread for small work; for large work, whatever the caller has set.

    Parameters
    ----------
    operations : float
        Floating-point operations of one step: what is done between two waits for all threads.
    """
    return one_thread() if operations < LARGE else nullcontext()


class ThreadTensor(threading.local):
    """A tensor for each thread, which every batch overwrites.

    New memory for every batch would take a good part of the time of encoding where the allocator
    returns memory to the system at once, as on dask's workers.

    Parameters
    ----------
    shape : tuple of int
    device : torch.device
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device):
        import torch

        self.values = torch.empty(shape, device=device)


def parallel_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    n_workers: int | None = None,
    progress: str = "",
) -> list[Result]:
    """``[function(item) for item in items]``, several at a time, each on one thread.

    The first is computed on the calling thread. If it takes less than LEAST_SECONDS, all are.

    Parameters
    ----------
    function : callable
        May be called by several threads at once.
    items : sequence
    n_workers : int, optional
        By default as many as the caller may use, which ``OMP_NUM_THREADS`` sets.
    progress : str, default=""
        What a progress bar is to be called; by default there is none.

    Examples
    --------
    >>> from sktgsh.threads import parallel_map
    >>> parallel_map(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    n_workers = _number_of_threads() if n_workers is None else n_workers
    with one_thread():
        results = _iter_results(function, items, n_workers)
        if not progress:
            return list(results)
        from tqdm.auto import tqdm  # only where it is needed: it takes long to import

        return list(tqdm(results, progress, len(items), unit_scale=True))


def _iter_results(
    function: Callable[[Item], Result], items: Sequence[Item], n_workers: int
) -> Iterator[Result]:
    """Results in the order of the items, of the calling thread or of several others."""
    before = time.thread_time()
    yield from map(function, items[:1])
    rest, n_workers = items[1:], min(n_workers, len(items) - 1)
    if n_workers <= 1 or time.thread_time() - before < LEAST_SECONDS:
        yield from map(function, rest)
        return
    workers = ThreadPoolExecutor(n_workers, "sktgsh", initializer=_stay_on_one_thread)
    try:
        yield from workers.map(function, rest)
    finally:
        workers.shutdown(cancel_futures=True)


def map_batches(
    function: Callable[[np.ndarray, Tensor], Result],
    X: Any,
    rows: np.ndarray | None = None,
    device: torch.device | None = None,
    take: Callable[[Any, np.ndarray | slice], np.ndarray] = dense_rows,
    progress: str = "",
) -> list[Result]:
    """``function(positions, samples)`` of each batch, as :func:`.iter_batches` cuts them.

    On the CPU, threads take turns at the batches, each alone at its own: a batch is too small to be
    shared. On another device, batches are moved there one after another.

    Parameters
    ----------
    function : callable
        Takes samples of BATCH_ROWS rows, those beyond ``len(positions)`` filling. Is called by
        several threads, without gradients.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    rows : ndarray of int, optional
        Rows of X; by default all.
    device : torch.device, optional
        Where samples are moved; by default they stay on the CPU.
    take : callable, default=dense_rows
        Makes rows of X into a float32 array.
    progress : str, default=""
        As in :func:`parallel_map`.

    Returns
    -------
    results : list
        In the order of the batches.
    """
    import torch

    on_cpu = device is None or device.type == "cpu"
    n_rows, step = X.shape[0] if rows is None else len(rows), BATCH_ROWS * _BATCHES_AT_ONCE

    @torch.no_grad()  # of this thread
    def work(start: int) -> list[Result]:
        span = slice(start, start + step)
        part = (
            iter_batches(X[span], None, take) if rows is None else iter_batches(X, rows[span], take)
        )
        return [
            function(start + positions, torch.from_numpy(samples).to(device or "cpu"))
            for positions, samples in part
        ]

    parts = parallel_map(work, range(0, n_rows, step), None if on_cpu else 1, progress)
    return [made for part in parts for made in part]
