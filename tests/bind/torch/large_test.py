#!/usr/bin/env python3
"""Tensors of more than 2 GiB, whose bytes and elements no 32-bit number counts: reduced, copied to
everybody, and sent. Skipped where there is not enough memory."""

import sys

import torch
import torch.distributed as dist

import ranks as world

LENGTH = (1 << 31) + 200_000_003
NEEDED = 4 * LENGTH  # a tensor of each rank, and as much again for what is under way
SKIPPED = 77  # what Meson takes as "skipped"


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    return 1024 * int(fields["MemAvailable"].split()[0])


def require_all(tensor, value):
    lowest, highest = torch.aminmax(tensor)
    assert lowest == highest == value, (lowest, highest, value)


def check_all(store_path, rank, size):
    world.join(store_path, rank, size)
    tensor = torch.full((LENGTH,), 5 + rank, dtype=torch.uint8)
    dist.all_reduce(tensor)
    require_all(tensor, 11)
    places = {0: 1, (1 << 31) - 1: 2, 1 << 31: 3, LENGTH - 1: 4}
    if rank == 0:
        for place, value in places.items():
            tensor[place] = value
    dist.broadcast(tensor, 0, async_op=True).wait()
    for place, value in places.items():
        assert tensor[place] == value
        tensor[place] = 11
    require_all(tensor, 11)
    if rank == 0:
        dist.send(tensor.fill_(9), 1)
    else:
        dist.recv(tensor, 0)
        require_all(tensor, 9)
    dist.destroy_process_group()


if __name__ == "__main__":
    if available_memory() < NEEDED:
        print(f"needs {NEEDED >> 30} GiB of memory")
        sys.exit(SKIPPED)
    world.run(check_all, 2)
