#!/usr/bin/env python3
"""Tensors on a device, in the order of its streams. The device is an emulated one, under the name
of CUDA, with which PyTorch was not built here: see emulated_cuda.cpp.

usage: on_device_test.py SOURCE_FOLDER BUILD_FOLDER COMPILER...
RONDO_PLUGIN_PATH is the folder of the emulated devices.
"""

import datetime
import importlib.util
import pathlib
import sys
import time

import torch
import torch.distributed as dist
import torch._C._distributed_c10d as _c10d

import ranks as world
from rondo.torch import building

Op = dist.ReduceOp
CPU = torch.device("cpu")
NAME = "emulated_cuda"


def compile_emulation(folder, source, compiler):
    out = folder / f"{NAME}.so"
    library = pathlib.Path(building.__file__).parents[1] / building.LIBRARY
    building.compile_module(out, pathlib.Path(__file__).with_name(f"{NAME}.cpp"),
                            [source / "src", source / "include"], library, compiler, NAME,
                            ["-O0"])
    return out


def load_emulation(path):
    spec = importlib.util.spec_from_file_location(NAME, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Rank:
    """The emulated device, and the backend of the default group."""

    def __init__(self, store_path, rank, size, path, timeout=world.LONG):
        world.join(store_path, rank, size, timeout=timeout)
        self.device = load_emulation(path)
        self.backend = dist.distributed_c10d._get_default_group()._get_backend(CPU)
        self.rank, self.size = rank, size

    def on_host(self, tensors):
        """What they hold when the current stream has come so far."""
        self.device.synchronize()
        return [self.device.on_host(tensor).clone() for tensor in tensors]

    def moved(self, tensors):
        return [self.device.on_device(tensor) for tensor in tensors]

    def require_like_host(self, what, function, *lists):
        """`function(*lists)` gives a work; the last list has the results, as those on the host."""
        there = [self.moved(tensors) for tensors in lists]
        function(*there).wait()
        function(*lists).wait()
        for found, expected in zip(self.on_host(there[-1]), lists[-1], strict=True):
            if not torch.equal(found, expected):
                raise AssertionError(f"{what}: {found} instead of {expected}")


def options(kind, **values):
    made = kind()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def like_on_the_host(store_path, rank, size, path):
    r = Rank(store_path, rank, size, path)
    backend = r.backend

    def mine(*shape):
        return torch.arange(float(torch.Size(shape).numel())).reshape(shape) + 10 * rank

    for is_async, shape in ((True, (3, 5)), (False, (1000,)), (True, (0,))):
        reduce = options(_c10d.AllreduceOptions, reduceOp=Op.AVG, asyncOp=is_async)
        r.require_like_host("allreduce", lambda x: backend.allreduce(x, reduce), [mine(*shape)])
        scaled = options(_c10d.AllreduceOptions, reduceOp=dist._make_nccl_premul_sum(0.5))
        r.require_like_host("premul", lambda x: backend.allreduce(x, scaled), [mine(*shape)])
        r.require_like_host("broadcast", lambda x: backend.broadcast(
            x, options(_c10d.BroadcastOptions, rootRank=1, asyncOp=is_async)), [mine(*shape)])
        each = [mine(*shape) + to for to in range(size)]
        out = [torch.zeros(shape) for _ in range(size)]
        r.require_like_host("allgather", lambda x, y: backend.allgather(
            [y], x, options(_c10d.AllgatherOptions, asyncOp=is_async)), [mine(*shape)], out)
        r.require_like_host("reduce_scatter", lambda x, y: backend.reduce_scatter(
            y, [x], options(_c10d.ReduceScatterOptions, asyncOp=is_async)), each, out[:1])
        r.require_like_host("alltoall", lambda x, y: backend.alltoall(
            y, x, options(_c10d.AllToAllOptions, asyncOp=is_async)), each, out)
        gather = options(_c10d.GatherOptions, rootRank=0, asyncOp=is_async)
        r.require_like_host("gather", lambda x, y: backend.gather([y] if y else [], x, gather),
                            [mine(*shape)], out if rank == 0 else [])
        scatter = options(_c10d.ScatterOptions, rootRank=0, asyncOp=is_async)
        r.require_like_host("scatter", lambda x, y: backend.scatter(y, [x] if x else [], scatter),
                            each if rank == 0 else [], out[:1])
    r.require_like_host("gaps", lambda x: backend.allreduce([x[0].t()]), [mine(4, 3)])
    whole = [torch.zeros(size * 6)]
    r.require_like_host("_allgather_base", lambda x, y: backend._allgather_base(y[0], x[0]),
                        [mine(6)], whole)
    r.require_like_host("_reduce_scatter_base",
                        lambda x, y: backend._reduce_scatter_base(y[0], x[0]),
                        [mine(6 * size)], [torch.zeros(6)])
    r.require_like_host("coalesced", backend.allreduce_coalesced, [mine(3), mine(4)])
    for is_sender in (rank == 0, rank == 1):
        tensors = r.moved([mine(3, 4).t() if is_sender else torch.zeros(4, 3)])
        (backend.send if is_sender else backend.recv)(tensors, 1 - rank, 7).wait()
        if not is_sender:
            expected = torch.arange(12.0).reshape(3, 4).t() + 10 * (1 - rank)
            assert torch.equal(r.on_host(tensors)[0], expected), tensors
    backend.barrier().wait()
    dist.destroy_process_group()


def in_the_order_of_streams(store_path, rank, size, path):
    r = Rank(store_path, rank, size, path)
    # The first call of a group meets the others.
    r.backend.allreduce(r.moved([torch.ones(1)])).wait()
    for stream_of_own in (False, True):
        if stream_of_own:
            r.device.use_new_stream()
        recorded = r.device.recorded()
        tensor = r.moved([torch.full((1000,), rank + 1.0)])
        gate = r.device.Gate()  # what comes before the call
        work = r.backend.allreduce(tensor, options(_c10d.AllreduceOptions, asyncOp=stream_of_own))
        assert r.device.recorded() > recorded, "the allocator knows of no other stream"
        work.wait()  # blocks the stream only
        assert not work.is_completed()
        gate.open()
        assert r.on_host(tensor)[0].eq(3).all()
        sums = work.get_future().then(lambda done: r.on_host(done.value()))
        assert sums.wait()[0].eq(3).all()
        while not work.is_completed():
            time.sleep(0.01)
        work.wait()
    # Coalesced: one work, whose stream waits for all.
    tensors = r.moved([torch.ones(10), torch.full((10,), float(rank))])
    gate = r.device.Gate()
    r.backend._start_coalescing()
    r.backend.allreduce(tensors[:1])
    r.backend.broadcast(tensors[1:], options(_c10d.BroadcastOptions, rootRank=1))
    r.backend._end_coalescing().wait()
    gate.open()
    assert [each[0].item() for each in r.on_host(tensors)] == [2, 1]
    # A barrier comes after what the stream was given before.
    gate = r.device.Gate()
    r.backend.allreduce(tensors[:1])
    barrier = r.backend.barrier(options(_c10d.BarrierOptions, asyncOp=True))
    assert not barrier.is_completed()
    gate.open()
    barrier.wait()
    assert r.device.on_host(tensors[0])[0] == 4
    dist.destroy_process_group()


def fails_where_a_rank_stays_away(store_path, rank, size, path):
    r = Rank(store_path, rank, size, path)
    tensor = r.moved([torch.ones(3)])
    with world.raises("tensors on cuda:0 and on cpu"):
        r.backend.allgather([[torch.ones(3), tensor[0]]], tensor)
    r.backend.allreduce(tensor).wait()
    if rank == 0:
        short = options(_c10d.AllreduceOptions, timeout=datetime.timedelta(milliseconds=300))
        work = r.backend.allreduce(tensor, short)
        work.wait()  # the stream goes on
        r.device.synchronize()
        while not work.is_completed():
            time.sleep(0.01)
        for call in (work.wait, lambda: r.backend.allreduce(tensor).wait()):
            with world.raises("timeout in .*: rank 1 did not answer", dist.DistBackendError):
                call()
        dist.FileStore(store_path + "2", size).set("over", "yes")
    else:
        dist.FileStore(store_path + "2", size).wait(["over"])
    dist.destroy_process_group()


def ends_with_work_under_way(store_path, rank, size, path):
    r = Rank(store_path, rank, size, path)
    tensor = r.moved([torch.ones(3)])
    r.backend.allreduce(tensor).wait()
    if rank == 0:
        work = r.backend.allreduce(tensor)  # nobody else comes
        del r.backend
        dist.destroy_process_group()
        with world.raises("destroyed|abort", dist.DistBackendError):
            work.wait()
        dist.FileStore(store_path + "2", size).set("over", "yes")
    else:
        dist.FileStore(store_path + "2", size).wait(["over"])


if __name__ == "__main__":
    source_, build_ = map(pathlib.Path, sys.argv[1:3])
    path_ = compile_emulation(build_, source_, sys.argv[3:])
    for function_ in (like_on_the_host, in_the_order_of_streams, fails_where_a_rank_stays_away,
                      ends_with_work_under_way):
        world.run(function_, 2, str(path_))
        print(f"{function_.__name__}: as it should be", flush=True)
