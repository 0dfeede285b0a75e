#!/usr/bin/env python3
"""Ranks that call different things: each gets an exception that says who called what, in that
call or, if that had nothing to wait for, in the next. So do calls that nobody can carry out."""

import torch
import torch.distributed as dist

import ranks as world

Op = dist.ReduceOp
SAYS = "ranks call different things"


def coalesced(rank, group, **_how):
    """Has one work for its calls, which are all well but for the first one."""
    with dist._coalescing_manager(group, torch.device("cpu"), async_ops=True) as manager:
        dist.broadcast(torch.ones(3 + rank), 0, group=group, async_op=True)
        dist.all_reduce(torch.ones(3), group=group, async_op=True)
    return manager


def pair(length, dtype=torch.float32):
    return [torch.ones(length, dtype=dtype) for _ in range(2)]


# What a rank calls: its keyword arguments are the group and whether to wait. Lengths, types,
# operations and roots differ between ranks 0 and 1.
DIFFERENT = {
    "length of all_reduce": lambda rank, **how: dist.all_reduce(torch.ones(3 + rank), **how),
    "type of all_reduce": lambda rank, **how: dist.all_reduce(
        torch.ones(4, dtype=(torch.float32, torch.int32)[rank]), **how),
    "operation": lambda rank, **how: dist.all_reduce(
        torch.ones(4), op=(Op.SUM, Op.MAX)[rank], **how),
    "length in all_reduce_coalesced": lambda rank, **how: dist.all_reduce_coalesced(
        [torch.ones(3), torch.ones(2 + rank)], **how),
    "length in coalesced calls": coalesced,
    "length of broadcast": lambda rank, **how: dist.broadcast(torch.ones(3 + rank), 0, **how),
    "root of broadcast": lambda rank, **how: dist.broadcast(torch.ones(3), rank, **how),
    "length of reduce": lambda rank, **how: dist.reduce(torch.ones(3 + rank), 0, **how),
    "root of reduce": lambda rank, **how: dist.reduce(torch.ones(3), rank, **how),
    "length of all_gather": lambda rank, **how: dist.all_gather(
        pair(3 + rank), torch.ones(3 + rank), **how),
    "type of all_gather": lambda rank, **how: dist.all_gather(
        pair(3, (torch.float32, torch.int32)[rank]),
        torch.ones(3, dtype=(torch.float32, torch.int32)[rank]), **how),
    "length of all_gather_into_tensor": lambda rank, **how: dist.all_gather_into_tensor(
        torch.ones(2 * (3 + rank)), torch.ones(3 + rank), **how),
    "length of gather": lambda rank, **how: dist.gather(
        torch.ones(3 + rank), pair(3) if rank == 0 else None, 0, **how),
    "length of scatter": lambda rank, **how: dist.scatter(
        torch.ones(3 + rank), pair(3) if rank == 0 else None, 0, **how),
    "length of reduce_scatter": lambda rank, **how: dist.reduce_scatter(
        torch.ones(3 + rank), pair(3 + rank), **how),
    "length of reduce_scatter_tensor": lambda rank, **how: dist.reduce_scatter_tensor(
        torch.ones(3 + rank), torch.ones(2 * (3 + rank)), **how),
    "length of all_to_all": lambda rank, **how: dist.all_to_all(
        pair(3 + rank), pair(3 + rank), **how),
    "splits of all_to_all_single": lambda rank, **how: dist.all_to_all_single(
        torch.ones(4 + rank), torch.ones(4), [2, 2 + rank], [2 - rank, 2 + rank], **how),
    "call": lambda rank, **how: (
        dist.all_reduce(torch.ones(3), **how) if rank else dist.barrier(**how)),
}


def complaint_about(call, rank, group, is_async):
    """What it, or the next call, says."""
    try:
        work = call(rank, group=group, async_op=is_async)
        if is_async:
            work.wait()
        dist.barrier(group)
    except dist.DistBackendError as error:
        return str(error)
    raise AssertionError("nothing was raised")


def differ(store_path, rank, size):
    world.join(store_path, rank, size)
    for what, call in DIFFERENT.items():
        for is_async in (False, True):
            group = dist.new_group()
            complaint = complaint_about(call, rank, group, is_async)
            for text in (SAYS, "rank 0", "rank 1"):
                if text not in complaint:
                    raise AssertionError(f"different {what}, async {is_async}: {complaint}")
    dist.barrier()  # the other groups are as good as before
    dist.destroy_process_group()


def refuse(store_path, rank, size):
    """Calls that do not reach the other ranks, and what their errors say."""
    world.join(store_path, rank, size)
    group = dist.distributed_c10d._get_default_group()
    backend = group._get_backend(torch.device("cpu"))
    four = torch.ones(4)
    for text, call in (
            ("cannot reduce tensors of Float8_e4m3fnuz",
             lambda: dist.all_reduce(four.to(torch.float8_e4m3fnuz))),
            ("Cannot use ReduceOp.BAND with non-integral", lambda: dist.all_reduce(four, Op.BAND)),
            ("cannot reduce tensors of Bool with AVG",
             lambda: dist.all_reduce(four.bool(), Op.AVG)),
            ("does not support RedOpType.MAX on complex",
             lambda: dist.all_reduce(four.to(torch.complex64), Op.MAX)),
            ("must be equal to world_size times", lambda: dist.all_gather_into_tensor(four, four)),
            ("different dtypes",
             lambda: dist.all_gather([four, four.double()], four)),
            ("a list of 1 tensors in a group of 2", lambda: dist.all_gather([four], four)),
            ("a single list of tensors", lambda: group.allgather([[], []], [four]).wait()),
            ("SparseCPU", lambda: dist.broadcast(four.to_sparse(), 0)),
            ("invalid root rank: 2 in a group of 2",
             lambda: dist.broadcast(four, 2)),
            # What a CUDA tensor would meet: PyTorch asks for another backend for its device.
            ("a tensor on meta; rondo takes tensors on the CPU and on CUDA",
             lambda: backend.allreduce([torch.ones(3, device="meta")])),
            ("takes no options", lambda: dist.new_group(backend="rondo", pg_options=object())),
    ):
        with world.raises(text, (RuntimeError, ValueError, TypeError)):
            call()
    tensor = torch.ones(2)
    dist.all_reduce(tensor)  # nothing of that did any harm
    assert tensor.tolist() == [2, 2]
    dist.destroy_process_group()


if __name__ == "__main__":
    for function in (differ, refuse):
        world.run(function, 2)
        print(f"{function.__name__}: as it should be")
