#!/usr/bin/env python3
"""Large tensors that come again and again lie in memory that other ranks read, until they are freed
or the process forks; nothing that a program can see of them changes."""

import gc
import os
import re

import torch
import torch.distributed as dist

import ranks as world

COUNT = 300_000
USES = 4


def is_shared(tensor):
    """Whether its middle lies in a mapping that rondo made, as the system sees it."""
    middle = tensor.data_ptr() + tensor.numel() * tensor.element_size() // 2
    with open("/proc/self/maps", encoding="ascii") as maps:
        for line in maps:
            begin, end = (int(word, 16) for word in re.match("(\\w+)-(\\w+)", line).groups())
            if begin <= middle < end:
                return "memfd:rondo" in line
    raise AssertionError("it is not mapped")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def reduced(tensor, rank, size, uses=USES):
    """Everybody's sum, which is known."""
    for use in range(uses):
        tensor.copy_(torch.arange(tensor.numel()) % 1000 + rank + use)
        dist.all_reduce(tensor)
        expected = size * (torch.arange(tensor.numel()) % 1000 + use) + sum(range(size))
        assert torch.equal(tensor, expected.to(tensor.dtype)), (use, tensor)
    return tensor


def check_freed(rank, size):
    before = descriptors()
    for _ in range(3):
        tensor = reduced(torch.empty(COUNT), rank, size)
        assert is_shared(tensor)
        assert descriptors() == before + 1
        del tensor
        gc.collect()
        assert descriptors() == before


def check_once(rank, size):
    """What comes once stays as it is, and so does what is only a part of something."""
    assert not is_shared(reduced(torch.empty(COUNT), rank, size, uses=2))
    whole = torch.zeros(2 * COUNT)
    reduced(whole[:COUNT], rank, size)
    assert not is_shared(whole[:COUNT]) and not whole[COUNT:].any()
    array = torch.empty(COUNT).numpy()
    reduced(torch.from_numpy(array), rank, size)
    assert not is_shared(torch.from_numpy(array))


def check_changed(rank, size):
    """Storages that are resized, shared, or viewed."""
    tensor = reduced(torch.empty(COUNT), rank, size)
    view = tensor[7:9].clone()
    before = descriptors()
    tensor.resize_(2 * COUNT)
    assert descriptors() == before - 1 and torch.equal(tensor[7:9], view)
    reduced(tensor, rank, size)
    assert is_shared(tensor)
    expected = tensor.clone()
    tensor.share_memory_()
    assert torch.equal(tensor, expected)
    reduced(tensor, rank, size)


def check_fork(rank, size):
    """A child has a copy, whatever either does afterwards."""
    tensor = reduced(torch.empty(COUNT), rank, size)
    kept = reduced(torch.empty(COUNT), rank, size)
    assert is_shared(tensor)
    expected = tensor.clone()
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(to_child[0], 1)
        good = torch.equal(tensor, expected)
        tensor.fill_(-1)
        del kept
        more = [torch.full((COUNT,), 5.0) for _ in range(4)]  # perhaps where that one was
        os.write(to_parent[1], b"!")
        os._exit(0 if good and len(more) == 4 else 1)
    assert not is_shared(tensor)
    assert torch.equal(tensor, expected)
    reduced(tensor, rank, size)
    assert is_shared(tensor)
    after = tensor.clone()
    os.write(to_child[1], b"!")
    os.read(to_parent[0], 1)
    assert os.waitpid(child, 0)[1] == 0, "the child saw its parent's changes"
    assert torch.equal(tensor, after) and torch.equal(kept, expected)


def check_fork_meanwhile(rank, size):
    """What an operation is using at a fork stays shared with the child, which must not reuse it."""
    tensor = reduced(torch.empty(COUNT), rank, size)
    expected = 2 * tensor
    if rank == 0:
        work = dist.all_reduce(tensor, async_op=True)
        assert is_shared(tensor)
        child = os.fork()
        if child == 0:
            del tensor, work
            for _ in range(8):
                torch.full((COUNT,), -1.0)
            os._exit(0)
        os.waitpid(child, 0)
        dist.distributed_c10d._get_default_store().set("forked", "yes")
        work.wait()
    else:
        dist.distributed_c10d._get_default_store().wait(["forked"], world.LONG)
        dist.all_reduce(tensor)
    assert torch.equal(tensor, expected)


def check_all(store_path, rank, size):
    world.join(store_path, rank, size)
    reduced(torch.empty(COUNT), rank, size)  # links and caches have all they need
    gc.collect()
    for check in (check_freed, check_once, check_changed, check_fork, check_fork_meanwhile):
        check(rank, size)
        dist.barrier()
        print(f"{check.__name__}: as it should be", flush=True)
    dist.destroy_process_group()


def check_switch(store_path, rank, size):
    os.environ["RONDO_TORCH_REGISTER"] = "0"
    world.join(store_path, rank, size)
    assert not is_shared(reduced(torch.empty(COUNT), rank, size))
    dist.destroy_process_group()


if __name__ == "__main__":
    world.run(check_all, 2)
    world.run(check_switch, 2)
