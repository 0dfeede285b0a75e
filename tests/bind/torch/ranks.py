"""Ranks of a test, as processes that are forked from this one: PyTorch is imported once."""

import contextlib
import datetime
import multiprocessing
import os
import re
import sys
import tempfile
import traceback
import warnings

import torch
import torch.distributed as dist

import rondo.torch  # noqa: F401  # registers the backend

LONG = datetime.timedelta(seconds=60)
_processes = multiprocessing.get_context("fork")


def join(store_path, rank, size, backend="rondo", timeout=LONG):
    """The default group, which meets in a file."""
    store = dist.FileStore(store_path, size)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)


def _carry_out(function, store_path, rank, size, arguments):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)  # names that are to change
    try:
        function(store_path, rank, size, *arguments)
    except BaseException:
        print(f"rank {rank} of {size}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        os._exit(1)
    # As a program ends: what is registered at the exit of the interpreter is carried out.
    sys.stdout.flush()
    sys.exit(0)


def start(function, size, *arguments):
    """`function(store_path, rank, size, …)` in `size` processes. Returns them, and what keeps the
    folder of the store."""
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "store")
    started = [_processes.Process(target=_carry_out, args=(function, path, rank, size, arguments))
               for rank in range(size)]
    for process in started:
        process.start()
    return started, folder


def run(function, size, *arguments, dies=()):
    """The same, and waits for all of them. Those in `dies` are expected to end badly."""
    started, folder = start(function, size, *arguments)
    with folder:
        for process in started:
            process.join()
    codes = {rank: process.exitcode for rank, process in enumerate(started) if rank not in dies}
    if any(codes.values()):
        sys.exit(f"{function.__name__} among {size} ranks: exit codes {codes}")


@contextlib.contextmanager
def raises(pattern, kind=RuntimeError):
    try:
        yield
    except kind as error:
        if not re.search(pattern, str(error)):
            raise AssertionError(f"the text has no {pattern!r}") from error
        return
    raise AssertionError(f"nothing was raised that says {pattern!r}")
